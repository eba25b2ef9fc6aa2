"""One deployment on an engine to be measured: what is done by Beaufort and by hand, and when its containers ran."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import beaufort
from bare_engine import BareEngine, Freezer
from beaufort.controller import Controller
from beaufort.model import Counts, Standby
from beaufort.schedulers.engine.launch import body
from engine import IMAGE, Engine
from engine_log import EngineLog

__all__ = ["Rig", "alone", "is_ready", "polite", "runs", "stubborn"]

QUIET = 0.3
"""Seconds for the engine to come to rest before something is measured."""


def _services(**program: Any) -> dict[str, Any]:
    """``web`` has priority 1 and pushed demand; ``batch`` has priority 2 and takes what is left."""
    program = {"image": IMAGE, "command": ["sleep", "1000"], "grace": "1s", **program}
    calm = {"window": {"down": "0s"}, "idle": "0s", "tolerance": 0}
    each = {"type": "per-container", "target": 1}
    web = {"priority": 1, "policy": each, "settle": calm, "stale_after": "1h", **program}
    return {"web": web, "batch": {"priority": 2, "policy": {"type": "remainder"}, **program}}


def polite(count: int) -> dict[str, Any]:
    """They end on SIGTERM: an init passes it on."""
    del count
    return _services(init=True)


def stubborn(count: int) -> dict[str, Any]:
    """They take no notice of SIGTERM, as the first process of a container."""
    del count
    return _services()


def alone(standby: str | None, count: int) -> dict[str, Any]:
    """``web``, with so many of that kind ready."""
    web = polite(count)["web"]
    return {"web": web if standby is None else {**web, "standby": {standby: count}}}


def is_ready(controller: Controller, standby: Standby) -> bool:
    """Nothing serves, and so much is ready for it."""
    counts = controller.cluster.counts.get("web", Counts()) if controller.cluster else Counts()
    return counts.standby == standby and not counts.held


def runs(controller: Controller, **wanted: int) -> bool:
    """So many run, and nothing else is held."""
    counts = controller.cluster.counts if controller.cluster else {}
    found = {name: counts.get(name, Counts()) for name in wanted}
    return all(each.running == each.held == wanted[name] for name, each in found.items())


@dataclass(frozen=True, slots=True)
class Rig:
    """There is room for ``count`` of ``services``. ``name``: of the deployment."""

    engine: Engine
    log: EngineLog
    bare: BareEngine
    name: str
    services: dict[str, Any]
    count: int

    @property
    def config(self) -> dict[str, Any]:
        return {
            "deployment": self.ours,
            "scheduler": {"type": "docker", "url": self.engine.url},
            "capacity": {"containers": self.count},
            "services": self.services,
        }

    @property
    def ours(self) -> str:
        return f"{self.name}-{self.count}"

    @property
    def theirs(self) -> str:
        return f"bare-{self.ours}"

    def body(self, service: str) -> dict[str, Any]:
        """What the engine is asked to make, which is the same by hand."""
        services = {each.name: each for each in beaufort.load(self.config).scope.services}
        return body(services[service], self.theirs)

    async def pushed(self, controller: Controller, web: int, starts: str) -> float:
        """Seconds from a new demand until all of ``starts`` run."""
        await asyncio.sleep(QUIET)
        begin = time.time()
        controller.push("web", web)
        return await self.log.started(begin, self.ours, starts, self.count) - begin

    async def by_hand(self, doing: Callable[[], Awaitable[list[str]]], starts: str) -> tuple[float, list[str]]:
        """Seconds until all of ``starts`` run, and what runs then."""
        await asyncio.sleep(QUIET)
        begin = time.time()
        ids = await doing()
        return await self.log.started(begin, self.theirs, starts, self.count) - begin, ids

    async def thawed(self, ids: Sequence[str], doing: Callable[[], object]) -> float:
        """Seconds from a new demand, or from doing it by hand, until they all run that were frozen past the engine.

        No event tells it: their freezers are looked at all the time.
        """
        freezer = Freezer(ids)
        await asyncio.sleep(QUIET)
        assert not freezer.thawed()
        begin = time.perf_counter()
        doing()
        while not freezer.thawed():  # noqa: ASYNC110 - it is what is measured
            await asyncio.sleep(0)
        return time.perf_counter() - begin

    async def clear(self) -> None:
        await asyncio.to_thread(self.engine.clear)
        await asyncio.sleep(QUIET)
