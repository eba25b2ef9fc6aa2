"""How long a policy holds what it has before it tries fewer, so that constant demand ends in no actions."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Patience"]

HOLD = 2.0
"""After a rise, a small fall waits for so many times the patience."""
SMALL = 0.2
"""A fall by less than this share is a small one."""
LARGE = 0.25
"""A move by more than this share shows that demand has changed."""
LINK = 60.0
"""A rise within so many times the patience of a fall shows that the fall was wrong."""
LONGEST = 1024.0
"""Times the shortest patience, at the most."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What it knows of past rises and falls. A wrong fall doubles the patience, so that the time between two tries grows
    with the time for which demand has stood still; a large move resets it.

    ``empty`` and ``trying``: since when nothing has waited, and since when fewer are tried, from ``origin`` downwards.
    ``rose``, ``peak``, ``fell``: when the count was last raised, the most it has been since, has it fallen since.
    """

    count: int
    empty: float
    rose: float
    peak: float
    origin: int
    trying: float = math.inf
    fell: bool = False
    times: float = 1.0

    @staticmethod
    def begun(now: float, count: int) -> Patience:
        return Patience(count, now, now, count, count)

    def look(self, now: float, count: int, wanted: float, shortest: float, *, waiting: bool) -> Patience:
        """The patience at this look: ``wanted`` is the least that will do, ``shortest`` the least patience in seconds."""
        rises = wanted > count
        empty = now if waiting or rises else self.empty
        rose, peak, fell, times = self.rose, max(self.peak, count), self.fell, self.times
        if rises:
            if wanted > (1 + LARGE) * count + 1:
                times = 1.0
            elif fell and now - rose < LINK * times * shortest:
                times = min(2 * times, LONGEST)
            rose, peak, fell = now, wanted, False
        elif count < self.count:
            fell = True
            if count <= (1 - LARGE) * peak:
                times = 1.0
        trying, origin = self.trying, self.origin
        if now - empty < times * shortest:
            trying, origin = math.inf, count
        elif trying == math.inf:
            trying, origin = now, count
        return Patience(count, empty, rose, peak, origin, trying, fell, times)

    def allows(self, now: float, wish: float, shortest: float) -> bool:
        """May the count fall to ``wish``?"""
        return wish <= (1 - SMALL) * self.count or now - self.rose >= HOLD * self.times * shortest

    def tries(self, now: float, slowness: float) -> float:
        """As many as are tried while nothing waits: fewer by a factor of e in ``slowness`` seconds, but at least half of
        what there is, for what has not yet gone cannot have shown that it was not needed. Infinite: no try.
        """
        if self.trying > now:
            return math.inf
        return max(self.origin * math.exp((self.trying - now) / slowness), self.count / 2)
