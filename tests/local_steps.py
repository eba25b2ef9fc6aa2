"""A program that dies at a chosen step of what it does to start and stop containers of the local scheduler."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path

from beaufort.schedulers.local import Local
from local_jump import BATCH, WEB

__all__ = ["STEPS"]

STEPS = {"open", "os.rename", "subprocess.Popen", "os.killpg"}
"""Audit events of Python, each raised before what it is named after."""


async def main(directory: Path, fatal_step: int) -> None:
    steps = count(1)

    def step(event: str, _: tuple[object, ...]) -> None:
        if event in STEPS and next(steps) == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)

    async with Local(deployment="one", directory=directory) as scheduler:
        sys.addaudithook(step)
        await scheduler.scale(WEB, 2)
        await scheduler.scale(BATCH, 1)
        await scheduler.scale(WEB, 1)
        await scheduler.scale(BATCH, 0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
