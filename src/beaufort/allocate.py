"""Allocation: who gets how many containers of a pool that may be too small for all.

Minimums first, in priority order. Then level by level up to the desired counts; inside a level by weighted max-min
fair share of the dominant resource (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011, filled progressively and
rounded by largest remainder). Then what is left, to the services that take the remainder. It sees counts, not time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beaufort.model import Band, Node, Resources, Service
from beaufort.placement import Packing

__all__ = ["Allocator", "Pool"]

Counts = NDArray[np.int64]
Amounts = NDArray[np.float64]
Flags = NDArray[np.bool_]

EPSILON = 1e-9


def slots(service: Service) -> Resources:
    """The size of one container of the service, its slot included."""
    return Resources({**dict(service.resources.items()), "containers": 1})


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """The capacity in the form that arithmetic wants: names of the limited dimensions, their totals, each service's need.

    ``need`` is (services, dimensions); a quota of a group is a dimension that only its services need.
    """

    names: tuple[str, ...]
    total: Amounts
    need: Amounts
    share: Amounts

    @classmethod
    def of(cls, services: Sequence[Service], nodes: Sequence[Node], quotas: Mapping[str, Resources]) -> Pool:
        limited = sorted(set.intersection(*(set(node.capacity) for node in nodes))) if nodes else []
        total = [sum(node.capacity[name] for node in nodes) for name in limited]
        columns = [_column(services, name, None) for name in limited]
        names = list(limited)
        for group, quota in quotas.items():
            for name, amount in quota.items():
                names.append(f"{name} of group {group}")
                total.append(amount)
                columns.append(_column(services, name, group))
        need = np.array(columns, dtype=float).T if columns else np.zeros((len(services), 0))
        totals = np.array(total, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(need > 0, need / totals, 0.0)
        # The dominant share is of the pool; a quota counts only for a service that uses nothing else that is limited.
        pool = shares[:, : len(limited)].max(axis=1, initial=0.0)
        quota_share = shares[:, len(limited) :].max(axis=1, initial=0.0)
        return cls(tuple(names), totals, need, np.where(pool > 0, pool, quota_share))


def _column(services: Sequence[Service], name: str, group: str | None) -> list[float]:
    return [
        0.0 if group is not None and s.group != group else 1.0 if name == "containers" else s.resources.get(name)
        for s in services
    ]


class Allocator:
    """Divides one pool among a fixed set of services. All arrays are in the order of ``services``.

    It keeps nothing from call to call but where it last placed containers on nodes, so that a small change is cheap.
    """

    def __init__(
        self,
        services: Sequence[Service],
        nodes: Sequence[Node],
        quotas: Mapping[str, Resources] | None = None,
        bands: Sequence[Band] = (),
    ) -> None:
        self.pool = Pool.of(services, nodes, quotas or {})
        self._shapes = [slots(service) for service in services]
        self._weight = np.array([service.weight for service in services], dtype=float)
        self._priority = np.array([service.priority for service in services], dtype=np.int64)
        self._min = np.array([service.min for service in services], dtype=np.int64)
        self._bands = tuple(band for band in bands if not band.preemptible)
        self._nodes = tuple(nodes)
        # Big ones first inside a level: they pack better.
        self._place_order = np.lexsort((-self.pool.share, self._priority))
        self._packing = Packing(nodes)
        self._packed = np.zeros_like(self._min)

    def allocate(self, wanted: Counts, remainder: Flags, current: Counts) -> Counts:
        """The granted counts. ``wanted`` is the desired count, or of a ``remainder`` service the most that it may take.

        ``current`` is what runs or starts: it breaks ties, so that equals do not swap, and is what a service in a
        non-preemptible band keeps against the others of the band.
        """
        granted = self._divide(wanted, remainder, current)
        if len(self._nodes) < 2:
            return granted
        return self._place(granted, np.where(remainder, 0, wanted), wanted)

    def _divide(self, wanted: Counts, remainder: Flags, current: Counts) -> Counts:
        division = _Division(self.pool, self._weight, self._priority, current)
        ordinary = np.where(remainder, 0, wanted)
        division.raise_to(np.minimum(self._min, wanted))
        for band in self._bands:
            inside = (self._priority >= band.first) & (self._priority <= band.last)
            division.raise_to(np.where(self._priority < band.first, ordinary, 0))
            division.raise_to(np.where(inside, np.minimum(current, wanted), 0))
        division.raise_to(ordinary)
        division.raise_to(wanted)
        return division.counts

    def _place(self, granted: Counts, ordinary: Counts, wanted: Counts) -> Counts:
        """The granted counts that find a node. Those placed before stay where they are, if all the others fit so."""
        changed = self._place_order[granted[self._place_order] != self._packed[self._place_order]]
        # Those that shrink go first: their room is for those that grow.
        self._pack(changed[granted[changed] < self._packed[changed]], granted)
        self._pack(changed, granted)
        if (self._packed != granted).any():
            self._packing, self._packed = Packing(self._nodes), np.zeros_like(granted)
            self._pack(self._place_order, np.minimum(self._min, granted))
            self._pack(self._place_order, granted)
            if (self._packed != granted).any():
                # What found no node leaves gaps; a smaller one may fill them, the highest priority first.
                self._pack(self._place_order, np.maximum(self._packed, ordinary))
                self._pack(self._place_order, np.maximum(self._packed, wanted))
        return self._packed.copy()

    def _pack(self, keys: Counts, target: Counts) -> None:
        for key in keys[target[keys] != self._packed[keys]].tolist():
            self._packed[key] = self._packing.make(key, self._shapes[key], int(target[key]))

class _Division:
    """One division in progress: the counts given so far, and what is still free."""

    def __init__(self, pool: Pool, weight: Amounts, priority: Counts, current: Counts) -> None:
        self.counts = np.zeros_like(current)
        self._free = pool.total + EPSILON * np.maximum(pool.total, 1.0)
        self._need = pool.need
        self._share = pool.share
        self._weight = weight
        self._priority = priority
        self._current = current

    def raise_to(self, target: Counts) -> None:
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

    def _give(self, which: Counts, more: Counts) -> None:
        self.counts[which] += more
        self._free -= more @ self._need[which]

    def _fits(self, which: Counts) -> Flags:
        fits: Flags = (self._need[which] <= self._free).all(axis=1)
        return fits

    def _share_level(self, which: Counts, target: Counts) -> None:
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

    def _give_one_each(self, ordered: Counts, target: Counts) -> None:
        """One more container to each in turn, as far as wanted, skipping those that do not fit any more."""
        ordered = ordered[self.counts[ordered] < target[ordered]]
        while len(ordered := ordered[self._fits(ordered)]):
            over = np.flatnonzero((np.cumsum(self._need[ordered], axis=0) > self._free).any(axis=1))
            fitting = ordered[: over[0]] if len(over) else ordered
            self._give(fitting, np.ones_like(fitting))
            ordered = ordered[len(fitting) :]

    def _fill(self, which: Counts, target: Counts) -> Amounts:
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
            active &= (need[:, full] <= 0).all(axis=1) if len(full) else False
        return np.asarray(exact)


def _at(level: float, low: Amounts, high: Amounts, speed: Amounts) -> Amounts:
    """The counts at a water level. What costs nothing (infinite speed) is served in full."""
    with np.errstate(invalid="ignore"):
        raised = np.where(np.isinf(speed), high, level * speed)
    return np.asarray(np.clip(raised, low, high))


def _level(low: Amounts, high: Amounts, speed: Amounts, need: Amounts, room: Amounts) -> tuple[float, Counts]:
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
