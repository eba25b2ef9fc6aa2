"""What this machine can hold, as far as this process is allowed to use it: the local scheduler's one node."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from beaufort.model import Node, Resources

__all__ = ["this_machine"]

NO_LIMIT_V1 = 2**62
"""Control groups of version 1 say "no limit" with a number near 2**63, in whole pages."""


def this_machine(root: Path = Path("/")) -> Node:
    """Cores by affinity, memory by /proc/meminfo, both capped by the control groups that this process is in."""
    cores = float(len(os.sched_getaffinity(0)))
    memory = _total_memory(root)
    return Node(
        name=platform.node(),
        capacity=Resources(
            cpu=min([cores, *_cpu_limits(root)]),
            memory=min([memory, *_memory_limits(root)]),
        ),
    )


def _total_memory(root: Path) -> float:
    for line in (root / "proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return float(line.split()[1]) * 1024
    raise OSError(f"{root}proc/meminfo: expected a line that begins with MemTotal")


def _cpu_limits(root: Path) -> Iterator[float]:
    for directory in _groups(root, "cpu"):
        with suppress(OSError, ValueError):  # no such file in this version; "max", which is no limit
            quota, period = (directory / "cpu.max").read_text().split()
            yield float(int(quota)) / int(period)
        with suppress(OSError):
            microseconds = int((directory / "cpu.cfs_quota_us").read_text())
            if microseconds > 0:
                yield microseconds / int((directory / "cpu.cfs_period_us").read_text())


def _memory_limits(root: Path) -> Iterator[float]:
    for directory in _groups(root, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            with suppress(OSError, ValueError):
                limit = int((directory / name).read_text())
                if limit < NO_LIMIT_V1:
                    yield float(limit)


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """The control groups that this process is in for ``controller``, from its own up: each one's limit holds.

    See cgroups(7), "/proc/[pid]/cgroup": version 2 has an empty list of controllers.
    """
    mounts = root / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            mount = mounts / controller if controllers else mounts
            group = mount / path.lstrip("/")
            yield group
            yield from (parent for parent in group.parents if parent.is_relative_to(mount))
