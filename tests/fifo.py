"""A pipe in which the containers of a stage say that they have come so far."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from pathlib import Path

__all__ = ["Fifo"]


class Fifo:
    """``path``: each writes one byte there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "fifo"
        os.mkfifo(self.path)
        self._words = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    async def heard(self, count: int) -> None:
        """Returns when so many more have been said. It waits no longer than a minute."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self._words, readable.set)
        try:
            async with asyncio.timeout(60):
                while count:
                    await readable.wait()
                    readable.clear()
                    with suppress(BlockingIOError):
                        count -= len(os.read(self._words, count))
        finally:
            loop.remove_reader(self._words)

    def left(self) -> int:
        """How many were said that nobody has waited for."""
        with suppress(BlockingIOError):
            return len(os.read(self._words, 1000))
        return 0

    def close(self) -> None:
        os.close(self._words)
