"""The real controller over a real Swarm: two services in the room of three machines for two each, and what happens."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from controlled import Run
from docker_meter import Meter
from engine import IMAGE
from swarm_rig import Swarm

__all__ = ["EACH", "ROOM", "SwarmRun", "configuration", "running"]

EACH, ROOM = 2, 6
"""How many containers a machine of two cores has room for, and three of them."""

_numbers = itertools.count()


def configuration(*, urls: list[str], deployment: str, **services: dict[str, Any]) -> dict[str, Any]:
    """``web`` (priority 1, pushed demand) and ``batch`` (priority 2, the remainder), with what ``services`` change."""
    program = {"image": IMAGE, "command": ["sleep", "1000"], "init": True, "grace": "1s", "resources": {"cpu": 1}}
    calm = {"window": {"down": "0s"}, "idle": "0s", "tolerance": 0}
    each = {"type": "per-container", "target": 1}
    web = {"priority": 1, "policy": each, "settle": calm, "stale_after": "1h", **program, **services.get("web", {})}
    batch = {"priority": 2, "policy": {"type": "remainder"}, **program, **services.get("batch", {})}
    return {
        "deployment": deployment,
        "scheduler": {"type": "swarm", "url": urls},
        "services": {"web": web, "batch": batch},
        "resync": "1s",
    }


class SwarmRun(Run):
    """A controller that runs over a Swarm. ``meters``: by machine."""

    def __init__(self, swarm: Swarm, urls: list[str] | None = None, **services: dict[str, Any]) -> None:
        self.swarm = swarm
        self.deployment = f"run-{next(_numbers)}"
        self.config = configuration(urls=urls or [swarm.first.url], deployment=self.deployment, **services)
        self.meters: dict[str, Meter] = {}
        super().__init__(self.config)

    def watch(self, name: str) -> None:
        """Follow a machine's event log from now on: all that Swarm starts there, whoever has asked for it."""
        self.meters[name] = Meter(self.swarm.engines[name], "com.docker.swarm.task.id")
        self.meters[name].follow()

    @property
    def peak(self) -> int:
        """The most that ran at once on any machine, by the engines' own event logs."""
        most = max(meter.peak for meter in self.meters.values())
        assert most > 0, "nothing ever ran"
        return most

    def services(self) -> dict[str, int]:
        """How many replicas each of our services has, as the Swarm has it."""
        found = self.swarm.services(**{"beaufort.deployment": self.deployment})
        return {each["Spec"]["Labels"]["beaufort.service"]: replicas(each) for each in found}

    def containers(self) -> dict[str, int]:
        """How many containers of ours run on each machine. Those that have ended, Swarm removes in its own time."""
        return {
            name: sum(each["State"] == "running" for each in engine.containers(beaufort_deployment=self.deployment))
            for name, engine in self.swarm.engines.items()
            if engine in self.swarm.up
        }

    def service(self, name: str) -> dict[str, Any]:
        found = self.swarm.services(**{"beaufort.deployment": self.deployment, "beaufort.service": name})
        assert len(found) == 1, found
        return found[0]

    def room(self) -> dict[str, float]:
        """The nodes that are room for us, and their cores."""
        assert self.controller.cluster is not None
        return {node.name: node.capacity["cpu"] for node in self.controller.cluster.nodes}


def replicas(service: dict[str, Any]) -> int:
    return int(service["Spec"]["Mode"]["Replicated"].get("Replicas", 0))


@asynccontextmanager
async def running(swarm: Swarm, urls: list[str] | None = None, **services: dict[str, Any]) -> AsyncIterator[SwarmRun]:
    """At the end the containers are stopped. Whatever happened, nothing of it is left, and nothing ever was too much."""
    run = SwarmRun(swarm, urls, **services)
    try:
        for name in swarm.engines:
            run.watch(name)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run.controller.run())
            yield run
            run.controller.stop(containers=True)
    finally:
        for meter in run.meters.values():
            meter.close()
    assert run.said("stopped") == ["the containers are stopped"]
    assert run.services() == {}
    assert not any(run.containers().values())
    assert run.peak <= EACH
