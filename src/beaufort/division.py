"""Division: one pool's totals shared out, level by level, by weighted max-min fair share of the dominant resource.

After Ghodsi et al., "Dominant Resource Fairness", NSDI 2011: filled progressively, and rounded by largest remainder.
It knows amounts, not nodes, and not why anyone is to have what.
"""

from __future__ import annotations

import numpy as np

from beaufort.pool import EPSILON, Amounts, Flags, Numbers, Pool

__all__ = ["Division"]


class Division:
    """A division in progress: the ``counts`` given so far, and what is still ``free``.

    ``level`` says who is served first (the smaller), and must not fall from service to service. ``held`` breaks ties:
    who holds more has precedence, so that equals do not swap from one division to the next.
    """

    def __init__(self, pool: Pool, weight: Amounts, level: Numbers, held: Numbers) -> None:
        self.counts = np.zeros_like(held)
        self.free = pool.room.copy()
        self._need = pool.need
        self._cost = pool.share / weight
        self._level = level
        self._held = held

    def raise_to(self, target: Numbers) -> None:
        """Raise the counts to ``target`` where it is above them, level by level, as far as there is room."""
        rising = np.flatnonzero(target > self.counts)
        while len(rising := rising[self.fits(rising)]):
            more = target[rising] - self.counts[rising]
            over = self.first_without_room(rising, more)
            if over == len(rising):
                self.give(rising, more)
                return
            levels = self._level[rising]
            first, last = (
                np.searchsorted(levels, levels[over], side="left"),
                np.searchsorted(levels, levels[over], "right"),
            )
            self.give(rising[:first], more[:first])
            self._share_out(rising[first:last], target)
            rising = rising[last:]

    def give(self, which: Numbers, more: Numbers) -> None:
        self.counts[which] += more
        self.free -= self._need[:, which] @ more

    def fits(self, which: Numbers) -> Flags:
        """Whether there is room for one more container of each, taken alone."""
        return np.asarray((self._need[:, which] <= self.free[:, None]).all(axis=0))

    def in_turn(self, which: Numbers) -> Numbers:
        """``which`` in the order of who would be served least with one more container."""
        served = np.round((self.counts[which] + 1) * self._cost[which], 12)
        return np.asarray(which[np.lexsort((which, -self._held[which], served))])

    def first_without_room(self, which: Numbers, more: Numbers) -> int:
        """The first of these (a place in ``which``) that there is no room for, if they are served in this order."""
        need = self._need[:, which]
        if (need @ more <= self.free).all():
            return len(which)
        over = (np.cumsum(more * need, axis=1) > self.free[:, None]).any(axis=0)
        return int(over.argmax()) if over.any() else len(which)

    def _share_out(self, which: Numbers, target: Numbers) -> None:
        """Fairly among equals: the exact shares, rounded down, then by largest remainder.

        Whole containers leave gaps that a smaller one may still fill, so it goes on until nobody fits.
        """
        while len(which := which[(self.counts[which] < target[which]) & self.fits(which)]):
            exact = self._fill(which, target[which])
            whole = np.floor(exact + EPSILON)
            self.give(which, np.maximum(whole.astype(np.int64) - self.counts[which], 0))
            remainder = np.round(exact - whole, 9)
            self._give_one_each(which[np.lexsort((which, -self._held[which], -remainder))], target)

    def _give_one_each(self, ordered: Numbers, target: Numbers) -> None:
        """One more container to each in turn, as far as wanted, skipping those that do not fit any more."""
        ordered = ordered[self.counts[ordered] < target[ordered]]
        while len(ordered := ordered[self.fits(ordered)]):
            fitting = ordered[: self.first_without_room(ordered, np.ones_like(ordered))]
            self.give(fitting, np.ones_like(fitting))
            ordered = ordered[len(fitting) :]

    def _fill(self, which: Numbers, target: Numbers) -> Amounts:
        """Raise all together by dominant share / weight, until a resource runs out for those that use it."""
        low, high = self.counts[which].astype(float), target.astype(float)
        need, cost = self._need[:, which], self._cost[which]
        exact, active, room = low.copy(), np.ones(len(which), dtype=bool), self.free + need @ low
        while active.any():
            left = room - need[:, ~active] @ exact[~active]
            level, full = _highest(low[active], high[active], cost[active], need[:, active], left)
            exact[active] = _at(level, low[active], high[active], cost[active])
            active &= (need[full] <= 0) if full is not None else False
        return np.asarray(exact)


def _at(level: float, low: Amounts, high: Amounts, cost: Amounts) -> Amounts:
    """The counts at a water level. What costs nothing is served in full."""
    with np.errstate(divide="ignore", invalid="ignore"):
        raised = np.where(cost > 0, level / cost, high)
    return np.asarray(np.clip(raised, low, high))


def _highest(low: Amounts, high: Amounts, cost: Amounts, need: Amounts, room: Amounts) -> tuple[float, int | None]:
    """The highest water level for which every resource suffices, and the resource that then runs out, if one does."""
    level, full = np.inf, None
    short = (need @ high > room) & (need > 0).any(axis=1)
    for dimension in np.flatnonzero(short).tolist():
        uses = need[dimension] > 0
        crossing = _crossing(low[uses], high[uses], cost[uses], need[dimension, uses], room[dimension])
        if crossing < level:
            level, full = crossing, dimension
    return level, full


def _crossing(low: Amounts, high: Amounts, cost: Amounts, need: Amounts, room: float) -> float:
    """The level at which one resource is used up: its use is piecewise linear, with a bend where each enters and leaves."""
    levels = np.concatenate((low * cost, high * cost))
    slopes = np.concatenate((need / cost, -need / cost))
    order = np.argsort(levels, kind="stable")
    levels, slopes = levels[order], np.cumsum(slopes[order])
    used = low @ need + np.concatenate(([0.0], np.cumsum(slopes[:-1] * np.diff(levels))))
    before = max(0, int(np.searchsorted(used, room, side="right")) - 1)
    # By rounding, a stretch in which nobody is served may seem to rise or fall.
    beyond = max(0.0, room - used[before]) / slopes[before] if slopes[before] > 0 else 0.0
    return float(levels[before] + beyond)
