"""A limit on how much is under way at once, in which what matters most goes first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from beaufort.schedulers.engine.width import Width

__all__ = ["Lanes"]


class Lanes:
    """As many as the width allows may be under way at once. Of those that wait the lowest rank is next, and among
    equals the first. What has no rank (infinity) is nothing to learn a width from.
    """

    def __init__(self, width: Width) -> None:
        self._width = width
        self._taken = 0
        self._order = itertools.count()
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def lane(self, rank: float) -> AsyncIterator[None]:
        if self._taken < self._width.value:
            self._taken += 1
        else:
            await self._wait(rank)
        try:
            yield
        finally:
            self._leave()

    def went_well(self) -> None:
        """To be called in a lane, when that which it was taken for has been done: from this the width is learned."""
        if self._lacking:
            self._width.went_well(asyncio.get_running_loop().time())

    @property
    def _lacking(self) -> bool:
        """More could be done at once, if there were more lanes."""
        return bool(self._queue) and self._queue[0][0] < math.inf

    async def _wait(self, rank: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._queue, (rank, next(self._order), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the lane was given in the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        self._taken -= 1
        while self._queue and self._taken < self._width.value:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
        if not self._lacking:
            self._width.slack()
