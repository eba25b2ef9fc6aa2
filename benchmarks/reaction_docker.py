"""The reaction of the Docker scheduler, against an API that is called by hand, on a private engine.

A container runs from the time that the engine's own event log gives for its start, whoever asked for it. ``peak`` is
the most of ours that ran at once by that log, where there was ``room`` for so many.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

from bare_engine import BareEngine, Freezer
from beaufort.model import Standby
from docker_picture import take_picture
from docker_rig import Rig, alone, is_ready, polite, runs, stubborn
from engine import engine
from engine_log import logged
from trial import Plan, Row, controlled, ratios, until

RUNS = 5

MANY, WIDTHS, PAIRS = 200, (1, 2, 4, 8, 16, 32), 3
"""For throughput: how many containers, how many of them the bare API is asked for at once, how often it is compared."""

Side = Callable[[Rig], Awaitable[tuple[float, ...]]]


@dataclass(frozen=True, slots=True)
class Case:
    """``rows``: what each figure is of. Without ``ours`` the bare API is measured alone."""

    rows: tuple[str, ...]
    services: Callable[[int], dict[str, Any]]
    bare: Side
    ours: Side | None = None


async def ours_free(rig: Rig) -> tuple[float, ...]:
    async with controlled(rig.config) as controller:
        return (await rig.pushed(controller, rig.count, "web"),)


async def bare_free(rig: Rig) -> tuple[float, ...]:
    seconds, _ = await rig.by_hand(lambda: rig.bare.start(rig.body("web"), rig.count), "web")
    return (seconds,)


async def ours_taken(rig: Rig) -> tuple[float, ...]:
    async with controlled(rig.config) as controller:
        await until(lambda: runs(controller, web=0, batch=rig.count))
        taken = await rig.pushed(controller, rig.count, "web")
        await until(lambda: runs(controller, web=rig.count, batch=0))
        return taken, await rig.pushed(controller, 0, "batch")


async def bare_taken(rig: Rig) -> tuple[float, ...]:
    old = await rig.bare.start(rig.body("batch"), rig.count)
    taken, new = await rig.by_hand(lambda: rig.bare.swap(old, rig.body("web")), "web")
    back, _ = await rig.by_hand(lambda: rig.bare.swap(new, rig.body("batch")), "batch")
    return taken, back


async def bare_paused(rig: Rig) -> tuple[float, ...]:
    ids = await rig.bare.start(rig.body("web"), rig.count)
    await rig.bare.pause(ids)
    seconds, _ = await rig.by_hand(lambda: rig.bare.unpause(ids), "web")
    return (seconds,)


async def ours_paused(rig: Rig) -> tuple[float, ...]:
    async with controlled(rig.config) as controller:
        await until(lambda: is_ready(controller, Standby(paused=rig.count)))
        return (await rig.pushed(controller, rig.count, "web"),)


async def ours_frozen(rig: Rig) -> tuple[float, ...]:
    async with controlled(rig.config) as controller:
        await until(lambda: is_ready(controller, Standby(frozen=rig.count)))
        ids = [each["Id"] for each in rig.engine.containers(beaufort_deployment=rig.ours)]
        return (await rig.thawed(ids, lambda: controller.push("web", rig.count)),)


async def bare_frozen(rig: Rig) -> tuple[float, ...]:
    ids = await rig.bare.start(rig.body("web"), rig.count)
    freezer = Freezer(ids)
    freezer.freeze()
    return (await rig.thawed(ids, freezer.thaw),)


CASES_BY_NAME = {
    "free": Case(("room free",), partial(alone, None), bare_free, ours_free),
    "taken": Case(("room taken", "room handed back"), polite, bare_taken, ours_taken),
    "stubborn": Case(("room taken, SIGTERM ignored", "handed back, SIGTERM ignored"), stubborn, bare_taken, ours_taken),
    "paused": Case(("paused standby",), partial(alone, "paused"), bare_paused, ours_paused),
    "frozen": Case(("frozen standby",), partial(alone, "frozen"), bare_frozen, ours_frozen),
}
CASES = (*CASES_BY_NAME, "throughput", "picture")


async def measure(plan: Plan) -> list[Row]:
    if shutil.which("dockerd") is None:
        sys.exit("--scheduler docker: needs dockerd, which is not installed")
    rows: list[Row] = []
    with engine(size="2g") as private:
        async with logged(private) as log, BareEngine(private) as bare:
            for name, case in CASES_BY_NAME.items():
                for count in plan.counts if name in plan.cases else ():
                    rows += await compared(plan, case, Rig(private, log, bare, name, case.services(count), count))
            if "throughput" in plan.cases:
                rows += await throughput(plan, Rig(private, log, bare, "throughput", alone(None, MANY), MANY))
            if "picture" in plan.cases:
                await take_picture(Rig(private, log, bare, "picture", polite(10), 10))
    return rows


async def compared(plan: Plan, case: Case, rig: Rig) -> list[Row]:
    """The first pair warms up."""
    pairs = []
    for run in range(plan.runs + 1):
        plan.progress(f"{case.rows[0]}, {rig.count} at once, run {run}/{plan.runs}")
        await rig.clear()
        bare = await case.bare(rig)
        await rig.clear()
        pairs.append((bare, await case.ours(rig) if case.ours else None))
    await rig.clear()
    return [row(f"{what}, {rig.count}", rig, pairs[1:], i) for i, what in enumerate(case.rows)]


def row(what: str, rig: Rig, pairs: Sequence[tuple[tuple[float, ...], tuple[float, ...] | None]], i: int) -> Row:
    both = [(ours[i], bare[i]) for bare, ours in pairs if ours is not None]
    if not both:
        return {"what": what, "bare_ms": round(1e3 * median(bare[i] for bare, _ in pairs), 2), "runs": len(pairs)}
    return {**ratios(what, both), "peak": rig.log.peak(rig.ours), "room": rig.count}


async def throughput(plan: Plan, rig: Rig) -> list[Row]:
    """The width at which the bare API is fastest, and then that against ours."""
    seconds = {}
    for width in WIDTHS:
        plan.progress(f"throughput, bare, {width} at once")
        seconds[width] = await bare_wide(rig, width)
    best = min(WIDTHS, key=seconds.__getitem__)
    pairs = []
    for run in range(PAIRS):
        plan.progress(f"throughput, run {run + 1}/{PAIRS}")
        bare = await bare_wide(rig, best)
        await rig.clear()
        (ours,) = await ours_free(rig)
        pairs.append((ours, bare))
    await rig.clear()
    widths = [
        {"what": f"bare, {rig.count}, {width} at once", "bare_ms": round(1e3 * seconds[width], 2)} for width in WIDTHS
    ]
    compared = ratios(f"throughput, {rig.count} ({best} at once)", pairs)
    return [*widths, {**compared, "peak": rig.log.peak(rig.ours), "room": rig.count}]


async def bare_wide(rig: Rig, width: int) -> float:
    await rig.clear()
    seconds, _ = await rig.by_hand(lambda: rig.bare.start(rig.body("web"), rig.count, width=width), "web")
    return seconds
