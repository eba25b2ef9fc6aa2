"""Makes ``demand.csv``: a minute of jobs per second. Quiet, a spike that no warning precedes, a ramp, and quiet again."""

from __future__ import annotations

import random
from pathlib import Path

SEED = 12
QUIET, SPIKE, PEAK = 4.0, 60.0, 40.0


def rate(t: int) -> float:
    """Jobs per second, but for the noise, ``t`` seconds after the beginning."""
    if 12 <= t < 16:
        return SPIKE
    if 28 <= t < 48:
        return QUIET + (PEAK - QUIET) * (t - 28) / 20
    return QUIET


def main() -> None:
    draw = random.Random(SEED)
    rows = [f"{t},{rate(t) * draw.uniform(0.85, 1.15):.1f}\n" for t in range(60)]
    Path(__file__).with_name("demand.csv").write_text("".join(["t_seconds,value\n", *rows, "60,0\n"]))


if __name__ == "__main__":
    main()
