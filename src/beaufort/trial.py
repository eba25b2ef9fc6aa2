"""Trial: a try at placing more containers on nodes, on what is free now and on what those that leave will leave."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from beaufort.kinds import Kinds
from beaufort.pool import Amounts, Flags

__all__ = ["Trial"]

Row = list[float]
"""Amounts of each resource."""


class Trial:
    """``free``: what is free now, by resource and node. ``where``: on which nodes a service has how many, for its caps.

    Where a container leaves from a known node, the node will have its room beside what is free there. Where that is not
    known, it leaves room for one of its size on one node, whichever. ``awaited``: the nodes whose room is waited for,
    ``awaited_of``: those whose room is, where no node is known. It changes nothing but itself.
    """

    def __init__(self, free: Amounts, kinds: Kinds, where: Callable[[int], Mapping[int, int]]) -> None:
        self._free = free
        self._kinds = kinds
        self._where = where
        self._rows: dict[int, Row] = {}
        self._after: dict[int, Row] = {}
        self._open: dict[int, list[int]] = {}
        self._left: list[tuple[Collection[int], Row, int]] = []
        self._next: dict[int, int] = {}
        self._used: dict[int, list[list[int]]] = {}
        self._touched: set[int] = set()
        self.awaited: set[int] = set()
        self.awaited_of: set[int] = set()

    def place(self, kind: int, count: int) -> list[tuple[int, int]]:
        """Place so many containers, or as many as there is room for now, by first fit: (node, how many there)."""
        placed = []
        nodes = self._nodes(kind)
        while count and nodes:
            node = nodes[-1]
            taken = self._take_now(node, kind, count)
            if taken:
                placed.append((node, taken))
                count -= taken
            if count:
                nodes.pop()
        return placed

    def is_open(self, kind: int) -> bool:
        """Whether there may be room for one now; if not, there is none."""
        return bool(self._nodes(kind))

    def leave(self, service: int, count: int, places: Mapping[int, int]) -> Collection[int]:
        """So many containers of a service leave, of those that it has in these ``places`` (node -> count). Returns the nodes
        that they surely leave: the only one, or all if nobody stays.
        """
        surely = places if len(places) == 1 or count >= sum(places.values()) else {}
        for node, there in surely.items():
            gone = min(count, there)
            self.leave_node(service, gone, node)
            count -= gone
        size = self._kinds.rows[self._kinds.numbers[service]]
        self._left += [(places, size[:], service) for _ in range(count)]
        return surely

    def leave_node(self, service: int, count: int, node: int) -> None:
        """So many leave from this node."""
        kind = self._kinds.numbers[service]
        after = self._after.get(node)
        if after is None:
            after = self._after[node] = self.row(node)[:]
        for d, amount in self._kinds.uses[kind]:
            after[d] += amount * count
        self._left.append(((node,), after, service))
        self._touched.add(node)

    def place_later(self, kind: int, count: int) -> int:
        """The same as ``place`` for the room of those that leave; returns how many found room."""
        missing, uses = count, self._kinds.uses[kind]
        for index in range(self._next.get(kind, 0), len(self._left)):
            places, row, service = self._left[index]
            for d, amount in uses:
                if row[d] < amount:
                    break
            else:
                missing -= self._take_left(places, row, service, kind, missing)
                if not missing:
                    break
            self._next[kind] = index + 1
        return count - missing

    def may_take(self, node: int, kind: int, count: int) -> int:
        """How many the node may take, of ``count``, whatever room it has."""
        allowed = self._kinds.allowed[kind]
        if allowed is None:
            return count
        if not allowed[node]:
            return 0
        caps = self._kinds.caps[kind]
        return min(
            [count, *(cap.most - used[cap.codes[node]] for cap, used in zip(caps, self._uses(kind), strict=True))]
        )

    def row(self, node: int) -> Row:
        """What is still free on a node, by resource."""
        row = self._rows.get(node)
        if row is None:
            row = self._rows[node] = self._free[:, node].tolist()
        return row

    def after(self, node: int) -> Row:
        """What will be, when those have left that leave."""
        return self._after.get(node) or self.row(node)

    def close(self, node: int) -> None:
        """Nothing more is to be placed on this node: its room is waited for."""
        self.awaited.add(node)
        self._rows[node] = [0.0] * len(self._free)

    def touched(self) -> set[int]:
        """The nodes of which something has changed since this was asked last."""
        touched, self._touched = self._touched, set()
        return touched

    def _nodes(self, kind: int) -> list[int]:
        """The nodes that may have room, the first one last."""
        nodes = self._open.get(kind)
        if nodes is None:
            fitting: Flags = (self._free >= self._kinds.sizes[kind][:, None]).all(axis=0)
            allowed = self._kinds.allowed[kind]
            there = np.flatnonzero(fitting if allowed is None else fitting & allowed)
            nodes = self._open[kind] = there[::-1].tolist()
        return nodes

    def _uses(self, kind: int) -> list[list[int]]:
        """By cap, then by code: how many there are, with those that have been placed."""
        used = self._used.get(kind)
        if used is None:
            used = self._used[kind] = [[0] * (max(cap.codes) + 1) for cap in self._kinds.caps[kind]]
            for node, count in self._where(self._kinds.owner[kind]).items() if used else ():
                self._use(node, kind, count)
        return used

    def _use(self, node: int, kind: int, count: int) -> None:
        for cap, used in zip(self._kinds.caps[kind], self._uses(kind), strict=True):
            used[cap.codes[node]] += count

    def _take_left(self, places: Collection[int], row: Row, service: int, kind: int, count: int) -> int:
        """Of what leaves. What is free now on its node is kept for that, as far as it takes part in it."""
        node = next(iter(places), -1)
        if row is not self._after.get(node):
            if self._kinds.allowed[kind] is None or any(self.may_take(place, kind, 1) for place in places):
                self.awaited_of.add(service)
                return self._take(row, kind, count)
            return 0
        count = self._take(row, kind, self.may_take(node, kind, count))
        if count:
            self._note(node, kind, count)
            self.awaited.add(node)
            self._rows[node] = [min(now, then) for now, then in zip(self.row(node), row, strict=True)]
        return count

    def _take_now(self, node: int, kind: int, count: int) -> int:
        count, after = self.may_take(node, kind, count), self._after.get(node)
        if after is not None:
            count = self._fit(after, kind, count)
        count = self._take(self.row(node), kind, count)
        if count:
            self._note(node, kind, count)
            if after is not None:
                self._take(after, kind, count)
        return count

    def _note(self, node: int, kind: int, count: int) -> None:
        self._touched.add(node)
        if self._kinds.caps[kind]:
            self._use(node, kind, count)

    def _fit(self, row: Row, kind: int, count: int) -> int:
        """How many fit, of ``count``."""
        for d, amount in self._kinds.uses[kind]:
            if row[d] < amount * count:
                count = int(row[d] // amount)
        return max(0, count)

    def _take(self, row: Row, kind: int, count: int) -> int:
        """Take the room of as many as fit, of ``count``."""
        count = self._fit(row, kind, count)
        if count:
            for d, amount in self._kinds.uses[kind]:
                row[d] -= amount * count
        return count
