"""The reaction of the local scheduler, against `posix_spawn` of as many; and the time of a decision alone."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Self

from beaufort.model import NO_STANDBY, Cluster, Counts, Node, Resources, Service, Standby
from trial import Plan, Row, controlled, held, ratios, until

CASES = ("start", "decision")
RUNS = 15

SCRIPT = 'echo > "$UP"; exec sleep 600'
"""A container says that it runs by a byte in a pipe: the same for the bare start and for ours."""


class Pipe:
    """A named pipe in which every started process writes a byte."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "up"
        os.mkfifo(self.path)
        self._end = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    async def wait_for(self, count: int, *, within: float = 30) -> float:
        """The time when ``count`` bytes have come."""
        loop, enough, got = asyncio.get_running_loop(), asyncio.Event(), 0

        def read() -> None:
            nonlocal got
            got += len(os.read(self._end, 65536))
            if got >= count:
                enough.set()

        loop.add_reader(self._end, read)
        try:
            async with asyncio.timeout(within):
                await enough.wait()
            return time.perf_counter()
        finally:
            loop.remove_reader(self._end)


async def bare(pipe: Pipe, count: int) -> float:
    """Seconds for `posix_spawn` to have ``count`` processes running."""
    begin = time.perf_counter()
    started = spawn(count, {"PATH": os.environ["PATH"], "UP": str(pipe.path)})
    seconds = await pipe.wait_for(count) - begin
    clear(started)
    return seconds


def spawn(count: int, environment: dict[str, str]) -> list[int]:
    return [os.posix_spawn("/bin/sh", ["sh", "-c", SCRIPT], environment, setsid=True) for _ in range(count)]


def clear(pids: Sequence[int]) -> None:
    for pid in pids:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


async def measure(plan: Plan) -> list[Row]:
    rows = await start(plan) if "start" in plan.cases else []
    return [*rows, await decision(100, 1000, plan)] if "decision" in plan.cases else rows


async def start(plan: Plan) -> list[Row]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        config = {
            "scheduler": {"type": "local", "directory": folder},
            "capacity": {"containers": max(plan.counts)},
            "services": {
                "work": {
                    "priority": 1,
                    "command": ["/bin/sh", "-c", SCRIPT],
                    "env": {"UP": str(pipe.path)},
                    "policy": {"type": "per-container", "target": 1},
                    "settle": {"window": {"down": "0s"}, "tolerance": 0, "idle": "0s"},
                }
            },
        }
        async with controlled(config) as controller:
            for count in plan.counts:
                pairs = []
                for run in range(plan.runs + 1):
                    plan.progress(f"local, {count} at once, run {run}/{plan.runs}")
                    bare_seconds = await bare(pipe, count)
                    begin = time.perf_counter()
                    controller.push("work", count)
                    pairs.append((await pipe.wait_for(count) - begin, bare_seconds))
                    controller.push("work", 0)
                    await until(lambda: not held(controller, "work"))
                rows.append(ratios(f"local, {count} at once", pairs[1:]))
    return rows


class Stopwatch:
    """A scheduler that does nothing but note when it is called."""

    def __init__(self, services: int) -> None:
        self.called = asyncio.Event()
        self.at = 0.0
        self._counts = {f"s{i}": 0 for i in range(services)}
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:  # noqa: ARG002
        while True:
            self._changed.clear()
            counts = {name: Counts(running=count) for name, count in self._counts.items()}
            yield Cluster(time.time(), counts, (Node("pool", Resources(containers=1e6)),))
            await self._changed.wait()

    def check(self, service: Service) -> Sequence[str]:
        del service
        return ()

    async def scale(self, service: Service, count: int, standby: Standby = NO_STANDBY) -> None:
        del standby
        self.at = time.perf_counter()
        self._counts[service.name] = count
        self._changed.set()
        self.called.set()


async def decision(services: int, pushes: int, plan: Plan) -> Row:
    """Milliseconds from `push` to the first call of `scale`, with an idle controller of many services."""
    watch = Stopwatch(services)
    policy = {"priority": 1, "policy": {"type": "per-container", "target": 1}}
    config = {"services": {f"s{i}": policy for i in range(services)}}
    seconds = []
    async with controlled(config, watch) as controller:
        await asyncio.sleep(0.5)
        for i in range(pushes):
            if i % 100 == 0:
                plan.progress(f"decision, {i}/{pushes}")
            watch.called.clear()
            begin = time.perf_counter()
            controller.push(f"s{i % services}", i // services + 1)
            await asyncio.wait_for(watch.called.wait(), 30)
            seconds.append(watch.at - begin)
            await asyncio.sleep(0.002)
    cuts = quantiles(seconds, n=100)
    return {
        "what": f"decision, {services} services",
        "p50_ms": round(1e3 * cuts[49], 3),
        "p99_ms": round(1e3 * cuts[98], 3),
        "runs": pushes,
    }
