"""A limit on how much is under way at once, in which what matters most goes first."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Lanes"]


class Lanes:
    """``width`` may be under way at once. Of those that wait the lowest rank is next, and among equals the first."""

    def __init__(self, width: int) -> None:
        self.width = width
        self._taken = 0
        self._order = itertools.count()
        self._queue: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def lane(self, rank: float) -> AsyncIterator[None]:
        if self._taken < self.width:
            self._taken += 1
        else:
            await self._wait(rank)
        try:
            yield
        finally:
            self._leave()

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
        while self._queue and self._taken < self.width:
            _, _, turn = heapq.heappop(self._queue)
            if not turn.done():
                self._taken += 1
                turn.set_result(None)
