"""A program to be killed: it moves two services of the local scheduler up and down for as long as it lives."""

from __future__ import annotations

import asyncio
import sys
from itertools import cycle
from pathlib import Path

from beaufort.model import Launch, Service
from beaufort.schedulers.local import Local

__all__ = ["BATCH", "MOST", "WEB"]

MOST = 6
WEB = Service("web", 1, launch=Launch(command=("sleep", "1000"), grace=5.0))
BATCH = Service("batch", 2, launch=Launch(command=("sh", "-c", "trap '' TERM; sleep 1000 & wait"), grace=0.05))


async def main(directory: Path) -> None:
    async with Local(deployment="one", directory=directory) as scheduler:
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        for web in cycle([MOST, 1, 4, 0, 2]):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(scheduler.scale(WEB, web))
                tasks.create_task(scheduler.scale(BATCH, MOST - web))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
