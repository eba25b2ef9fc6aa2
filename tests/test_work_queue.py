"""The programs of examples/work-queue, each run as it is on a real server."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from redis.asyncio import Redis as Client

from beaufort.demand.redis import Redis
from servers import RedisServer
from source_contract import opened

EXAMPLE = Path(__file__).parents[1] / "examples" / "work-queue"


@asynccontextmanager
async def running(redis: RedisServer, *command: str) -> AsyncIterator[Process]:
    """One of the programs, killed at the end if it has not ended by then. Nothing is waited for longer than a minute."""
    program, *arguments = command
    environment = {"REDIS_URL": redis.url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXAMPLE / program, *arguments, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def reached(redis: RedisServer, key: str, length: int) -> None:
    """Returns when the list is as long as that."""
    async with opened(Redis(url=redis.url, list=key)) as samples:
        async for sample in samples:
            if sample.value == length:
                return


async def queue(client: Client, *seconds: float) -> None:
    """Queue jobs of these sizes, as if they had been waiting since the epoch."""
    await client.rpush("jobs", *(json.dumps({"at": 0, "seconds": size}) for size in seconds))


async def test_a_stop_in_the_middle_of_a_job_finishes_that_one_and_begins_no_other(
    redis: RedisServer, client: Client
) -> None:
    await queue(client, 0.3, 0.3)
    async with running(redis, "worker.py") as worker:
        await reached(redis, "jobs", 1)
        worker.terminate()
        assert await worker.wait() == 0
    assert (await client.llen("jobs"), await client.llen("jobs:waited")) == (1, 1)


async def test_a_stop_while_it_waits_ends_it(redis: RedisServer, client: Client) -> None:
    async with running(redis, "worker.py") as worker:
        while (await client.info("clients"))["blocked_clients"] == 0:
            pass
        worker.terminate()
        assert await worker.wait() == 0


async def test_no_stop_loses_a_job(redis: RedisServer, client: Client) -> None:
    """Workers are stopped at all moments of their work, until a last one is left to finish it."""
    await queue(client, *[0.005] * 150)
    draw = random.Random(1)
    for _ in range(12):
        async with running(redis, "worker.py") as worker:
            # Nothing is waited for: any moment is as good, from the start of the program on.
            await asyncio.sleep(draw.uniform(0.03, 0.1))
            worker.terminate()
            await worker.wait()
    async with running(redis, "worker.py"):
        await reached(redis, "jobs:waited", 150)
    assert await client.llen("jobs") == 0


async def test_the_waiting_is_measured_from_the_queueing_to_the_taking(redis: RedisServer, client: Client) -> None:
    seconds, microseconds = await client.time()
    now = seconds + microseconds / 1e6
    await client.rpush("jobs", json.dumps({"at": now - 100, "seconds": 0.2}))
    async with running(redis, "worker.py"):
        await reached(redis, "jobs:waited", 1)
    (waited,) = await client.lrange("jobs:waited", 0, -1)
    seconds, microseconds = await client.time()
    assert 100 < float(waited) < 100 + seconds + microseconds / 1e6 - now - 0.2


async def test_batch_work_is_counted_and_stops_at_once(redis: RedisServer, client: Client) -> None:
    async with running(redis, "batch.py") as batch:
        while int(await client.get("batch:units") or 0) < 2:
            pass
        batch.terminate()
        assert await batch.wait() == -15


async def produced(redis: RedisServer, client: Client, *options: str) -> list[float]:
    """The sizes of the jobs that the producer queues."""
    async with running(redis, "producer.py", *options) as producer:
        assert await producer.wait() == 0
    jobs = [json.loads(job) for job in await client.lrange("jobs", 0, -1)]
    await client.delete("jobs")
    return [job["seconds"] for job in jobs]


async def test_the_producer_follows_its_trace(redis: RedisServer, client: Client, tmp_path: Path) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("t_seconds,value\n0,0\n10,400\n20,0\n")
    options = (str(trace), "--speed", "50", "--seconds", "2")
    first = await produced(redis, client, *options, "--seed", "1")
    # 400 a second for 0.2 s: 80 expected, with a standard deviation of 9.
    assert 45 < len(first) < 115
    assert all(1 <= size <= 3 for size in first)
    assert first == await produced(redis, client, *options, "--seed", "1")
    assert first != await produced(redis, client, *options, "--seed", "2")


async def test_the_trace_is_what_the_script_makes(tmp_path: Path) -> None:
    script = shutil.copy(EXAMPLE / "make_demand.py", tmp_path)
    made = await asyncio.create_subprocess_exec(sys.executable, script)
    assert await made.wait() == 0
    assert (tmp_path / "demand.csv").read_text() == (EXAMPLE / "demand.csv").read_text()


@pytest.mark.parametrize("program", [pytest.param("worker.py", id="worker"), pytest.param("batch.py", id="batch")])
async def test_without_a_server_it_ends_and_says_why(redis: RedisServer, program: str) -> None:
    redis.kill()
    async with running(redis, program) as process:
        _, said = await process.communicate()
    assert process.returncode == 1
    assert b"ConnectionRefusedError" in said
