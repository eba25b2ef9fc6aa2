"""How the tasks of one service stand: what they are to be, and what they are. A function of what a manager tells."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from beaufort.schedulers.cluster.answers import Task
from beaufort.schedulers.cluster.launch import NEVER

__all__ = ["NOTHING", "Standing", "has_ended", "holds", "obituary", "parked", "standing"]

WANTED = {"new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"}
"""States before a task's end, in Swarm's order. A task is to be one of these, or it is to end."""

ALIVE = {"running", "starting", "waiting"}
UNPLACED = {"new", "allocated", "pending"}
PARKED = NEVER / 2
"""Seconds: what waits longer for its start is not going to be started."""

ENDED_UNASKED = {"complete", "failed", "rejected"}


@dataclass(frozen=True, slots=True)
class Standing:
    """``waiting``: those that start of which Swarm has not said where. ``unplaced``: those of them of which it has said
    that there is no node, and why. ``dead``: replicas in the place of which nothing runs or starts, as they have ended unasked, or were lost.
    ``forgotten``: those that are still stopping, though Swarm knows of them no more.
    ``on``: by node, where those are that hold room.
    """

    running: int = 0
    starting: int = 0
    stopping: int = 0
    waiting: int = 0
    unplaced: tuple[str, ...] = ()
    dead: int = 0
    forgotten: int = 0
    on: Mapping[str, int] = field(default_factory=dict)

    @property
    def current(self) -> int:
        return self.running + self.starting

    @property
    def leaving(self) -> int:
        """Those that hold room until they have stopped."""
        return self.stopping + self.forgotten

    @property
    def placed(self) -> int:
        """Those that have a node, or may still get one."""
        return self.current - len(self.unplaced)

    @property
    def replicas(self) -> int:
        """How many Swarm takes for there, when it has done what it was asked."""
        return self.current + self.dead

    @property
    def moves(self) -> bool:
        return self.starting + self.stopping > 0


NOTHING = Standing()


def has_ended(task: Task) -> bool:
    return task.status.state not in WANTED


def holds(task: Task) -> bool:
    """Whether it takes room on a node."""
    return bool(task.node_id) and not has_ended(task)


def obituary(task: Task) -> str | None:
    """Why it has ended, in words; None where it has not, or was asked to."""
    if task.status.state not in ENDED_UNASKED or task.desired_state == "remove":
        return None
    code = task.status.container_status.exit_code if task.status.container_status else 0
    if task.status.state == "complete" or (code and "non-zero exit" in task.status.err):
        return f"exited with {code}{_signal(code)}"
    return task.status.err or task.status.state


def _signal(code: int) -> str:
    try:
        return f" ({signal.Signals(code - 128).name})" if code > 128 else ""
    except ValueError:
        return ""


def parked(tasks: Iterable[Task], before: Collection[str]) -> set[str]:
    """The ids of those that are not going to be started, as they are the successors of what has ended. Such a one is no
    other when it is asked to end, ``before`` it was seen to be one.
    """
    return {
        task.id
        for task in tasks
        if (task.desired_state == "ready" and task.delay > PARKED) or (task.is_ending and task.id in before)
    }


def standing(tasks: Iterable[Task], is_out: Callable[[Task], bool], called: Mapping[str, str]) -> Standing:
    """``is_out``: it is on a node that is down, or parked. ``called``: the names of the nodes, by their ids."""
    states: Counter[str] = Counter()
    on: Counter[str] = Counter()
    unplaced: list[str] = []
    slots: dict[tuple[str, int], bool] = {}
    for task in tasks:
        state = "gone" if has_ended(task) or is_out(task) else _state(task)
        states[state] += 1
        if task.desired_state in WANTED or (task.desired_state != "remove" and task.is_final):
            slot = (task.service_id, task.slot)
            slots[slot] = slots.get(slot, False) or state in ALIVE
        if state == "waiting":
            unplaced += [task.status.err] if task.status.err else []
        elif state != "gone":
            on[called.get(task.node_id, task.node_id)] += 1
    return Standing(
        running=states["running"],
        starting=states["starting"] + states["waiting"],
        stopping=states["stopping"],
        waiting=states["waiting"],
        unplaced=tuple(unplaced),
        dead=sum(not is_alive for is_alive in slots.values()),
        on=dict(on),
    )


def _state(task: Task) -> str:
    if task.desired_state in WANTED:
        if task.status.state in UNPLACED:
            return "waiting"
        return "running" if task.status.state == "running" else "starting"
    return "stopping" if task.node_id else "gone"
