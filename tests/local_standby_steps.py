"""A program that dies at a chosen step of what it does to hold containers of the local scheduler ready, and to use them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path

from beaufort.model import Standby
from beaufort.schedulers.local import Local
from local_jump import WEB
from local_steps import STEPS
from scheduler_contract import ready, until, watching

__all__ = ["IN_THE_END"]


IN_THE_END = 0
"""Not a step: when two are ready and one serves."""


async def main(directory: Path, fatal_step: int) -> None:
    steps = count(1)

    def step(event: str, _: tuple[object, ...]) -> None:
        if event in STEPS and next(steps) == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)

    async with Local(deployment="one", directory=directory) as scheduler, watching(scheduler, WEB) as snapshots:
        await anext(snapshots)
        sys.addaudithook(step)
        await scheduler.scale(WEB, 0, Standby(frozen=2))
        await until(snapshots, WEB, ready("frozen", 2, running=0))
        await scheduler.scale(WEB, 1, Standby(frozen=1))
        await scheduler.scale(WEB, 1, Standby(frozen=2))
        await until(snapshots, WEB, ready("frozen", 2, running=1))
        if fatal_step == IN_THE_END:
            os.kill(os.getpid(), signal.SIGKILL)
        await scheduler.scale(WEB, 1)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
