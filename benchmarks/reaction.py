"""How fast Beaufort reacts: pushed demand to containers running, against the bare calls that start as many at once.

Also the time from pushed demand to the first call of the scheduler (the decision alone). Medians of several runs; the
bare run and ours take turns, so that a slow moment of the machine meets both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Self

import beaufort
from beaufort.controller import Controller
from beaufort.model import Cluster, Counts, Node, Resources, Service

SCRIPT = 'echo > "$UP"; exec sleep 600'
"""A container says that it runs by a byte in a pipe: the same for the bare start and for ours."""


class Pipe:
    """A named pipe in which every started process writes a byte."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "up"
        os.mkfifo(self.path)
        self._end = os.open(self.path, os.O_RDWR | os.O_NONBLOCK)

    async def wait_for(self, count: int) -> float:
        """The time when ``count`` bytes have come."""
        loop, enough, got = asyncio.get_running_loop(), asyncio.Event(), 0

        def read() -> None:
            nonlocal got
            got += len(os.read(self._end, 65536))
            if got >= count:
                enough.set()

        loop.add_reader(self._end, read)
        try:
            async with asyncio.timeout(30):
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


@asynccontextmanager
async def controlled(config: dict[str, Any], scheduler: Any = None) -> AsyncIterator[Controller]:
    loaded = beaufort.load(config)
    controller = Controller(loaded if scheduler is None else With(loaded, scheduler))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(controller.run())
        await until(lambda: controller.cluster is not None)
        yield controller
        controller.stop(containers=True)
        await running


class With:
    """A configuration with another scheduler."""

    def __init__(self, config: beaufort.Config, scheduler: Any) -> None:
        self._config, self._scheduler = config, scheduler

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)

    def make_scheduler(self) -> Any:
        return self._scheduler


async def until(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():  # noqa: ASYNC110 - between two measurements, where nothing is timed
            await asyncio.sleep(0.01)


async def local(counts: Sequence[int], runs: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        config = {
            "scheduler": {"type": "local", "directory": folder},
            "capacity": {"containers": max(counts)},
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
            for count in counts:
                pairs = []
                for run in range(runs + 1):
                    progress(f"local, {count} at once, run {run}/{runs}")
                    bare_seconds = await bare(pipe, count)
                    begin = time.perf_counter()
                    controller.push("work", count)
                    pairs.append((await pipe.wait_for(count) - begin, bare_seconds))
                    controller.push("work", 0)
                    await until(lambda: not held(controller, "work"))
                rows.append(ratios(f"local, {count} at once", pairs[1:]))
    return rows


def held(controller: Controller, service: str) -> int:
    assert controller.cluster is not None
    return controller.cluster.counts.get(service, Counts()).held


def ratios(name: str, pairs: Sequence[tuple[float, float]]) -> dict[str, Any]:
    ours, theirs = (median(side) for side in zip(*pairs, strict=True))
    return {
        "what": name,
        "beaufort_ms": round(1e3 * ours, 2),
        "bare_ms": round(1e3 * theirs, 2),
        "ratio": round(median(a / b for a, b in pairs), 3),
        "runs": len(pairs),
    }


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

    async def scale(self, service: Service, count: int) -> None:
        self.at = time.perf_counter()
        self._counts[service.name] = count
        self._changed.set()
        self.called.set()


async def decision(services: int, pushes: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds from `push` to the first call of `scale`, with an idle controller of many services."""
    watch = Stopwatch(services)
    policy = {"priority": 1, "policy": {"type": "per-container", "target": 1}}
    config = {"services": {f"s{i}": policy for i in range(services)}}
    seconds = []
    async with controlled(config, watch) as controller:
        await asyncio.sleep(0.5)
        for i in range(pushes):
            if i % 100 == 0:
                progress(f"decision, {i}/{pushes}")
            watch.called.clear()
            begin = time.perf_counter()
            controller.push(f"s{i % services}", i // services + 1)
            await watch.called.wait()
            seconds.append(watch.at - begin)
            await asyncio.sleep(0.002)
    cuts = quantiles(seconds, n=100)
    return {
        "what": f"decision, {services} services",
        "p50_ms": round(1e3 * cuts[49], 3),
        "p99_ms": round(1e3 * cuts[98], 3),
        "runs": pushes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", choices=["local"], default="local")
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 8, 16], help="containers at once (1 8 16)")
    parser.add_argument("--runs", type=int, default=15, help="of each (15)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    def progress(text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{text:<60}", end="", file=sys.stderr, flush=True)

    rows = asyncio.run(local(options.counts, options.runs, progress))
    rows.append(asyncio.run(decision(100, 1000, progress)))
    progress("")
    if options.json:
        print(json.dumps({"results": rows}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" if key != "what" else f"{value:<24}" for key, value in row.items()))


if __name__ == "__main__":
    main()
