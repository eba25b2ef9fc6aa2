"""The tasks of one deployment, as far as is known: what is wanted of each, and what it is.

It is told what we ask for and what the master says, in any order, and asks nothing itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from beaufort.model import Container, ContainerState, Counts, Resources
from beaufort.schedulers.framework.amounts import counted
from beaufort.schedulers.framework.answers import Record, Status
from beaufort.schedulers.framework.names import new_id, owner
from beaufort.victims import since

__all__ = ["ALIVE", "DEPLOYMENT", "SERVICE", "Phase", "Task", "Tasks"]

DEPLOYMENT, SERVICE = "beaufort.deployment", "beaufort.service"
"""The labels of a task, for people: whose it is, is told by its id."""


class Phase(Enum):
    WAITING = "to be started, and no offer taken for it yet"
    STARTING = "launched, or not healthy"
    RUNNING = "serves"
    STOPPING = "asked to end"
    AWAY = "on an agent that the master has lost: it may come back"
    GONE = "not held any more"


CURRENT = {Phase.WAITING, Phase.STARTING, Phase.RUNNING}
STATES = {
    Phase.WAITING: ContainerState.STARTING,
    Phase.STARTING: ContainerState.STARTING,
    Phase.RUNNING: ContainerState.RUNNING,
    Phase.STOPPING: ContainerState.STOPPING,
}
ALIVE = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"}
NEVER_BEGAN = "REASON_INVALID_OFFERS"
"""The offer was taken back before the launch came to it: nobody's failure, and the next step asks again."""

WORDS: Mapping[str, str] = {
    "TASK_FINISHED": "ended by itself",
    "TASK_FAILED": "failed",
    "TASK_KILLED": "was killed by someone else",
    "TASK_ERROR": "was refused",
    "TASK_DROPPED": "was never started",
    "TASK_LOST": "was lost",
    "TASK_GONE": "was lost with its agent",
    "TASK_GONE_BY_OPERATOR": "was lost with its agent, which an operator has removed",
    "TASK_UNREACHABLE": "is on an agent that can't be reached",
    "TASK_UNKNOWN": "is not known to the master",
}


@dataclass(eq=False, slots=True)
class Task:
    """``size``: what it takes of its agent; None until that is known. ``checked``: it has a health check.

    ``sent``: the master has been asked to launch it. ``told``: it has spoken of it. ``refused``: its words, where the
    launch itself is wrong. ``kill_at``: when to ask it to kill the task (seconds since the epoch); None for one that
    somebody else has asked to end.
    """

    id: str
    service: str
    phase: Phase
    agent: str = ""
    size: Resources | None = None
    started_at: float = 0.0
    checked: bool = False
    sent: bool = False
    told: bool = False
    refused: str = ""
    kill_at: float | None = None

    @property
    def container(self) -> Container:
        return Container(self.id, self.service, STATES[self.phase], self.started_at, node=self.agent)


