"""A stage for the Marathon driver: the stand-in for Marathon, in virtual time, over tasks in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from beaufort.model import Launch, Resources, Service
from beaufort.protocols import ContainerScheduler, SchedulerError
from beaufort.schedulers.apps.launch import MarathonLaunch
from beaufort.schedulers.marathon import Marathon
from marathon_client import Client
from marathon_memory import Memory, Program
from marathon_server import MarathonServer
from marathon_settings import Settings

__all__ = ["SMALL", "THEIRS", "MarathonStage", "serving", "shown", "told"]

SMALL = Resources(cpu=0.1, memory=32 * 2**20)

THEIRS: dict[str, Any] = {
    "id": "/shop/web",
    "cmd": "sleep 1000",
    "cpus": 0.1,
    "mem": 32,
    "instances": 2,
    "labels": {"team": "shop"},
    "portDefinitions": [],
}
"""An app of others."""


class MarathonStage:
    """``master``: of the nodes, if there is one."""

    def __init__(self, server: MarathonServer, memory: Memory, master: str | None = None) -> None:
        self.server = server
        self.memory = memory
        self.master = master

    def scheduler(self, deployment: str = "one", **options: Any) -> Marathon:
        return Marathon(deployment=deployment, **{"url": self.server.url, "master": self.master, **options})

    def service(self, name: str, *, grace: float = 10.0, resources: Resources = SMALL, **options: Any) -> Service:
        launch = Launch(("sleep", "1000"), None, {"A": "=b"}, grace, MarathonLaunch(**options))
        return Service(name, priority=1, resources=resources, launch=launch)

    def found(self, name: str, **options: Any) -> Service:
        """Of others: an app by its id, or by a label."""
        return Service(name, priority=1, resources=SMALL, launch=Launch(options=MarathonLaunch(**options)))

    def apart(self, name: str) -> Service:
        """One of which there may be no more than one container on a node."""
        return self.service(name, constraints=("@hostname UNIQUE",))

    def stubborn(self, name: str) -> Service:
        self.memory.programs[f"/beaufort/one/{name}"] = Program(stop=2.0)
        return self.service(name)

    def broken(self, name: str) -> Service:
        """Marathon refuses it: the time between two launches is not less than nothing."""
        return self.service(name, marathon={"backoffSeconds": -1})

    async def settled(self, service: Service, count: int) -> None:
        """They are stubborn from the beginning."""

    async def kill(self, service: str) -> None:
        tasks = [each for each in self.memory.tasks(f"/beaufort/one/{service}") if each.state == "TASK_RUNNING"]
        self.memory.end(tasks[0].id, "TASK_FAILED", "Command exited with status 1")

    def ids(self, service: str) -> set[str]:
        """The tasks of a service that there are, whatever they do."""
        return {each.id for each in self.memory.tasks(f"/beaufort/one/{service}")}

    def writes(self) -> list[str]:
        """The changes that were asked for, in their order."""
        return [each for each in self.server.members[0].calls if not each.startswith("GET")]

    async def together(self, scheduler: ContainerScheduler, services: Iterable[Service], count: int) -> None:
        """All of them are scaled in one turn."""
        async with asyncio.TaskGroup() as tasks:
            for each in services:
                tasks.create_task(scheduler.scale(each, count))


@asynccontextmanager
async def serving(
    memory: Memory | None = None, settings: Settings | None = None, **options: Any
) -> AsyncIterator[MarathonStage]:
    memory = memory or Memory()
    async with MarathonServer(memory, settings=settings, **options) as server:
        yield MarathonStage(server, memory)


async def shown(others: Client, app: str) -> dict[str, Any]:
    """An app as Marathon has it."""
    answer: dict[str, Any] = (await others.get(f"/v2/apps{app}"))["app"]
    return answer


async def told(scaling: Awaitable[None]) -> str:
    """The words of the error that comes of it, if one does."""
    try:
        await scaling
    except SchedulerError as error:
        return str(error)
    return ""
