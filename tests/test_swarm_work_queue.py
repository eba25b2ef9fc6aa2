"""The work queue of examples/work-queue on a Swarm of three machines, one of which is lost in the middle of the work.

The programs are the example's own, run by this Python, whose files are mounted into the containers.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis as Client

from beaufort.demand.redis import Redis
from engine import IMAGE
from servers import RedisServer
from source_contract import opened
from swarm_rig import Swarm, swarm
from swarm_run import EACH, running

EXAMPLE = Path(__file__).parents[1] / "examples" / "work-queue"
JOBS = 5000
"""Minutes of work for all the workers that there is room for."""


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
    """There is more work than can be done meanwhile, however fast the machine is; most of it is taken back at the end."""
    redis = RedisServer(tmp_path, machines.switch_address, machines.at_switch)
    redis.start()
    demand = {"type": "redis", "url": f"unix://{redis.socket}", "list": "jobs"}
    policy = {"type": "queue", "target_length": 5, "drain_time": "1s"}
    worker = {"demand": demand, "policy": policy, "min": 1, "stale_after": "30s", **program("worker.py", redis)}
    try:
        async with (
            running(machines, web=worker, batch={"min": 1, **program("batch.py", redis)}) as run,
            Client(unix_socket_path=str(redis.socket)) as client,
        ):
            await run.until(lambda: (batch := run.counts("batch")) is not None and batch.running == 5)
            await client.rpush("jobs", *[json.dumps({"at": 0, "seconds": 0.15})] * JOBS)
            await run.until(lambda: (web := run.counts("web")) is not None and web.running == 5)
            done = await at_least_done(redis, 20)
            machines.lose("n3")
            await run.until(lambda: len(run.room()) == 2)
            await run.reaches(3, 1)
            await at_least_done(redis, done + 20)
            jobs = JOBS - await taken_back(client)
            await run.until(lambda: (web := run.counts("web")) is not None and web.running < 3)
            await run.reaches(1, 3)
            assert await client.llen("jobs") == 0
            assert int(await client.get("batch:units") or 0) > 0
            # Each job is taken once, and noted when it is done: none is lost but those in hand on the lost machine.
            async with asyncio.timeout(30):  # the last one may still be in hand
                await at_least_done(redis, jobs - EACH)
            assert await client.llen("jobs:waited") <= jobs
    finally:
        redis.kill()


async def at_least_done(redis: RedisServer, count: int) -> int:
    """Returns when so many jobs have been done, and how many that are."""
    async with opened(Redis(url=f"unix://{redis.socket}", list="jobs:waited")) as samples:
        async for sample in samples:
            if sample.value >= count:
                return int(sample.value)
    raise AssertionError("a source never ends by itself")


async def taken_back(client: Client) -> int:
    """Leaves twenty jobs, and returns how many there were beyond them."""
    async with client.pipeline(transaction=True) as both:
        both.llen("jobs")
        both.ltrim("jobs", 0, 19)
        length, _ = await both.execute()
    return int(length) - 20
