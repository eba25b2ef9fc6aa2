"""The feed: what has happened, numbered, for any number of readers. One ring is shared by all of them, and each keeps only
its place in it, so that a reader costs nothing while it does not read, and one that falls behind loses its place.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import islice

from beaufort.journal import encode

__all__ = ["KINDS", "Behind", "Feed", "Frame"]

KINDS = ("event", "decision", "services", "nodes", "status")
"""What the feed tells of."""

FRAMES, BYTES = 8192, 16 * 1024 * 1024
"""How much is kept for readers that come back."""

AT_ONCE = 16
"""Readers that are woken together: between one such group and the next, whatever else is due comes first."""

PACE = 2000.0
"""Readers that are woken in a second, at most. With many readers, each hears of more at once, and less often."""

BRIEFLY = 0.05
"""Seconds between one waking of the readers and the next, at least."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry, as it goes over the wire."""

    number: int
    kind: str
    data: bytes


class Behind(Exception):
    """What a reader wants next is no longer there, or never was."""


class Feed:
    """Numbers go up by one; ``frames`` is how many are kept at most. ``epoch`` tells this feed's numbers from those of any other run."""

    def __init__(self, frames: int = FRAMES) -> None:
        self.epoch = secrets.token_hex(4)
        self.newest = 0
        self.closed = False
        self.readers = 0
        self.dropped = 0
        self._most = frames
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._news = asyncio.Event()

    @property
    def id(self) -> str:
        """That of the newest frame."""
        return f"{self.epoch}-{self.newest}"

    def publish(self, kind: str, value: object) -> None:
        """Tell all readers, soon. For the event loop's own thread."""
        self.newest += 1
        data = b"id: %s-%d\nevent: %s\ndata: %s\n\n" % (self.epoch.encode(), self.newest, kind.encode(), encode(value))
        self._frames.append(Frame(self.newest, kind, data))
        self._bytes += len(data)
        while len(self._frames) > 1 and (len(self._frames) > self._most or self._bytes > BYTES):
            self._bytes -= len(self._frames.popleft().data)
        self._news.set()

    def place(self, event_id: str) -> int:
        """The number in an id that a reader has kept. Raises Behind for one that is not of this feed."""
        epoch, _, number = event_id.partition("-")
        if epoch != self.epoch or not (number.isascii() and number.isdigit()) or int(number) > self.newest:
            raise Behind
        return int(number)

    def after(self, number: int, kinds: Collection[str], most: int) -> tuple[int, list[bytes]]:
        """Up to ``most`` frames of these kinds that come after a number, and the number of the last one looked at.

        Raises Behind when some of them are gone.
        """
        oldest = self._frames[0].number if self._frames else self.newest + 1
        if number + 1 < oldest:
            raise Behind
        looked, found = number, list[bytes]()
        for index in range(number + 1 - oldest, len(self._frames)):
            frame = self._frames[index]
            looked = frame.number
            if frame.kind in kinds:
                found.append(frame.data)
                if len(found) == most:
                    break
        return looked, found

    async def wait(self) -> None:
        """Until there is something new, or the feed is closed."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[waiting] = None
        try:
            await waiting
        finally:
            self._waiting.pop(waiting, None)

    def close(self) -> None:
        """Tell all readers that this is the end."""
        self.closed = True
        self._news.set()
        self._wake(len(self._waiting))

    async def run(self) -> None:
        """Wake the readers when there is something new, a few at a time and not too often."""
        while not self.closed:
            await self._news.wait()
            self._news.clear()
            for _ in range(-(-len(self._waiting) // AT_ONCE)):
                self._wake(AT_ONCE)
                await asyncio.sleep(0)
            await asyncio.sleep(max(BRIEFLY, self.readers / PACE))

    def _wake(self, most: int) -> None:
        for waiting in list(islice(self._waiting, most)):
            del self._waiting[waiting]
            if not waiting.done():
                waiting.set_result(None)
