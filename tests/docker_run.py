"""The real controller over a real engine: two services in six containers of room, and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from beaufort.config import load
from beaufort.controller import Controller
from beaufort.journal import Given, Journal
from beaufort.model import Counts, Decision, Event
from docker_meter import Meter
from engine import IMAGE, Engine

__all__ = ["ROOM", "Heard", "Run", "configuration", "running"]

ROOM = 6


def configuration(engine: Engine, **services: dict[str, Any]) -> dict[str, Any]:
    """``web`` (priority 1, pushed demand) and ``batch`` (priority 2, the remainder), with what ``services`` change."""
    program = {"image": IMAGE, "command": ["sleep", "1000"], "init": True, "grace": "1s"}
    calm = {"window": {"down": "0s"}, "idle": "0s", "tolerance": 0}
    each = {"type": "per-container", "target": 1}
    web = {"priority": 1, "policy": each, "settle": calm, "stale_after": "1h", **program, **services.get("web", {})}
    batch = {"priority": 2, "policy": {"type": "remainder"}, **program, **services.get("batch", {})}
    return {
        "deployment": "one",
        "scheduler": {"type": "docker", "url": engine.url},
        "capacity": {"containers": ROOM},
        "services": {"web": web, "batch": batch},
        "resync": "1s",
    }


class Heard(Journal):
    """Tells whoever waits that something has happened."""

    def __init__(self) -> None:
        super().__init__()
        self.happened = asyncio.Event()

    def stepped(self, given: Given, decision: Decision) -> None:
        super().stepped(given, decision)
        self.happened.set()

    def say(self, event: Event) -> None:
        super().say(event)
        self.happened.set()


class Run:
    """A controller that runs, and what it knew, said and did."""

    def __init__(self, engine: Engine, config: dict[str, Any]) -> None:
        self.engine = engine
        self.meter = Meter(engine)
        self.journal = Heard()
        self.controller = Controller(load(config), journal=self.journal)

    def want(self, web: int) -> None:
        self.controller.push("web", web)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Not longer than half a minute."""
        async with asyncio.timeout(30):
            while not holds():
                self.journal.happened.clear()
                await self.journal.happened.wait()

    def counts(self, service: str) -> Counts | None:
        """None while the scheduler can't be read."""
        return None if self.controller.cluster is None else self.controller.cluster.counts[service]

    async def reaches(self, web: int, batch: int) -> None:
        """So many run, and nothing else is held."""
        wanted = {"web": web, "batch": batch}

        def holds() -> bool:
            counts = {name: self.counts(name) for name in wanted}
            return all(each is not None and each.running == each.held == wanted[name] for name, each in counts.items())

        await self.until(holds)

    def reason(self, service: str) -> str:
        """Why it was granted what it was granted last."""
        grant = self.controller.decision.grants.get(service)
        return "" if grant is None else grant.reason

    def said(self, kind: str, service: str | None = None) -> list[str]:
        return [each.detail for each in self.journal.events if each.kind == kind and each.service == service]


@asynccontextmanager
async def running(engine: Engine, **services: dict[str, Any]) -> AsyncIterator[Run]:
    run = Run(engine, configuration(engine, **services))
    run.meter.follow()
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run.controller.run())
            yield run
            run.controller.stop()
    finally:
        run.meter.close()
