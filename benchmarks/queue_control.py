"""How well a queue is kept at its target: ``queue`` beside ``pd-queue``, closed loop, job by job, in virtual time.

The real Scaler looks at a queue every half second (the ancestor's tick), or whenever something happens. Jobs arrive at
random, and take times that vary as much as they last. The table goes to stdout, progress to stderr.

above      seconds with more jobs waiting than the target
held       container-seconds held, starting and stopping ones included
beyond     those above the exact need: the integral of max(held - arrival rate * mean time of a job, 0)
turns      changes of direction of the desired count, per change of demand; and the most after any one change
off        mean distance of the desired count from the need, rounded up, in the last third of each steady stretch
p50, p99   seconds that jobs waited
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from random import Random

from beaufort.model import Cluster, Decision, Node, Outcome, Resources, Sample, Service, Settling
from beaufort.policies.pd_queue import PDQueue
from beaufort.policies.queue import Queue
from beaufort.protocols import Policy
from beaufort.scaler import Scaler, Scope
from queue_world import QueueWorld, arrivals

TARGET = 50.0
MEAN = 0.5  # seconds of work in a job
MOST = 60  # containers in the pool
TICK = 0.5  # seconds
SHORTEST = 0.02  # seconds between two looks when every event is looked at
STEADY = 45.0  # seconds: a stretch without change that is at least so long has a steady state
DELAYS = (0.2, 5.0)
POLICIES: dict[str, Callable[[], Policy]] = {
    "pd-queue": lambda: PDQueue(target_length=TARGET),
    "queue": lambda: Queue(target_length=TARGET),
}
SETTLINGS = {"none": Settling(tolerance_down=0.0, window_down=0.0), "default": Settling()}
PAIRS = (("none", "none"), ("default", "none"), ("default", "default"))
"""Settlings of ``queue`` and of ``pd-queue``: alike, and each as it is meant to be used. The ancestor had no settling."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rate``: jobs per second at a time. ``changes``: when demand takes another course. ``batch``: time and jobs."""

    rate: Callable[[float], float]
    peak: float
    end: float
    changes: tuple[float, ...]
    batch: tuple[float, int] | None = None
    flat: bool = True


def _ramp(now: float) -> float:
    if now < 210:
        return 10 + 40 * min(max((now - 30) / 120, 0.0), 1.0)
    return 10 + 40 * max(1 - (now - 210) / 120, 0.0)


