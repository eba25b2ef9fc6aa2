"""Plays demand that is known beforehand, each value at its time. It is what made-up and recorded demand share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable

from beaufort.clock import now
from beaufort.model import Sample

__all__ = ["REPEAT", "play"]

REPEAT = 2.0
"""Seconds after which the value in force is said again, so that it is not taken for stale."""


async def play(steps: Iterable[tuple[float, float]]) -> AsyncGenerator[Sample, None]:
    """Yields every (seconds from now, value) when it is due, and the last one for ever.

    The steps are in the order of their times, and the first is due now. A reader that falls behind gets the missed
    steps one by one as fast as it takes them.
    """
    loop = asyncio.get_running_loop()
    start = loop.time()
    value = 0.0
    for due, following in steps:
        while (wait := start + due - loop.time()) > REPEAT:
            await asyncio.sleep(REPEAT)
            yield Sample(now(), value)
        await asyncio.sleep(max(0.0, wait))
        value = following
        yield Sample(now(), value)
    while True:
        await asyncio.sleep(REPEAT)
        yield Sample(now(), value)
