"""The real controller over a model world in virtual time: sources and a scheduler that do as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from beaufort import clock
from beaufort.controller import Controller
from beaufort.model import NO_STANDBY, NOWHERE, Counts, Decision, Sample, Service, Standby
from beaufort.protocols import NoRoom, Rejected, SourceError
from beaufort.scaler import Scope
from beaufort.schedulers.simulated import Simulated
from beaufort.world import Link, World
from invariants import exceeded
from plots import Behave, Connect, Crash, Demand, Happening, Join, Kill, Lose, Plot, Silence, Sound

REPEAT = 5.0
REST = 500.0
"""Seconds for which nothing happens after a plot: enough for all windows, delays and back-offs to end."""


class Mood(StrEnum):
    SOUND = "sound"
    SILENT = "silent"
    FAILING = "failing"
    """Raises SourceError, again at each opening."""
    BROKEN = "broken"
    """Raises what no source should."""


class Voice:
    """A demand source that says what it is told to."""

    def __init__(self) -> None:
        self._value: float | None = None
        self._mood = Mood.SOUND
        self._changed = asyncio.Event()

    def make(self) -> Voice:
        return self

    def say(self, value: float | None = None, mood: Mood = Mood.SOUND) -> None:
        self._value = self._value if value is None else value
        self._mood = mood
        self._changed.set()

    async def samples(self) -> AsyncGenerator[Sample, None]:
        while True:
            self._changed.clear()
            if self._mood is Mood.FAILING:
                raise SourceError("the queue does not answer")
            if self._mood is Mood.BROKEN:
                raise RuntimeError("a fault of the source's author")
            if self._mood is Mood.SOUND and self._value is not None:
                yield Sample(clock.now(), self._value)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if self._mood is Mood.SILENT else REPEAT):
                    await self._changed.wait()


@dataclass(frozen=True)
class Setup:
    """What a controller needs of a configuration."""

    scope: Scope
    sources: Mapping[str, Voice]
    scheduler: Simulated
    resync: float = 5.0
    document: Mapping[str, Any] = field(default_factory=dict)

    def make_scheduler(self) -> Simulated:
        return self.scheduler


class Guarded(Simulated):
    """Notes what it is asked, and whatever then is held above a limit."""

    live: Live

    async def scale(
        self, service: Service, count: int, standby: Standby = NO_STANDBY, off: Mapping[str, int] = NOWHERE
    ) -> None:
        live = self.live
        live.moves.append((live.now, service.name, count))
        before = live.counts(service.name).held
        try:
            await super().scale(service, count, standby, off)
        except Rejected:
            live.rejected.add(service.name)
            raise
        finally:
            if live.counts(service.name).held > before:
                live.excesses += exceeded(live, service)


class Live:
    """One plot with a controller that lives, until it is killed; then there is another."""

    def __init__(self, plot: Plot) -> None:
        self.plot = plot
        self.world = World(plot.nodes, plot.behaviour, plot.seed)
        self.scheduler = Guarded.of(self.world)
        self.scheduler.live = self
        self.services = {service.name: service for service in plot.services}
        self.voices = {name: Voice() for name in self.services}
        self.rejected: set[str] = set()
        self.moves: list[tuple[float, str, int]] = []
        self.excesses: list[str] = []
        for name, count in plot.found.items():
            with suppress(NoRoom):
                self.world.scale(self.services.get(name) or Service(name, priority=1), count)
        scope = Scope(plot.services, plot.policies, plot.capacity, plot.quotas, plot.bands, chooses=plot.chooses)
        self._setup = Setup(scope, self.voices, self.scheduler)

    @property
    def now(self) -> float:
        return clock.now()

    @property
    def last(self) -> Decision:
        return self.controller.decision

    def counts(self, name: str) -> Counts:
        """The truth, whatever the link."""
        link, self.world.link = self.world.link, Link.UP
        counts = self.world.cluster(self.services.values()).counts.get(name, Counts())
        self.world.link = link
        return counts

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Live]:
        """With a controller from the beginning to the end of the block."""
        async with self.scheduler, asyncio.TaskGroup() as self._tasks:
            self.start()
            try:
                yield self
            finally:
                await self.kill()
        assert not self.excesses

    def start(self) -> None:
        self.rejected.clear()
        self.controller = Controller(self._setup)
        self._task = self._tasks.create_task(self.controller.run())

    async def kill(self) -> None:
        """As a signal that can't be caught would: it gets no chance to tidy up."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def play(self) -> None:
        for gap, happening in self.plot.script:
            await asyncio.sleep(gap)
            await self.happen(happening)

    async def rest(self) -> None:
        """Mend everything, then let nothing happen for REST seconds."""
        with self.scheduler.meddle() as world:
            world.behaviours.clear()
            world.link = Link.UP
        for voice in self.voices.values():
            voice.say()
        await asyncio.sleep(REST)

    async def happen(self, happening: Happening) -> None:
        if isinstance(happening, Kill):
            await self.kill()
            self.start()
        elif isinstance(happening, Demand | Silence | Sound):
            self._speak(happening)
        else:
            with self.scheduler.meddle() as world:
                self._befall(world, happening)

    def name(self, number: int) -> str:
        return self.plot.services[number % len(self.plot.services)].name

    def _speak(self, happening: Demand | Silence | Sound) -> None:
        voice = self.voices[self.name(happening.service)]
        match happening:
            case Demand(_, value):
                voice.say(value)
            case Silence(number):
                voice.say(mood=list(Mood)[1 + number % 3])
            case Sound():
                voice.say()

    def _befall(self, world: World, happening: Crash | Behave | Connect | Lose | Join) -> None:
        match happening:
            case Crash(number, many):
                world.kill(self.name(number), many)
            case Behave(number, behaviour):
                world.behaviours[self.name(number)] = behaviour
            case Connect(link):
                world.link = link
            case Lose() | Join():
                raise NotImplementedError("nodes come and go in the worlds of the Scaler alone")
