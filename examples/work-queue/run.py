"""Runs the work queue for a minute under Beaufort, then for a minute each under fixed splits of the same room, on a real
Redis, and prints what came of it: jobs done, how long they had waited, batch work done.

It needs `redis-server` (Debian: apt-get install redis-server). Nothing is left running.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import yaml
from resp import Redis

HERE = Path(__file__).parent.resolve()
REDIS_URL = "redis://localhost:6379/0"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one arrangement: waits in seconds, batch work in units of 0.1 s."""

    arrangement: str
    jobs: int
    wait_p50: float
    wait_p99: float
    batch_units: int


@contextlib.contextmanager
def process(*command: str, stop: int = signal.SIGTERM, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(command, **options)
    try:
        yield running
    finally:
        running.send_signal(stop)
        running.wait(30)


@contextlib.contextmanager
def redis_server(folder: str) -> Iterator[str]:
    """A server of our own on a free port; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with process("redis-server", *settings, stdout=subprocess.DEVNULL):
        os.environ["REDIS_URL"] = url = f"redis://127.0.0.1:{port}/0"
        for _ in range(100):
            with contextlib.suppress(OSError, RuntimeError):
                Redis()("PING")
                break
            time.sleep(0.05)
        yield url


def configuration(url: str, workers: int | None) -> dict[str, Any]:
    """The example's configuration; with a number of workers, the same but that the counts are fixed."""
    text = (HERE / "beaufort.yaml").read_text()
    config: dict[str, Any] = yaml.safe_load(
        text.replace("PYTHON", sys.executable).replace("HERE", str(HERE)).replace(REDIS_URL, url)
    )
    if workers is not None:
        room = config["capacity"]["containers"]
        config["services"]["worker"]["policy"] = {"type": "constant", "count": workers}
        config["services"]["batch"]["policy"] = {"type": "constant", "count": room - workers}
    return config


def measure(arrangement: str, workers: int | None, trace: Path, url: str, folder: str) -> Outcome:
    redis = Redis()
    redis("FLUSHALL")
    config = Path(folder, "beaufort.yaml")
    config.write_text(json.dumps(configuration(url, workers)))
    print(f"{arrangement} ...", file=sys.stderr, flush=True)
    beaufort = [sys.executable, "-m", "beaufort", "run", str(config), "--stop-containers"]
    with Path(folder, "log").open("ab") as log, process(*beaufort, stdout=log) as running:
        time.sleep(2)  # Every arrangement begins settled.
        if running.poll() is not None:
            raise SystemExit("beaufort run has ended: see above")
        redis("DEL", "batch:units")
        subprocess.run([sys.executable, str(HERE / "producer.py"), str(trace)], check=True)
        batch = int(redis("GET", "batch:units") or 0)
        # What is still queued is worked off, and its waiting counted.
        while redis("LLEN", "jobs") and running.poll() is None:
            time.sleep(0.1)
        time.sleep(0.5)
        waits = [float(wait) for wait in redis("LRANGE", "jobs:waited", "0", "-1")]
    cuts = quantiles(waits, n=100, method="inclusive")
    return Outcome(arrangement, len(waits), cuts[49], cuts[98], batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trace", type=Path, default=HERE / "demand.csv", help="jobs per second, t_seconds,value")
    parser.add_argument("--workers", type=int, nargs="*", default=[5, 9], help="the fixed splits (5 and 9 workers)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        with redis_server(folder) as url:
            outcomes = [measure("Beaufort", None, options.trace, url, folder)]
            outcomes += [measure(f"fixed, {n} + {10 - n}", n, options.trace, url, folder) for n in options.workers]
    if options.json:
        print(json.dumps([asdict(outcome) for outcome in outcomes]))
        return
    print(f"{'arrangement':<16}{'jobs done':>10}{'wait p50':>11}{'wait p99':>11}{'batch units':>13}")
    for each in outcomes:
        print(
            f"{each.arrangement:<16}{each.jobs:>10}{each.wait_p50:>9.3f} s{each.wait_p99:>9.2f} s{each.batch_units:>13}"
        )


if __name__ == "__main__":
    main()
