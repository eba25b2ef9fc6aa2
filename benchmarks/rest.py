"""What a controller costs when nothing happens: CPU and memory of `beaufort run` with 100 services at rest, each with a
container of its own and a constant demand, against a bare Python process that sleeps.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TICK = os.sysconf("SC_CLK_TCK")
SLEEPER = "import time; time.sleep(1000)"


def configuration(services: int, folder: str) -> dict[str, Any]:
    trace = Path(folder, "constant.csv")
    trace.write_text("t_seconds,value\n0,1\n")
    service = {
        "priority": 1,
        "min": 1,
        "command": ["sleep", "600"],
        "demand": {"type": "trace", "file": str(trace)},
        "policy": {"type": "per-container", "target": 1},
    }
    return {
        "scheduler": {"type": "local", "directory": folder},
        "capacity": {"containers": services},
        "services": {f"s{i}": service for i in range(services)},
    }


def cost(pid: int, seconds: float) -> tuple[float, float]:
    """Percent of a core over some seconds, and resident megabytes."""
    begin = cpu(pid)
    time.sleep(seconds)
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return 100 * (cpu(pid) - begin) / seconds, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "beaufort.yaml")
        file.write_text(json.dumps(configuration(options.services, folder)))
        command = [sys.executable, "-m", "beaufort", "run", str(file), "--stop-containers"]
        with (
            subprocess.Popen(command, stdout=subprocess.DEVNULL) as ours,
            subprocess.Popen([sys.executable, "-c", SLEEPER]) as bare,
        ):
            time.sleep(5)
            (our_cpu, our_memory), (_, bare_memory) = cost(ours.pid, options.seconds), cost(bare.pid, 0.1)
            bare.kill()
            ours.send_signal(signal.SIGTERM)
    row = {
        "services": options.services,
        "cpu_percent": round(our_cpu, 2),
        "memory_mb": round(our_memory, 1),
        "bare_memory_mb": round(bare_memory, 1),
    }
    print(json.dumps(row) if options.json else "  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
