"""The events of Marathon, to all that listen.

Their order is not promised: those that come close together are shuffled, by chance with a seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from marathon_clock import Clock, iso
from marathon_definition import Json

__all__ = ["Bus", "Listening"]


class Listening:
    """One listener. ``types``: of the events to hear, all if there are none. The queue's end is None."""

    def __init__(self, types: Collection[str], *, light: bool) -> None:
        self._types = types
        self._light = light
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def hear(self, event: Json) -> None:
        kind = event["eventType"]
        if self._types and kind not in self._types:
            return
        if self._light and "plan" in event:
            slim = {key: value for key, value in event["plan"].items() if key not in {"original", "target"}}
            event = {**event, "plan": slim}
        data = msgspec.json.encode(event)
        self.queue.put_nowait(b"event: %s\r\ndata: %s\r\n\r\n" % (kind.encode(), data))


class Bus:
    def __init__(self, clock: Clock, seed: int, shuffle: float) -> None:
        self._clock = clock
        self._chance = random.Random(seed)
        self._shuffle = shuffle
        self._held: list[Json] = []
        self.listeners: list[Listening] = []
        self.published: list[Json] = []
        """All that there were, in the order in which they happened."""

    def publish(self, kind: str, **more: Any) -> None:
        event = {**more, "eventType": kind, "timestamp": iso(self._clock.now)}
        self.published.append(event)
        if not self._shuffle:
            self._tell([event])
            return
        if not self._held:
            self._clock.later(self._shuffle, self._release)
        self._held.append(event)

    def _release(self) -> None:
        held, self._held = self._held, []
        self._chance.shuffle(held)
        self._tell(held)

    def _tell(self, events: list[Json]) -> None:
        for listener in self.listeners:
            for event in events:
                listener.hear(event)

    @contextmanager
    def listening(self, types: Collection[str], remote: str, *, light: bool) -> Iterator[Listening]:
        """The first event says that it listens."""
        listener = Listening(types, light=light)
        attached = {"remoteAddress": remote, "eventType": "event_stream_attached", "timestamp": iso(self._clock.now)}
        listener.hear(attached)
        self.listeners.append(listener)
        try:
            yield listener
        finally:
            self.listeners.remove(listener)
            self.publish("event_stream_detached", remoteAddress=remote)

    def cut(self) -> None:
        """Ends all that listen."""
        for each in self.listeners:
            each.queue.put_nowait(None)
