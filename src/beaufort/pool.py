"""The pool as arithmetic wants it: the limited dimensions, their totals, and what one container of each service needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beaufort.model import Node, Resources, Service

__all__ = ["EPSILON", "Amounts", "Flags", "Numbers", "Pool", "with_slack"]

Numbers = NDArray[np.int64]
Amounts = NDArray[np.float64]
Flags = NDArray[np.bool_]

RUNNING = ("containers", "cpu")
"""What a container takes only while it runs: a slot is a place to run in."""

EPSILON = 1e-9
"""The share of an amount that is rounding, not shortage: 10 times 0.1 cores fit in one."""


def with_slack(amounts: Amounts) -> Amounts:
    """The amounts, with what rounding may add."""
    return np.asarray(amounts + EPSILON * np.maximum(amounts, 1.0))


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Capacity and needs. ``need`` is (dimensions, services), ``total`` (dimensions,), ``share`` (services,). ``rest`` is
    what one container still needs when it is paused: all but its cpu and its slot.

    A quota of a group is a dimension that only its services need: ``groups`` has its name, None for the pool's own.
    ``room`` is the total, with what rounding may add. ``share`` is the dominant share of one container: the greatest
    part of any one total that it takes.
    """

    names: tuple[str, ...]
    groups: tuple[str | None, ...]
    total: Amounts
    room: Amounts
    need: Amounts
    rest: Amounts
    share: Amounts

    @classmethod
    def of(cls, services: Sequence[Service], nodes: Sequence[Node], quotas: Mapping[str, Resources]) -> Pool:
        limited = sorted(set.intersection(*(set(node.capacity) for node in nodes))) if nodes else []
        limits: list[tuple[str, str | None, float]] = [
            (name, None, sum(node.capacity[name] for node in nodes)) for name in limited
        ]
        limits += [(name, group, amount) for group, quota in quotas.items() for name, amount in quota.items()]
        columns = [_column(services, name, group) for name, group, _ in limits]
        need = np.array(columns, dtype=float).reshape(len(columns), len(services))
        total = np.array([amount for _, _, amount in limits], dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(need > 0, need / total[:, None], 0.0)
        # The dominant share is of the pool; a quota counts only for a service that uses nothing else that is limited.
        pool = shares[: len(limited)].max(axis=0, initial=0.0)
        quota = shares[len(limited) :].max(axis=0, initial=0.0)
        names, groups = tuple(name for name, _, _ in limits), tuple(group for _, group, _ in limits)
        rest = np.where(np.isin(names, RUNNING)[:, None], 0.0, need) if names else need
        return cls(names, groups, total, with_slack(total), need, rest, np.where(pool > 0, pool, quota))

    def alone(self) -> Amounts:
        """How many containers of each service an empty pool could hold if there were no other; may be infinity."""
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(self.need > 0, np.floor(self.room[:, None] / self.need), np.inf)
        return np.asarray(fit.min(axis=0, initial=np.inf))


def _column(services: Sequence[Service], name: str, group: str | None) -> list[float]:
    return [
        0.0 if group is not None and s.group != group else 1.0 if name == "containers" else s.resources.get(name)
        for s in services
    ]
