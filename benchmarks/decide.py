"""How long one decision takes: the whole step and the small ones, from size to size, beside the least that it could be.

A model world carries out what is decided, so that each step meets what the one before has brought about. It measures
the pure step alone: no scheduler, no loop, no journal. The table goes to stdout, progress to stderr.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from beaufort.model import Cluster, Grant, Node, Outcome, Resources, Sample, Service
from beaufort.policies.per_container import PerContainer
from beaufort.protocols import SchedulerError
from beaufort.scaler import Scaler, Scope
from beaufort.world import World

CONTAINERS = 10  # wanted by a service on average
PER_NODE = 20  # containers for each node
TARGET = 10.0  # demand that one container carries
CPU = (0.25, 0.5, 1.0, 2.0)
LEVELS = 5  # priorities
LOADS = {"free": 0.7, "contested": 1.3}  # what is wanted, as a share of the pool
RUNS = {"full": 9, "sample": 15, "snapshot": 15}
WARM_UP = 3
PERIOD = 20.0  # seconds between full steps: longer than the window of a fall, so that counts go down as well as up
GOALS = {"full": 150.0, "sample": 5.0}  # ms, at 10,000 services
MEMORY_GOAL = 300.0  # MB


@dataclass(frozen=True, slots=True)
class Result:
    """Medians. ``wall_ms`` counts what other programs took of the machine, ``cpu_ms`` does not. ``bare_ms`` is the CPU
    time of a plain loop, in the same run, that takes each service's sample and counts and makes one grant with a reason.
    ``growth`` is the exponent of CPU time from the size before: 1 is in proportion.
    """

    services: int
    containers: int
    nodes: int
    load: str
    step: str
    moved: int
    cpu_ms: float
    wall_ms: float
    bare_ms: float
    growth: float | None = None


class Fleet:
    """Services in a model world, with a Scaler for them. ``load`` is what they want as a share of what the pool has."""

    def __init__(self, size: int, nodes: int, load: float) -> None:
        self.now = 1000.0
        self.services = {
            f"s{i}": Service(f"s{i}", 1 + i % LEVELS, min=1, weight=1.0 + i % 3, resources=_size(CPU[i % len(CPU)]))
            for i in range(size)
        }
        self._base = [TARGET * (1 + i * 7919 % (2 * CONTAINERS - 1)) for i in range(size)]
        cpu = sum(CPU[i % len(CPU)] * base / TARGET for i, base in enumerate(self._base)) / load
        self.world = World([Node(f"n{i}", _size(cpu / nodes)) for i in range(nodes)])
        policies = {name: PerContainer(target=TARGET) for name in self.services}
        self._scaler = Scaler(Scope(tuple(self.services.values()), policies, chooses=True), at_rest=True)
        self._outcomes: list[Outcome] = []
        self._phase = 0
        self.cluster = self._look()
        self.moved = 0

    def samples(self) -> dict[str, list[Sample]]:
        """New samples of all; a third of them tell of another demand than before."""
        self._phase += 1
        low = {(self._phase + shift) % 6 for shift in range(3)}
        return {
            name: [Sample(self.now, base * (0.7 if i % 6 in low else 1.0) + self._phase % 7 / 10)]
            for i, (name, base) in enumerate(zip(self.services, self._base, strict=True))
        }

    def step(self, samples: dict[str, list[Sample]]) -> tuple[float, float]:
        """One step: its CPU and wall-clock seconds. Then what it decided is carried out."""
        outcomes, self._outcomes = self._outcomes, []
        gc.collect()
        gc.freeze()  # the model world is not part of what is measured, nor is the tracing of its objects
        began = time.thread_time(), time.perf_counter()
        decision = self._scaler.step(self.now, self.cluster, samples, outcomes)
        took = time.thread_time() - began[0], time.perf_counter() - began[1]
        gc.unfreeze()
        self.moved = len(decision.actions)
        for action in decision.actions:
            error = None
            try:
                self.world.scale(self.services[action.service], action.target, off=action.off)
            except SchedulerError as raised:
                error = type(raised).__name__
            self._outcomes.append(Outcome(self.now, action.service, action.target, error))
        return took

    def settle(self) -> None:
        """Step until nothing more is to be done."""
        moving = True
        while moving:
            self.now += 0.001
            self.cluster = self._look()
            self.step({})
            moving = bool(self._outcomes)

    def full(self) -> Iterator[tuple[float, float]]:
        """Whole steps: a sample of each service is new, and so is what the last step brought about."""
        while True:
            self.now += PERIOD
            self.cluster = self._look()
            yield self.step(self.samples())

    def sample(self) -> Iterator[tuple[float, float]]:
        """Steps at rest in which one service of the highest priority wants three more containers."""
        self.settle()
        for i in range(0, len(self.services), LEVELS):
            self.now += 0.01
            yield self.step({f"s{i}": [Sample(self.now, self._base[i] + 3 * TARGET)]})
            self.settle()

    def snapshot(self) -> Iterator[tuple[float, float]]:
        """Steps at rest in which a new snapshot shows that one container has ended."""
        self.settle()
        for name in self.services:
            self.now += 0.01
            self.world.kill(name)
            self.cluster = self._look()
            yield self.step({})
            self.settle()

    def bare(self, samples: dict[str, list[Sample]]) -> float:
        """The least that a whole step could be: CPU seconds."""
        gc.collect()
        gc.freeze()
        began = time.thread_time()
        grants = {}
        for name, (sample,) in samples.items():
            wish = math.ceil(sample.value / TARGET)
            count = min(wish, self.cluster.counts[name].running)
            grants[name] = Grant(name, count, wish, f"wants {wish}: demand {sample.value:g}")
        took = time.thread_time() - began
        gc.unfreeze()
        return took

    def _look(self) -> Cluster:
        self.world.advance(self.now)
        return self.world.cluster(self.services.values())


def _size(cpu: float) -> Resources:
    return Resources(cpu=cpu, memory=cpu * 2**30)


def measured(size: int, nodes: int, load: str) -> Iterator[Result]:
    fleet = Fleet(size, nodes, LOADS[load])
    samples = fleet.samples()
    steps: dict[str, Callable[[], Iterator[tuple[float, float]]]] = {
        "full": fleet.full,
        "sample": fleet.sample,
        "snapshot": fleet.snapshot,
    }
    for name, run in steps.items():
        print(f"{size} services, {nodes} nodes, {load}: {name}", file=sys.stderr)
        taken, bare, moved = [], [], []
        for number, took in enumerate(run()):
            if number >= WARM_UP:
                taken.append(took)
                moved.append(fleet.moved)
                bare.append(fleet.bare(samples))
            if number + 1 == WARM_UP + RUNS[name] or number + 1 == size // LEVELS:
                break
        containers = sum(counts.held for counts in fleet.cluster.counts.values())
        cpu, wall = (statistics.median(each[which] for each in taken) * 1e3 for which in (0, 1))
        yield Result(
            size,
            containers,
            nodes,
            load,
            name,
            round(statistics.median(moved)),
            cpu,
            wall,
            1e3 * statistics.median(bare),
        )


def peak_memory(size: int) -> float:
    """The most that a fresh process held, in MB, interpreter and model world included, for whole steps on nodes."""
    steps = Fleet(size, _nodes(size), LOADS["contested"]).full()
    for _ in range(WARM_UP + 1):
        next(steps)
    status = Path("/proc/self/status").read_text(encoding="ascii")  # what getrusage tells is inherited across a fork
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def _nodes(size: int) -> int:
    return max(2, size * CONTAINERS // PER_NODE)


def with_growth(results: Sequence[Result]) -> list[Result]:
    """Each result with its exponent from the next smaller size of the same case."""
    grown: list[Result] = []
    before: dict[tuple[bool, str, str], Result] = {}
    for result in results:
        case = result.nodes > 1, result.load, result.step
        smaller = before.get(case)
        growth = None
        if smaller is not None:
            growth = math.log(result.cpu_ms / smaller.cpu_ms) / math.log(result.services / smaller.services)
        grown.append(replace(result, growth=growth))
        before[case] = result
    return grown


def table(results: Sequence[Result], memory: dict[int, float]) -> str:
    heads = f"{'services':>8} {'containers':>10} {'nodes':>5} {'load':9} {'step':8} {'moved':>5}"
    lines = [f"{heads} {'cpu ms':>8} {'wall ms':>8} {'bare ms':>8} {'ratio':>6} {'growth':>6}  goal"]
    for r in results:
        goal = GOALS.get(r.step) if r.services == 10_000 else None
        met = "" if goal is None else f"< {goal:g} ms: {'met' if r.cpu_ms < goal else 'MISSED'}"
        growth = "" if r.growth is None else f"{r.growth:.2f}"
        lines.append(
            f"{r.services:8} {r.containers:10} {r.nodes:5} {r.load:9} {r.step:8} {r.moved:5} {r.cpu_ms:8.2f} {r.wall_ms:8.2f} "
            f"{r.bare_ms:8.2f} {r.cpu_ms / r.bare_ms:6.2f} {growth:>6}  {met}"
        )
    for size, peak in memory.items():
        lines.append(
            f"peak memory of a process with {size} services: {peak:.0f} MB (goal: < {MEMORY_GOAL:g} MB at 10,000)"
        )
    lines.append(
        f"medians; the garbage collector is on; what was there before a step is frozen; {sys.implementation.name} {sys.version.split()[0]}"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", default="100,1000,10000", help="sizes to measure, smallest first (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    sizes = sorted(int(size) for size in options.services.split(","))
    results = with_growth(
        [
            result
            for size in sizes
            for nodes in (1, _nodes(size))
            for load in LOADS
            for result in measured(size, nodes, load)
        ]
    )
    memory = {}
    for size in sizes:
        print(f"{size} services: memory", file=sys.stderr)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
            memory[size] = process.submit(peak_memory, size).result()
    if options.json:
        print(json.dumps({"results": [asdict(result) for result in results], "peak_memory_mb": memory}))
    else:
        print(table(results, memory))


if __name__ == "__main__":
    main()
