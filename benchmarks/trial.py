"""What the reaction benchmarks share: a controller that runs for as long as it is measured, and rows of ratios."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

import beaufort
from beaufort.controller import Controller
from beaufort.model import Counts
from beaufort.protocols import ContainerScheduler

__all__ = ["Plan", "Row", "With", "controlled", "held", "ratios", "until"]

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured: with how many containers at once, how often, and which of the scheduler's cases."""

    counts: tuple[int, ...]
    runs: int
    cases: tuple[str, ...]

    def progress(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)


@asynccontextmanager
async def controlled(config: dict[str, Any], scheduler: ContainerScheduler | None = None) -> AsyncIterator[Controller]:
    """A controller that sees its scheduler. At the end its containers are stopped."""
    loaded = beaufort.load(config)
    controller = Controller(loaded if scheduler is None else With(loaded, scheduler))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(controller.run())
        await until(lambda: controller.cluster is not None)
        yield controller
        controller.stop(containers=True)
        await running


class With:
    """A configuration with another scheduler."""

    def __init__(self, config: beaufort.Config, scheduler: ContainerScheduler) -> None:
        self._config, self._scheduler = config, scheduler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)

    def make_scheduler(self) -> ContainerScheduler:
        return self._scheduler


async def until(so: Callable[[], bool], *, within: float = 60) -> None:
    async with asyncio.timeout(within):
        while not so():  # noqa: ASYNC110 - between two measurements, where nothing is timed
            await asyncio.sleep(0.01)


def held(controller: Controller, service: str) -> int:
    assert controller.cluster is not None
    return controller.cluster.counts.get(service, Counts()).held


def ratios(name: str, pairs: Sequence[tuple[float, float]]) -> Row:
    """``pairs``: seconds of ours and of the bare run beside it."""
    ours, theirs = (median(side) for side in zip(*pairs, strict=True))
    return {
        "what": name,
        "beaufort_ms": round(1e3 * ours, 2),
        "bare_ms": round(1e3 * theirs, 2),
        "ratio": round(median(a / b for a, b in pairs), 3),
        "runs": len(pairs),
    }
