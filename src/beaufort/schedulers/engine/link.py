"""Keeps the fleet as the engine has it: by its events, and by a list every few seconds, which also tells that it lives."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress

import msgspec

from beaufort.model import Node
from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.connection import Connection
from beaufort.schedulers.engine.answers import Event, Info, Inspected, Listed, Settings
from beaufort.schedulers.engine.client import ANSWER, Client, Refusal
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.freezer import Freezer
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE
from beaufort.schedulers.engine.launch import DRAIN
from beaufort.schedulers.engine.others import Others

__all__ = ["Link"]

LOOK_EVERY = 2.0
"""Seconds between two lists when nothing happens: each is a snapshot, and finds out whether the engine hangs."""

LOOK_AT_MOST = 0.2
"""Seconds between two lists when containers of others come and go."""

ACTIONS = ("create", "start", "die", "destroy", "health_status", "update", "kill")

STOP_TIMEOUT = 10
"""Seconds that an engine gives a container that says nothing of it."""


class Link(Connection):
    """``on_news`` is called whenever the fleet may have changed by what the engine said."""

    def __init__(
        self, client: Client, fleet: Fleet, deployment: str, tasks: asyncio.TaskGroup, on_news: Callable[[], None]
    ) -> None:
        super().__init__("the engine", tasks)
        self._client = client
        self._fleet = fleet
        self._freezer = Freezer()
        self._deployment = deployment
        self._on_news = on_news
        self._others = Others(client)
        self._stir = asyncio.Event()
        self._info: Info | None = None
        self._last_event = 0

    @property
    def info(self) -> Info:
        """The engine's machine, as it was when it was last connected to."""
        assert self._info is not None
        return self._info

    @property
    def node(self) -> Node:
        return self._others.node(self.info)

    async def _follow(self, tried: asyncio.Event) -> None:
        await self._client.open()
        info = await self._client.ask("GET", "/info", Info)
        now = f"{info.system_time.timestamp():.6f}"
        stopping = await self._catch_up(info, now)
        self._info = info
        async with self._events(None, since=now) as events:
            await self._look(stopping)
            self._is_up(tried)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(events))
                tasks.create_task(self._look_on())

    def _explained(self, error: SchedulerError) -> SchedulerError:
        if isinstance(error, Refusal):
            return Unreachable(f"the engine at {self._client.url} can't be read: {error}")
        return error

    def _lose(self) -> None:
        self._fleet.lose()
        self._client.give_up()

    def _events(self, silence: float | None, **bounds: str) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        filters = msgspec.json.encode({"type": ["container"], "event": ACTIONS}).decode()
        return self._client.stream("GET", "/events", Event, silence=silence, query={"filters": filters, **bounds})

    async def _catch_up(self, info: Info, until: str) -> Mapping[str, float]:
        """Takes in what has happened since the last event, as far as the engine remembers (Docker: 256 events).

        At the first time nothing is known yet, and all that is remembered serves to tell which containers were asked to
        stop: those, and until when.
        """
        since = f"{self._last_event // 10**9}.{self._last_event % 10**9 + 1:09}"
        async with self._events(ANSWER, since=since, until=until) as events:
            missed = [event async for event in events]
        if self._info is None:
            return await self._stopping(missed, time.time() - info.system_time.timestamp())
        for event in missed:
            self._take(event)
        return {}

    async def _stopping(self, past: Iterable[Event], ahead: float) -> dict[str, float]:
        """Until when those have that were asked to stop, by our clock, which is ``ahead`` of the engine's."""
        asked: dict[str, Event] = {}
        for event in past:
            if event.action == "kill" and self._is_ours(event.actor.attributes):
                asked.setdefault(event.actor.id, event)
            elif event.action in {"die", "destroy"}:
                asked.pop(event.actor.id, None)
        until = {}
        for id_, event in asked.items():
            with suppress(Refusal):  # it has gone in the meantime
                settings = (await self._client.ask("GET", f"/containers/{id_}/json", Inspected)).config
                if _number(event.actor.attributes.get("signal")) == _number(settings.stop_signal or "TERM"):
                    until[id_] = event.at / 1e9 + ahead + _patience(settings)
        return until

    async def _read(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            self._take(event)
            self._on_news()
        raise Unreachable("the engine has ended its events")

    def _take(self, event: Event) -> None:
        self._last_event = max(self._last_event, event.at)
        if self._is_ours(event.actor.attributes):
            self._fleet.apply(event)
        elif event.action in {"start", "die", "destroy", "update"}:
            if event.action == "update":
                self._others.forget(event.actor.id)
            self._stir.set()

    async def _look_on(self) -> None:
        while True:
            self._on_news()
            await asyncio.sleep(LOOK_AT_MOST)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY - LOOK_AT_MOST):
                    await self._stir.wait()
            self._stir.clear()
            await self._look({})

    async def _look(self, stopping: Mapping[str, float]) -> None:
        mark = self._fleet.mark()
        listed = await self._client.ask("GET", "/containers/json", list[Listed], query={"all": "1"})
        ours = [each for each in listed if self._is_ours(each.labels or {})]
        new = [each.id for each in ours if each.state == "running" and not self._fleet.knows(each.id)]
        self._fleet.listed(ours, mark, stopping, {id_ for id_ in new if self._freezer.is_frozen(id_)})
        await self._others.look([each for each in listed if not self._is_ours(each.labels or {})])
        self._fleet.touch()

    def _is_ours(self, labels: Mapping[str, str]) -> bool:
        return labels.get(DEPLOYMENT) == self._deployment and SERVICE in labels


def _patience(settings: Settings) -> int:
    """Seconds that it may have been given to end: whether it was busy when it was asked to is not known any more."""
    grace = STOP_TIMEOUT if settings.stop_timeout is None else settings.stop_timeout
    drain = (settings.labels or {}).get(DRAIN, "")
    return max(grace, int(drain) if drain.isdecimal() else 0)


def _number(name: str | None) -> int | None:
    """The number of a signal that is written as Docker takes it: 15, TERM or SIGTERM."""
    word = (name or "").upper()
    if word.isdigit():
        return int(word)
    known = signal.Signals.__members__.get(f"SIG{word.removeprefix('SIG')}")
    return None if known is None else int(known)
