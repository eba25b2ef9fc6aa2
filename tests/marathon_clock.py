"""The time of the event loop, and what is to be done later; virtual where the loop's time is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

__all__ = ["Clock", "iso"]


def iso(at: float) -> str:
    """Seconds since the epoch, as Marathon writes a time."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """``now`` in seconds since the epoch. What was asked for is not done any more once it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoch = time.time() - self._loop.time()
        self._handles: set[asyncio.Handle] = set()

    @property
    def now(self) -> float:
        return self._epoch + self._loop.time()

    def leap(self, seconds: float) -> None:
        """So much later it is, all of a sudden, by all that is told; nothing comes sooner for it."""
        self._epoch += seconds

    def soon(self, what: Callable[[], None]) -> None:
        self._keep(self._loop.call_soon, what)

    def later(self, seconds: float, what: Callable[[], None]) -> asyncio.Handle:
        return self._keep(lambda done: self._loop.call_later(max(0.0, seconds), done), what)

    def _keep(
        self, schedule: Callable[[Callable[[], None]], asyncio.Handle], what: Callable[[], None]
    ) -> asyncio.Handle:
        def done() -> None:
            self._handles.discard(handle)
            what()

        handle = schedule(done)
        self._handles.add(handle)
        return handle

    def close(self) -> None:
        for each in self._handles:
            each.cancel()
        self._handles.clear()
