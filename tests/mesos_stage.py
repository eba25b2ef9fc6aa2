"""A stage for the Mesos driver: real tasks on a private Mesos, looked at without our code."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.framework.launch import MesosLaunch
from beaufort.schedulers.mesos import Mesos as Driver
from fifo import Fifo
from mesos_rig import Mesos

__all__ = ["SMALL", "MesosStage"]

SMALL = Resources(cpu=0.1, memory=32 * 2**20)


class MesosStage:
    def __init__(self, mesos: Mesos, root: Path) -> None:
        self.mesos = mesos
        self.root = root
        self._fifo = Fifo(root)

    def scheduler(self, deployment: str = "one", **options: Any) -> Driver:
        given: dict[str, Any] = {"master": self.mesos.address, "state": self.root / "state", **options}
        return Driver(deployment=deployment, **given)

    def service(self, name: str) -> Service:
        return self.running(name, "sleep", "1000")

    def running(
        self, name: str, *command: str, grace: float = 10.0, resources: Resources = SMALL, **options: Any
    ) -> Service:
        launch = Launch(command, None, {"A": "=b"}, grace, MesosLaunch(**options))
        return Service(name, priority=1, resources=resources, launch=launch)

    def apart(self, name: str) -> Service:
        return self.running(name, "sleep", "1000", constraints=("@agent UNIQUE",))

    def shell(self, name: str, script: str, **options: Any) -> Service:
        """Runs a script, in which ``$SAY`` tells that it has come so far (see ``settled``)."""
        return self.running(name, "sh", "-c", script.replace("$SAY", f"printf x > {self._fifo.path}"), **options)

    def stubborn(self, name: str) -> Service:
        return self.shell(name, "trap '' TERM; $SAY; exec sleep 1000", grace=2.0)

    def broken(self, name: str) -> Service:
        """The master refuses it: a task has no time of less than nothing to end."""
        return self.running(name, "sleep", "1000", mesos={"kill_policy": {"grace_period": {"nanoseconds": -1}}})

    async def settled(self, service: Service, count: int) -> None:
        del service
        await self._fifo.heard(count)

    def on(self, service: str) -> str:
        """The agent of one of its tasks."""
        return str(next(each["slave_id"] for each in self.mesos.tasks() if each["name"] == service))

    async def kill(self, service: str) -> None:
        for pid, task in self.mesos.processes():
            if f".{service}." in task:
                os.kill(pid, signal.SIGKILL)
                return
        raise AssertionError(f"there is no task of {service} to kill")

    def close(self) -> None:
        self.mesos.clear()
        self._fifo.close()
