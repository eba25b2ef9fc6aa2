"""Demand from Redis: how long a list is, or how much of a stream a consumer group has still to read.

It takes nothing from the queue, writes nothing, and does not reconnect: it raises, and the caller opens it again.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from beaufort.clock import now
from beaufort.model import Sample
from beaufort.protocols import SourceError
from beaufort.quantity import Secret

if TYPE_CHECKING:
    from beaufort.demand.redis_link import RedisLink

__all__ = ["Redis"]

GAP = 0.02
"""Seconds between the beginnings of two reads, at the least: a busy queue is read 50 times a second and no more."""

SHARE = 0.2
"""The share of the time that reading may take: where answers are slow or long, reads are fewer than that."""

BEAT = 2.0
"""Seconds after which an unchanged value is read and said again. A server that hangs is thus found out within 4 s."""

DRAIN = 0.2
"""Seconds between reads of a stream while entries wait: that a group has read some is announced to nobody."""

COUNTED = 1000
"""Entries counted one by one, at the most, where the server does not know the lag."""

WINDOW = 2.0
"""Seconds over which arrivals are averaged: long enough to be a rate, short enough to show a spike."""


_DATABASE = re.compile(r"(/\d*)?")


class Redis:
    """The length of a Redis list, or the backlog of a stream's consumer group. Needs Redis 6 or later, and
    ``pip install 'beaufort[redis]'``.

    ``url``: ``redis://[user@]host[:port][/db]``, ``rediss://`` for TLS, ``unix:///path``. ``password``: ``env:NAME`` or
    ``file:/path``; better so than in the URL. Then one of:

    ``list``: the demand is its length: the jobs that no worker has taken. Arrivals can't be known.
    ``stream`` and ``group``: the demand is the entries not yet delivered to the group: those that wait. Entries that a
    worker has and did not acknowledge are work in progress, and not counted: more workers would not make them fewer.
    Arrivals are averaged over two seconds. Where the server does not know what it has not yet delivered (before
    Redis 7, or after entries were deleted from the middle) they are counted up to 1000.

    A key that does not exist is an empty queue. A change is known within milliseconds, for the server announces it
    (client tracking; nothing has to be configured). Where it may not, the key is read every 0.1 s, and ``mode`` says
    so. A busy queue is read 50 times a second at the most.
    """

    def __init__(
        self,
        *,
        url: str = "redis://localhost:6379/0",
        list: str | None = None,  # noqa: A002 - the option's name in the configuration
        stream: str | None = None,
        group: str | None = None,
        password: Secret | None = None,
    ) -> None:
        if (list is None) == (stream is None):
            raise ValueError(f"list: expected either a list or a stream, got {'neither' if list is None else 'both'}")
        if (stream is None) != (group is None):
            raise ValueError("group: expected the stream's consumer group, with a stream and only with one")
        self._place = f"redis at {_address(url)}"
        self._url = url
        self._password = password
        self._list, self._stream, self._group = list, stream, group
        self.mode = ""
        """How changes become known, in words; empty before the first sample."""

    async def samples(self) -> AsyncGenerator[Sample, None]:
        """Yields the demand whenever it changes and at least every two seconds. Raises SourceError."""
        try:
            from beaufort.demand.redis_link import RedisLink  # noqa: PLC0415 - an extra, imported only when it is used
        except ModuleNotFoundError as error:
            raise SourceError("the redis library is missing: pip install 'beaufort[redis]'") from error
        async with RedisLink.connected(self._url, self._place, self._password) as link:
            self.mode = link.mode
            arrivals = _Growth()
            while True:
                began = now()
                sample = await self._measured(link, arrivals)
                free = began + max(GAP, (now() - began) / SHARE)
                yield sample
                await asyncio.sleep(max(0.0, free - now()))
                await link.changed(within=DRAIN if self._stream and sample.value else BEAT)

    async def _measured(self, link: RedisLink, arrivals: _Growth) -> Sample:
        try:
            if self._list is not None:
                (length,) = await link.ask(("LLEN", self._list))
                return Sample(now(), int(length))
            return await self._backlog(link, arrivals)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise SourceError(f"{self._place}: expected a Redis server, got an answer that none gives") from None

    async def _backlog(self, link: RedisLink, arrivals: _Growth) -> Sample:
        assert self._stream is not None
        # The groups are asked last: the change of the key that the server announces next is then one after them.
        stream, groups = await link.ask(("XINFO", "STREAM", self._stream), ("XINFO", "GROUPS", self._stream))
        if stream is None or groups is None:
            return Sample(now(), 0.0)
        group = self._own(groups)
        waiting = group.get(b"lag")
        if waiting is None:
            after = f"({group[b'last-delivered-id'].decode()}"
            (entries,) = await link.ask(("XRANGE", self._stream, after, "+", "COUNT", str(COUNTED)))
            waiting = len(entries)
        added = stream.get(b"entries-added")
        per_second = None if added is None else arrivals.per_second(now(), added)
        return Sample(now(), waiting, arrivals=per_second)

    def _own(self, groups: list[dict[bytes, Any]]) -> dict[bytes, Any]:
        """The group that the options name, among those of the stream. Raises SourceError when it is not there."""
        names = [group[b"name"].decode(errors="replace") for group in groups]
        if self._group not in names:
            raise SourceError(
                f"{self._place}: stream {self._stream}: expected the consumer group {self._group}, "
                f"got {', '.join(names) or 'a stream without groups'} (a worker makes it with XGROUP CREATE)"
            )
        return groups[names.index(self._group)]


class _Growth:
    """How fast a counter has grown lately."""

    def __init__(self) -> None:
        self._readings: deque[tuple[float, int]] = deque()

    def per_second(self, now: float, total: int) -> float | None:
        """Over the last WINDOW seconds, the reading at ``now`` included; None until half of them have passed."""
        if self._readings and total < self._readings[-1][1]:
            self._readings.clear()  # The key was deleted and made anew.
        self._readings.append((now, total))
        while len(self._readings) > 1 and now - self._readings[1][0] >= WINDOW:
            self._readings.popleft()
        began, first = self._readings[0]
        return (total - first) / (now - began) if now - began >= WINDOW / 2 else None


def _address(url: str) -> str:
    """The server of the URL, without the user and the password that may be in it. Raises ValueError."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme == "unix" and parts.path:
            return parts.path
        if parts.scheme in ("redis", "rediss") and parts.hostname and _DATABASE.fullmatch(parts.path + parts.fragment):
            return f"{parts.hostname}:{parts.port or 6379}{parts.path}"
    # What was given is not shown: a password may be in it, and in any part of it when it is malformed.
    raise ValueError(
        "url: expected redis://host:port/db, rediss://host:port/db or unix:///path, with any of :/?#@ in a password "
        "written as %XX, got something else"
    )
