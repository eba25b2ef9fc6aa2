"""The controller: the live loop around the Scaler. It waits for something to happen, steps, and acts.

It decides nothing. Whatever it waits for outside has a time limit and a task of its own, so that a source or a
scheduler that hangs delays nobody else; a failure is an event, and the next step is the retry.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Protocol

from beaufort import clock
from beaufort.demand.push import Push
from beaufort.journal import Given, Journal
from beaufort.model import (
    Action,
    Cluster,
    Decision,
    Direction,
    Event,
    Outcome,
    Pause,
    Sample,
    Service,
    Standby,
)
from beaufort.protocols import (
    HEARTBEAT,
    BeaufortError,
    Choosing,
    ContainerScheduler,
    DemandSource,
    NoRoom,
    Rejected,
    SchedulerError,
    SourceError,
)
from beaufort.scaler import Scaler, Scope
from beaufort.standing import Standing, paces
from beaufort.wording import counted, listed

__all__ = ["Controller", "Maker", "Setup"]

SCALE_TIMEOUT = 30.0
"""Seconds for a scheduler to accept a request."""

SILENCE = 3 * HEARTBEAT
"""Seconds without a snapshot after which the scheduler is taken to hang."""

REOPEN_FIRST, REOPEN_LONGEST = 1.0, 30.0
"""Seconds before a failed source or watch is opened again: at first, and at most, doubling in between."""


class Maker(Protocol):
    """Makes a demand source. Equal makers make equal sources: an unchanged one is kept when the configuration changes."""

    def make(self) -> DemandSource: ...


class Setup(Protocol):
    """What a controller needs of a configuration. `beaufort.load` gives one."""

    @property
    def scope(self) -> Scope: ...
    @property
    def sources(self) -> Mapping[str, Maker]: ...
    @property
    def resync(self) -> float: ...
    @property
    def document(self) -> Mapping[str, Any]: ...
    def make_scheduler(self) -> ContainerScheduler: ...


class Controller:
    """Runs one configuration until it is stopped.

    ``decision`` and ``cluster`` are the newest ones, for whoever wants to look; ``journal`` has what led to them, and
    ``deciding`` is the seconds that the newest decision took. With ``dry_run`` it decides and reports, and touches
    nothing. All methods are for the event loop's own thread.
    """

    def __init__(self, setup: Setup, *, journal: Journal | None = None, dry_run: bool = False) -> None:
        self.journal = journal or Journal()
        self.decision = Decision(0.0, {}, {}, (), {})
        self.cluster: Cluster | None = None
        self.deciding = 0.0
        self.dry_run = dry_run
        self._setup = setup
        self._scheduler = setup.make_scheduler()
        self._scaler = Scaler(setup.scope)
        self._services = {service.name: service for service in setup.scope.services}
        self._made: dict[str, tuple[Maker, DemandSource]] = {}
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._watcher: asyncio.Task[None] | None = None
        self._samples: dict[str, list[Sample]] = {}
        self._outcomes: list[Outcome] = []
        self._accepted: list[Outcome] = []
        self._pauses: dict[str, Pause] = {}
        self._learnt: dict[str, frozenset[str]] = {}
        self._reported: dict[str, tuple[int, Standby]] = {}
        self._wake = asyncio.Event()
        self._stopping = self._clearing = False
        self._resync_at = -math.inf

    @property
    def services(self) -> Mapping[str, Service]:
        """The services of the configuration in force, by name."""
        return MappingProxyType(self._services)

    @property
    def setup(self) -> Setup:
        """The configuration in force."""
        return self._setup

    @property
    def pauses(self) -> Mapping[str, Pause]:
        """Those in force, by service."""
        return MappingProxyType(self._pauses)

    def standing(self, service: str) -> Standing:
        """What the newest decision about a service came from. Raises BeaufortError for one that is not there."""
        self.check_known(service)
        return self._scaler.standing(clock.now(), service)

    async def run(self) -> None:
        """Work until ``stop``. Raises SchedulerError if the scheduler can't be entered."""
        with self.journal:
            async with self._scheduler:
                scope = self._setup.scope
                self.journal.configured(None, self._setup.document, scope.holds, chooses=scope.chooses)
                self.report("started", counted(len(self._services), "service") + (", dry run" if self.dry_run else ""))
                self._tell_what_is_ignored()
                await self._work()
                if self._clearing and not self.dry_run:
                    await self._clear()
                else:
                    self.report("stopped", "the containers are left as they are")

    def stop(self, *, containers: bool = False) -> None:
        """Stop deciding, let what is under way be accepted, and return from ``run``.

        The containers are left running. With ``containers`` they are stopped, and ``run`` returns when they are gone.
        """
        self._stopping, self._clearing = True, containers
        self._wake.set()

    def push(
        self,
        service: str,
        value: float,
        at: float | None = None,
        *,
        arrivals: float | None = None,
        rate: float | None = None,
    ) -> bool:
        """Tell the demand of a service whose demand is pushed. ``at``: seconds since the epoch; by default now.

        ``arrivals`` and ``rate`` as in a ``Sample``. Returns False, and changes nothing, when it is not newer than the
        newest. Raises BeaufortError for a service that is not there or that measures its demand itself, ValueError for
        a value that is not a finite number of 0 or more.
        """
        now = clock.now()
        return self.pushed(service).push(value, now if at is None else min(at, now), arrivals, rate)

    def pushed(self, service: str) -> Push:
        """The source of a service whose demand is pushed. Raises BeaufortError as ``push`` does."""
        self.check_known(service)
        source = self._source(service)
        if not isinstance(source, Push):
            raise BeaufortError(f"{service}: its demand is measured by {type(source).__name__.lower()}, not pushed")
        return source

    def pause(self, service: str, direction: Direction = Direction.BOTH, until: float | None = None) -> None:
        """Leave a service as it is, in one direction or both, until a time (seconds since the epoch) or ``resume``."""
        self.check_known(service)
        self._pauses[service] = Pause(direction, until)
        self.report("paused", f"{direction}" + ("" if until is None else f" until {clock.told(until)}"), service)
        self._wake.set()

    def check_known(self, service: str) -> None:
        """Raises BeaufortError for a service that is not there."""
        if service not in self._services:
            raise BeaufortError(f"{service}: there is no such service; there are {listed(self._services, 10)}")

    def resume(self, service: str, why: str = "by request") -> None:
        """End the pause of a service, if there is one."""
        if self._pauses.pop(service, None) is not None:
            self.report("resumed", why, service)
            self._wake.set()

    def reconfigure(self, setup: Setup) -> None:
        """Swap the configuration whole, keeping what is known of the services that stay. The scheduler stays the same."""
        now = clock.now()
        self._setup, self._scaler = setup, self._scaler.reconfigured(setup.scope, now)
        self._services = {service.name: service for service in setup.scope.services}
        self._pauses = {name: pause for name, pause in self._pauses.items() if name in self._services}
        self.journal.configured(now, setup.document, setup.scope.holds, chooses=setup.scope.chooses)
        self.report("reconfigured", counted(len(self._services), "service"))
        self._tell_what_is_ignored()
        self._close()
        self._wake.set()

    def _tell_what_is_ignored(self) -> None:
        holds = self._setup.scope.holds
        for name, service in self._services.items():
            standby = service.standby
            if (standby.created and "created" not in holds) or (standby.kept and not {"paused", "frozen"} & holds):
                can = f"only {', '.join(sorted(holds))}" if holds else "nothing"
                self.report(
                    "standby-ignored", f"{standby.total} were to be held ready; the scheduler can hold {can}", name
                )

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            self._open(tasks)
            try:
                while not self._stopping:
                    self._step(tasks)
                    await self._wait()
            finally:
                self._close()

    async def _clear(self) -> None:
        """Stop every container of this deployment, and wait until they are gone."""
        patience = max((service.launch.grace for service in self._services.values()), default=0.0) + SCALE_TIMEOUT
        try:
            async with asyncio.timeout(patience), aclosing(self._scheduler.watch(())) as snapshots:
                async for snapshot in snapshots:
                    there = {
                        name: counts for name, counts in snapshot.counts.items() if counts.present + counts.stopping
                    }
                    if not there:
                        self.report("stopped", "the containers are stopped")
                        return
                    for name in [name for name, counts in there.items() if counts.present]:
                        await self._scheduler.scale(self._services.get(name) or Service(name, 1), 0)
        except TimeoutError:
            self.report("stopped", f"some containers had not stopped after {patience:g} s")

    def _close(self) -> None:
        for task in (self._watcher, *self._readers.values()):
            if task is not None:
                task.cancel()
        self._watcher, self._readers = None, {}

    def _open(self, tasks: asyncio.TaskGroup) -> None:
        """Watch the scheduler and read the sources of the configuration in force."""
        self._made = {name: made for name, made in self._made.items() if name in self._services}
        self._watcher = tasks.create_task(self._watch(), name="watch")
        self._readers = {name: tasks.create_task(self._read(name), name=f"read {name}") for name in self._services}

    def _source(self, name: str) -> DemandSource:
        maker = self._setup.sources[name]
        made = self._made.get(name)
        if made is None or made[0] != maker:
            made = self._made[name] = maker, maker.make()
        return made[1]

    async def _wait(self) -> None:
        """Until something has happened, or the Scaler or the resync is due."""
        until = min(self._scaler.wake_at, self._resync_at) - clock.now()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until)):
                await self._wake.wait()

    def _step(self, tasks: asyncio.TaskGroup) -> None:
        now = clock.now()
        self._wake.clear()
        if self._watcher is None:
            self._open(tasks)
        if resync := now >= self._resync_at:
            self._scaler.look_again()
            self._resync_at = now + self._setup.resync
        for name in [name for name, pause in self._pauses.items() if not pause.holds(now)]:
            self.resume(name, "its time is over")
        samples, outcomes, pauses = self._samples, self._outcomes, dict(self._pauses)
        self._samples, self._outcomes = {}, []
        began = time.perf_counter()
        self.decision = self._scaler.step(now, self.cluster, samples, outcomes, pauses)
        self.deciding = time.perf_counter() - began
        self.journal.stepped(Given(now, self.cluster, samples, outcomes, pauses, resync), self.decision)
        for action in self.decision.actions:
            self._act(tasks, action)

    def _act(self, tasks: asyncio.TaskGroup, action: Action) -> None:
        if self.dry_run:
            self._accepted.append(Outcome(self.decision.at, action.service, action.target))
            if self._reported.get(action.service) == (action.target, action.standby):
                return
            self._reported[action.service] = action.target, action.standby
        else:
            tasks.create_task(self._scale(action), name=f"scale {action.service}")
        self.report("action", f"{action.current} -> {action.target}: {action.reason}", action.service)

    async def _scale(self, action: Action) -> None:
        name, target = action.service, action.target
        # A service that has left the configuration is known to the driver by its name alone.
        service = self._services.get(name) or Service(name, 1)
        error: Exception | None = None
        try:
            async with asyncio.timeout(SCALE_TIMEOUT):
                if action.off and isinstance(self._scheduler, Choosing):
                    await self._scheduler.scale(service, target, action.standby, action.off)
                else:
                    await self._scheduler.scale(service, target, action.standby)
        except TimeoutError:
            error = SchedulerError(f"not accepted in {SCALE_TIMEOUT:g} s")
        except Exception as failure:  # noqa: BLE001 - a fault in one driver call must not stop the others
            error = failure
        kind = None if error is None else next((k for k in (Rejected, NoRoom) if isinstance(error, k)), SchedulerError)
        outcome = Outcome(clock.now(), name, target, kind and kind.__name__, _words(error) if error else "")
        # What may have been accepted is told to the Scaler with the next snapshot: the present one does not show it.
        (self._outcomes if kind in (Rejected, NoRoom) else self._accepted).append(outcome)
        if error is not None:
            self.report("action-failed", f"to {target}: {_words(error)}", name)
        self._wake.set()

    def _tell_what_is_learnt(self, snapshot: Cluster) -> None:
        """How long starts take, when one was made for the first time from something."""
        for name, counts in snapshot.counts.items():
            learnt = counts.start_seconds.keys()
            if learnt > self._learnt.get(name, frozenset()):
                self._learnt[name] = frozenset(learnt)
                self.report("start-time", paces(counts.start_seconds), name)

    async def _watch(self) -> None:
        """Keep the newest snapshot. While there is none, the scaler is blind."""
        delay = REOPEN_FIRST
        while True:
            try:
                async with aclosing(self._scheduler.watch(tuple(self._services.values()))) as snapshots:
                    while True:
                        async with asyncio.timeout(SILENCE):
                            snapshot = await anext(snapshots)
                        if self.cluster is None:
                            self.report("sighted", "the scheduler can be read")
                        self.cluster, delay = snapshot, REOPEN_FIRST
                        self._outcomes += self._accepted
                        self._accepted = []
                        self._tell_what_is_learnt(snapshot)
                        self._wake.set()
            except TimeoutError:
                why = f"no word from it in {SILENCE:g} s"
            except StopAsyncIteration:
                why = "its watch ended"
            except Exception as failure:  # noqa: BLE001 - whatever is wrong with the driver, blind means still
                why = _words(failure)
            self.cluster = None
            self.report("blind", f"the scheduler can't be read: {why}; nothing is started or stopped until it can")
            self._wake.set()
            await asyncio.sleep(delay)
            delay = min(REOPEN_LONGEST, 2 * delay)

    async def _read(self, name: str) -> None:
        """Take in the samples of one service. While it fails, the Scaler keeps the last wish, then the fallback."""
        delay, failing, mode = REOPEN_FIRST, False, ""
        while True:
            try:
                async with aclosing(self._source(name).samples()) as samples:
                    async for sample in samples:
                        if failing:
                            self.report("source-back", "samples come again", name)
                        if mode != (mode := getattr(self._source(name), "mode", "")):
                            self.report("source-mode", mode, name)
                        delay, failing = REOPEN_FIRST, False
                        self._samples.setdefault(name, []).append(sample)
                        self._wake.set()
                why = "it ended"
            except SourceError as failure:
                why = str(failure)
            except Exception as failure:  # noqa: BLE001 - a fault in one source must not stop the others
                why = _words(failure)
            if not failing:
                self.report("source-failed", f"{why}; the last wish holds, then the fallback", name)
            failing = True
            await asyncio.sleep(delay)
            delay = min(REOPEN_LONGEST, 2 * delay)

    def report(self, kind: str, detail: str, service: str | None = None) -> None:
        """Say in the journal that something happened."""
        self.journal.say(Event(clock.now(), kind, detail, service))


def _words(error: Exception) -> str:
    """The error in words; what we did not raise on purpose is named by its type too."""
    text = str(error)
    return text if isinstance(error, BeaufortError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
