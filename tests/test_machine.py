"""What a machine can hold: affinity and total memory, capped by control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beaufort.schedulers.machine import this_machine

CORES = len(os.sched_getaffinity(0))
MEMORY = 4_000_000 * 1024


def machine(root: Path, files: dict[str, str]) -> tuple[float, float]:
    """The cores and bytes of a machine with these files."""
    for name, text in {"proc/meminfo": "MemTotal:  4000000 kB\nMemFree: 1 kB\n", **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    node = this_machine(root)
    assert node.name == os.uname().nodename
    return node.capacity["cpu"], node.capacity["memory"]


@pytest.mark.parametrize(
    ("files", "cpu", "memory"),
    [
        pytest.param({}, CORES, MEMORY, id="no control groups"),
        pytest.param({"proc/self/cgroup": "0::/\n"}, CORES, MEMORY, id="version 2, no limits"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/shop/web\n",
                "sys/fs/cgroup/shop/web/cpu.max": "max 100000\n",
                "sys/fs/cgroup/shop/web/memory.max": "max\n",
            },
            CORES,
            MEMORY,
            id="version 2, limits of max",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/shop/web\n",
                "sys/fs/cgroup/shop/web/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/shop/web/memory.max": "2000000\n",
                "sys/fs/cgroup/shop/memory.max": "1000000\n",
            },
            0.5,
            1_000_000,
            id="version 2, the tightest of the groups above",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/cpu.max": "25000 100000\n",
                "sys/fs/cgroup/memory.max": "3000000\n",
            },
            0.25,
            3_000_000,
            id="version 2, in a namespace of its own",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n1:name=systemd:/x\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "75000\n",
                "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "2000000\n",
            },
            0.75,
            2_000_000,
            id="version 1",
        ),
    ],
)
def test_capacity(tmp_path: Path, files: dict[str, str], cpu: float, memory: float) -> None:
    assert machine(tmp_path, files) == (cpu, memory)


def test_memory_that_is_not_told_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="expected a line that begins with MemTotal"):
        machine(tmp_path, {"proc/meminfo": "nothing\n"})
