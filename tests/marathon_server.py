"""A stand-in for Marathon 1.8 to 1.11, for tests: its REST API and its events, over tasks in memory or on a real Mesos.

It is written from what is public about Marathon, and is as strict. It leaves out: pods, volumes and resident tasks, secrets,
readiness checks, artifacts, ``PUT`` and ``POST`` of groups, event callbacks, metrics, plugins, the text/plain lists,
reservations and roles, the choice of victims that keeps GROUP_BY even, and the events of its connection to Mesos and of
single health checks. It keeps nothing: its members share one state, as they would through ZooKeeper.
"""

from __future__ import annotations

import asyncio
import ssl
from types import TracebackType
from typing import Self

from aiohttp import web

from marathon_apps import AppsApi, json
from marathon_backend import Backend
from marathon_door import Door
from marathon_member import Member
from marathon_memory import Memory
from marathon_refusals import missing
from marathon_scheduler import Scheduler
from marathon_settings import Settings
from marathon_stream import EventsApi
from marathon_tasks import TasksApi

__all__ = ["MarathonServer"]

VERSION = "1.11.24"


class MarathonServer:
    """``members`` are its machines, of which one leads: the first, to begin with.

    ``backend`` runs the tasks, in memory if nothing else is given. Where there is a ``context``, it speaks TLS only.
    """

    def __init__(
        self,
        backend: Backend | None = None,
        *,
        members: int = 1,
        settings: Settings | None = None,
        door: Door | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.backend = backend or Memory()
        self.settings = settings or Settings()
        self.members = [Member(self, door or Door(), self._routes, context) for _ in range(members)]
        self._leader: int | None = 0

    async def __aenter__(self) -> Self:
        self.scheduler = Scheduler(self.settings, self.backend)
        self._events = EventsApi(self.scheduler)
        self._elected = asyncio.Event()
        self._elected.set()
        await self.backend.open()
        for each in self.members:
            await each.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.scheduler.close()
        for each in self.members:
            await each.stop()
        await self.backend.close()

    @property
    def url(self) -> str:
        return self.members[0].url

    @property
    def urls(self) -> list[str]:
        return [each.url for each in self.members]

    # Who leads.

    @property
    def leading(self) -> Member | None:
        return None if self._leader is None else self.members[self._leader]

    async def found(self) -> Member | None:
        try:
            async with asyncio.timeout(self.settings.elect):
                await self._elected.wait()
        except TimeoutError:
            return None
        return self.leading

    def elect(self, index: int) -> None:
        self.abdicate()
        self._leader = index
        self._elected.set()
        self.scheduler.lead(True)

    def abdicate(self) -> None:
        """Nobody leads. Nothing is launched, and what Mesos tells waits for the next leader; the streams end."""
        if self._leader is not None:
            self._leader = None
            self._elected.clear()
            self.scheduler.lead(False)
            self._events.cut()

    async def kill(self, index: int) -> None:
        """The member is gone at once, with its connections. If it led, nobody leads until one is elected."""
        if self._leader == index:
            self.abdicate()
        await self.members[index].stop()

    async def revive(self, index: int) -> None:
        """At the address where it was."""
        await self.members[index].start()

    def cut_events(self) -> None:
        """All event streams end in the middle of it."""
        self._events.cut()

    # What there is besides apps and tasks.

    def _routes(self) -> list[web.RouteDef]:
        tasks, apps = TasksApi(self.scheduler), AppsApi(self.scheduler)
        mine = [
            web.get("/v2/info", self._info),
            web.get("/v2/leader", self._who),
            web.delete("/v2/leader", self._abdicated),
            web.get("/v2/events", self._events.stream),
        ]
        return [*mine, *tasks.routes(), *apps.routes()]

    async def _info(self, request: web.Request) -> web.Response:
        del request
        leader = self.leading
        return json(
            {
                "name": "marathon",
                "version": VERSION,
                "buildref": "unknown",
                "elected": True,
                "leader": leader.address if leader else None,
                "frameworkId": "stand-in",
                "marathon_config": {
                    "launch_tokens": self.settings.launch_tokens,
                    "launch_token_refresh_interval": int(self.settings.launch_token_refresh * 1000),
                    "max_instances_per_offer": self.settings.per_offer,
                    "task_launch_timeout": int(self.settings.launch_timeout * 1000),
                    "features": ["task_killing"] if self.settings.task_killing else [],
                },
                "zookeeper_config": {},
                "event_subscriber": None,
                "http_config": {},
            }
        )

    async def _who(self, request: web.Request) -> web.Response:
        del request
        if self.leading is None:
            raise missing("There is no leader")
        return json({"leader": self.leading.address})

    async def _abdicated(self, request: web.Request) -> web.Response:
        del request
        self.abdicate()
        return json({"message": "Leadership abdicated"})
