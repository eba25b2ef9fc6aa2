"""The work queue of examples/work-queue on a Swarm of three machines, one of which is lost in the middle of the work.

The programs are the example's own, run by this Python, whose files are mounted into the containers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from engine import IMAGE
from servers import RedisServer
from swarm_rig import Swarm, swarm
from swarm_run import EACH, running

EXAMPLE = Path(__file__).parents[1] / "examples" / "work-queue"
JOBS = 420


@pytest.fixture
def machines() -> Iterator[Swarm]:
    with swarm() as private:
        yield private


def program(name: str, redis: RedisServer) -> dict[str, Any]:
    """A program of the example, in the network of the machine on which it runs."""
    return {
        "image": IMAGE,
        "command": ["busybox", "chroot", "/machine", sys.executable, str(EXAMPLE / name)],
        "env": {"REDIS_URL": redis.url},
        "volumes": ["/:/machine:ro"],
        "networks": ["host"],
        "init": True,
        "grace": "3s",
    }


async def test_the_queue_is_worked_off_though_a_machine_is_lost(machines: Swarm, tmp_path: Path) -> None:
    redis = RedisServer(tmp_path, machines.switch_address, machines.at_switch)
    redis.start()
    demand = {"type": "redis", "url": f"unix://{redis.socket}", "list": "jobs"}
    policy = {"type": "queue", "target_length": 5, "drain_time": "1s"}
    worker = {"demand": demand, "policy": policy, "min": 1, "stale_after": "30s", **program("worker.py", redis)}
    try:
        async with running(machines, web=worker, batch={"min": 1, **program("batch.py", redis)}) as run:
            async with Redis(unix_socket_path=str(redis.socket)) as client:
                await run.until(lambda: (batch := run.counts("batch")) is not None and batch.running == 5)
                await client.rpush("jobs", *[json.dumps({"at": 0, "seconds": 0.15})] * JOBS)
                await run.until(lambda: (web := run.counts("web")) is not None and web.running == 5)
                machines.lose("n3")
                await run.until(lambda: len(run.room()) == 2)
                await run.reaches(3, 1)
                assert await client.llen("jobs") > 0, "it was lost in the middle of the work"
                await run.until(lambda: (web := run.counts("web")) is not None and web.running < 3)
                await run.reaches(1, 3)
                assert await client.llen("jobs") == 0
                assert int(await client.get("batch:units") or 0) > 0
                # Each job is taken once, and noted when it is done: none is lost but those in hand on the lost machine.
                assert JOBS - EACH <= await client.llen("jobs:waited") <= JOBS
            assert run.peak <= EACH
    finally:
        redis.kill()
