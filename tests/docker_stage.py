"""A stage for the Docker driver: real containers on a private engine, looked at without our code."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from beaufort.model import Launch, Service
from beaufort.schedulers.docker import Docker
from beaufort.schedulers.engine.launch import DockerLaunch
from engine import IMAGE, Engine
from fifo import Fifo

__all__ = ["DockerStage"]


class DockerStage:
    def __init__(self, engine: Engine, root: Path) -> None:
        self.engine = engine
        self.root = root
        self._fifo = Fifo(root)

    def scheduler(self, deployment: str = "one") -> Docker:
        return Docker(deployment=deployment, url=self.engine.url)

    def service(self, name: str) -> Service:
        return self.running(name, "sleep", "1000", init=True)

    def running(self, name: str, *command: str, grace: float = 10.0, image: str = IMAGE, **options: Any) -> Service:
        launch = Launch(command, image, {"A": "=b"}, grace, DockerLaunch(**options))
        return Service(name, priority=1, launch=launch)

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

    def unsaid(self) -> int:
        """How often something was said that nobody has waited for."""
        return self._fifo.left()

    async def kill(self, service: str) -> None:
        for each in self.containers(service):
            with suppress(AssertionError):  # an engine lists one that has just ended as running
                self.engine.ask("POST", f"/containers/{each['Id']}/kill")
                return
        raise AssertionError(f"there is no container of {service} to kill")

    def made_from(self, service: Service) -> int:
        given = [f"{name}={value}" for name, value in service.launch.env.items()]
        found = []
        for each in self.containers(service.name):
            with suppress(AssertionError):  # it may just have been removed
                found.append(self.engine.inspect(each["Id"])["Config"]["Env"])
        return sum([line for line in env if not line.startswith("PATH=")] == given for env in found)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """All that there are of a service, in all deployments, running or not."""
        return self.engine.containers(beaufort_service=service)

    async def gone(self, service: str, but: int = 0) -> None:
        """Returns when all have been removed but so many, the youngest."""
        found = self.containers(service)
        for each in found[: len(found) - but]:
            await self.engine.removed(each["Id"])

    def close(self) -> None:
        self.engine.clear()
        self._fifo.close()
