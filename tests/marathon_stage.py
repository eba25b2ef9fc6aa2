"""A stage for the Marathon driver: the stand-in for Marathon, over tasks in memory or on a real Mesos."""

from __future__ import annotations

from typing import Any

from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.apps.launch import MarathonLaunch
from beaufort.schedulers.marathon import Marathon
from marathon_memory import Memory, Program
from marathon_server import MarathonServer

__all__ = ["SMALL", "MarathonStage"]

SMALL = Resources(cpu=0.1, memory=32 * 2**20)


class MarathonStage:
    """In virtual time, with tasks in memory."""

    def __init__(self, server: MarathonServer, memory: Memory) -> None:
        self.server = server
        self.memory = memory

    def scheduler(self, deployment: str = "one", **options: Any) -> Marathon:
        return Marathon(deployment=deployment, **{"url": self.server.url, **options})

    def service(self, name: str, *, grace: float = 10.0, resources: Resources = SMALL, **options: Any) -> Service:
        launch = Launch(("sleep", "1000"), None, {"A": "=b"}, grace, MarathonLaunch(**options))
        return Service(name, priority=1, resources=resources, launch=launch)

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
        self.memory.end(tasks[0].instance.task_id, "TASK_FAILED", "Command exited with status 1")
