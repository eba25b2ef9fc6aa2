"""How fast the API takes demand: from a client that is about to push until the decision is made, at a steady rate of requests.
Then the same while hundreds of readers follow the stream of events. The clients are processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

import beaufort
from beaufort import clock
from beaufort.controller import Controller
from beaufort.journal import Step
from beaufort.model import Decision
from beaufort.web import Listening
from beaufort.web.server import Serving

SERVICES, CONNECTIONS = 100, 20


def configuration() -> dict[str, Any]:
    service = {"priority": 1, "policy": {"type": "per-container", "target": 10}}
    return {
        "scheduler": {"type": "simulated", "start_delay": "50ms", "stop_delay": "50ms"},
        "capacity": {"containers": 20 * SERVICES},
        "services": {f"s{number}": service for number in range(SERVICES)},
    }


async def push(port: int, rate: float, seconds: float) -> None:
    """So many requests a second, spread over some connections. A sample's time is when its sending begins."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(CONNECTIONS):
            tasks.create_task(_push(port, number, CONNECTIONS / rate, seconds))


async def _push(port: int, number: int, every: float, seconds: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    begin = due = loop.time() + every * number / CONNECTIONS
    turn = 0
    while due < begin + seconds:
        await asyncio.sleep(max(0.0, due - loop.time()))
        turn += 1
        service = f"s{(number + turn * CONNECTIONS) % SERVICES}"
        body = json.dumps({"service": service, "value": 50 + 40 * (turn % 2), "at": time.time()}).encode()
        head = b"POST /v1/demand HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200"), answer
        length = next(line for line in answer.split(b"\r\n") if line.startswith(b"content-length: "))
        await reader.readexactly(int(length.split()[1]))
        due += every
    writer.close()


async def listen(port: int, readers: int) -> None:
    """Follow the events, until killed."""
    async with asyncio.TaskGroup() as tasks:
        for _ in range(readers):
            tasks.create_task(_listen(port))


async def _listen(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    writer.write(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
    while await reader.read(1 << 16):
        pass


@contextmanager
def client(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, __file__, *map(str, arguments)]) as process:
        try:
            yield process
        finally:
            process.kill()


class Watch:
    """Seconds from a sample's time to the decision that took it in."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        # The controller's clock is the machine's as it was at the start; the clients' is the machine's now.
        self._ahead = clock.now() - time.time()

    def follow(self, step: Step, _: Decision) -> None:
        now = clock.now() - self._ahead
        self.seconds += [now - sample.at for samples in step.given.samples.values() for sample in samples]


async def measure(rate: float, readers: int, seconds: float) -> dict[str, Any]:
    controller = Controller(beaufort.load(configuration()))
    watch = Watch()
    controller.journal.follow(watch.follow)
    async with asyncio.TaskGroup() as tasks:
        serving = Serving(Listening(listen="127.0.0.1:0"), controller, tasks)
        running = tasks.create_task(controller.run())
        port = serving.url.rpartition(":")[2]
        with client("listen", port, readers):
            feed = serving.station.feed
            while feed.readers < readers:  # noqa: ASYNC110 - it is a benchmark: nothing else happens yet
                await asyncio.sleep(0.1)
            with client("push", port, rate, seconds) as pusher:
                status = await asyncio.to_thread(pusher.wait)
            row = summary(rate, readers, watch.seconds) | {"dropped": feed.dropped}
        controller.stop()
        await running
        await serving.close()
    assert status == 0
    return row


def summary(rate: float, readers: int, seconds: list[float]) -> dict[str, Any]:
    settled = seconds[len(seconds) // 10 :]
    cuts = quantiles(settled, n=100)
    return {
        "requests_per_s": rate,
        "readers": readers,
        "samples": len(seconds),
        "median_ms": round(1000 * median(settled), 2),
        "p99_ms": round(1000 * cuts[98], 2),
        "max_ms": round(1000 * max(settled), 1),
    }


def main() -> None:
    if sys.argv[1:2] == ["push"]:
        asyncio.run(push(int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
        return
    if sys.argv[1:2] == ["listen"]:
        asyncio.run(listen(int(sys.argv[2]), int(sys.argv[3])))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for rate, readers in ((100, 0), (1000, 0), (100, 500), (1000, 500)):
        row = asyncio.run(measure(rate, readers, options.seconds))
        print(json.dumps(row) if options.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
