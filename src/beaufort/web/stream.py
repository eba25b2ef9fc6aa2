"""The feed as server-sent events, for one reader: resumable, with a sign of life, and never waited for.

How long a reader may take nothing of what is sent to it is the connection's business: see ``protocol``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from beaufort.journal import encode
from beaufort.web.feed import Behind, Feed

__all__ = ["Stream"]

BEAT = 15.0
"""Seconds after which a sign of life is sent where nothing else was."""

CHUNK = 64
"""Frames that are sent together at most."""

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]


class _Gone(Exception):
    """The reader has left."""


class Stream:
    """An ASGI application that answers one request. ``last`` is the id that the reader has seen last, or None.

    With ``follow`` it goes on for ever; else it ends after what there is.
    """

    def __init__(self, feed: Feed, kinds: Collection[str], last: str | None, *, follow: bool) -> None:
        self._feed = feed
        self._kinds = frozenset(kinds)
        self._last = last
        self._follow = follow

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:  # noqa: ARG002 - what ASGI calls with
        self._feed.readers += 1
        try:
            async with asyncio.TaskGroup() as tasks:
                watch = tasks.create_task(_watch(receive))
                await self._talk(send)
                watch.cancel()
        except* _Gone:
            pass
        finally:
            self._feed.readers -= 1

    async def _talk(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        number = await self._begin(send)
        try:
            await self._go_on(send, number)
        except Behind:
            self._feed.dropped += 1
            await _say(send, "dropped", "too slow: this reader was too far behind, and some of the feed is gone for it")
        if self._follow and self._feed.closed:
            await _say(send, "closing", "the controller is ending")
        await _put(send, b"", more=False)

    async def _begin(self, send: Send) -> int:
        """Where to begin: after what the reader has seen, or with what is new from now on."""
        if self._last is None:
            await _put(send, b"retry: 1000\n: beaufort\n\n")
            return self._feed.newest if self._follow else max(0, self._feed.newest - CHUNK)
        try:
            number = self._feed.place(self._last)
            self._feed.after(number, (), 1)
        except Behind:
            await _say(send, "reset", "what came after that id is not known here: load the state anew")
            return self._feed.newest
        await _put(send, b"retry: 1000\n: beaufort\n\n")
        return number

    async def _go_on(self, send: Send, number: int) -> None:
        loop = asyncio.get_running_loop()
        sent_at = loop.time()
        while True:
            number, frames = self._feed.after(number, self._kinds, CHUNK)
            if not frames and (not self._follow or self._feed.closed):
                return
            # News of other kinds are none for this reader, and no sign of life either.
            quiet = loop.time() >= sent_at + BEAT
            if frames or quiet:
                await _put(send, b"".join(frames) or b": still here\n\n")
                sent_at = loop.time()
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(sent_at + BEAT):
                    await self._feed.wait()


async def _watch(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    raise _Gone


async def _say(send: Send, kind: str, reason: str) -> None:
    await _put(send, b"event: %s\ndata: %s\n\n" % (kind.encode(), encode({"reason": reason})))


async def _put(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})
