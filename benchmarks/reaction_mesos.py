"""How fast Beaufort reacts on Mesos: pushed demand to TASK_RUNNING, against a bare framework that launches as many.

The bare one is the least that a framework can be: a stream, offers, launches and receipts. It is measured in two ways:
asking for offers when it needs them (REVIVE), as Beaufort does, and waiting for those that come. All take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp

from beaufort.config import load
from beaufort.controller import Controller
from beaufort.journal import Given, Journal
from beaufort.model import Counts, Decision

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from mesos_rig import mesos

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
SIZE = {"cpus": 0.1, "mem": 32.0}
COMMAND = {"shell": False, "value": "sleep", "arguments": ["sleep", "1000"]}


class Bare:
    """A framework of its own. With ``revives`` it asks for offers; else it lets each go until it needs one."""

    def __init__(self, address: str, session: aiohttp.ClientSession, *, revives: bool) -> None:
        self._url = f"http://{address}/master/api/v1/scheduler"
        self._session = session
        self._revives = revives
        self._ready = asyncio.Event()
        self._headers = dict(JSON)
        self._id = ""
        self._wanted = 0
        self._agents: dict[str, str] = {}
        self._running: set[str] = set()
        self._changed = asyncio.Event()

    async def follow(self) -> None:
        info = {"user": "root", "name": "bare", "roles": ["*"], "capabilities": [{"type": "MULTI_ROLE"}]}
        suppressed = ["*"] if self._revives else []
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info, "suppressed_roles": suppressed}}
        async with self._session.post(self._url, json=call, headers=JSON) as response:
            self._headers["Mesos-Stream-Id"] = response.headers["Mesos-Stream-Id"]
            while size := await response.content.readline():
                await self._take(json.loads(await response.content.readexactly(int(size))))

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "SUBSCRIBED":
            self._id = event["subscribed"]["framework_id"]["value"]
            self._ready.set()
        elif event["type"] == "OFFERS":
            for offer in event["offers"]["offers"]:
                await self._answer(offer)
        elif event["type"] == "UPDATE":
            await self._hear(event["update"]["status"])

    async def _answer(self, offer: dict[str, Any]) -> None:
        ids = [{"value": offer["id"]["value"]}]
        room = next(each["scalar"]["value"] for each in offer["resources"] if each["name"] == "cpus")
        count = min(self._wanted, int(room / SIZE["cpus"] + 1e-6))
        self._wanted -= count
        tasks = [self._task(offer["agent_id"]) for _ in range(count)]
        launch = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []
        accept = {"offer_ids": ids, "operations": launch, "filters": {"refuse_seconds": 0.0}}
        await self._call("ACCEPT", accept=accept)

    def _task(self, agent: dict[str, str]) -> dict[str, Any]:
        id_ = f"bare-{random.getrandbits(64):x}"
        self._agents[id_] = agent["value"]
        resources = [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in SIZE.items()]
        return {"name": "t", "task_id": {"value": id_}, "agent_id": agent, "resources": resources, "command": COMMAND}

    async def _hear(self, status: dict[str, Any]) -> None:
        task = status["task_id"]["value"]
        (self._running.add if status["state"] == "TASK_RUNNING" else self._running.discard)(task)
        self._changed.set()
        receipt = {key: status[key] for key in ("agent_id", "task_id", "uuid")}
        await self._call("ACKNOWLEDGE", acknowledge=receipt)

    async def _call(self, kind: str, **body: Any) -> None:
        call = {"framework_id": {"value": self._id}, "type": kind, **body}
        async with self._session.post(self._url, json=call, headers=self._headers) as response:
            assert response.status == 202, await response.text()

    async def _until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self._running) != count:
                self._changed.clear()
                await self._changed.wait()

    async def measure(self, count: int) -> float:
        """Seconds until so many run; then they are killed again."""
        await self._ready.wait()
        begin = time.perf_counter()
        self._wanted = count
        if self._revives:
            await self._call("REVIVE")
        await self._until(count)
        seconds = time.perf_counter() - begin
        if self._revives:
            await self._call("SUPPRESS")
        for task in list(self._running):
            await self._call("KILL", kill={"task_id": {"value": task}, "agent_id": {"value": self._agents[task]}})
        await self._until(0)
        return seconds


@asynccontextmanager
async def bare(address: str, *, revives: bool) -> AsyncIterator[Bare]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session:
        framework = Bare(address, session, revives=revives)
        following = asyncio.ensure_future(framework.follow())
        try:
            yield framework
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following


class Heard(Journal):
    """Tells that the controller has taken a step."""

    def __init__(self) -> None:
        super().__init__()
        self.stepping = asyncio.Event()

    def stepped(self, given: Given, decision: Decision) -> None:
        super().stepped(given, decision)
        self.stepping.set()


class Ours:
    def __init__(self, address: str, folder: Path) -> None:
        service = {
            "priority": 1,
            "command": ["sleep", "1000"],
            "resources": {"cpu": SIZE["cpus"], "memory": f"{SIZE['mem']:g}MiB"},
            "policy": {"type": "per-container", "target": 1},
            "settle": {"window": {"down": "0s"}, "tolerance": 0, "idle": "0s"},
        }
        scheduler = {"type": "mesos", "master": address, "state": str(folder)}
        self._journal = Heard()
        self.controller = Controller(
            load({"scheduler": scheduler, "services": {"work": service}}), journal=self._journal
        )

    async def until(self, holds: Callable[[Counts], bool]) -> None:
        async with asyncio.timeout(30):
            while (cluster := self.controller.cluster) is None or not holds(cluster.counts["work"]):
                self._journal.stepping.clear()
                await self._journal.stepping.wait()

    async def measure(self, count: int) -> float:
        await self.until(lambda counts: counts.held == 0)
        begin = time.perf_counter()
        self.controller.push("work", count)
        await self.until(lambda counts: counts.running == count)
        seconds = time.perf_counter() - begin
        self.controller.push("work", 0)
        await self.until(lambda counts: counts.held == 0)
        return seconds


async def compare(address: str, interval: float, counts: list[int], runs: int) -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        ours = Ours(address, Path(folder))
        async with bare(address, revives=True) as asking, asyncio.TaskGroup() as tasks:
            tasks.create_task(ours.controller.run())
            for count in counts:
                row = await alternate(f"{count} at once, interval {interval:g} s", ours, asking, count, runs)
                rows += [row]
            ours.controller.stop(containers=True)
        async with bare(address, revives=False) as waiting:
            for row, count in zip(rows, counts, strict=True):
                seconds = []
                for _ in range(runs):
                    await asyncio.sleep(random.uniform(interval, 2 * interval))  # not in step with the master
                    seconds.append(await waiting.measure(count))
                row["waiting_ms"] = round(1e3 * median(seconds), 1)
    return rows


async def alternate(what: str, ours: Ours, asking: Bare, count: int, runs: int) -> dict[str, Any]:
    pairs = []
    for run in range(runs + 1):
        if sys.stderr.isatty():
            print(f"\r{what}, run {run}/{runs}   ", end="", file=sys.stderr, flush=True)
        pairs.append((await asking.measure(count), await ours.measure(count)))
    theirs, mine = (median(side) for side in zip(*pairs[1:], strict=True))
    ratio = median(b / a for a, b in pairs[1:])
    return {
        "what": what,
        "beaufort_ms": round(1e3 * mine, 1),
        "bare_ms": round(1e3 * theirs, 1),
        "ratio": round(ratio, 3),
        "runs": runs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 8], help="tasks at once (1 8)")
    parser.add_argument("--intervals", type=float, nargs="*", default=[0.1, 1.0], help="of the master, seconds (0.1 1)")
    parser.add_argument("--runs", type=int, default=10, help="of each (10)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for interval in options.intervals:
        with mesos(allocation_interval=f"{1e3 * interval:g}ms") as private:
            rows += asyncio.run(compare(private.address, interval, options.counts, options.runs))
    if options.json:
        print(json.dumps({"results": rows}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" if key != "what" else f"{value:<28}" for key, value in row.items()))


if __name__ == "__main__":
    main()
