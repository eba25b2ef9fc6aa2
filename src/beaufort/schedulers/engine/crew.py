"""Does at the engine what the fleet says is to be done. Each container has at most one errand, in a task of its own.

What fails because the engine is lost is left as it is: when the engine is back, it is attended to again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from beaufort.model import Standby
from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.engine.answers import Created
from beaufort.schedulers.engine.client import WORK, Client, Refusal
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.held import Held, Phase
from beaufort.schedulers.engine.images import Images
from beaufort.schedulers.engine.keeper import Keeper
from beaufort.schedulers.engine.lanes import Lanes
from beaufort.schedulers.engine.obituary import obituary
from beaufort.schedulers.engine.refusals import NO_IMAGE, mapped
from beaufort.schedulers.engine.width import Width

__all__ = ["Crew", "Order", "stop_within"]

STOP = 600.0
"""Seconds that one request to stop may take: more than any grace. After that it is made anew."""

PAUSE = 1.0
"""Seconds before something is asked again that the engine has refused."""

WARM_UP = 0.5
"""Seconds that a container without a health check may take to load what it needs, before it is paused."""

LEAVE = 5.0
"""Seconds that what is being made may take, when we leave, to become whole."""

LEAST_LANES, LANES_PER_CORE = 4, 2
"""How many starts an engine is asked for at once, until it is known with how many it is fastest."""


@dataclass(eq=False, slots=True)
class Order:
    """What new containers of a service are made from; ``spec`` tells it from others. ``awaited``: somebody waits to hear
    how the starts go.
    """

    service: str
    priority: int
    body: dict[str, Any]
    spec: str
    networks: tuple[str, ...] = ()
    checked: bool = False
    awaited: bool = False
    begun: list[Held] = field(default_factory=list)


class Crew:
    """Nothing is started, stopped or removed before ``acting`` is set: until then we only look on."""

    def __init__(self, client: Client, fleet: Fleet, images: Images, keeper: Keeper, tasks: asyncio.TaskGroup) -> None:
        self.acting = False
        self._client = client
        self._fleet = fleet
        self._images = images
        self._keeper = keeper
        self._tasks = tasks
        self._errands: dict[Held, asyncio.Task[SchedulerError | None]] = {}
        self._width = Width(LEAST_LANES)
        self._lanes = Lanes(self._width)
        self._short: set[asyncio.Task[Any]] = set()
        self._burying: set[str] = set()

    def adapt(self, cores: int) -> None:
        """To an engine of so many cores."""
        self._width.begin(max(LEAST_LANES, LANES_PER_CORE * cores))

    def start(self, order: Order) -> asyncio.Task[SchedulerError | None]:
        """One more of an order, or the reason why not. What is ready is taken first."""
        held = self._keeper.pick(order.service, order.spec)
        if held is None:
            held = self._fleet.begin(order.service, time.time(), checked=order.checked, spec=order.spec)
            order.begun.append(held)
            return self._send(held, self._start(held, order), short=True)
        was = held.phase
        self._fleet.turn(held, Phase.STARTING)
        if held in self._errands:
            return self._errands[held]  # it is being made, and will then be started
        errand = self._wake(held) if was is Phase.PAUSED else self._start_made(held, order)
        return self._send(held, errand, short=True)

    def hold(self, service: str, standby: Standby, order: Order | None) -> None:
        """Makes what is ready as much as this. Without an order nothing is made."""
        self._keeper.trim(service, standby, None if order is None else order.spec)
        if order is not None:
            for phase, still in self._keeper.missing(service, standby):
                held = self._fleet.begin(service, time.time(), checked=order.checked, phase=phase, spec=order.spec)
                held.still = still
                self._send(held, self._make_ready(held, order), short=True)
        self.attend()

    def withdraw(self, order: Order) -> None:
        """Those of it that have not been asked for are not wanted any more."""
        for held in order.begun:
            if held.phase is Phase.WAITING:
                self._fleet.drop(held)

    def attend(self) -> None:
        """Sees to all that needs it and that nobody sees to."""
        for held in self._fleet:
            if not held.working:
                self._see_to(held)
        if self.acting:
            for id_ in self._fleet.graves - self._burying:
                self._burying.add(id_)
                self._keep(self._tasks.create_task(self._bury(id_), name="docker remove"))

    async def finish(self) -> None:
        """Before we leave: what is being made becomes whole, what has ended is removed. Stops are the engine's to end."""
        for held in self._fleet:
            if held.phase is Phase.WAITING:
                self._fleet.drop(held)
        if self._short:
            await asyncio.wait(self._short, timeout=LEAVE)

    def _see_to(self, held: Held) -> None:
        if held.phase is Phase.ENDED:
            self._send(held, self._mourn(held), short=True)
        elif not self.acting:
            return
        elif held.phase is Phase.STOPPING:
            self._send(held, self._stop(held), short=False)
        elif held.phase is Phase.LEAVING:
            self._send(held, self._remove(held), short=True)
        elif held.phase in {Phase.STARTING, Phase.WARMING} and held.asked and not held.up:
            self._send(held, self._start_again(held), short=True)
        elif held.phase is Phase.STARTING and held.still:
            self._send(held, self._wake(held), short=True)
        elif held.phase is Phase.WARMING and held.up and (held.serves or not held.checked):
            self._send(held, self._pause(held), short=True)

    def _send(
        self, held: Held, errand: Coroutine[Any, Any, SchedulerError | None], *, short: bool
    ) -> asyncio.Task[SchedulerError | None]:
        held.working = True
        task = self._errands[held] = self._tasks.create_task(self._run(held, errand), name=f"docker {held.name}")
        return self._keep(task) if short else task

    def _keep(self, task: asyncio.Task[Any]) -> asyncio.Task[Any]:
        self._short.add(task)
        task.add_done_callback(self._short.discard)
        return task

    async def _run(self, held: Held, errand: Coroutine[Any, Any, SchedulerError | None]) -> SchedulerError | None:
        error: SchedulerError | None
        try:
            error = await errand
        except Unreachable as lost:
            error = lost  # it is as it was, as far as is known; whoever looks next finds out
        held.working = False
        del self._errands[held]
        if error is None:
            self.attend()
        return error

    async def _start(self, held: Held, order: Order) -> SchedulerError | None:
        async with self._lanes.lane(order.priority):
            if held.phase is not Phase.WAITING:
                return None
            held.phase = Phase.STARTING
            begun = time.monotonic()
            try:
                await self._make(held, order)
            except Refusal as refusal:
                return self._refused(held, order, refusal)
            if held.up:
                self._lanes.went_well()
                self._fleet.paces.took(held.service, "new", time.monotonic() - begun)
        return None

    async def _make_ready(self, held: Held, order: Order) -> SchedulerError | None:
        """After everything that is to serve."""
        async with self._lanes.lane(math.inf):
            if held.phase not in {Phase.SPARE, Phase.WARMING}:
                return None
            try:
                await self._make(held, order)
            except Refusal as refusal:
                return self._refused(held, order, refusal)
        return None

    async def _start_made(self, held: Held, order: Order) -> SchedulerError | None:
        """One that is made already, or will be in a moment by whoever is making it."""
        async with self._lanes.lane(order.priority):
            begun = time.monotonic()
            try:
                await self._start_it(held)
            except Refusal as refusal:
                return self._refused(held, order, refusal)
            self._fleet.paces.took(held.service, "created", time.monotonic() - begun)
        return None

    async def _make(self, held: Held, order: Order) -> None:
        held.sent = True
        query = {"name": held.name}
        made = await self._client.ask("POST", "/containers/create", Created, within=WORK, query=query, body=order.body)
        self._fleet.made(held, made.id)
        for network in order.networks:
            await self._client.tell("POST", f"/networks/{network}/connect", body={"Container": made.id})
        if held.phase is Phase.GONE:
            self._fleet.drop(held)
        elif held.phase in {Phase.STARTING, Phase.WARMING}:
            await self._start_it(held)

    async def _pause(self, held: Held) -> SchedulerError | None:
        if not held.checked:
            await asyncio.sleep(WARM_UP)
        if held.phase is not Phase.WARMING:
            return None
        try:
            await self._keeper.pause(held)
        except Refusal as refusal:
            self._fleet.fail(held.service, f"could not be paused: {refusal.words}")
            self._fleet.turn(held, Phase.STOPPING)
        return None

    async def _wake(self, held: Held) -> SchedulerError | None:
        try:
            await self._keeper.wake(held)
        except Refusal as refusal:
            self._fleet.fail(held.service, f"could not be woken: {refusal.words}")
            self._fleet.turn(held, Phase.LEAVING)
        return None

    async def _remove(self, held: Held) -> SchedulerError | None:
        try:
            await self._keeper.remove(held)
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                await asyncio.sleep(PAUSE)
                return None
        self._fleet.ended(held)
        return None

    async def _start_it(self, held: Held) -> None:
        held.asked = True
        await self._client.tell("POST", f"/containers/{held.id}/start")
        self._fleet.runs(held)

    async def _start_again(self, held: Held) -> SchedulerError | None:
        try:
            await self._start_it(held)
        except Refusal as refusal:
            self._fleet.drop(held)
            self._fleet.fail(held.service, f"could not be started: {refusal.words}")
        return None

    def _refused(self, held: Held, order: Order, refusal: Refusal) -> SchedulerError:
        error = mapped(order.service, refusal)
        if NO_IMAGE in refusal.words:
            self._images.forget(order.body["Image"])  # it is pulled again for the next start
        self._fleet.drop(held)
        if not order.awaited or type(error) is SchedulerError:
            self._fleet.fail(order.service, f"could not be started: {refusal.words}")
        self.attend()
        return error

    async def _stop(self, held: Held) -> None:
        if not held.id:
            self._fleet.drop(held)
            return
        try:
            if held.kill_at is None:
                await self._client.tell("POST", f"/containers/{held.id}/stop", **stop_within(held))
            else:
                await self._kill(held)
        except Refusal as refusal:
            if refusal.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}:
                await asyncio.sleep(PAUSE)
                return
        self._fleet.ended(held)

    async def _kill(self, held: Held) -> None:
        """The Beaufort before had it stopped by the engine; this is for an engine that has not ended it in time."""
        assert held.kill_at is not None
        await asyncio.sleep(max(0.0, held.kill_at - time.time()))
        if held.phase is not Phase.GONE:
            await self._client.tell("POST", f"/containers/{held.id}/stop", within=STOP, query={"t": "0"})

    async def _mourn(self, held: Held) -> None:
        words = await obituary(self._client, held)
        self._fleet.drop(held)
        self._fleet.fail(held.service, words)

    async def _bury(self, id_: str) -> None:
        try:
            async with self._lanes.lane(math.inf):
                await self._client.tell("DELETE", f"/containers/{id_}", query={"force": "1", "v": "1"})
            self._fleet.graves.discard(id_)
        except Unreachable:
            pass
        except Refusal:
            # Not even "no such container" is final: an engine lists one that it is still making, and can't find it yet.
            # It is a grave until a list is without it.
            await asyncio.sleep(PAUSE)
        finally:
            self._burying.discard(id_)


def stop_within(held: Held) -> dict[str, Any]:
    """How long the engine is to wait before it kills, if that is not what its container says, and we for the engine."""
    if held.drain_until is None:
        return {"within": STOP}
    left = max(0, math.ceil(held.drain_until - time.time()))
    return {"within": STOP + left, "query": {"t": str(left)}}
