"""A real controller with its API on the loopback address, over a model cluster, in the test's own event loop."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from beaufort.config import load
from beaufort.controller import Controller
from beaufort.journal import Journal
from beaufort.model import Event
from beaufort.roles import Role
from beaufort.tokens import TokenFile
from beaufort.web import Listening
from beaufort.web.server import Serving

__all__ = ["CONFIG", "Stage", "connected", "stage", "token"]

CONFIG: dict[str, Any] = {
    "deployment": "stage",
    "scheduler": {"type": "simulated", "start_delay": "5ms", "stop_delay": "5ms"},
    "capacity": {"containers": 6},
    "services": {
        "web": {"priority": 1, "min": 1, "policy": {"type": "per-container", "target": 1}},
        "rest": {"priority": 2, "policy": {"type": "remainder"}},
    },
}


def token(file: Path, role: Role, *services: str, name: str = "", expires: float | None = None) -> str:
    """The text of a new token."""
    made = TokenFile(file).create(name or f"the {role}", role, 0.0, services=services, expires=expires)
    return made[1]


@dataclass
class Stage:
    """``events`` are all that were reported so far."""

    controller: Controller
    serving: Serving
    client: httpx.AsyncClient
    events: list[Event]

    @property
    def url(self) -> str:
        return self.serving.url

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    async def settled(self, **running: int) -> None:
        """Until so many containers of these services run, and none of them start or stop."""
        await self.until(lambda: all(self._runs(name) == count for name, count in running.items()))

    def _runs(self, name: str) -> int | None:
        cluster = self.controller.cluster
        counts = cluster.counts.get(name) if cluster is not None else None
        return counts.running if counts is not None and counts.held == counts.running else None

    async def until(self, holds: Callable[[], bool]) -> None:
        """Until something holds, looked at in every turn of the loop: it is busy with what is waited for."""
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - much of what is waited for has no event of its own
                await asyncio.sleep(0)


@asynccontextmanager
async def stage(
    config: Mapping[str, Any] = CONFIG, *, token: str | None = None, journal: Path | None = None, **options: Any
) -> AsyncIterator[Stage]:
    """``token`` is shown by the client; ``options`` are those of the listening."""
    listening = Listening(**{"listen": "127.0.0.1:0", **options})
    controller = Controller(load(config), journal=Journal(journal))
    events: list[Event] = []
    controller.journal.listen(events.append)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    async with asyncio.TaskGroup() as tasks:
        serving = Serving(listening, controller, tasks)
        running = tasks.create_task(controller.run())
        async with httpx.AsyncClient(base_url=serving.url, headers=headers, timeout=10, trust_env=False) as client:
            played = Stage(controller, serving, client, events)
            try:
                yield played
            finally:
                controller.stop()
                await running
                await serving.close()


@asynccontextmanager
async def connected(
    port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to a port of the loopback address."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
