"""Keeps the ledger as the managers have it: by lists of tasks, often while something moves and seldom while nothing does,
and by events of services and nodes. Of tasks Swarm tells no events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TypeVar

import msgspec

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.cluster.answers import Node, Service, Task
from beaufort.schedulers.cluster.ledger import Ledger
from beaufort.schedulers.cluster.managers import Managers
from beaufort.schedulers.connection import Connection
from beaufort.schedulers.engine.answers import Event
from beaufort.schedulers.engine.client import Refusal
from beaufort.schedulers.engine.held import DEPLOYMENT

__all__ = ["Lookout"]

QUICK, SLOWER, STILL = 0.05, 0.2, 1.0
"""Seconds between two lists of ours: when something moves, when that takes long (a task that has ended may be in the books
for no more than 0.25 s), and when nothing moves.
"""

SOON, WHOLE = 0.3, 5.0
"""Seconds between two lists of everything: after an event, as the tasks of others may be moving too, and else."""

PART = 20
"""While nothing new is seen of what moves, lists become rarer: by no more than this part of the time that it takes."""

GAP = 0.01
"""Seconds between two lists at the least, and as many times what the last one took: a manager has other work too."""

TOLD = 2.0
"""Seconds after which a snapshot is told though nothing has changed."""

T = TypeVar("T")


class Lookout(Connection):
    """``on_news`` is called after each list."""

    def __init__(
        self,
        managers: Managers,
        ledger: Ledger,
        tasks: asyncio.TaskGroup,
        on_news: Callable[[], None],
    ) -> None:
        super().__init__("the manager", tasks)
        self._managers = managers
        self._ledger = ledger
        self._label = f"{DEPLOYMENT}={ledger.deployment}"
        self._on_news = on_news
        self._stir = asyncio.Event()
        self._whole = True
        self._begun = self._ended = 0
        self._event_at = self._whole_at = self._changed_at = self._told_at = self._took = 0.0

    async def look(self, *, whole: bool = False) -> None:
        """Returns after a list that is asked for after this call. Raises Unreachable if there can't be any."""
        after = self._begun
        while self._ended <= after:
            self._whole |= whole
            self._stir.set()
            await self.next()

    async def next(self) -> None:
        """Returns after the next list, whenever that is. Raises Unreachable if there can't be any."""
        await self._ledger.looked.wait()
        if self.error is not None:
            raise Unreachable(str(self.error)) from self.error

    async def _follow(self, tried: asyncio.Event) -> None:
        await self._managers.open()
        filters = msgspec.json.encode({"type": ["service", "node"]}).decode()
        async with self._managers.events(filters) as events:
            self._whole = True
            await self._look()
            self._is_up(tried)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(events))
                tasks.create_task(self._look_on())

    def _explained(self, error: SchedulerError) -> SchedulerError:
        if isinstance(error, Refusal):
            return Unreachable(f"the manager at {self._managers.url} can't be read: {error}")
        return error

    def _lose(self) -> None:
        self._managers.give_up()
        self._ledger.lose()

    async def _read(self, events: AsyncIterator[Event]) -> None:
        async for _ in events:
            self._whole, self._event_at = True, _now()
            self._stir.set()
        raise Unreachable(f"the manager at {self._managers.url} has ended its events")

    async def _look_on(self) -> None:
        while True:
            self._on_news()
            gap = max(GAP, self._took)
            await asyncio.sleep(gap)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, self._pace() - gap)):
                    await self._stir.wait()
            self._stir.clear()
            await self._look()

    @property
    def _whole_due(self) -> float:
        """When everything is to be looked at again."""
        return self._whole_at + max(SOON, min(WHOLE, (self._whole_at - self._event_at) / 4))

    def _pace(self) -> float:
        if not self._ledger.moves:
            return max(0.0, min(STILL, self._whole_due - _now()))
        return max(QUICK, min(SLOWER, (_now() - self._changed_at) / PART))

    async def _look(self) -> None:
        begin, mark = _now(), self._ledger.mark()
        self._begun += 1
        whole = self._whole or begin >= self._whole_due
        self._whole = False
        if whole:
            self._ledger.see_services(await self._services())
            self._whole_at = begin
        tasks = await self._list("/tasks", Task, {}) if whole else await self._ours()
        if whole:
            self._ledger.see_nodes(await self._list("/nodes", Node, {}))
        self._ended = self._begun
        if self._ledger.see_tasks(tasks, mark, begin, whole=whole):
            self._changed_at = begin
        if begin in {self._changed_at, self._whole_at} or begin >= self._told_at + TOLD:
            self._told_at = begin
            self._ledger.touch()
        self._took = _now() - begin

    async def _services(self) -> list[Service]:
        """Those with our label, and those that are adopted by their name."""
        found = {each.id: each for each in await self._list("/services", Service, {"label": [self._label]})}
        if self._ledger.adopted:
            named = await self._list("/services", Service, {"name": list(self._ledger.adopted)})
            found |= {each.id: each for each in named}
        return list(found.values())

    async def _ours(self) -> list[Task]:
        """The tasks of what we have made have our label; those of others' services only if they had it from the first."""
        found = {each.id: each for each in await self._list("/tasks", Task, {"label": [self._label]})}
        if self._ledger.found:
            found |= {each.id: each for each in await self._list("/tasks", Task, {"service": self._ledger.found})}
        return list(found.values())

    async def _list(self, path: str, kind: type[T], filters: dict[str, list[str]]) -> list[T]:
        query = {"filters": msgspec.json.encode(filters).decode()} if filters else {}
        listed: list[T] = await self._managers.ask("GET", path, list[kind], query=query)  # type: ignore[valid-type]
        return listed


def _now() -> float:
    return asyncio.get_running_loop().time()
