"""The real controller over a real engine: two services in six containers of room, and what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import controlled
from controlled import ROOM
from docker_meter import Meter
from engine import IMAGE, Engine

__all__ = ["ROOM", "Run", "configuration", "running"]


def configuration(engine: Engine, **services: dict[str, Any]) -> dict[str, Any]:
    program = {"image": IMAGE, "command": ["sleep", "1000"], "init": True, "grace": "1s"}
    return controlled.configuration({"type": "docker", "url": engine.url}, program, **services)


class Run(controlled.Run):
    """With a meter of what really runs."""

    def __init__(self, engine: Engine, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.engine = engine
        self.meter = Meter(engine)


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
