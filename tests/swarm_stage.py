"""A stage for the Swarm driver: real containers on the machines of a private Swarm, looked at without our code."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.cluster.launch import SwarmLaunch
from beaufort.schedulers.swarm import Swarm as Driver
from engine import IMAGE, Engine
from fifo import Fifo
from swarm_rig import Swarm

__all__ = ["SwarmStage"]


class SwarmStage:
    """Its deployments are no other stage's: what the one before has left is still stopping."""

    _numbers = itertools.count()

    def __init__(self, swarm: Swarm, root: Path) -> None:
        self.swarm = swarm
        self.root = root
        self._number = next(self._numbers)
        self._fifo = Fifo(root)

    def deployment(self, name: str = "one") -> str:
        return f"{name}-{self._number}"

    def scheduler(self, deployment: str = "one") -> Driver:
        return Driver(deployment=self.deployment(deployment), url=self.swarm.first.url)

    def service(self, name: str) -> Service:
        return self.running(name, "sleep", "1000", init=True)

    def running(
        self,
        name: str,
        *command: str,
        grace: float = 10.0,
        image: str | None = IMAGE,
        resources: Resources | None = None,
        **options: Any,
    ) -> Service:
        launch = Launch(command, image, {"A": "=b"} if image else {}, grace, SwarmLaunch(**options))
        return Service(name, priority=1, launch=launch, resources=resources or Resources())

    def shell(self, name: str, script: str, **options: Any) -> Service:
        """Runs a script, in which ``$SAY`` tells that it has come so far (see ``settled``)."""
        script = script.replace("$SAY", "echo -n x > /stage/fifo")
        return self.running(name, "sh", "-c", script, volumes=(f"{self.root}:/stage",), **options)

    def stubborn(self, name: str) -> Service:
        return self.shell(name, "trap '' TERM; $SAY; exec sleep 1000", grace=2.0)

    def broken(self, name: str) -> Service:
        return self.running(name, "no-such-program")

    async def settled(self, service: Service, count: int) -> None:
        del service
        await self._fifo.heard(count)

    async def kill(self, service: str) -> None:
        for engine, each in self.containers(service):
            if each["State"] == "running":
                engine.ask("POST", f"/containers/{each['Id']}/kill")
                return
        raise AssertionError(f"there is no container of {service} to kill")

    def containers(self, service: str) -> list[tuple[Engine, dict[str, Any]]]:
        """All that there are of a service of the first deployment, running or not, with their engines."""
        labels = {"beaufort_service": service, "beaufort_deployment": self.deployment()}
        return [(engine, each) for engine in self.swarm.up for each in engine.containers(**labels)]

    def services(self, deployment: str = "one") -> list[dict[str, Any]]:
        """Those of a deployment, as the Swarm has them."""
        return self.swarm.services(**{"beaufort.deployment": self.deployment(deployment)})

    def close(self) -> None:
        self.swarm.clear()
        self._fifo.close()
