"""Reach: which nodes a service may use, from its constraints and the attributes of the nodes.

What asks where a node is, is told exactly, and so is how many may be on one value of an attribute. Of a CLUSTER without a
value it is told where the service is already. That a GROUP_BY has to be even is not told: it is seen when it is placed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from beaufort.constraints import ABSENT, Column, Constraint, Operator
from beaufort.model import EMPTY, Node, Reach

__all__ = ["Reaches"]


class Reaches:
    """Of the services that have ``constraints``, by name. It is worked out anew only where something has changed."""

    def __init__(self, constraints: Mapping[str, Sequence[Constraint]]) -> None:
        hard = {name: tuple(each for each in them if not each.soft) for name, them in constraints.items()}
        self._constraints = {name: them for name, them in hard.items() if them}
        self._nodes: tuple[Node, ...] = ()
        self._columns: dict[str, Column] = {}
        self._on: dict[str, Mapping[str, int]] = {}
        self._reach: Mapping[str, Reach] = {}

    def of(self, nodes: tuple[Node, ...], on: Mapping[str, Mapping[str, int]]) -> Mapping[str, Reach]:
        """``on``: service -> node -> how many are there. Nothing while no node is known."""
        if not self._constraints or not nodes:
            return EMPTY
        there = {name: on.get(name, EMPTY) for name, them in self._constraints.items() if any(map(_follows, them))}
        if nodes != self._nodes or there != self._on:
            if nodes != self._nodes:
                self._columns.clear()
            self._nodes, self._on = nodes, there
            self._reach = {name: self._of(them, there.get(name, EMPTY)) for name, them in self._constraints.items()}
        return self._reach

    def _of(self, constraints: Sequence[Constraint], on: Mapping[str, int]) -> Reach:
        allowed = np.ones(len(self._nodes), dtype=bool)
        most: dict[str, int] = {}
        for each in constraints:
            column = self._column(each.field)
            if each.operator in {Operator.UNIQUE, Operator.MAX_PER}:
                most[each.field] = min(most.get(each.field, 1 << 40), int(each.value or 1))
                allowed &= column.codes != ABSENT
            elif each.operator is Operator.GROUP_BY:
                allowed &= column.codes != ABSENT
            else:
                running = np.array([on.get(node.name, 0) for node in self._nodes], dtype=np.int64)
                allowed &= each.allows(column, column.count(running))
        names = frozenset(node.name for node, may in zip(self._nodes, allowed.tolist(), strict=True) if may)
        return Reach(names, most, ", ".join(map(str, constraints)))

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            self._columns[name] = Column.of(name, [node.labels for node in self._nodes])
        return self._columns[name]


def _follows(constraint: Constraint) -> bool:
    """Whether it asks where the others are."""
    return constraint.operator is Operator.CLUSTER and not constraint.value