SCENARIOS = {
    "steady": Scenario(lambda _: 40.0, 40, 600, (0,)),
    "step": Scenario(lambda now: 40.0 if 60 <= now < 180 else 10.0, 40, 300, (0, 60, 180)),
    "ramp": Scenario(_ramp, 50, 390, (0, 30, 150, 210, 330), flat=False),
    "sine": Scenario(
        lambda now: 30 + 20 * math.sin(now * math.tau / 120), 50, 480, (0, *range(30, 480, 60)), flat=False
    ),
    "spike": Scenario(lambda now: 100.0 if 180 <= now < 190 else 20.0, 100, 300, (0, 60, 180, 190), (60, 500)),
    "on-off": Scenario(lambda now: 4.0 if now // 30 % 2 else 40.0, 40, 300, tuple(range(0, 300, 30))),
}


@dataclass(frozen=True, slots=True)
class Case:
    scenario: str
    delay: float
    looks: str
    settling: str
    policy: str


@dataclass(frozen=True, slots=True)
class Figures:
    above: float
    held: float
    beyond: float
    turns: float
    most_turns: float
    off: float
    p50: float
    p99: float


class Loop:
    """The Scaler and the queue, each seeing what the other does. ``moves``: the desired count from a time on."""

    def __init__(self, case: Case, seed: int) -> None:
        scenario = SCENARIOS[case.scenario]
        rng = Random(f"{case.scenario} {seed}")  # the same jobs for every case
        jobs = arrivals(scenario.rate, scenario.peak, scenario.end, rng)
        if scenario.batch is not None:
            jobs = sorted([*jobs, *[scenario.batch[0]] * scenario.batch[1]])
        sigma = math.sqrt(math.log(2))  # lognormal: as wide as the mean
        mu = math.log(MEAN) - sigma * sigma / 2
        count = math.ceil(need(case.scenario, 0.0)) + 1
        self.world = QueueWorld(
            jobs,
            lambda: rng.lognormvariate(mu, sigma),
            lambda now: need(case.scenario, now),
            target=TARGET,
            start_delay=case.delay,
            count=count,
        )
        service = Service("q", 1, min=1, settling=SETTLINGS[case.settling])
        pool = (Node("pool", Resources(containers=MOST)),)
        self.scaler = Scaler(Scope((service,), {"q": POLICIES[case.policy]()}, pool))
        self.moves = [(0.0, count)]
        self._accepted: list[Outcome] = []

    def look(self) -> None:
        now, counts = self.world.now, self.world.counts
        sample = Sample(now, self.world.length)
        decision: Decision = self.scaler.step(now, Cluster(now, {"q": counts}), {"q": (sample,)}, self._accepted)
        self._accepted = [Outcome(now, action.service, action.target) for action in decision.actions]
        for action in decision.actions:
            self.world.scale(action.target)
        wanted = min(decision.desired["q"].count, MOST)
        if wanted != self.moves[-1][1]:
            self.moves.append((now, wanted))

    def run(self, end: float, looks: str) -> None:
        while self.world.now < end:
            if looks == "event":
                self._await_event(min(self.world.now + 2 * TICK, end))
            else:
                self.world.run(min(self.world.now + TICK, end))
            self.look()

    def _await_event(self, until: float) -> None:
        self.world.run(min(self.world.now + SHORTEST, until))
        before = self.world.length, self.world.counts
        while (self.world.length, self.world.counts) == before and self.world.happen(until):
            pass


def need(scenario: str, now: float) -> float:
    return SCENARIOS[scenario].rate(now) * MEAN


def measure(case: Case, seed: int) -> Figures:
    scenario = SCENARIOS[case.scenario]
    loop = Loop(case, seed)
    loop.run(scenario.end, case.looks)
    world, waits = loop.world, sorted(loop.world.waits)
    stretches = list(pairwise((*scenario.changes, scenario.end)))
    turns = [turned(loop.moves, start, end) for start, end in stretches]
    steady = [
        off(loop.moves, case.scenario, (2 * end + start) / 3, end) for start, end in stretches if lasts(start, end)
    ]
    return Figures(
        world.above,
        world.held,
        world.beyond,
        statistics.mean(turns),
        max(turns),
        statistics.mean(steady) if steady and scenario.flat else math.nan,
        waits[len(waits) // 2],
        waits[len(waits) * 99 // 100],
    )


def lasts(start: float, end: float) -> bool:
    return end - start >= STEADY


def turned(moves: list[tuple[float, int]], start: float, end: float) -> int:
    """How often the desired count changed its direction in this time."""
    up = [after > before for (_, before), (at, after) in pairwise(moves) if start <= at < end]
    return sum(one != other for one, other in pairwise(up))


def off(moves: list[tuple[float, int]], scenario: str, start: float, end: float) -> float:
    wanted = math.ceil(need(scenario, start))
    total = 0.0
    for (at, count), (until, _) in pairwise([*moves, (end, 0)]):
        total += max(min(until, end) - max(at, start), 0.0) * abs(count - wanted)
    return total / (end - start)


def cases(*, quick: bool) -> Iterator[Case]:
    for scenario in ("step", "spike") if quick else SCENARIOS:
        for delay in DELAYS:
            for settling in SETTLINGS:
                yield from (Case(scenario, delay, "tick", settling, policy) for policy in POLICIES)
    for scenario in ("step",) if quick else ("step", "spike"):
        # The ancestor's law has no time base: it can't be asked at every event.
        yield from (Case(scenario, DELAYS[0], "event", settling, "queue") for settling in SETTLINGS)


@dataclass(frozen=True, slots=True)
class Row:
    case: Case
    median: Figures
    spread: Figures  # the largest less the smallest

    @staticmethod
    def of(case: Case, runs: list[Figures]) -> Row:
        return Row(case, _each(runs, statistics.median), _each(runs, lambda column: max(column) - min(column)))


def _each(runs: list[Figures], summed: Callable[[list[float]], float]) -> Figures:
    """One figure for each column."""
    columns = {name: [getattr(run, name) for run in runs] for name in Figures.__slots__}
    return Figures(**{name: summed(column) for name, column in columns.items()})


def verdict(rows: list[Row], settling: str, other: str) -> dict[str, float]:
    """``queue`` with a settling against ``pd-queue`` with another, over all scenarios: ratios of the sums, and means."""
    ours, theirs = (
        [row.median for row in rows if (row.case.looks, row.case.settling, row.case.policy) == ("tick", *arm)]
        for arm in ((settling, "queue"), (other, "pd-queue"))
    )
    ratios = {
        f"{name}_ratio": sum(getattr(f, name) for f in ours) / sum(getattr(f, name) for f in theirs)
        for name in ("above", "held", "beyond")
    }
    return {
        **ratios,
        "turns": statistics.mean(f.turns for f in ours),
        "turns_pd": statistics.mean(f.turns for f in theirs),
        "off": statistics.mean(f.off for f in ours if not math.isnan(f.off)),
    }


def table(rows: list[Row]) -> Iterator[str]:
    names = (
        "scenario",
        "delay",
        "looks",
        "settling",
        "policy",
        "above",
        "held",
        "beyond",
        "turns",
        "off",
        "p50",
        "p99",
    )
    widths = (9, 6, 6, 9, 9, 13, 14, 13, 10, 5, 6, 6)
    for cells in (names, *map(_cells, rows)):
        columns = enumerate(zip(cells, widths, strict=True))
        yield "".join(cell.ljust(width) if at < 5 else cell.rjust(width) for at, (cell, width) in columns)


def _cells(row: Row) -> tuple[str, ...]:
    case, median, spread = row.case, row.median, row.spread
    return (
        *(case.scenario, f"{case.delay:g} s", case.looks, case.settling, case.policy),
        f"{median.above:.1f} ~{spread.above:.0f}",
        f"{median.held:.0f} ~{spread.held:.0f}",
        f"{median.beyond:.0f} ~{spread.beyond:.0f}",
        f"{median.turns:.1f}/{median.most_turns:.0f}",
        "" if math.isnan(median.off) else f"{median.off:.1f}",
        f"{median.p50:.2f}",
        f"{median.p99:.2f}",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, help="runs of each case (default 5; 2 with --quick)")
    parser.add_argument("--quick", action="store_true", help="two scenarios, in a few seconds")
    parser.add_argument("--json", action="store_true", help="one object instead of the tables")
    args = parser.parse_args()
    seeds, wanted = args.seeds or (2 if args.quick else 5), list(cases(quick=args.quick))
    rows = []
    with ProcessPoolExecutor() as pool:
        runs = [[pool.submit(measure, case, seed) for seed in range(seeds)] for case in wanted]
        for case, futures in zip(wanted, runs, strict=True):
            rows.append(Row.of(case, [future.result() for future in futures]))
            print(f"\r{len(rows)} of {len(wanted)} cases", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    verdicts = {f"{ours}/{theirs}": verdict(rows, ours, theirs) for ours, theirs in PAIRS}
    if args.json:
        # JSON has no NaN: what does not apply is null.
        listed = [asdict(row) | {"median": _known(row.median), "spread": _known(row.spread)} for row in rows]
        print(json.dumps({"seeds": seeds, "rows": listed, "verdicts": verdicts}))
        return
    print("\n".join(table(rows)))
    print(f"\nMedians of {seeds} seeds, ~ the span between the least and the most; turns: mean/most after one change.")
    for (ours, theirs), figures in zip(PAIRS, verdicts.values(), strict=True):
        told = ", ".join(f"{name} {figure:.2f}" for name, figure in figures.items())
        print(f"queue with settling {ours} against pd-queue with settling {theirs}: {told}")


def _known(figures: Figures) -> dict[str, float | None]:
    return {name: None if math.isnan(figure) else figure for name, figure in asdict(figures).items()}


if __name__ == "__main__":
    main()
