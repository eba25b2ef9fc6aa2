"""Keeps the ledger as Marathon has it. Its events say that something may have changed; a list says what is.

There is one list at a time, and another after it if something was heard meanwhile.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from http import HTTPStatus

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.apps.answers import App, Apps, Event, One, Queue, Queued
from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.apps.marathons import Marathons
from beaufort.schedulers.apps.survey import Survey
from beaufort.schedulers.calls import Refusal
from beaufort.schedulers.connection import Connection
from beaufort.schedulers.engine.held import DEPLOYMENT

__all__ = ["Lookout"]

STILL, WAITING = 2.0, 0.5
"""Seconds from one list to the next at the most: when all is as it is to be, and when something waits to be launched, as
Marathon tells no events of that.
"""

PLAIN = re.compile(r"[A-Za-z0-9._-]+")
EMBED = ("tasks", "counts", "deployments", "lastTaskFailure")


class Lookout(Connection):
    """``on_news`` is called after each list. ``survey`` finds the nodes, if anything does."""

    def __init__(
        self,
        marathons: Marathons,
        ledger: Ledger,
        tasks: asyncio.TaskGroup,
        on_news: Callable[[], None],
        survey: Survey | None = None,
    ) -> None:
        super().__init__("the Marathon", tasks)
        self._marathons = marathons
        self._ledger = ledger
        self._on_news = on_news
        self._survey = survey
        self._stir = asyncio.Event()
        self._begun = self._ended = 0
        self._took = 0.0

    async def look(self) -> None:
        """Returns after a list that is asked for after this call. Raises Unreachable if there can't be any."""
        after = self._begun
        while self._ended <= after:
            self._stir.set()
            await self.next()

    def stir(self) -> None:
        """Have a list made soon."""
        self._stir.set()

    async def next(self) -> None:
        """Returns after the next list, whenever that is. Raises Unreachable if there can't be any."""
        await self._ledger.looked.wait()
        if self.error is not None:
            raise Unreachable(str(self.error)) from self.error

    async def _follow(self, tried: asyncio.Event) -> None:
        await self._marathons.open()
        async with self._marathons.events() as events:
            await self._look()
            if self._survey is not None:
                await self._survey.look()
            self._is_up(tried)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(events))
                tasks.create_task(self._look_on())
                if self._survey is not None:
                    tasks.create_task(self._survey.look_on())

    def _explained(self, error: SchedulerError) -> SchedulerError:
        if isinstance(error, Refusal):
            return Unreachable(f"the Marathon at {self._marathons.url} can't be read: {error}")
        return error

    def _lose(self) -> None:
        self._marathons.give_up()
        self._ledger.lose()

    async def _read(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            if self._ledger.hear(event):
                self._stir.set()
        raise Unreachable(f"the Marathon at {self._marathons.url} has ended its events")

    async def _look_on(self) -> None:
        while True:
            self._on_news()
            await asyncio.sleep(self._took)  # as long as the last one took: Marathon has other work too
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, (WAITING if self._ledger.waits else STILL) - self._took)):
                    await self._stir.wait()
            await self._look()

    async def _look(self) -> None:
        begin, mark = _now(), self._ledger.mark()
        self._stir.clear()
        self._begun += 1
        number = self._begun
        apps = await self._apps()
        queue = await self._queue(apps)
        self._ended = number
        self._ledger.see(apps, queue, mark, begin)
        self._took = _now() - begin

    async def _apps(self) -> list[App]:
        """Those with our label, and those that the configuration names."""
        found: dict[str, App] = {}
        async with asyncio.TaskGroup() as tasks:
            deployment = self._ledger.deployment
            ours = f"{DEPLOYMENT}=={deployment}" if PLAIN.fullmatch(deployment) else DEPLOYMENT
            tasks.create_task(self._list(ours, found))
            for key, value in self._ledger.labelled:
                tasks.create_task(self._list(f"{key}=={value}" if PLAIN.fullmatch(value) else key, found))
            for id_ in self._ledger.adopted:
                tasks.create_task(self._one(id_, found))
        return list(found.values())

    async def _list(self, label: str, found: dict[str, App]) -> None:
        query = [("label", label), *(("embed", f"apps.{each}") for each in EMBED)]
        found |= {app.id: app for app in (await self._marathons.ask("GET", "/v2/apps", Apps, query=query)).apps}

    async def _one(self, id_: str, found: dict[str, App]) -> None:
        query = [("embed", f"app.{each}") for each in EMBED]
        try:
            found[id_] = (await self._marathons.ask("GET", f"/v2/apps{id_}", One, query=query)).app
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise

    async def _queue(self, apps: list[App]) -> list[Queued]:
        """What waits to be launched; not asked for while all that there is to be is there."""
        if all(len(app.tasks) >= app.instances for app in apps):
            return []
        return (await self._marathons.ask("GET", "/v2/queue", Queue)).queue


def _now() -> float:
    return asyncio.get_running_loop().time()
