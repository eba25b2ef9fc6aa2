"""Keeps the tasks as the master has them: by its events, and by looks every few seconds, which also tell that it lives.

Until the master has told all that it knows of our tasks, nobody is let on to start one.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.connection import Connection
from beaufort.schedulers.framework.agents import Agents
from beaufort.schedulers.framework.answers import Agents as Answer
from beaufort.schedulers.framework.answers import Event, InverseOffer, Offer, Status, Told
from beaufort.schedulers.framework.identity import Identity
from beaufort.schedulers.framework.master import ANSWER, Master, Refusal
from beaufort.schedulers.framework.tasks import Phase, Task, Tasks

__all__ = ["Link"]

LOOK_EVERY = 2.0
"""Seconds between two looks: each is a snapshot, and asks a question whose answer comes by the stream of events. Mesos's
own heartbeat comes every 15 s, and only tells of the stream."""

KILL_AGAIN = 30.0
"""Seconds after which a task that is to end, and has not, is killed again: Mesos may lose a kill."""

NOTICED_FOR = 30.0
"""Seconds after which the master is to repeat that an agent is to go."""

FAREWELL = 1.0
"""Seconds in which what has been told is acknowledged by one who leaves."""

PROBE = "beaufort-probe"
NO_AGENT = "none"
REMOVED = "Framework has been removed"


class Link(Connection):
    """``framework`` is who we are, in Mesos's words. ``on_offers`` is given the offers as they come."""

    def __init__(  # noqa: PLR0913 - what it keeps, and by what
        self,
        master: Master,
        framework: Mapping[str, Any],
        identity: Identity,
        tasks: Tasks,
        agents: Agents,
        *,
        group: asyncio.TaskGroup,
    ) -> None:
        super().__init__("the master", group)
        self.on_offers: Callable[[Sequence[Offer]], None] = lambda _: None
        self._master = master
        self._framework = framework
        self._identity = identity
        self._tasks = tasks
        self._agents = agents
        self._calls: asyncio.TaskGroup | None = None
        self._subscribed = asyncio.Event()
        self._stir = asyncio.Event()
        self._receipts: asyncio.Queue[Status] = asyncio.Queue()
        self._probes = itertools.count(1)
        self._probe, self._answered = "", asyncio.Event()
        self._remembers = False

    def run(self, call: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
        """Have a call made beside all else; if it fails, the master is lost. If it is lost already, none is made."""
        if self._calls is None:
            call.close()
            return None
        return self._calls.create_task(call)

    def attend(self) -> list[asyncio.Task[None]]:
        """Has those killed that are to end, and are not known to hear of it. Returns the calls."""
        now, calls = time.time(), []
        for task in self._tasks:
            if task.phase is Phase.STOPPING and task.kill_at is not None and task.sent and task.kill_at <= now:
                task.kill_at = now + KILL_AGAIN
                calls.append(self.run(self._master.call(_kill(task))))
        return [call for call in calls if call is not None]

    async def _follow(self, tried: asyncio.Event) -> None:
        self._subscribed.clear()
        self._receipts = asyncio.Queue()
        async with AsyncExitStack() as stack:
            id_ = await asyncio.to_thread(self._identity.read)
            events = await stack.enter_async_context(self._master.subscribed(self._subscription(id_)))
            async with asyncio.TaskGroup() as self._calls:
                self._calls.create_task(self._read(events))
                await self._catch_up()
                self._calls.create_task(self._acknowledge())
                self._is_up(tried)
                await self._look_on()

    def _explained(self, error: SchedulerError) -> SchedulerError:
        if isinstance(error, Refusal):
            return Unreachable(f"the master at {self._master.url} refuses us: {error}")
        return error

    def _lose(self) -> None:
        self._calls = None
        self._tasks.lose()

    def _subscription(self, id_: str | None) -> dict[str, Any]:
        """Without offers at first: they are asked for when a task waits."""
        known = {} if id_ is None else {"framework_id": {"value": id_}}
        info = {**self._framework, **({} if id_ is None else {"id": {"value": id_}})}
        subscribe = {"framework_info": info, "suppressed_roles": self._framework["roles"]}
        return {"type": "SUBSCRIBE", **known, "subscribe": subscribe}

    async def _catch_up(self) -> None:
        """Has the master tell every task of ours that it knows, and what it makes of each that we know."""
        async with _in_time("the master has not taken us in"):
            await self._subscribed.wait()
        await asyncio.to_thread(self._identity.write, self._master.framework)
        await self._master.call({"type": "RECONCILE", "reconcile": {"tasks": []}})
        if known := [_reference(task) for task in self._tasks if task.agent]:
            await self._master.call({"type": "RECONCILE", "reconcile": {"tasks": known}})
        await self._ask(patiently=not self._remembers)
        query = {"framework_id": self._master.framework, "limit": str(10**6)}
        self._tasks.describe((await self._master.get("/master/tasks", Told, query)).tasks)
        await self._look()
        self._remembers = True
        for task in self._tasks:
            task.kill_at = None if task.kill_at is None else 0.0
        self.attend()

    async def _ask(self, *, patiently: bool = False) -> None:
        """A question whose answer is the last of those to the questions before it.

        While agents are still coming back after a change of masters, a master does not answer for a task of which no agent
        is told. ``patiently``: that is to be waited for, as there may be tasks there that we know nothing of.
        """
        self._answered.clear()
        self._probe = f"{PROBE}.{next(self._probes)}"
        task = {"task_id": {"value": self._probe}, **({} if patiently else {"agent_id": {"value": NO_AGENT}})}
        await self._master.call({"type": "RECONCILE", "reconcile": {"tasks": [task]}})
        async with _in_time(f"the master at {self._master.url} has not told yet which tasks there are"):
            await self._answered.wait()

    async def _look_on(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._stir.wait()
            self._stir.clear()
            await self._ask()
            await self._look()
            self.attend()

    async def _look(self) -> None:
        answer = await self._master.ask({"type": "GET_AGENTS"}, Answer)
        self._agents.see(answer.get_agents.agents)
        self._tasks.touch()

    async def _read(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            self._take(event)

    def _take(self, event: Event) -> None:
        if event.subscribed is not None:
            self._master.framework = event.subscribed.framework_id.value
            self._subscribed.set()
        elif event.offers is not None:
            if not all(self._agents.knows(offer.agent_id.value) for offer in event.offers.offers):
                self._stir.set()
            self.on_offers(event.offers.offers)
        elif event.inverse_offers is not None:
            self._make_way(event.inverse_offers.inverse_offers)
        elif event.update is not None:
            self._hear(event.update.status)
        elif event.failure is not None and event.failure.executor_id is None:
            self._stir.set()
        elif event.error is not None:
            if REMOVED in event.error.message:
                self._identity.forget()  # its tasks have been killed: the next one begins anew
            raise Unreachable(f"the master has ended the framework: {event.error.message}")

    def _hear(self, status: Status) -> None:
        if status.task_id.value == self._probe:
            self._answered.set()
            return
        self._tasks.apply(status)
        if status.uuid is not None:
            self._receipts.put_nowait(status)

    async def _acknowledge(self) -> None:
        """Each update once, in their order, when it has been taken in."""
        while True:
            status = await self._receipts.get()
            assert status.agent_id is not None
            agent, task = {"value": status.agent_id.value}, {"value": status.task_id.value}
            told = {"agent_id": agent, "task_id": task, "uuid": status.uuid}
            await self._master.call({"type": "ACKNOWLEDGE", "acknowledge": told})
            self._receipts.task_done()

    async def finish(self) -> None:
        """Returns when all that was told has been acknowledged, as far as that goes soon: to the next Beaufort it is told
        again, and until then Mesos keeps what has ended.
        """
        if self.error is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._receipts.join()

    def _make_way(self, inverse_offers: Sequence[InverseOffer]) -> None:
        """Agents are to be taken down: we start nothing there any more, and let them go."""
        for each in inverse_offers:
            if each.agent_id is not None:
                self._agents.leave(each.agent_id.value, time.time())
        ids = [{"value": each.id.value} for each in inverse_offers]
        accept = {"inverse_offer_ids": ids, "filters": {"refuse_seconds": NOTICED_FOR}}
        self.run(self._master.call({"type": "ACCEPT_INVERSE_OFFERS", "accept_inverse_offers": accept}))
        self._tasks.touch()


@asynccontextmanager
async def _in_time(otherwise: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(ANSWER):
            yield
    except TimeoutError as error:
        raise Unreachable(otherwise) from error


def _reference(task: Task) -> dict[str, Any]:
    return {"task_id": {"value": task.id}, "agent_id": {"value": task.agent}}


def _kill(task: Task) -> dict[str, Any]:
    return {"type": "KILL", "kill": _reference(task)}
