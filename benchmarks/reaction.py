"""How fast Beaufort reacts: pushed demand to containers running, against the bare calls that do as much.

Medians of several runs; the bare run and ours take turns, so that a slow moment of the machine meets both. What is
measured with a scheduler, and how, is in the module that is named after it.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import sys
from pathlib import Path

from trial import Plan

SCHEDULERS = ("docker", "local", "marathon", "mesos", "swarm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scheduler", choices=SCHEDULERS, default="local")
    parser.add_argument("--counts", type=int, nargs="*", default=[1, 8, 16], help="containers at once (1 8 16)")
    parser.add_argument("--runs", type=int, help="of each")
    parser.add_argument("--cases", nargs="*", help="which of what is measured with the scheduler (all)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sys.path.append(str(Path(__file__).parents[1] / "tests"))  # where the private servers are
    module = importlib.import_module(f"reaction_{options.scheduler}")
    cases = options.cases or module.CASES
    if unknown := set(cases) - set(module.CASES):
        parser.error(f"--cases: expected {', '.join(module.CASES)}, got {', '.join(sorted(unknown))}")
    plan = Plan(tuple(options.counts), options.runs or module.RUNS, tuple(cases))
    rows = asyncio.run(module.measure(plan))
    plan.progress("")
    if options.json:
        print(json.dumps({"results": rows}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" if key != "what" else f"{value:<40}" for key, value in row.items()))


if __name__ == "__main__":
    main()
