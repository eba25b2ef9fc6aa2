"""Asks containers whether they are busy, when it matters which of them go. What does not answer at once is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp
import msgspec

from beaufort.model import Service
from beaufort.protocols import SchedulerError
from beaufort.schedulers.engine.answers import Placed
from beaufort.schedulers.engine.busy import FOUND, HTTP, Door, address, door, matters
from beaufort.schedulers.engine.client import Client, Refusal
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.held import Held, Phase
from beaufort.schedulers.engine.launch import said

__all__ = ["PATIENCE", "Occupation"]

PATIENCE = 0.3
"""Seconds that all answers together may take: so long at most waits whoever needs the room."""


class Occupation:
    """It asks all of a service at the same time, and only what has not been asked to stop."""

    def __init__(self, client: Client, fleet: Fleet) -> None:
        self._client = client
        self._fleet = fleet
        scheme, _, _ = client.url.partition("://")
        self._engine = None if scheme == "unix" else urlsplit(client.url).hostname

    async def ask(self, service: Service, count: int) -> Mapping[str, bool]:
        """Before the service becomes ``count``: by container, whether it is busy. Returns at once if it is no matter."""
        launch = said(service)
        current = self._fleet.current(service.name)
        serving = [held for held in self._fleet if held.service == service.name and held.phase is Phase.RUNNING]
        starting, drains = len(current) - len(serving), launch.drain_timeout is not None
        known: dict[str, bool] = {}
        if matters(len(current) - count, starting, len(serving), drains=drains):
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    if launch.busy_file is not None:
                        await self._look_for(launch.busy_file, serving, known)
                    elif launch.busy_http is not None and (at := door(launch.busy_http)) is not None:
                        await self._knock(at, serving, known)
        return known

    async def _look_for(self, file: str, helds: Iterable[Held], known: dict[str, bool]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for held in helds:
                tasks.create_task(self._look(file, held, known))

    async def _look(self, file: str, held: Held, known: dict[str, bool]) -> None:
        status = 200
        try:
            path = f"/containers/{held.id}/archive"
            await self._client.tell("HEAD", path, within=PATIENCE, query={"path": file})
        except Refusal as refusal:
            status = refusal.status
        except SchedulerError:
            return
        if status in FOUND:
            known[held.name] = FOUND[status]

    async def _knock(self, at: Door, helds: Iterable[Held], known: dict[str, bool]) -> None:
        filters = msgspec.json.encode({"id": [held.id for held in helds]}).decode()
        try:
            query = {"filters": filters}
            listed = await self._client.ask("GET", "/containers/json", list[Placed], within=PATIENCE, query=query)
        except SchedulerError:
            return
        places = {each.id: address(each, at.port, self._engine) for each in listed}
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            for held in helds:
                if (place := places.get(held.id)) is not None:
                    tasks.create_task(_hear(session, f"http://{place}{at.path}", held, known))


async def _hear(session: aiohttp.ClientSession, url: str, held: Held, known: dict[str, bool]) -> None:
    with suppress(aiohttp.ClientError, OSError):
        async with session.get(url, allow_redirects=False) as response:
            if response.status in HTTP:
                known[held.name] = HTTP[response.status]
