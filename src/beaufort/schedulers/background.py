"""Tasks in the background of a driver, which end with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["background"]


class _Ended(Exception):
    pass


@asynccontextmanager
async def background() -> AsyncIterator[asyncio.TaskGroup]:
    """A group of tasks. At the end of the block those that still run are cancelled, and waited for."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            tasks.create_task(_end())
    except* _Ended:
        pass


async def _end() -> None:
    raise _Ended
