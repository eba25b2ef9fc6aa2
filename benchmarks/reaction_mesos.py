"""The reaction of the Mesos scheduler, against a bare framework that launches as many, at two allocation intervals.

A task runs when it says so itself, by a byte in a pipe. Of bare frameworks there are three, by how they come to offers
(see ``bare_framework``): the one that asks for them, as Beaufort does, takes turns with it; the others tell what it is worth.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bare_framework import BareFramework, bare_framework
from beaufort.controller import Controller
from mesos_build import mesos_program
from mesos_rig import mesos
from reaction_local import Pipe
from trial import Plan, Row, controlled, held, ratios, until
from tuning_mesos import tuning

INTERVALS = {"100ms": "100ms", "1s": "1secs"}
CASES = (*INTERVALS, "tuning")
RUNS = 10

SIZE = {"cpus": 0.1, "mem": 32.0}
REFUSED = 5.0
"""Seconds for which an offer is refused where nothing is said of it."""


async def measure(plan: Plan) -> list[Row]:
    try:
        mesos_program()
    except pytest.skip.Exception as missing:
        sys.exit(f"--scheduler mesos: {missing}")
    rows = []
    for case, interval in [(each, INTERVALS[each]) for each in plan.cases if each in INTERVALS]:
        with mesos(allocation_interval=interval) as private, tempfile.TemporaryDirectory() as folder:
            rows += await compared(plan, private.address, case, Path(folder))
    return rows + (await tuning(plan) if "tuning" in plan.cases else [])


async def compared(plan: Plan, address: str, case: str, folder: Path) -> list[Row]:
    pipe, rows = Pipe(folder), []
    command = ["sh", "-c", f"echo > {pipe.path}; exec sleep 1000"]
    config = _configuration(address, folder, command)
    async with controlled(config) as controller, bare_framework(address, "asks", SIZE, command) as asking:
        for count in plan.counts:
            pairs, offers = await alternate(plan, controller, asking, pipe, count)
            row = ratios(f"mesos, {count} at once, interval {case}", pairs)
            rows.append({**row, "offer_ms": round(1e3 * median(offers), 2)})
    for how, counts in (("waits", plan.counts), ("filters", plan.counts[:1])):
        async with bare_framework(address, how, SIZE, command) as framework:
            rows += [await unasked(plan, framework, pipe, count, f"{case}, {how}") for count in counts]
    return rows


async def alternate(
    plan: Plan, controller: Controller, asking: BareFramework, pipe: Pipe, count: int
) -> tuple[list[tuple[float, float]], list[float]]:
    """Seconds of ours and of the bare one beside it, and until its first offers. The first pair warms up."""
    pairs, offers = [], []
    for run in range(plan.runs + 1):
        plan.progress(f"mesos, {count} at once, run {run}/{plan.runs}")
        offered, bare = await by_hand(asking, pipe, count)
        begin = time.perf_counter()
        controller.push("work", count)
        pairs.append((await pipe.wait_for(count) - begin, bare))
        offers.append(offered)
        controller.push("work", 0)
        await until(lambda: not held(controller, "work"))
    return pairs[1:], offers[1:]


def _configuration(address: str, folder: Path, command: list[str]) -> dict[str, Any]:
    service = {
        "priority": 1,
        "command": command,
        "resources": {"cpu": SIZE["cpus"], "memory": f"{SIZE['mem']:g}MiB"},
        "policy": {"type": "per-container", "target": 1},
        "settle": {"window": {"down": "0s"}, "tolerance": 0, "idle": "0s"},
    }
    return {"scheduler": {"type": "mesos", "master": address, "state": str(folder)}, "services": {"work": service}}


async def by_hand(framework: BareFramework, pipe: Pipe, count: int) -> tuple[float, float]:
    """Seconds until the first offer, and until all run. Then they are ended."""
    seconds = await framework.launch(count, lambda: pipe.wait_for(count))
    await framework.clear(count)
    return seconds


async def unasked(plan: Plan, framework: BareFramework, pipe: Pipe, count: int, what: str) -> Row:
    """The same by a framework that does not ask, at moments that are not in step with the master."""
    seconds = []
    for run in range(plan.runs):
        plan.progress(f"mesos, {what}, {count} at once, run {run}/{plan.runs}")
        await asyncio.sleep(1 + random.uniform(0, REFUSED))
        seconds.append(await by_hand(framework, pipe, count))
    offered, ran = (median(side) for side in zip(*seconds, strict=True))
    return {
        "what": f"mesos, {count} at once, interval {what}",
        "bare_ms": round(1e3 * ran, 2),
        "offer_ms": round(1e3 * offered, 2),
        "runs": plan.runs,
    }
