"""How smooth the page is with 10,000 containers of 200 services that come and go: frame times and memory in a real Chromium,
without a screen, of a page that follows a controller over a model cluster. The controller is a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from beaufort import clock
from beaufort.config import load
from beaufort.controller import Controller
from beaufort.web import Listening
from beaufort.web.server import Serving

SERVICES, NODES, SLOTS = 200, 100, 100
CHANGED = 10
"""Services whose demand changes, in each of ten turns a second."""

FRAMES = """seconds => new Promise(done => {
  const times = [], until = performance.now() + seconds * 1000;
  let last = performance.now();
  const turn = now => {
    times.push(now - last);
    last = now;
    if (now < until) requestAnimationFrame(turn); else done(times.slice(2));
  };
  requestAnimationFrame(turn);
})"""


def configuration(*, pool: bool) -> dict[str, Any]:
    room = {"nodes": 1, "containers": NODES * SLOTS} if pool else {"nodes": NODES, "containers": SLOTS}
    policy = {"type": "per-container", "target": 1}
    settle = {"tolerance": 0, "window": {"down": 0}}
    services = {
        f"service-{number:03}": {
            "priority": 1 + number % 5,
            "min": 1,
            "policy": policy,
            "settle": settle,
        }
        for number in range(SERVICES)
    }
    return {
        "scheduler": {"type": "simulated", "start_delay": "700ms", "stop_delay": "400ms", **room},
        "services": services,
    }


async def serve(*, pool: bool) -> None:
    """A controller under changing demand. Says where it serves; ends when it is killed."""
    controller = Controller(load(configuration(pool=pool)))
    async with asyncio.TaskGroup() as tasks:
        serving = Serving(Listening(listen="127.0.0.1:0"), controller, tasks)
        tasks.create_task(controller.run())
        print(serving.url, flush=True)
        chance = random.Random(1)
        mean = NODES * SLOTS / SERVICES
        for name in controller.services:
            controller.push(name, mean, clock.now())
        while True:
            await asyncio.sleep(0.1)
            for name in chance.sample(list(controller.services), CHANGED):
                controller.push(name, round(chance.uniform(mean * 0.8, mean * 1.25)), clock.now())


@contextmanager
def server(*options: str) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, __file__, "--serve", *options], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def measure(page: Page, seconds: float, looks: int) -> dict[str, Any]:
    """Memory is taken after a collection, at the beginning and ``looks`` times more, in equal steps."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    before = busy(session)
    heaps, times = [heap(session)], []
    for look in range(looks):
        times += page.evaluate(FRAMES, seconds / looks)
        heaps.append(heap(session))
        elements = metric(session, "Nodes")
        print(
            f"{seconds * (look + 1) / looks:.0f} s: {heaps[-1]:.1f} MB, {elements:.0f} nodes",
            file=sys.stderr,
            flush=True,
        )
    cuts = quantiles(times, n=100)
    return {
        "frame_ms": {"median": round(median(times), 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)},
        "frames": len(times),
        "longer_than_50_ms": sum(time > 50 for time in times),
        "main_thread_busy": round((busy(session) - before) / seconds, 3),
        "heap_mb": [round(each, 1) for each in heaps],
    }


def heap(session: CDPSession) -> float:
    session.send("HeapProfiler.collectGarbage")
    return metric(session, "JSHeapUsedSize") / 1e6


def busy(session: CDPSession) -> float:
    return metric(session, "TaskDuration")


def metric(session: CDPSession, name: str) -> float:
    told = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in told if each["name"] == name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--looks", type=int, default=2, help="how often memory is taken")
    parser.add_argument("--pool", action="store_true", help="one pool instead of a hundred nodes")
    parser.add_argument("--picture", help="where to put a picture of the page")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(pool=options.pool))
        return
    with server(*(["--pool"] if options.pool else [])) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1360, "height": 900})
        page.goto(url)
        expect(page.locator("[data-figure=held]")).to_contain_text(
            re.compile("(9,[5-9]..|10,000) of 10,000"), timeout=30_000
        )
        found = measure(page, options.seconds, options.looks)
        if options.picture:
            page.screenshot(path=options.picture)
        browser.close()
    print(json.dumps(found) if options.json else "\n".join(f"{name}: {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
