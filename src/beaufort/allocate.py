"""Allocation: who gets how many containers of a pool that may be too small for all.

Minimums first, in priority order. Then level by level up to the desired counts; inside a level by weighted max-min
fair share of the dominant resource (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011, filled progressively and
rounded by largest remainder). Then what is left, to the services that take the remainder. It sees counts, not time.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beaufort.model import Band, Node, Service
from beaufort.placement import Packing
from beaufort.pool import EPSILON, Amounts, Flags, Numbers, Pool

__all__ = ["Allocator"]


class Allocator:
    """Divides one pool among a fixed set of services. All arrays are in the order of ``services``.

    It keeps nothing from call to call but where it last placed containers on nodes, so that a small change is cheap.
    """

    def __init__(
        self,
        services: Sequence[Service],
        nodes: Sequence[Node],
        pool: Pool,
        bands: Sequence[Band] = (),
    ) -> None:
        self._pool = pool
        self._shapes = [service.size for service in services]
        self._weight = np.array([service.weight for service in services], dtype=float)
        self._priority = np.array([service.priority for service in services], dtype=np.int64)
        self._bands = tuple(band for band in bands if not band.preemptible)
        self._nodes = tuple(nodes)
        # Big ones first inside a level: they pack better.
        self._place_order = np.lexsort((-pool.share, self._priority))
        self._packing = Packing(nodes)
        self._packed = np.zeros_like(self._priority)

    def allocate(self, wanted: Numbers, floor: Numbers, current: Numbers, remainder: Flags) -> Numbers:
        """The granted counts. ``wanted`` is the desired count, or of a ``remainder`` service the most that it may take.

        ``floor`` is what each is to have before anyone has more. ``current`` is what runs or starts: it breaks ties, so
        that equals do not swap, and is what a service in a non-preemptible band keeps against the others of the band.
        """
        floor = np.minimum(floor, wanted)
        granted = self._divide(wanted, floor, current, remainder)
        if len(self._nodes) < 2:
            return granted
        return self._place(granted, floor, np.where(remainder, 0, wanted), wanted)

    def _divide(self, wanted: Numbers, floor: Numbers, current: Numbers, remainder: Flags) -> Numbers:
        division = _Division(self._pool, self._weight, self._priority, current)
        ordinary = np.where(remainder, 0, wanted)
        division.raise_to(floor)
        for band in self._bands:
            inside = (self._priority >= band.first) & (self._priority <= band.last)
            division.raise_to(np.where(self._priority < band.first, ordinary, 0))
            division.raise_to(np.where(inside, np.minimum(current, wanted), 0))
        division.raise_to(ordinary)
        division.raise_to(wanted)
        return division.counts

    def _place(self, granted: Numbers, floor: Numbers, ordinary: Numbers, wanted: Numbers) -> Numbers:
        """The granted counts that find a node. Those placed before stay where they are, if all the others fit so."""
        changed = self._place_order[granted[self._place_order] != self._packed[self._place_order]]
        # Those that shrink go first: their room is for those that grow.
        self._pack(changed[granted[changed] < self._packed[changed]], granted)
        self._pack(changed, granted)
        if (self._packed != granted).any():
            self._packing, self._packed = Packing(self._nodes), np.zeros_like(granted)
            self._pack(self._place_order, np.minimum(floor, granted))
            self._pack(self._place_order, granted)
            if (self._packed != granted).any():
                # What found no node leaves gaps; a smaller one may fill them, the highest priority first.
                self._pack(self._place_order, np.maximum(self._packed, ordinary))
                self._pack(self._place_order, np.maximum(self._packed, wanted))
        return self._packed.copy()

    def _pack(self, keys: Numbers, target: Numbers) -> None:
        for key in keys[target[keys] != self._packed[keys]].tolist():
            self._packed[key] = self._packing.make(key, self._shapes[key], int(target[key]))


class _Division:
    """One division in progress: the counts given so far, and what is still free."""

    def __init__(self, pool: Pool, weight: Amounts, priority: Numbers, current: Numbers) -> None:
        self.counts = np.zeros_like(current)
        self._free = pool.room
        self._need = pool.need
        self._share = pool.share
        self._weight = weight
        self._priority = priority
        self._current = current

    def raise_to(self, target: Numbers) -> None:
        """Raise the counts to ``target`` where it is above them, level by level, as far as there is room."""
        rising = np.flatnonzero(target > self.counts)
        rising = rising[np.argsort(self._priority[rising], kind="stable")]
        while len(rising):
            delta = (target[rising] - self.counts[rising])[:, None] * self._need[rising]
            over = np.flatnonzero((np.cumsum(delta, axis=0) > self._free).any(axis=1))
            if not len(over):
                self._give(rising, target[rising] - self.counts[rising])
                return
            priority = self._priority[rising]
            contested = priority[over[0]]
            above = rising[priority < contested]
            self._give(above, target[above] - self.counts[above])
            self._share_level(rising[priority == contested], target)
            below = rising[priority > contested]
            rising = below[self._fits(below)]

    def _give(self, which: Numbers, more: Numbers) -> None:
        self.counts[which] += more
        self._free -= more @ self._need[which]

    def _fits(self, which: Numbers) -> Flags:
        fits: Flags = (self._need[which] <= self._free).all(axis=1)
        return fits

    def _share_level(self, which: Numbers, target: Numbers) -> None:
        """Weighted max-min fair inside one level: the exact shares, rounded down, then by largest remainder."""
        which = which[self._fits(which)]
        exact = self._fill(which, target[which])
        self._give(which, np.floor(exact + EPSILON).astype(np.int64) - self.counts[which])
        remainder = np.round(exact - np.floor(exact + EPSILON), 9)
        self._give_one_each(which[np.lexsort((which, -self._current[which], -remainder))], target)
        # Whole containers leave gaps that a smaller one of the level may still fill: the least served first.
        while len(which := which[(self.counts[which] < target[which]) & self._fits(which)]):
            served = np.round((self.counts[which] + 1) * self._share[which] / self._weight[which], 12)
            self._give_one_each(which[np.lexsort((which, -self._current[which], served))], target)

    def _give_one_each(self, ordered: Numbers, target: Numbers) -> None:
        """One more container to each in turn, as far as wanted, skipping those that do not fit any more."""
        ordered = ordered[self.counts[ordered] < target[ordered]]
        while len(ordered := ordered[self._fits(ordered)]):
            over = np.flatnonzero((np.cumsum(self._need[ordered], axis=0) > self._free).any(axis=1))
            fitting = ordered[: over[0]] if len(over) else ordered
            self._give(fitting, np.ones_like(fitting))
            ordered = ordered[len(fitting) :]

    def _fill(self, which: Numbers, target: Numbers) -> Amounts:
        """Raise all of a level together by dominant share / weight, until a resource runs out for those that use it."""
        low, high = self.counts[which].astype(float), target.astype(float)
        need, share = self._need[which], self._share[which]
        with np.errstate(divide="ignore"):
            speed = np.where(share > 0, self._weight[which] / share, np.inf)
        exact, active, room = low.copy(), high > low, self._free + low @ need
        while active.any():
            fixed = exact[~active] @ need[~active]
            level, full = _level(low[active], high[active], speed[active], need[active], room - fixed)
            exact[active] = _at(level, low[active], high[active], speed[active])
            active = active & (need[:, full] <= 0).all(axis=1) if len(full) else np.zeros_like(active)
        return np.asarray(exact)


def _at(level: float, low: Amounts, high: Amounts, speed: Amounts) -> Amounts:
    """The counts at a water level. What costs nothing (infinite speed) is served in full."""
    with np.errstate(invalid="ignore"):
        raised = np.where(np.isinf(speed), high, level * speed)
    return np.asarray(np.clip(raised, low, high))


def _level(low: Amounts, high: Amounts, speed: Amounts, need: Amounts, room: Amounts) -> tuple[float, Numbers]:
    """The highest water level at which every resource suffices, and the resources that then run out (indices)."""
    best, full = np.inf, np.array([], dtype=np.int64)
    for dimension in range(need.shape[1]):
        column = need[:, dimension]
        if high @ column <= room[dimension]:
            continue
        level = _crossing(low, high, speed, column, room[dimension])
        if level < best:
            best, full = level, np.array([dimension])
    return best, full


def _crossing(low: Amounts, high: Amounts, speed: Amounts, column: Amounts, room: float) -> float:
    """The level at which one resource is used up: its use is piecewise linear, with a bend where each enters and leaves."""
    uses = (column > 0) & (high > low) & np.isfinite(speed)
    low, high, speed, column = low[uses], high[uses], speed[uses], column[uses]
    levels = np.concatenate((low / speed, high / speed))
    slopes = np.concatenate((speed * column, -speed * column))
    order = np.argsort(levels, kind="stable")
    levels, slopes = levels[order], np.cumsum(slopes[order])
    used = low @ column + np.concatenate(([0.0], np.cumsum(slopes[:-1] * np.diff(levels))))
    before = int(np.searchsorted(used, room, side="right")) - 1
    return float(levels[before] + (room - used[before]) / slopes[before])
