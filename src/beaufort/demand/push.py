"""Demand that is told, not measured: the program that embeds Beaufort, or its API, pushes it in."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncGenerator

from beaufort.model import Sample

__all__ = ["Push"]

KEPT = 16
"""Samples that may wait to be read. When more come, the oldest go: the newest says what the demand is."""


class Push:
    """Demand that another program pushes in, as it changes and while it does not.

    Nothing is repeated: a pusher that falls silent is silence, which the service's ``stale_after`` and ``fallback``
    answer. So an unchanged value is to be pushed again every few seconds too. Pushing is for the event loop's own
    thread, and reading for one reader at a time.
    """

    def __init__(self) -> None:
        self._waiting: deque[Sample] = deque(maxlen=KEPT)
        self._newest: Sample | None = None
        self._pushed = asyncio.Event()

    def push(self, value: float, at: float, arrivals: float | None = None, rate: float | None = None) -> bool:
        """Take a measurement made at the time ``at`` (seconds since the epoch); see ``Sample`` for the rest.

        Returns False, and changes nothing, when it is not newer than the newest: pushing twice is pushing once.
        Raises ValueError when a number is not finite or the demand is below 0.
        """
        sample = Sample(at, value, arrivals, rate)
        if at <= (self._newest.at if self._newest else -math.inf):
            return False
        self._newest = sample
        self._waiting.append(sample)
        self._pushed.set()
        return True

    async def samples(self) -> AsyncGenerator[Sample, None]:
        """Yields what was pushed, at once and in order; opened again, it begins with the newest known."""
        if self._newest and not self._waiting:
            yield self._newest
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            self._pushed.clear()
            await self._pushed.wait()
