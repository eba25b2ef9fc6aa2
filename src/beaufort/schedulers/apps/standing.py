"""How one app stands: what it is to be, and what its tasks are. A function of what Marathon tells and of what we asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from beaufort.model import Container, ContainerState
from beaufort.schedulers.apps.answers import App, Task
from beaufort.victims import victims

__all__ = ["FAILED", "NOTHING", "Standing", "is_alive", "places", "standing"]

STARTING, RUNNING, STOPPING = ContainerState.STARTING, ContainerState.RUNNING, ContainerState.STOPPING

ALIVE = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"}

FAILED = {
    "TASK_FAILED",
    "TASK_FINISHED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
    "TASK_UNREACHABLE",
}
"""How tasks end that nobody has asked to."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``wanted``: how many there are to be. ``serving``: the tasks of these that there are, in the order in which they would
    go. ``stopping``: tasks that hold room until they have ended. ``on``: by node, where those are that hold room.
    """

    wanted: int = 0
    serving: tuple[Container, ...] = ()
    stopping: int = 0
    on: Mapping[str, int] = field(default_factory=dict)

    @property
    def running(self) -> int:
        return sum(each.state is RUNNING for each in self.serving)

    @property
    def waiting(self) -> int:
        """Those that there are to be and that have not been launched."""
        return max(0, self.wanted - len(self.serving))


NOTHING = Standing()


def standing(app: App, service: str, dying: Collection[str], *, by_agent: bool) -> Standing:
    """``dying``: the ids of tasks that have been told to end. ``by_agent``: whether nodes go by agents, or by hosts.

    Marathon does not tell of each task whether it has: what there is beyond what is wanted is about to go, in the order
    in which Marathon chooses.
    """
    alive = [task for task in app.tasks if is_alive(task)]
    there = [
        Container(
            task.id, service, RUNNING if _serves(task, app) else STARTING, task.began, None, place(task, by_agent)
        )
        for task in alive
        if task.id not in dying and task.state != "TASK_KILLING"
    ]
    ordered = victims(there, len(there))
    staying = ordered[max(0, len(ordered) - app.instances) :]
    return Standing(app.instances, tuple(staying), len(alive) - len(staying), dict(places(app, by_agent=by_agent)))


def places(app: App, *, by_agent: bool) -> Counter[str]:
    """How many tasks hold room on each node."""
    return Counter(place(task, by_agent) for task in app.tasks if is_alive(task))


def place(task: Task, by_agent: bool) -> str:
    """The name of its node."""
    return task.slave_id if by_agent else task.host


def is_alive(task: Task) -> bool:
    return task.state in ALIVE if task.state else True


def _serves(task: Task, app: App) -> bool:
    if task.state not in {"TASK_RUNNING", ""} or task.started_at is None:
        return False
    results = task.health_check_results or []
    return not app.health_checks or (bool(results) and all(each.alive for each in results))
