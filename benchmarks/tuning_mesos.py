"""What the settings are worth that an operator of Mesos or of a service on it can choose: each alone, on a Mesos of its own."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from bare_framework import bare_framework
from beaufort.controller import Controller
from beaufort.model import Counts
from mesos_rig import mesos
from reaction_local import Pipe
from trial import Plan, Row, controlled, until

__all__ = ["tuning"]

SIZE = {"cpus": 0.1, "mem": 32.0}
AT_ONCE, ROOM = 8, 4
"""Tasks that are started in two ways, and tasks that there is room for where some give way."""

GRACES = (0.5, 2.0)
INTERVALS = (0.1, 1.0, None)
TIMEOUTS = ("1secs", "5secs")

STUBBORN = "trap '' TERM; sleep 1000 & wait; sleep 1000"
SLOW_TO_SERVE = "rm -f ready; (sleep 0.3; touch ready) & exec sleep 1000"


async def tuning(plan: Plan) -> list[Row]:
    rows = await _one_by_one(plan)
    rows += [await _graced(plan, grace) for grace in GRACES]
    rows += [await _checked(plan, interval) for interval in INTERVALS]
    return rows + [await _hoarded(plan, kept) for kept in TIMEOUTS]


def _row(what: str, seconds: list[float]) -> Row:
    return {"what": f"mesos, {what}", "beaufort_ms": round(1e3 * median(seconds), 2), "runs": len(seconds)}


def _configuration(address: str, folder: str, **services: dict[str, Any]) -> dict[str, Any]:
    """Each says its command, and what else it is beside a small task with pushed demand."""
    small = {
        "priority": 1,
        "resources": {"cpu": SIZE["cpus"], "memory": f"{SIZE['mem']:g}MiB"},
        "policy": {"type": "per-container", "target": 1},
        "settle": {"window": {"down": "0s"}, "tolerance": 0, "idle": "0s"},
        "stale_after": "1h",
    }
    return {
        "scheduler": {"type": "mesos", "master": address, "state": folder},
        "services": {name: {**small, **said} for name, said in services.items()},
    }


def _counts(controller: Controller, service: str) -> Counts:
    found = controller.cluster.counts if controller.cluster else {}
    return found.get(service, Counts())


def _runs(controller: Controller, service: str, count: int) -> Callable[[], bool]:
    """So many run, and no others are held."""
    return lambda: _counts(controller, service).running == _counts(controller, service).held == count


async def _one_by_one(plan: Plan) -> list[Row]:
    together, alone = [], []
    with mesos() as private, tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        work = {"command": ["sh", "-c", f"echo > {pipe.path}; exec sleep 1000"]}
        async with controlled(_configuration(private.address, folder, work=work)) as controller:
            for run in range(plan.runs):
                plan.progress(f"mesos, together and one by one, run {run}/{plan.runs}")
                begin = time.perf_counter()
                controller.push("work", AT_ONCE)
                together.append(await pipe.wait_for(AT_ONCE) - begin)
                controller.push("work", 0)
                await until(_runs(controller, "work", 0))
                begin = time.perf_counter()
                for count in range(1, AT_ONCE + 1):
                    controller.push("work", count)
                    at = await pipe.wait_for(1)
                alone.append(at - begin)
                controller.push("work", 0)
                await until(_runs(controller, "work", 0))
    return [_row(f"{AT_ONCE} at once", together), _row(f"{AT_ONCE} one after the other", alone)]


async def _graced(plan: Plan, grace: float) -> Row:
    """Room that is taken from tasks which take no notice of being asked to end."""
    seconds = []
    with mesos() as private, tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        web = {"command": ["sh", "-c", f"echo > {pipe.path}; exec sleep 1000"]}
        stubborn = {"command": ["sh", "-c", STUBBORN], "grace": grace, "priority": 2, "policy": {"type": "remainder"}}
        config = {
            **_configuration(private.address, folder, web=web, batch=stubborn),
            "capacity": {"containers": ROOM},
        }
        async with controlled(config) as controller:
            for run in range(plan.runs):
                plan.progress(f"mesos, grace {grace:g} s, run {run}/{plan.runs}")
                controller.push("web", 0)
                await until(_runs(controller, "batch", ROOM))
                await asyncio.sleep(0.3)  # until the shells have set their traps
                begin = time.perf_counter()
                controller.push("web", 1)
                seconds.append(await pipe.wait_for(1) - begin)
                await until(_runs(controller, "web", 1))
    return _row(f"room of a task that does not end, grace {grace:g} s", seconds)


async def _checked(plan: Plan, interval: float | None) -> Row:
    """Until a task counts as running that serves 0.3 s after its start."""
    seconds = []
    said = {} if interval is None else {"health_interval": interval}
    command = ["sh", "-c", "cd $MESOS_SANDBOX; " + SLOW_TO_SERVE]
    work = {"command": command, "health_command": "test -e $MESOS_SANDBOX/ready", "health_start_period": "60s", **said}
    with mesos() as private, tempfile.TemporaryDirectory() as folder:
        async with controlled(_configuration(private.address, folder, work=work)) as controller:
            for run in range(plan.runs):
                plan.progress(f"mesos, health_interval {interval}, run {run}/{plan.runs}")
                begin = time.perf_counter()
                controller.push("work", 1)
                await until(_runs(controller, "work", 1))
                seconds.append(time.perf_counter() - begin)
                controller.push("work", 0)
                await until(_runs(controller, "work", 0))
    shown = "Mesos's own, 10 s" if interval is None else f"{interval:g} s"
    return _row(f"serves after 0.3 s, health_interval {shown}", seconds)


async def _hoarded(plan: Plan, kept: str) -> Row:
    """Another framework keeps each offer that it is made until the master takes it back."""
    seconds = []
    with mesos(offer_timeout=kept) as private, tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        work = {"command": ["sh", "-c", f"echo > {pipe.path}; exec sleep 1000"]}
        async with (
            controlled(_configuration(private.address, folder, work=work)) as controller,
            bare_framework(private.address, "hoards", SIZE, ["true"]),
        ):
            for run in range(plan.runs):
                plan.progress(f"mesos, offer_timeout {kept}, run {run}/{plan.runs}")
                await asyncio.sleep(0.5 + 0.37 * run)  # not in step with the master
                begin = time.perf_counter()
                controller.push("work", 1)
                seconds.append(await pipe.wait_for(1, within=60) - begin)
                controller.push("work", 0)
                await until(_runs(controller, "work", 0))
    return _row(f"another holds all offers, --offer_timeout={kept}", seconds)
