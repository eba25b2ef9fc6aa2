"""Packing: which node takes which new container, so that few nodes are begun. What runs stays where it is.

Of one priority the largest goes first, to the first node that has room (first fit decreasing). What is large is told
by the resource that will be the first to be short. That no node runs out of another one before, each keeps of the
others as much as the containers need on average beside what is left of the scarce one; those that need more go first.
So nodes end as full as with one resource alone. A reason is given for what finds no node.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from beaufort.constraints import Column, Constraint
from beaufort.model import Resources
from beaufort.pool import Amounts, Flags, Numbers, with_slack

__all__ = ["Batch", "Packed", "Space", "pack"]

NOWHERE: Mapping[str, Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Space:
    """What is free on a node, and its attributes. A resource that is not named is not limited.

    ``closed``: why nothing may go there. It counts all the same where containers are to be spread.
    """

    node: str
    free: Resources
    attributes: Mapping[str, str] = field(default_factory=dict)
    closed: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """So many new containers of a service, of one size. Those of a higher priority (1 is the highest) go first."""

    service: str
    size: Resources
    count: int = 1
    constraints: tuple[Constraint, ...] = ()
    priority: int = 1


@dataclass(frozen=True, slots=True)
class Packed:
    """``places``: for each batch, how many go to which space. ``reasons``: why not all of a batch have found one.

    Both by their place in the order in which they were given.
    """

    places: tuple[Mapping[int, int], ...]
    reasons: Mapping[int, str]


def pack(
    batches: Sequence[Batch], spaces: Sequence[Space], running: Mapping[str, Mapping[str, int]] = NOWHERE
) -> Packed:
    """``running``: service -> node -> how many run there, for the constraints."""
    packing = _Packing(batches, spaces, running)
    places: list[Mapping[int, int]] = [{}] * len(batches)
    reasons = {}
    for index in packing.order():
        batch = batches[index]
        places[index] = placed = packing.place(index, batch)
        missing = batch.count - sum(placed.values())
        if missing:
            reasons[index] = packing.why(index, batch)
    return Packed(tuple(places), reasons)


class _Tree:
    """Finds the first node with room, by a tree of the most that is free of each resource below it."""

    def __init__(self, free: Amounts) -> None:
        count: int = free.shape[1]
        self._leaves = 1 << max(0, count - 1).bit_length()
        self._tops: list[list[float]] = []
        for row in free:
            level = np.concatenate([row, np.full(self._leaves - count, -1.0)])
            levels = [level]
            while len(level) > 1:
                level = level.reshape(-1, 2).max(axis=1)
                levels.append(level)
            self._tops.append([0.0, *np.concatenate(levels[::-1]).tolist()])

    def first(self, needs: Sequence[tuple[int, float]]) -> int | None:
        paths = [1]
        while paths:
            at = paths.pop()
            for row, amount in needs:
                if self._tops[row][at] < amount:
                    break
            else:
                if at >= self._leaves:
                    return at - self._leaves
                paths += (2 * at + 1, 2 * at)
        return None

    def free(self, node: int, row: int) -> float:
        return self._tops[row][self._leaves + node]

    def take(self, node: int, uses: Sequence[tuple[int, float]], count: int) -> None:
        for row, amount in uses:
            tops = self._tops[row]
            at = self._leaves + node
            tops[at] -= amount * count
            while at > 1:
                at //= 2
                left, right = tops[2 * at], tops[2 * at + 1]
                top = max(right, left)
                if tops[at] == top:
                    break
                tops[at] = top


Need = Sequence[tuple[int, float]]
"""What one container takes: (row of what is free, amount). What it leaves to others of a reserve is below zero."""


class _Packing:
    """``_free`` has a row for each resource, and then one for the reserve of each resource but the scarce one."""

    def __init__(
        self, batches: Sequence[Batch], spaces: Sequence[Space], running: Mapping[str, Mapping[str, int]]
    ) -> None:
        self._names = sorted({name for batch in batches for name, amount in batch.size.items() if amount > 0})
        sizes = np.array([[batch.size.get(name) for batch in batches] for name in self._names], dtype=float)
        rows = [[0.0 if space.closed else space.free.get(name, np.inf) for space in spaces] for name in self._names]
        free = with_slack(np.array(rows, dtype=float).reshape(len(self._names), len(spaces)))
        counts = np.array([batch.count for batch in batches])
        self._sizes, self._free, self._order = _reserved(sizes.reshape(len(self._names), len(batches)), free, counts)
        self._attributes = [space.attributes for space in spaces]
        self._closed = [space.closed for space in spaces]
        self._index = {space.node: index for index, space in enumerate(spaces)}
        self._priorities = [batch.priority for batch in batches]
        self._given = running
        self._tree = _Tree(self._free)
        self._columns: dict[str, Column] = {}
        self._counts: dict[tuple[str, str], Numbers] = {}
        self._fixed: dict[Constraint, Flags] = {}
        self._reasons: dict[tuple[Resources, str, tuple[Constraint, ...]], str] = {}

    def order(self) -> list[int]:
        return sorted(self._order.tolist(), key=lambda index: self._priorities[index])

    def place(self, index: int, batch: Batch) -> dict[int, int]:
        if not self._free.shape[1]:
            return {}
        uses = [(row, amount) for row, amount in enumerate(self._sizes[:, index].tolist()) if amount]
        needs = [(row, amount) for row, amount in uses if amount > 0]
        place = self._place_within if batch.constraints else self._place_anywhere
        placed = place(needs, uses, batch, batch.count)
        missing = batch.count - sum(placed.values())
        if missing and needs[-1][0] >= len(self._names):  # a reserve is a wish, not a limit
            bare = [(row, amount) for row, amount in needs if row < len(self._names)]
            for node, count in place(bare, uses, batch, missing).items():
                placed[node] = placed.get(node, 0) + count
        return placed

    def _place_anywhere(self, needs: Need, uses: Need, batch: Batch, missing: int) -> dict[int, int]:
        placed: dict[int, int] = {}
        while missing and (node := self._tree.first(needs)) is not None:
            taken = int(min([missing, *(self._tree.free(node, row) / amount for row, amount in needs)]))
            self._take(node, uses, batch, taken)
            placed[node] = placed.get(node, 0) + taken
            missing -= taken
        return placed

    def _place_within(self, needs: Need, uses: Need, batch: Batch, missing: int) -> dict[int, int]:
        """One by one, as each changes what the constraints allow to the next."""
        placed: defaultdict[int, int] = defaultdict(int)
        for _ in range(missing):
            fitting = self._fitting(needs)
            for constraint in batch.constraints:
                if not constraint.soft:
                    fitting &= self._allowed(constraint, batch.service)
            for constraint in batch.constraints:
                if constraint.soft and (better := self._preferred(constraint, batch.service, fitting)).any():
                    fitting = better
            node = int(fitting.argmax())
            if not fitting[node]:
                break
            self._take(node, uses, batch, 1)
            placed[node] += 1
        return placed

    def _fitting(self, needs: Need) -> Flags:
        fitting = np.ones(self._free.shape[1], dtype=bool)
        for row, amount in needs:
            fitting &= self._free[row] >= amount
        return fitting

    def _allowed(self, constraint: Constraint, service: str) -> Flags:
        if not constraint.is_static:
            return constraint.allows(self._column(constraint.field), self._count(constraint.field, service))
        if constraint not in self._fixed:
            column = self._column(constraint.field)
            self._fixed[constraint] = constraint.allows(column, np.zeros(len(column.values), dtype=np.int64))
        return self._fixed[constraint]

    def _preferred(self, constraint: Constraint, service: str, fitting: Flags) -> Flags:
        """Of those that fit. To be spread evenly is then to be where the fewest are of the values that have room."""
        column, counts = self._column(constraint.field), self._count(constraint.field, service)
        if constraint.operator == "GROUP_BY":
            there = fitting & (column.codes >= 0)
            levels = counts[column.codes]
            return np.asarray(there & (levels == levels[there].min(initial=np.iinfo(np.int64).max)))
        return fitting & self._allowed(constraint, service)

    def _take(self, node: int, uses: Need, batch: Batch, count: int) -> None:
        self._tree.take(node, uses, count)
        for row, amount in uses:
            self._free[row, node] -= amount * count
        for name in {constraint.field for constraint in batch.constraints}:
            code = self._column(name).codes[node]
            if code >= 0:
                self._count(name, batch.service)[code] += count

    def _column(self, name: str) -> Column:
        if name not in self._columns:
            self._columns[name] = Column.of(name, self._attributes)
        return self._columns[name]

    def _count(self, name: str, service: str) -> Numbers:
        """How many of the service are on each value of an attribute, with those that have been placed."""
        key = name, service
        if key not in self._counts:
            on = np.zeros(len(self._attributes), dtype=np.int64)
            for node, count in self._given.get(service, {}).items():
                if node in self._index:
                    on[self._index[node]] = count
            self._counts[key] = self._column(name).count(on)
        return self._counts[key]

    def why(self, index: int, batch: Batch) -> str:
        """Of each node the first cause why it takes no more, such as "3 nodes: 2 too little memory, 1 not zone LIKE a"."""
        key = batch.size, batch.service, batch.constraints
        if key not in self._reasons:
            self._reasons[key] = self._why(self._sizes[:, index], batch)
        return self._reasons[key]

    def _why(self, size: Amounts, batch: Batch) -> str:
        count = self._free.shape[1]
        causes: Counter[str] = Counter()
        left = np.array([not cause for cause in self._closed], dtype=bool)
        causes.update(filter(None, self._closed))
        barred = [(f"not {each}", ~self._allowed(each, batch.service)) for each in batch.constraints if not each.soft]
        short = [(f"too little {name}", self._free[d] < size[d]) for d, name in enumerate(self._names)]
        for cause, here in barred + short:
            if hit := int((left & here).sum()):
                causes[cause] += hit
            left &= ~here
        nodes = "1 node" if count == 1 else f"{count} nodes"
        return ": ".join(filter(None, [nodes, ", ".join(f"{hit} {cause}" for cause, hit in causes.most_common())]))


def _reserved(sizes: Amounts, free: Amounts, counts: Numbers) -> tuple[Amounts, Amounts, Numbers]:
    """Sizes and what is free, both with the reserves; and the order in which to place.

    Those that need more beside the scarce resource than the average go first, the most one-sided at the head.
    """
    total, demand = free.sum(axis=1), sizes @ counts
    limited = np.isfinite(total) & (demand > 0)
    if not limited.any():
        return sizes, free, np.arange(sizes.shape[1])
    tightness = np.divide(demand, total, out=np.full_like(total, np.inf), where=total > 0)
    scarce = int(np.where(limited, tightness, -1.0).argmax())
    beside = np.flatnonzero(limited & (np.arange(len(total)) != scarce))
    per_scarce = (demand[beside] / demand[scarce])[:, None]
    excess = sizes[beside] - sizes[scarce] * per_scarce
    reserves = free[beside] - free[scarce] * per_scarce
    share = np.divide(sizes, total[:, None], out=np.zeros_like(sizes), where=total[:, None] > 0)
    one_sided = (excess / np.maximum(total[beside], 1e-300)[:, None]).max(axis=0, initial=0.0)
    order = np.lexsort((-share.max(axis=0, initial=0.0), -sizes[scarce], -one_sided))
    return np.vstack([sizes, excess]), np.vstack([free, reserves]), order
