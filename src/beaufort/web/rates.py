"""How often each of many may come: a bucket of tokens each, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict

__all__ = ["Rates"]

REMEMBERED = 10_000
"""Who is remembered at one time. Who has not come for longest is forgotten first, and begins anew."""


class Rates:
    """``rate`` a second, after ``burst`` at once."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, amount: float = 1.0) -> bool:
        """Whether there is one more for them now."""
        left = self.left(who)
        enough = left >= amount
        self._buckets[who] = time.monotonic(), left - amount if enough else left
        self._buckets.move_to_end(who)
        if len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)
        return enough

    def left(self, who: str) -> float:
        """How many there are for them now."""
        now = time.monotonic()
        at, left = self._buckets.get(who, (now, self._burst))
        return min(self._burst, left + (now - at) * self._rate)
