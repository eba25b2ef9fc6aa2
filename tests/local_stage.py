"""A stage for the local scheduler: real processes, in a directory of the test's own, looked at without our code."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from beaufort.model import Launch, Service
from beaufort.schedulers.local import Local
from fifo import Fifo

__all__ = ["LocalStage", "Marked"]


@dataclass(frozen=True)
class Marked:
    """A living process that carries a container's mark."""

    pid: int
    group: int
    service: str
    home: Path

    @property
    def leads(self) -> bool:
        return self.pid == self.group


class LocalStage:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._fifo = Fifo(root)

    def scheduler(self, deployment: str = "one") -> Local:
        return Local(deployment=deployment, directory=self.root)

    def service(self, name: str) -> Service:
        return self.running(name, "sleep", "1000")

    def running(self, name: str, *command: str, grace: float = 10.0) -> Service:
        return Service(name, priority=1, launch=Launch(command=command, grace=grace))

    def shell(self, name: str, script: str, grace: float = 10.0) -> Service:
        """Runs a script, in which ``$SAY`` tells that it has come so far (see ``settled``)."""
        return self.running(name, "sh", "-c", script.replace("$SAY", f"printf x > {self._fifo.path}"), grace=grace)

    def stubborn(self, name: str) -> Service:
        return self.shell(name, "trap '' TERM; $SAY; exec sleep 1000", grace=0.7)

    def broken(self, name: str) -> Service:
        return self.running(name, "no-such-program")

    async def settled(self, service: Service, count: int) -> None:
        del service
        await self._fifo.heard(count)

    async def kill(self, service: str) -> None:
        os.kill(self.leaders(service)[0], signal.SIGKILL)

    def marked(self) -> list[Marked]:
        """Every living process below the stage's directory, leaders of groups and others."""
        found = []
        for pid in [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]:
            with suppress(OSError):
                environment = _environment(pid)
                home = Path(environment.get("BEAUFORT_CONTAINER", "/"))
                if home.is_relative_to(self.root):
                    found.append(Marked(pid, os.getpgid(pid), environment["BEAUFORT_SERVICE"], home))
        return found

    def leaders(self, service: str) -> list[int]:
        """The pids of the first processes of its containers, in all deployments."""
        return [each.pid for each in self.marked() if each.service == service and each.leads]

    def stopped(self, service: str, count: int) -> list[int]:
        """Those of the first processes that a signal has stopped, when they are so many: it takes them a moment."""
        patience = time.monotonic() + 5.0
        while len(found := self._stopped(service)) != count:
            assert time.monotonic() < patience, f"expected {count} of {service} to be stopped, and {len(found)} are"
            os.sched_yield()
        return found

    def _stopped(self, service: str) -> list[int]:
        stats = {pid: Path(f"/proc/{pid}/stat").read_text() for pid in self.leaders(service)}
        return [pid for pid, stat in stats.items() if stat.rpartition(")")[2].split()[0] == "T"]

    def made_from(self, service: Service) -> int:
        pids = self.leaders(service.name)
        return sum(_given(_environment(pid)) == dict(service.launch.env) for pid in pids)

    def close(self) -> None:
        """Ends all that is left, as a test that failed may leave anything."""
        for each in self.marked():
            with suppress(ProcessLookupError):
                os.kill(each.pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass
        self._fifo.close()


def _environment(pid: int) -> dict[str, str]:
    """Of a living process. Our own child shows none until it has become the program that it was started as."""
    while True:
        lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        if lines != [""] or state in "ZX" or int(parent) != os.getpid():
            return dict(line.split("=", 1) for line in lines if "=" in line)
        os.sched_yield()


def _given(environment: dict[str, str]) -> dict[str, str]:
    """What of it our own code did not add."""
    return {name: value for name, value in environment.items() if name != "PATH" and not name.startswith("BEAUFORT_")}
