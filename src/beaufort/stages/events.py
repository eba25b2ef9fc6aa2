"""The witness of an engine's containers: who really runs, by the engine's own events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from beaufort.protocols import SchedulerError
from beaufort.schedulers.engine.answers import Event
from beaufort.schedulers.engine.client import Client
from beaufort.schedulers.engine.held import DEPLOYMENT

__all__ = ["Events", "witnessed"]


class Events:
    """Counts the containers of which it is told. ``most`` is None once events may have been missed."""

    def __init__(self) -> None:
        self.started = 0
        self.ended = 0
        self.most: int | None = 0
        self._living: set[str] = set()

    def saw(self, event: Event) -> None:
        if event.action == "start":
            self._living.add(event.actor.id)
            self.started += 1
        elif event.actor.id in self._living:
            self._living.discard(event.actor.id)
            self.ended += 1
        if self.most is not None:
            self.most = max(self.most, len(self._living))

    async def read(self, events: AsyncIterator[Event]) -> None:
        """For ever. An engine that is lost is no fault of the demo's: only the count is lost with it."""
        try:
            async for event in events:
                self.saw(event)
        except SchedulerError:
            pass
        self.most = None


@asynccontextmanager
async def witnessed(client: Client, deployment: str, since: float) -> AsyncIterator[Events]:
    """Counts while it is entered, from a time of the engine's clock before which there were none."""
    witness = Events()
    filters = msgspec.json.encode({"label": [f"{DEPLOYMENT}={deployment}"], "event": ["start", "die"]}).decode()
    query = {"filters": filters, "since": f"{since:.6f}"}
    async with (
        client.stream("GET", "/events", Event, silence=None, query=query) as events,
        asyncio.TaskGroup() as tasks,
    ):
        reading = tasks.create_task(witness.read(events), name="witness")
        yield witness
        reading.cancel()
