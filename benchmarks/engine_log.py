"""What ran when, by the engine's own event log: the one measure of what is started by Beaufort and without it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE
from engine import Engine

__all__ = ["EngineLog", "Moment", "logged"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What happened to a container, in seconds since the epoch. ``more``: how many more run since then."""

    at: float
    deployment: str
    service: str
    action: str

    @property
    def more(self) -> int:
        """One that is paused is held, and counts as running."""
        return {"start": 1, "die": -1}.get(self.action, 0)


class EngineLog:
    def __init__(self) -> None:
        self.moments: list[Moment] = []
        self._news = asyncio.Event()

    async def read(self, lines: aiohttp.StreamReader) -> None:
        async for line in lines:
            event = json.loads(line)
            labels = event["Actor"]["Attributes"]
            self.moments.append(Moment(event["timeNano"] / 1e9, labels[DEPLOYMENT], labels[SERVICE], event["Action"]))
            self._news.set()

    def since(self, begin: float, deployment: str) -> Iterator[Moment]:
        return (each for each in self.moments if each.at >= begin and each.deployment == deployment)

    async def started(self, begin: float, deployment: str, service: str, count: int) -> float:
        """When the ``count``-th container of a service was started, or was not paused any more, since ``begin``."""
        async with asyncio.timeout(120):
            while True:
                self._news.clear()
                since = [each for each in self.since(begin, deployment) if each.service == service]
                starts = sorted(each.at for each in since if each.action in {"start", "unpause"})
                if len(starts) >= count:
                    return starts[count - 1]
                await self._news.wait()

    def peak(self, deployment: str) -> int:
        """The most that ever ran at once."""
        most = running = 0
        for each in self.since(0, deployment):
            running += each.more
            most = max(most, running)
        return most

    def levels(self, begin: float, deployment: str) -> Iterator[tuple[float, dict[str, int]]]:
        """How many of each service ran from each moment on, in seconds after ``begin``."""
        running: Counter[str] = Counter()
        for each in self.since(0, deployment):
            running[each.service] += each.more
            yield each.at - begin, dict(running)


@asynccontextmanager
async def logged(engine: Engine) -> AsyncIterator[EngineLog]:
    """All that carries our labels, of whatever deployment, from now on."""
    log = EngineLog()
    filters = json.dumps({"label": [DEPLOYMENT, SERVICE], "event": ["start", "unpause", "die"]})
    connector, forever = aiohttp.UnixConnector(str(engine.socket)), aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=forever) as session,
        session.get("http://engine/v1.41/events", params={"filters": filters}) as answer,
        asyncio.TaskGroup() as tasks,
    ):
        reading = tasks.create_task(log.read(answer.content))
        yield log
        reading.cancel()
