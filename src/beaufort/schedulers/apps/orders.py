"""Sees to it that Marathon wants as many tasks of each service as have been asked for, one change of an app at a time.

While a deployment of ours locks an app, what is asked for is accepted, and is sent as soon as the lock is off. One of others is
waited for, and is told if that takes long. Nothing is ever forced on others, unless ``force`` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from beaufort.model import NOWHERE, Service
from beaufort.protocols import Rejected, SchedulerError, Unreachable
from beaufort.schedulers.apps.answers import Result
from beaufort.schedulers.apps.change import Kill, Put, View, Wait, change
from beaufort.schedulers.apps.lacking import Lacking
from beaufort.schedulers.apps.launch import said
from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.apps.locks import Aim, Locks
from beaufort.schedulers.apps.lookout import Lookout
from beaufort.schedulers.apps.marathons import Marathons
from beaufort.schedulers.apps.turn import Turn
from beaufort.schedulers.calls import WORK, Refusal

__all__ = ["Orders"]

OTHERS = 5.0
"""Seconds that what others do is waited for before it is told that it is in the way."""

SLOW = 1.0
"""Seconds after which a growth that still goes on is stopped for a further one. For a shrinking it is stopped at once."""

WRONG = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(eq=False, slots=True)
class _Order:
    service: Service
    count: int
    since: float
    off: Mapping[str, int]
    accepted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def accept(self, error: SchedulerError | None = None) -> bool:
        """Whether there was somebody left to tell."""
        if self.accepted.done():
            return False
        if error is None:
            self.accepted.set_result(None)
        else:
            self.accepted.set_exception(error)
        return True


class Orders:
    """``watched``: the names of the services in the configuration. Nothing is removed or taken back before we were asked
    to act.
    """

    def __init__(
        self, marathons: Marathons, ledger: Ledger, lookout: Lookout, tasks: asyncio.TaskGroup, *, force: bool
    ) -> None:
        self.watched: Collection[str] = ()
        self._marathons = marathons
        self._ledger = ledger
        self._lookout = lookout
        self._tasks = tasks
        self._force = {"force": "true"} if force else {}
        self._locks = Locks(marathons, ledger)
        self._kills: Turn[Kill] = Turn(tasks, self._kill, _is_shared)
        self._falls: Turn[Put] = Turn(tasks, self._put, _is_shared)
        self._rises: Turn[Put] = Turn(tasks, self._put, _is_shared)
        self._renewals: Turn[Put] = Turn(tasks, self._renew, _is_shared)
        self._orders: dict[str, _Order] = {}
        self._working: set[str] = set()
        self._lacking = Lacking()
        self._acting = False

    async def bring(self, service: Service, count: int, off: Mapping[str, int]) -> None:
        """Of several requests the latest holds. Returns when it is accepted. Raises SchedulerError. ``off``: so many of these
        nodes are to go first.
        """
        self._acting = True
        order = self._order(service, count, off)
        await order.accepted

    def _order(self, service: Service, count: int, off: Mapping[str, int] = NOWHERE) -> _Order:
        name = service.name
        before, order = self._orders.get(name), _Order(service, count, _now(), off)
        if before is not None:
            before.accept()
        self._orders[name] = order
        if name in self._working:
            self._lookout.stir()  # it may wait for a list, and what it waits for may be another thing now
        else:
            self._working.add(name)
            self._tasks.create_task(self._work(name), name=f"marathon {name}")
        return order

    async def _work(self, name: str) -> None:
        """Until the latest order has been carried out."""
        try:
            while (order := self._orders.get(name)) is not None:
                try:
                    done = await self._carry_out(order)
                except SchedulerError as error:
                    done = True
                    self._ledger.forget(name)
                    if not order.accept(error) and not isinstance(error, Unreachable):
                        self._ledger.fail(name, str(error))
                if done and self._orders.get(name) is order:
                    del self._orders[name]
                    order.accept()
        finally:
            self._working.discard(name)

    async def _carry_out(self, order: _Order) -> bool:
        """False where it must be looked at again first."""
        name, ledger = order.service.name, self._ledger
        await self._lookout.ready()
        is_missing = said(order.service).is_found and not ledger.apps(name)
        if ledger.is_awaited(name) or ledger.adopt(order.service) or is_missing:
            await self._lookout.look()
        lacks, is_stuck = ledger.lacking.get(name, ""), self._lacking.is_told(name)
        taken = ledger.taken(order.service) if is_missing else ""
        view = View(ledger.standing(name), lacks, ledger.queued(name).count, is_stuck, order.off, taken)
        wanted = change(order.service, ledger.deployment, ledger.apps(name), view, order.count)
        if wanted is None:
            ledger.forget(name)
            return True
        locks = ledger.locks(name)
        if locks and (not self._force or self._locks.are_ours(locks)):
            await self._unlock(order)
            return False
        if isinstance(wanted, Wait):
            await self._pend(order)
            return False
        return await self._send(order, wanted)

    async def _send(self, order: _Order, wanted: Kill | Put) -> bool:
        """False where more is to be done, or others were faster: it is locked now, or a task has ended."""
        name = order.service.name
        turn, aim = self._by(wanted)
        try:
            deployment = await turn.ask(wanted)
        except Refusal as refusal:
            is_late = refusal.status == HTTPStatus.CONFLICT or (isinstance(wanted, Kill) and refusal.status in WRONG)
            if not is_late or _now() >= order.since + OTHERS:
                raise (Rejected if refusal.status in WRONG else SchedulerError)(f"{name}: {refusal.words}") from refusal
            await self._lookout.look()
            if not self._ledger.locks(name):
                await self._lookout.next()  # what is in the way can't be seen, such as the end of an app of that name
            return False
        self._locks.made(deployment, aim)
        if isinstance(wanted, Put):
            self._ledger.ask(name, order.count)
            return True
        self._ledger.ask(name, order.count, wanted.tasks, wanted.left)
        return wanted.left == order.count

    def _by(self, wanted: Kill | Put) -> tuple[Turn[Any], Aim]:
        """Downs and ups never share a deployment: those end soon, and these may not."""
        if isinstance(wanted, Kill):
            return self._kills, Aim.FEWER
        if wanted.renews:
            return self._renewals, Aim.ANEW
        return (self._rises, Aim.MORE) if wanted.grows else (self._falls, Aim.FEWER)

    async def _kill(self, kills: Sequence[Kill]) -> str:
        body = {"ids": [task for kill in kills for task in kill.tasks]}
        query = {"scale": "true", **self._force}
        return (
            await self._marathons.ask("POST", "/v2/tasks/delete", Result, within=WORK, query=query, body=body)
        ).deployment_id

    async def _put(self, puts: Sequence[Put]) -> str:
        return await self._replace([put.body for put in puts], "true")

    async def _renew(self, puts: Sequence[Put]) -> str:
        return await self._replace([put.body for put in puts], "false")

    async def _replace(self, apps: Sequence[Mapping[str, Any]], partial: str) -> str:
        query = {"partialUpdate": partial, **self._force}
        return (await self._marathons.ask("PUT", "/v2/apps", Result, within=WORK, query=query, body=apps)).deployment_id

    # What is in the way.

    async def _unlock(self, order: _Order) -> None:
        """Returns after the next list, when what locks the app has been seen to."""
        name = order.service.name
        others = await self._locks.of_others(name)
        if others:
            if _now() >= order.since + OTHERS:
                app = self._ledger.apps(name)[0].id
                raise SchedulerError(f"{name}: {app} is locked by the deployment {others[0].words} of others")
        else:
            fewer = order.count < self._ledger.standing(name).wanted
            if self._locks.may_be_stopped(name) and (fewer or _now() >= order.since + SLOW):
                await self._locks.stop(name)
            await self._pend(order)
            return
        await self._lookout.next()

    async def _pend(self, order: _Order) -> None:
        """Accepts it, though it can't be sent yet. Returns after the next list."""
        self._ledger.want(order.service.name, order.count)
        order.accept()
        await self._lookout.next()

    # What comes of it.

    def attend(self) -> None:
        """What can't be launched is told, after a while, and nothing waits behind it: it locks nothing, and counts for
        nothing. It is taken back too, where it waits no more in Marathon's queue once it is not locked.
        """
        if not self._acting:
            return
        self._lacking.see(self._ledger, _now())
        for name, words in list(self._lacking.news()):
            if self._locks.are_ours(self._ledger.locks(name)):
                self._lacking.told(name)
                self._ledger.fail(name, words, self._ledger.standing(name).waiting)
                if self._ledger.locks(name) and name not in self._working:
                    self._tasks.create_task(self._take_off(name), name=f"marathon {name} lock")
        self._ledger.lack(self._lacking.known())
        for name in self._lacking.unqueued():
            if name not in self._working:
                self._order(Service(name, 1), len(self._ledger.standing(name).serving))

    async def _take_off(self, name: str) -> None:
        with suppress(SchedulerError):  # it is there still, and is seen to when it is in the way
            await self._locks.stop(name)

    async def sweep(self) -> None:
        """Removes what we have made, that has left the configuration, and of which there is nothing."""
        for app in self._ledger.strays(self.watched) if self._acting else ():
            with suppress(SchedulerError):
                await self._marathons.tell("DELETE", f"/v2/apps{app.id}", query={"force": "false"})


def _is_shared(error: SchedulerError) -> bool:
    return isinstance(error, Refusal) and error.status in {*WRONG, HTTPStatus.CONFLICT, HTTPStatus.FORBIDDEN}


def _now() -> float:
    return asyncio.get_running_loop().time()
