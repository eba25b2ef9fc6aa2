"""The demo on a real Mesos: starts a private one, the stand-in for Marathon above it, and ``beaufort demo`` on that.

    .venv/bin/python tests/marathon_demo.py --duration 20

Options are those of ``beaufort demo``. Nothing of it is left.
"""

from __future__ import annotations

import asyncio
import sys

from marathon_mesos import MesosBackend
from marathon_server import MarathonServer
from marathon_settings import Settings
from mesos_rig import mesos

__all__: list[str] = []

DEMO = [sys.executable, "-m", "beaufort", "demo", "--scheduler", "marathon", "--endpoint"]


async def main(options: list[str]) -> int:
    with mesos() as private:
        async with MarathonServer(MesosBackend(private.address), settings=Settings(min_revive=0.1)) as server:
            process = await asyncio.create_subprocess_exec(*DEMO, server.url, *options)
            return await process.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
