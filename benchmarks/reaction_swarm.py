"""How fast Beaufort moves containers on a Docker Swarm of three engines, against bare service updates that do the same.

A bare update and Beaufort take turns on the same Swarm. What counts is the time until the containers say that they run.
Also what the controller and the managers have to do for 300 containers, and how long a lost machine is felt.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from beaufort.controller import Controller
from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.cluster.launch import SwarmLaunch, spec
from beaufort.schedulers.cluster.managers import Managers
from engine import IMAGE
from reaction_local import Pipe
from swarm_rig import Swarm, swarm
from trial import Plan, Row, controlled, ratios, until

CASES = ("moves", "lost", "many")
RUNS = 7

ROOM, MOVED = 6, 3
"""Containers of one core that three machines of two cores hold, and how many of them change hands."""

MANY = 300
"""Containers for what the controller costs."""


def launch(up: Pipe, cpu: float) -> dict[str, Any]:
    """A container that says that it runs by a byte in a pipe, and stops when it is told to."""
    script = "echo > /up; trap exit TERM; sleep 1000 & wait"
    return {
        "image": IMAGE,
        "command": ["sh", "-c", script],
        "volumes": [f"{up.path}:/up"],
        "grace": "5s",
        **({"resources": {"cpu": cpu}} if cpu else {}),
    }


def configuration(url: str, deployment: str, services: dict[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    policy = {"type": "per-container", "target": 1}
    calm = {"window": {"down": "0s"}, "idle": "0s", "tolerance": 0}
    each = {name: {"policy": policy, "settle": calm, "stale_after": "1h", **said} for name, said in services.items()}
    return {"deployment": deployment, "scheduler": {"type": "swarm", "url": url}, "services": each, **more}


class Bare:
    """A Swarm service, scaled by hand."""

    def __init__(self, rig: Swarm, name: str, said: dict[str, Any]) -> None:
        self._rig = rig
        options = SwarmLaunch(volumes=tuple(said["volumes"]))
        how = Launch(tuple(said["command"]), said["image"], {}, 5.0, options)
        made = spec(Service(name, 1, launch=how, resources=Resources(said.get("resources", {}))), "bare")
        self._id = rig.first.ask("POST", "/services/create", made)["ID"]

    def scale(self, replicas: int) -> None:
        self._rig.change(self._id, Replicas=replicas)


def rest(controller: Controller, **counts: int) -> Callable[[], bool]:
    """Whether so many run of each service, and nothing moves."""

    def holds() -> bool:
        found = controller.cluster.counts if controller.cluster else {}
        return all(name in found and found[name].running == found[name].held == n for name, n in counts.items())

    return holds


async def gone(rig: Swarm) -> None:
    """Returns when no task is left of any service."""
    await until(lambda: all(task["Status"]["State"] in {"shutdown", "failed"} for task in rig.tasks()))


async def moves(rig: Swarm, plan: Plan) -> list[Row]:
    """Room that is free, room taken from priority 2, and its hand-back."""
    pairs: dict[str, list[tuple[float, float]]] = {"room free": [], "room taken": [], "hand-back": []}
    with tempfile.TemporaryDirectory() as folder:
        web, batch = (_pipe(Path(folder, name)) for name in ("web", "batch"))
        said = {"web": {"priority": 1, **launch(web, 1)}, "batch": {"priority": 2, **launch(batch, 1)}}
        config = configuration(rig.first.url, "moves", said)
        by_hand = Bare(rig, "web", said["web"]), Bare(rig, "batch", said["batch"])
        for run in range(plan.runs + 1):
            plan.progress(f"swarm, run {run}/{plan.runs}")
            theirs = await _by_hand(*by_hand, web, batch)
            await gone(rig)
            ours = await _by_beaufort(config, web, batch)
            await gone(rig)
            if run:
                for name, pair in zip(pairs, zip(ours, theirs, strict=True), strict=True):
                    pairs[name].append(pair)
    counts = {"room free": ROOM, "room taken": MOVED, "hand-back": MOVED}
    return [ratios(f"swarm, {name}, {counts[name]} at once", each) for name, each in pairs.items()]


def _pipe(folder: Path) -> Pipe:
    folder.mkdir()
    return Pipe(folder)


async def _by_hand(web: Bare, batch: Bare, webs: Pipe, batches: Pipe) -> tuple[float, float, float]:
    async def timed(begin: float, pipe: Pipe, count: int) -> float:
        return await pipe.wait_for(count) - begin

    begin = time.perf_counter()
    batch.scale(ROOM)
    free = await timed(begin, batches, ROOM)
    await asyncio.sleep(1)
    begin = time.perf_counter()
    batch.scale(ROOM - MOVED)
    web.scale(MOVED)
    taken = await timed(begin, webs, MOVED)
    await asyncio.sleep(1)
    begin = time.perf_counter()
    web.scale(0)
    batch.scale(ROOM)
    back = await timed(begin, batches, MOVED)
    batch.scale(0)
    return free, taken, back


async def _by_beaufort(config: dict[str, Any], webs: Pipe, batches: Pipe) -> tuple[float, float, float]:
    async with controlled(config) as controller:
        controller.push("web", 0)
        await asyncio.sleep(1)
        begin = time.perf_counter()
        controller.push("batch", ROOM)
        free = await batches.wait_for(ROOM) - begin
        await until(rest(controller, web=0, batch=ROOM))
        await asyncio.sleep(1)
        begin = time.perf_counter()
        controller.push("web", MOVED)
        taken = await webs.wait_for(MOVED) - begin
        await until(rest(controller, web=MOVED, batch=ROOM - MOVED))
        await asyncio.sleep(1)
        begin = time.perf_counter()
        controller.push("web", 0)
        back = await batches.wait_for(MOVED) - begin
        await until(rest(controller, web=0, batch=ROOM))
        controller.push("batch", 0)
        await until(rest(controller, web=0, batch=0))
    return free, taken, back


async def lost(plan: Plan) -> Row:
    """Seconds from Swarm's own report that a machine is down until priority 1 has its count again."""
    seconds, runs = [], min(3, plan.runs)
    for run in range(runs):
        plan.progress(f"swarm, a machine is lost, run {run}/{runs}")
        with swarm() as rig, tempfile.TemporaryDirectory() as folder:
            web, batch = (_pipe(Path(folder, name)) for name in ("web", "batch"))
            said = {"web": {"priority": 1, **launch(web, 1)}, "batch": {"priority": 2, **launch(batch, 1)}}
            async with controlled(configuration(rig.first.url, "lost", said)) as controller:
                controller.push("web", MOVED)
                controller.push("batch", ROOM)
                await web.wait_for(MOVED)
                await until(rest(controller, web=MOVED, batch=ROOM - MOVED))
                rig.lose("n3")
                await asyncio.to_thread(_is_down, rig)
                begin = time.perf_counter()
                seconds.append(await web.wait_for(1) - begin)
    return {
        "what": "swarm, a machine is lost",
        "beaufort_ms": round(1e3 * sorted(seconds)[len(seconds) // 2], 1),
        "worst_ms": round(1e3 * max(seconds), 1),
        "runs": runs,
    }


def _is_down(rig: Swarm) -> None:
    """Returns when the Swarm reports that a node is down."""
    filters = json.dumps({"type": ["node"]})
    for event in rig.first.follow(f"/events?filters={quote(filters)}"):
        if event["Actor"]["Attributes"].get("state.new") == "down":
            return


class Counter:
    """Counts the requests that managers are asked, and the processor's time."""

    def __init__(self) -> None:
        self.requests = 0
        self._ask, self._tell = Managers.ask, Managers.tell

    def __enter__(self) -> Self:
        async def ask(managers: Managers, *args: Any, **options: Any) -> Any:
            self.requests += 1
            return await self._ask(managers, *args, **options)

        async def tell(managers: Managers, *args: Any, **options: Any) -> None:
            self.requests += 1
            await self._tell(managers, *args, **options)

        Managers.ask, Managers.tell = ask, tell  # type: ignore[method-assign, assignment]
        return self

    def __exit__(self, *_: object) -> None:
        Managers.ask, Managers.tell = self._ask, self._tell  # type: ignore[method-assign]

    async def over(self, what: str, moving: Callable[[], Any]) -> Row:
        """What it took while something was awaited."""
        begin, cpu, requests = time.perf_counter(), time.process_time(), self.requests
        await moving()
        seconds = time.perf_counter() - begin
        return {
            "what": what,
            "cpu_percent": round(100 * (time.process_time() - cpu) / seconds, 2),
            "requests_per_s": round((self.requests - requests) / seconds, 2),
            "seconds": round(seconds, 1),
        }


async def many(plan: Plan) -> list[Row]:
    """The controller alone, with so many containers on three machines: while they start, and while nothing moves."""
    rows, count = [], MANY
    with swarm(size="1g", heartbeat=10.0) as rig, tempfile.TemporaryDirectory() as folder, Counter() as counter:
        pipe = _pipe(Path(folder, "up"))
        said = {f"s{i}": {"priority": 1, **launch(pipe, 0)} for i in range(10)}
        config = configuration(rig.first.url, "many", said, capacity={"containers": count})
        async with controlled(config) as controller:

            async def start() -> None:
                for name in said:
                    controller.push(name, count // len(said))
                await pipe.wait_for(count, within=500)

            plan.progress(f"swarm, {count} containers start")
            rows.append(await counter.over(f"swarm, {count} containers start", start))
            await until(rest(controller, **dict.fromkeys(said, count // len(said))), within=100)
            await asyncio.sleep(15)  # until the last event is long ago
            plan.progress(f"swarm, {count} containers, nothing moves")
            rows.append(await counter.over(f"swarm, {count} containers, still", lambda: asyncio.sleep(20)))
    return rows


async def measure(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    if "moves" in plan.cases:
        with swarm() as rig:
            rows += await moves(rig, plan)
    if "lost" in plan.cases:
        rows.append(await lost(plan))
    if "many" in plan.cases:
        rows += await many(plan)
    return rows
