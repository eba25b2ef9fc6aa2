"""Placement: which node holds which container, so that "it fits" is answered per node and not from the sum.

First fit over the nodes in their order. It keeps what it has placed, and changes only what is asked to change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from beaufort.model import Node, Resources

__all__ = ["Packing"]

EPSILON = 1e-9


class Packing:
    """The room of some nodes, and what has been placed on them under keys of the caller's."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._free = [dict(node.capacity.items()) for node in nodes]
        self._index = {node.name: index for index, node in enumerate(nodes)}
        self._placed: dict[int, list[tuple[int, int]]] = {}
        # A shape that does not fit on the first n nodes will not, until room is given back: where to look on.
        self._begin: dict[Resources, int] = {}

    def hold(self, node: str, shape: Resources, count: int) -> None:
        """Take room on a named node, even where there is none: it is taken. An unknown node is nobody's room."""
        index = self._index.get(node)
        if index is not None:
            self._take(index, shape, count)

    def placed(self, key: int) -> int:
        """How many containers are placed under ``key``."""
        return sum(count for _, count in self._placed.get(key, ()))

    def make(self, key: int, shape: Resources, count: int) -> int:
        """Have ``count`` containers of ``shape`` under ``key``, or as many as there is room for; returns how many."""
        present = self.placed(key)
        if count < present:
            self._give_back(key, shape, present - count)
            return count
        return present + self._add(key, shape, count - present) if count > present else present

    def _add(self, key: int, shape: Resources, count: int) -> int:
        left, begin = count, self._begin.get(shape, 0)
        for index in range(begin, len(self._free)):
            if left == 0:
                break
            fit = min(left, self._fit(self._free[index], shape))
            if fit:
                self._take(index, shape, fit)
                self._placed.setdefault(key, []).append((index, fit))
                left -= fit
            elif begin == index:
                begin += 1
        self._begin[shape] = begin
        return count - left

    @staticmethod
    def _fit(free: Mapping[str, float], shape: Resources) -> int:
        fit: float = math.inf
        for name, amount in shape.items():
            if amount > 0 and name in free:
                fit = min(fit, (free[name] + EPSILON) // amount)
        return max(0, int(fit)) if fit != math.inf else _BOUNDLESS

    def _take(self, index: int, shape: Resources, count: int) -> None:
        free = self._free[index]
        for name, amount in shape.items():
            if name in free:
                free[name] -= amount * count

    def _give_back(self, key: int, shape: Resources, count: int) -> None:
        placed = self._placed[key]
        while count:
            index, present = placed.pop()
            gone = min(present, count)
            self._take(index, shape, -gone)
            count -= gone
            if present > gone:
                placed.append((index, present - gone))
        self._begin.clear()


_BOUNDLESS = 1 << 62
