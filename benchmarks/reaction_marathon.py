"""How fast Beaufort moves tasks on a Marathon, against bare changes of the instances of the same apps by hand.

The Marathon is the stand-in of the tests, in a process of its own, on a real Mesos: what a call takes in it is no figure of
Marathon's, but both meet it alike, in turns. What counts is the time until the tasks say that they run. ``settings``: what
a start takes with Marathon's and the master's own settings, and with others.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from marathon_client import Client
from marathon_mesos import MesosBackend
from marathon_server import MarathonServer
from marathon_settings import Settings
from mesos_rig import mesos
from reaction_local import SCRIPT, Pipe
from trial import Plan, Row, controlled, held, ratios, until

CASES = ("free", "taken", "settings")
RUNS = 10

TUNED = {"min_revive": 0.1, "launch_tokens": 1000}
ROOM, MOVED = 6, 3
"""Tasks of two cores that three agents of four cores hold, and how many of them change hands."""

SETTINGS: Mapping[str, tuple[dict[str, float], float]] = {
    "all as they come": ({}, 1.0),
    "min_revive_offers_interval 100 ms": ({"min_revive": 0.1}, 1.0),
    "and the master's allocation_interval 100 ms": ({"min_revive": 0.1}, 0.1),
    "and max_tasks_per_offer 20": ({"min_revive": 0.1, "per_offer": 20}, 0.1),
    "and launch_tokens 8 for 2 s, too few": (
        {"min_revive": 0.1, "per_offer": 20, "launch_tokens": 8, "launch_token_refresh": 2.0},
        0.1,
    ),
}
AT_ONCE = 24


async def serve(master: str, settings: dict[str, Any]) -> None:
    """The stand-in, for as long as there is somebody at the other end of the pipe."""
    async with MarathonServer(MesosBackend(master), settings=Settings(**settings)) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


@asynccontextmanager
async def served(master: str, **settings: Any) -> AsyncIterator[str]:
    command = [sys.executable, __file__, master, json.dumps(settings)]
    environment = {"PYTHONPATH": ":".join(sys.path)}
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=environment)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


def program(pipe: Pipe, cpu: float) -> dict[str, Any]:
    return {
        "command": ["sh", "-c", SCRIPT],
        "env": {"UP": str(pipe.path)},
        "grace": "1s",
        "resources": {"cpu": cpu, "memory": "32MiB"},
    }


def app(pipe: Pipe, cpu: float) -> dict[str, Any]:
    """The same, by hand."""
    how = {"args": ["sh", "-c", SCRIPT], "env": {"UP": str(pipe.path)}, "taskKillGracePeriodSeconds": 1}
    return {**how, "cpus": cpu, "mem": 32, "portDefinitions": [], "instances": 0}


def configuration(url: str, services: dict[str, dict[str, Any]]) -> dict[str, Any]:
    calm = {"window": {"down": "0s"}, "idle": "0s", "tolerance": 0}
    more = {"policy": {"type": "per-container", "target": 1}, "settle": calm, "stale_after": "1h"}
    each = {name: {"priority": index, **more, **said} for index, (name, said) in enumerate(services.items(), 1)}
    return {
        "scheduler": {"type": "marathon", "url": url},
        "capacity": {"containers": 100, "cpu": 2 * ROOM},
        "services": each,
    }


class Hand:
    """What somebody does who has nothing but Marathon's API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def make(self, name: str, whole: dict[str, Any]) -> None:
        await self._client.made("PUT", f"/v2/apps/bare/{name}", whole)
        await self.rest()

    async def scale(self, name: str, instances: int) -> None:
        await self._client.made("PUT", f"/v2/apps/bare/{name}", {"instances": instances})

    async def rest(self) -> None:
        while await self._client.get("/v2/deployments"):  # noqa: ASYNC110 - between two measurements
            await asyncio.sleep(0.02)


@asynccontextmanager
async def handed(url: str) -> AsyncIterator[Hand]:
    async with Client(url) as client:
        yield Hand(client)


