"""Queues jobs in the list ``jobs`` as a trace says: ``t_seconds,value``, the value being jobs per second until the next row.

They come at random (a Poisson process), but the same for the same seed. The last row ends it.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

from resp import Redis


def arrivals(trace: Path, speed: float, draw: random.Random) -> Iterator[float]:
    """The times of the jobs, in seconds from now."""
    with trace.open(newline="") as text:
        rows = [(float(row["t_seconds"]) / speed, float(row["value"])) for row in csv.DictReader(text)]
    for (begin, rate), (end, _) in itertools.pairwise(rows):
        at = begin
        while rate > 0 and (at := at + draw.expovariate(rate)) < end:
            yield at - rows[0][0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--speed", type=float, default=1, help="seconds of the trace that pass in one (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the arrivals and of the jobs' sizes (1)")
    parser.add_argument("--seconds", type=float, default=0.2, help="what a job takes on average (0.2)")
    options = parser.parse_args()
    draw = random.Random(options.seed)
    redis = Redis()
    start = time.monotonic()
    for at in arrivals(options.trace, options.speed, draw):
        seconds = options.seconds * draw.uniform(0.5, 1.5)
        time.sleep(max(0.0, start + at - time.monotonic()))
        redis("RPUSH", "jobs", json.dumps({"at": time.time(), "seconds": seconds}))


if __name__ == "__main__":
    main()
