"""The real controller over a real Mesos: two services in six containers of room, and what really ran meanwhile."""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractAsyncContextManager
from itertools import chain
from pathlib import Path
from typing import Any

import controlled
from controlled import ROOM, Run
from mesos_rig import Mesos

__all__ = ["ROOM", "Run", "configuration", "peak", "really", "running"]

ENDED = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_GONE_BY_OPERATOR"}


def configuration(master: str, state: Path, **services: dict[str, Any]) -> dict[str, Any]:
    program = {"command": ["sleep", "1000"], "grace": "1s", "resources": {"cpu": 0.1, "memory": "32MiB"}}
    scheduler = {"type": "mesos", "master": master, "state": str(state)}
    return controlled.configuration(scheduler, program, **services)


def running(master: str, state: Path, **services: dict[str, Any]) -> AbstractAsyncContextManager[Run]:
    return controlled.controlled(configuration(master, state, **services))


def peak(mesos: Mesos) -> int:
    """The most tasks that ran at once, of frameworks that are there or else of the last one, by their executors' word."""
    changes = []
    for framework in mesos.frameworks() or mesos.completed()[-1:]:
        for task in chain(framework["tasks"], framework["completed_tasks"], framework["unreachable_tasks"]):
            began = [each["timestamp"] for each in task["statuses"] if each["state"] == "TASK_RUNNING"]
            ended = [each["timestamp"] for each in task["statuses"] if each["state"] in ENDED]
            changes += [(at, 1) for at in sorted(began)[:1]]
            changes += [(at, -1) for at in sorted(ended)[:1] if began]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def really(mesos: Mesos) -> Counter[str]:
    """Service -> how many of its processes there are, by the kernel, when it shows as many as there are tasks."""
    mesos.until(lambda: len(mesos.processes()) == len(mesos.tasks()))
    return Counter(task.split(".")[2] for _, task in mesos.processes())