async def free(plan: Plan, master: str, folder: Path) -> list[Row]:
    """Into room that is free."""
    pipe, rows = Pipe(folder), []
    async with served(master, **TUNED) as url, handed(url) as hand:
        await hand.make("web", app(pipe, 0.1))
        async with controlled(configuration(url, {"web": program(pipe, 0.1)})) as controller:
            for count in plan.counts:
                pairs = []
                for run in range(plan.runs + 1):
                    plan.progress(f"marathon, {count} at once, run {run}/{plan.runs}")
                    begin = time.perf_counter()
                    await hand.scale("web", count)
                    theirs = await pipe.wait_for(count) - begin
                    await hand.rest()
                    await hand.scale("web", 0)
                    await hand.rest()
                    begin = time.perf_counter()
                    controller.push("web", count)
                    ours = await pipe.wait_for(count) - begin
                    controller.push("web", 0)
                    await until(lambda: held(controller, "web") == 0)
                    pairs.append((ours, theirs))
                rows.append(ratios(f"marathon, room free, {count} at once", pairs[1:]))
    return rows


async def taken(plan: Plan, master: str, folder: Path) -> Row:
    """Room that is taken from priority 2. By hand, both are asked for at once, and Marathon launches what finds room."""
    web, batch = (_pipe(folder / name) for name in ("web", "batch"))
    pairs = []
    async with served(master, **TUNED) as url, handed(url) as hand:
        await hand.make("web", app(web, 2))
        await hand.make("batch", app(batch, 2))
        for run in range(plan.runs + 1):
            plan.progress(f"marathon, room taken, run {run}/{plan.runs}")
            await hand.scale("batch", ROOM)
            await batch.wait_for(ROOM)
            await hand.rest()
            begin = time.perf_counter()
            await hand.scale("batch", ROOM - MOVED)
            await hand.scale("web", MOVED)
            theirs = await web.wait_for(MOVED) - begin
            await hand.rest()
            await hand.scale("web", 0)
            await hand.scale("batch", 0)
            await hand.rest()
            pairs.append((await _taken(url, web, batch), theirs))
    return ratios(f"marathon, room taken, {MOVED} at once", pairs[1:])


async def _taken(url: str, web: Pipe, batch: Pipe) -> float:
    services = {"web": program(web, 2), "batch": program(batch, 2)}
    async with controlled(configuration(url, services)) as controller:
        controller.push("web", 0)
        controller.push("batch", ROOM)
        await batch.wait_for(ROOM)
        await until(lambda: held(controller, "batch") == ROOM)
        await asyncio.sleep(1)
        begin = time.perf_counter()
        controller.push("web", MOVED)
        return await web.wait_for(MOVED) - begin


async def settings(plan: Plan, pipe: Pipe) -> list[Row]:
    """What Beaufort's growth by many takes. Between two runs there is as much time as a Marathon needs to be at rest."""
    rows = []
    for what, (said, interval) in SETTINGS.items():
        with mesos(allocation_interval=f"{1e3 * interval:g}ms") as private:
            async with served(private.address, **said) as url:
                seconds = await _grown(plan, what, url, pipe)
        rows.append(
            {"what": f"{AT_ONCE} at once, {what}", "beaufort_ms": round(1e3 * median(seconds)), "runs": plan.runs}
        )
    return rows


async def _grown(plan: Plan, what: str, url: str, pipe: Pipe) -> list[float]:
    seconds = []
    async with controlled(configuration(url, {"web": program(pipe, 0.1)})) as controller:
        for run in range(plan.runs + 1):
            plan.progress(f"marathon, {what}, run {run}/{plan.runs}")
            begin = time.perf_counter()
            controller.push("web", AT_ONCE)
            seconds.append(await pipe.wait_for(AT_ONCE) - begin)
            controller.push("web", 0)
            await until(lambda: held(controller, "web") == 0)
            await asyncio.sleep(2.3)
    return seconds[1:]


def _pipe(folder: Path) -> Pipe:
    folder.mkdir()
    return Pipe(folder)


async def measure(plan: Plan) -> list[Row]:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        with mesos() as private:
            if "free" in plan.cases:
                rows += await free(plan, private.address, Path(folder))
            if "taken" in plan.cases:
                rows.append(await taken(plan, private.address, Path(folder)))
        if "settings" in plan.cases:
            rows += await settings(plan, _pipe(Path(folder, "settings")))
    return rows


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], json.loads(sys.argv[2])))
