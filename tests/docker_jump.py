"""A program to be killed: the controller over an engine, with a demand that jumps up and down while it lives."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import cycle

from beaufort.config import load
from beaufort.controller import Controller

DEMANDS = (5, 0, 4, 1, 6, 2)


async def main(config: dict[str, object], every: float) -> None:
    controller = Controller(load(config))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(controller.run())
        sys.stdout.write("begun\n")
        sys.stdout.flush()
        for demand in cycle(DEMANDS):
            controller.push("web", demand)
            await asyncio.sleep(every)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1]), float(sys.argv[2])))
