"""How fast containers are packed on nodes, and on how few: sizes from a small set, all different, or with constraints.

Cores in {0.1, 0.25, 0.5, 1, 2} and memory in {64, 128, 256, 512, 1024} MB, or anything between these, seeded; nodes of 8
cores and 16 GB. Fenzo (with its bin packing by cpu and memory, after a JIT warm-up, on two cores) takes 0.96 s for
10,000 containers on 1,000 nodes, 966 of them used, and 15.0 s for 40,000 on 4,000, 3,825 used.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from random import Random
from statistics import median
from typing import Any

from beaufort.constraints import Constraint
from beaufort.model import Resources
from beaufort.packing import Batch, Packed, Space, pack

CORES, MEGABYTES = (0.1, 0.25, 0.5, 1.0, 2.0), (64, 128, 256, 512, 1024)
ZONES, RACKS, SERVICES = 4, 40, 50
FENZO = {(10_000, 1_000): (0.96, 966), (40_000, 4_000): (15.0, 3_825)}

RULES = ("zone GROUP_BY", "rack MAX_PER 25", "zone LIKE z[0-2]", "@hostname UNIQUE")
"""Each of the services that have any has one of these; the others have none."""


def nodes(count: int) -> list[Space]:
    free = Resources(cpu=8, memory=16e9)
    return [
        Space(f"n{i}", free, {"@hostname": f"n{i}", "zone": f"z{i % ZONES}", "rack": f"r{i % RACKS}"})
        for i in range(count)
    ]


def containers(count: int, kind: str) -> list[Batch]:
    """Equal ones of a service are one batch, as a scheduler that packs them has them."""
    random = Random(1)
    none: tuple[Constraint, ...] = ()
    wanted: Counter[tuple[str, float, float, tuple[Constraint, ...]]] = Counter()
    for index in range(count):
        if kind == "all different":
            cores, memory = random.uniform(0.1, 1.44), random.uniform(64, 730)
        else:
            cores, memory = random.choice(CORES), random.choice(MEGABYTES)
        service, rules = "any", none
        if kind == "constraints on half" and index % 2:
            number = random.randrange(SERVICES)
            service, rules = f"s{number}", (Constraint.parse(RULES[number % len(RULES)]),)
        wanted[service, cores, memory * 1e6, rules] += 1
    return [
        Batch(service, Resources(cpu=cores, memory=memory), many, rules)
        for (service, cores, memory, rules), many in wanted.items()
    ]


def measure(count: int, spaces: Sequence[Space], kind: str, runs: int) -> dict[str, Any]:
    batches = containers(count, kind)
    seconds, packed = [], Packed((), {})
    for _ in range(runs):
        begin = time.perf_counter()
        packed = pack(batches, spaces)
        seconds.append(time.perf_counter() - begin)
    used = {node for places in packed.places for node in places}
    cores = sum(batch.size["cpu"] * batch.count for batch in batches)
    row: dict[str, Any] = {
        "what": f"{count} on {len(spaces)}, {kind}",
        "ms": round(1e3 * median(seconds), 1),
        "used": len(used),
        "placed": sum(sum(places.values()) for places in packed.places),
        "least_nodes": -int(-cores // 8),
        "runs": runs,
    }
    fenzo = FENZO.get((count, len(spaces)))
    if fenzo is not None and kind == "a few sizes":
        row |= {"fenzo_ms": 1e3 * fenzo[0], "fenzo_used": fenzo[1], "ratio": round(1e3 * fenzo[0] / row["ms"], 1)}
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each (5)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for count, machines in FENZO:
        for kind in ("a few sizes", "all different", "constraints on half"):
            if sys.stderr.isatty():
                print(f"\r{count} on {machines}, {kind:<40}", end="", file=sys.stderr, flush=True)
            rows.append(measure(count, nodes(machines), kind, options.runs))
    if options.json:
        print(json.dumps({"results": rows}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" if key != "what" else f"{value:<44}" for key, value in row.items()))


if __name__ == "__main__":
    main()
