"""Kinds: which containers are alike for a node. Those of one size, that may be on the same nodes, are of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from beaufort.constraints import ABSENT, Column
from beaufort.model import NODE, Node, Reach, Service
from beaufort.pool import Amounts, Flags

__all__ = ["Cap", "Kinds"]


@dataclass(frozen=True, slots=True, eq=False)
class Cap:
    """Of one service no more than ``most`` may be on nodes of one ``code``: it is a node's, by its index."""

    most: int
    codes: list[int]


class Kinds:
    """The kinds of a fixed set of services on fixed nodes. ``of`` and ``numbers`` are each service's kind.

    By kind: ``sizes`` in ``names``, and the same as ``rows``; ``uses``, the same without what is not used; ``allowed``, which nodes it may use,
    None for all; ``caps``. What has any of these is a kind of its own, of the service that ``owner`` says.
    """

    def __init__(self, services: Sequence[Service], nodes: Sequence[Node], reach: Mapping[str, Reach]) -> None:
        self.names = sorted({name for node in nodes for name in node.capacity})
        rules = [reach.get(service.name) for service in services]
        numbers: dict[object, int] = {None: 0}
        keys = [_key(rule, service.name) for rule, service in zip(rules, services, strict=True)]
        rows = [
            [*(1.0 if name == "containers" else s.resources.get(name) for name in self.names), number]
            for s, number in zip(services, (numbers.setdefault(key, len(numbers)) for key in keys), strict=True)
        ]
        table = np.array(rows, dtype=float).reshape(-1, len(self.names) + 1)
        found, first, self.of = np.unique(table, axis=0, return_index=True, return_inverse=True)
        self.sizes: Amounts = found[:, :-1]
        self.rows: list[list[float]] = self.sizes.tolist()
        self.numbers: list[int] = self.of.tolist()
        self.uses = [[(d, amount) for d, amount in enumerate(size) if amount > 0] for size in self.rows]
        ruled = [rules[service] for service in first.tolist()]
        names = np.array([node.name for node in nodes])
        self.allowed: list[Flags | None] = [
            None if rule is None else np.array([name in rule.nodes for name in names.tolist()], dtype=bool)
            for rule in ruled
        ]
        self.caps: list[tuple[Cap, ...]] = [
            () if rule is None else tuple(_cap(label, most, nodes) for label, most in rule.most.items())
            for rule in ruled
        ]
        self.owner: list[int] = first.tolist()

    def covers(self, kind: int) -> Flags:
        """Which kinds are at least as large: where one of them was, there is room for one of this."""
        return np.asarray((self.sizes >= self.sizes[kind]).all(axis=1))


def _key(rule: Reach | None, service: str) -> object:
    if rule is None:
        return None
    return service if rule.most else rule.nodes


def _cap(label: str, most: int, nodes: Sequence[Node]) -> Cap:
    if label == NODE:
        return Cap(most, list(range(len(nodes))))
    codes = Column.of(label, [node.labels for node in nodes]).codes
    return Cap(most, np.where(codes == ABSENT, codes.max(initial=ABSENT) + 1, codes).tolist())