class Tasks:
    """Those of the deployment. ``touched`` is set at the next change, and then replaced by another."""

    def __init__(self, deployment: str) -> None:
        self.touched = asyncio.Event()
        self.failed: Counter[str] = Counter()
        self.failure: dict[str, str] = {}
        self.deployment = deployment
        self._held: dict[str, Task] = {}

    def __iter__(self) -> Iterator[Task]:
        return iter(list(self._held.values()))

    def touch(self) -> None:
        """Tells whoever watches that something has changed, or only that it has been looked at."""
        touched, self.touched = self.touched, asyncio.Event()
        touched.set()

    def counts(self, services: Iterable[str], before: Mapping[str, int]) -> dict[str, Counts]:
        """By service, of these and of all that is held. ``before``: the failures that are not to be counted."""
        tally = Counter((task.service, task.phase) for task in self)
        on, ages = self.on(), self._since()
        counts = {}
        for name in dict.fromkeys([*services, *(service for service, _ in tally), *self.failed]):
            failed = self.failed[name] - before.get(name, 0)
            counts[name] = Counts(
                running=tally[name, Phase.RUNNING],
                starting=tally[name, Phase.WAITING] + tally[name, Phase.STARTING],
                stopping=tally[name, Phase.STOPPING],
                failed=failed,
                failure=self.failure[name] if failed else "",
                on=on.get(name, {}),
                since=ages.get(name, {}),
            )
        return counts

    def _since(self) -> dict[str, dict[str, tuple[float, ...]]]:
        """Service -> agent -> when its tasks there began that have not been asked to end."""
        found: defaultdict[str, list[Container]] = defaultdict(list)
        for task in self:
            if task.agent and task.phase in CURRENT:
                found[task.service].append(task.container)
        return {service: since(containers) for service, containers in found.items()}

    def on(self) -> dict[str, dict[str, int]]:
        """Service -> agent -> how many of its tasks are held there."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for task in self:
            if task.agent and task.phase is not Phase.AWAY:
                found[task.service][task.agent] += 1
        return {service: dict(agents) for service, agents in found.items()}

    def waiting(self) -> list[Task]:
        return [task for task in self if task.phase is Phase.WAITING]

    # What we ask for.

    def current(self, service: str) -> list[Container]:
        """Those that run or are about to."""
        return [task.container for task in self if task.service == service and task.phase in CURRENT]

    def begin(self, service: str, size: Resources, now: float, *, checked: bool) -> Task:
        """One more is to be started."""
        id_ = new_id(self.deployment, service)
        task = self._held[id_] = Task(id_, service, Phase.WAITING, size=size, started_at=now, checked=checked)
        self.touch()
        return task

    def launched(self, task: Task, agent: str) -> None:
        """An offer of the agent is taken for it."""
        task.phase, task.agent = Phase.STARTING, agent
        self.touch()

    def stop(self, container: Container) -> None:
        """It is to end. What nobody has asked the master for is gone at once."""
        task = self._held[container.id]
        if task.phase is Phase.WAITING:
            self.drop(task)
        else:
            task.phase, task.kill_at = Phase.STOPPING, 0.0
            self.touch()

    def drop(self, task: Task) -> None:
        """It is held no more."""
        self._held.pop(task.id, None)
        task.phase = Phase.GONE
        self.touch()

    def fail(self, service: str, words: str) -> None:
        self.failed[service] += 1
        self.failure[service] = words
        self.touch()

    def lose(self) -> None:
        """The master can't be read: what has not been asked of it is not wanted any more."""
        for task in self.waiting():
            self.drop(task)
        self.touch()

    # What the master says.

    def apply(self, status: Status) -> None:
        whose = owner(status.task_id.value)
        if whose is None or whose[0] != self.deployment:
            return
        task = self._held.get(status.task_id.value)
        if task is None and status.state in ALIVE:
            task = self._adopt(status, whose[1])
        if task is None:
            return
        task.sent = task.told = True
        if status.agent_id is not None:
            task.agent = status.agent_id.value
        if status.state in ALIVE:
            self._lives(task, status)
        elif status.state == "TASK_UNREACHABLE":
            self._is_away(task, status)
        else:
            self._ended(task, status)
        self.touch()

    def describe(self, records: Iterable[Record]) -> None:
        """What the updates do not tell of those that an earlier Beaufort has started: their sizes and ages."""
        for record in records:
            task = self._held.get(record.id)
            if task is not None and task.size is None:
                task.size = counted(record.resources)
                task.started_at = min([task.started_at, *(each.timestamp for each in record.statuses)])

    def _adopt(self, status: Status, service: str) -> Task:
        id_ = status.task_id.value
        checked = status.healthy is not None
        task = self._held[id_] = Task(id_, service, Phase.STARTING, started_at=status.timestamp, checked=checked)
        return task

    def _lives(self, task: Task, status: Status) -> None:
        if task.phase is Phase.STOPPING:
            return
        if status.state == "TASK_KILLING":
            task.phase = Phase.STOPPING
        elif status.state == "TASK_RUNNING":
            # A master that is asked again says nothing of health where there is no check.
            serves = status.healthy is True if task.checked else status.healthy is not False
            task.checked = task.checked or status.healthy is not None
            task.phase = Phase.RUNNING if serves else Phase.STARTING
        else:
            task.phase = Phase.STARTING

    def _is_away(self, task: Task, status: Status) -> None:
        if task.phase in CURRENT:
            self.fail(task.service, _words(status))
        task.phase = Phase.AWAY

    def _ended(self, task: Task, status: Status) -> None:
        by_check = task.kill_at is None and status.healthy is False
        unasked = (task.phase in CURRENT or by_check) and status.reason != NEVER_BEGAN
        if status.state == "TASK_ERROR" and unasked:
            task.refused = status.message or status.reason
        self.drop(task)
        if unasked:
            self.fail(task.service, _words(status))


def _words(status: Status) -> str:
    words = WORDS.get(status.state, status.state)
    if status.state == "TASK_KILLED" and status.healthy is False:
        words = "was killed, as its health check failed"
    why = status.message or status.reason.removeprefix("REASON_").replace("_", " ").lower()
    return f"{words}: {why}" if why else words
