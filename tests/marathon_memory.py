"""A Mesos of nothing but memory, in the time of the event loop: nodes with room, and tasks that take time."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from marathon_backend import Listener, Status
from marathon_clock import Clock
from marathon_definition import Definition
from marathon_instances import Instance
from marathon_offers import Offer

__all__ = ["Memory", "Node", "Program"]

GRACE = 3.0
"""Seconds between SIGTERM and SIGKILL where an app says nothing: Mesos's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a task does. Times in seconds.

    ``start``: until it runs; infinite for one that stays staged. ``stop``: how long it takes to end after SIGTERM;
    infinite for one that only SIGKILL ends. ``lives``: until it ends by itself, with ``ends`` and ``message``.
    ``healthy``: until its first health check, after it has begun to run; None for one that is never healthy.
    """

    start: float = 0.05
    stop: float = 0.05
    lives: float = math.inf
    ends: str = "TASK_FAILED"
    message: str = "Command exited with status 1"
    healthy: float | None = 0.05


@dataclass(slots=True, kw_only=True)
class Node:
    name: str
    cpus: float = 4.0
    mem: float = 4096.0
    disk: float = 10000.0
    gpus: float = 0.0
    ports: Sequence[range] = (range(31000, 32001),)
    attributes: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    zone: str | None = None
    lost: bool = False
    declined: float = -math.inf
    """Until when what it has free is not to be offered: seconds since the epoch."""

    @property
    def agent_id(self) -> str:
        return f"memory-{self.name}"


@dataclass(slots=True)
class Task:
    """``id``, ``app`` and ``ports`` as they were at its start; the instance may have another task by now."""

    id: str
    app: Definition
    ports: list[int]
    node: Node
    program: Program
    state: str = "TASK_STAGING"
    terminated: bool = False


class Memory:
    """``programs``: app id -> what its tasks do, where it is not ``program``. ``allocation``: seconds between offers.

    ``declined``: how many offers were. ``peak`` is the most tasks of an app that there were at once, starting and stopping
    ones included, ``most`` that of all apps together.
    """

    def __init__(self, *nodes: Node, allocation: float = 1.0, program: Program | None = None) -> None:
        self.nodes = {each.name: each for each in nodes or (Node(name="node"),)}
        self.program = program or Program()
        self.programs: dict[str, Program] = {}
        self.peak: Counter[str] = Counter()
        self.most = self.declined = 0
        self._allocation = allocation
        self._tasks: dict[str, Task] = {}
        self._allocating = False
        self._offers = 0

    def attach(self, listener: Listener) -> None:
        self._listener = listener
        self._clock = Clock()

    async def open(self) -> None:
        return

    async def close(self) -> None:
        self._clock.close()

    # What others can do to it, and see of it.

    def tasks(self, app: str = "") -> list[Task]:
        """Those that hold room, whatever Marathon knows."""
        return [each for each in self._tasks.values() if not app or each.app.id == app]

    def end(self, task_id: str, state: str = "TASK_FAILED", message: str = "") -> None:
        """The task ends by itself."""
        task = self._tasks.pop(task_id)
        task.node.declined = -math.inf
        self._allocate_soon()
        if not task.node.lost:
            self._tell(task, state, message)

    def health(self, task_id: str, *, alive: bool) -> None:
        """What one more health check tells."""
        task = self._tasks[task_id]
        self._listener.told(Status(task_id, "TASK_RUNNING", task.node.agent_id, healthy=alive))

    def add(self, node: Node) -> None:
        self.nodes[node.name] = node
        self._allocate_soon()

    def lose(self, name: str) -> None:
        """It can't be reached; its tasks run on."""
        node = self.nodes[name]
        node.lost = True
        for task in self._on(node):
            self._tell(task, "TASK_UNREACHABLE", "Agent is not reachable")

    def find(self, name: str) -> None:
        """It can be reached again, with what still runs on it."""
        node = self.nodes[name]
        node.lost, node.declined = False, -math.inf
        for task in self._on(node):
            self._tell(task, task.state)
        self._allocate_soon()

    def _on(self, node: Node) -> list[Task]:
        return [each for each in self._tasks.values() if each.node is node]

    # What Marathon asks for.

    def revive(self) -> None:
        for node in self.nodes.values():
            node.declined = -math.inf
        self._allocate_soon()

    def accept(self, offer: Offer, instances: Sequence[Instance]) -> None:
        node = next(each for each in self.nodes.values() if each.agent_id == offer.agent_id)
        for each in instances:
            self._start(Task(each.task_id, each.app, each.ports, node, self.programs.get(each.app.id, self.program)))
        self._allocate_soon()

    def _start(self, task: Task) -> None:
        app = task.app.id
        self._tasks[task.id] = task
        self.peak[app] = max(self.peak[app], len(self.tasks(app)))
        self.most = max(self.most, len(self._tasks))
        self._later(task, task.program.start / 2, lambda: self._enter(task, "TASK_STARTING"))
        self._later(task, task.program.start, lambda: self._run(task))

    def decline(self, offer: Offer, seconds: float) -> None:
        self.declined += 1
        node = next(each for each in self.nodes.values() if each.agent_id == offer.agent_id)
        node.declined = self._clock.now + seconds

    def kill(self, task_id: str, agent_id: str, grace: float | None) -> None:
        task = self._tasks.get(task_id)
        if task is None:
            self._listener.told(Status(task_id, "TASK_KILLED", agent_id, "Unknown task"))
            return
        if task.terminated or task.node.lost:
            return
        task.terminated = True
        self._enter(task, "TASK_KILLING")
        seconds = min(task.program.stop, GRACE if grace is None else grace)
        by = "SIGTERM" if task.program.stop <= seconds else "SIGKILL"
        self._later(task, seconds, lambda: self.end(task_id, "TASK_KILLED", f"Command terminated by {by}"))

    def check(self, instance: Instance) -> None:
        task = self._tasks[instance.task_id]
        if task.program.healthy is not None:
            self._later(task, task.program.healthy, lambda: self.health(task.id, alive=True))

    def _run(self, task: Task) -> None:
        if task.terminated:
            return
        self._enter(task, "TASK_RUNNING")
        program = task.program
        self._later(task, program.lives, lambda: self.end(task.id, program.ends, program.message))

    def _enter(self, task: Task, state: str) -> None:
        if task.terminated and state != "TASK_KILLING":
            return
        task.state = state
        if not task.node.lost:
            self._tell(task, state)

    def _tell(self, task: Task, state: str, message: str = "") -> None:
        self._listener.told(Status(task.id, state, task.node.agent_id, message))

    def _later(self, task: Task, seconds: float, what: Callable[[], None]) -> None:
        def do() -> None:
            if self._tasks.get(task.id) is task:
                what()

        if not math.isinf(seconds):
            self._clock.later(seconds, do)

    # Offers.

    def _allocate_soon(self) -> None:
        if not self._allocating:
            self._allocating = True
            self._clock.later(self._allocation, self._allocate)

    def _allocate(self) -> None:
        self._allocating = False
        now = self._clock.now
        free = [node for node in self.nodes.values() if not node.lost and node.declined <= now]
        offers = [offer for offer in map(self._offer, free) if offer.cpus > 0 or offer.mem > 0]
        if offers:
            self._listener.offered(offers)

    def _offer(self, node: Node) -> Offer:
        used = self._on(node)
        specs = [each.app.spec for each in used]
        self._offers += 1
        return Offer(
            f"memory-O{self._offers}",
            node.agent_id,
            node.name,
            round(node.cpus - sum(each["cpus"] for each in specs), 9),
            round(node.mem - sum(each["mem"] for each in specs), 9),
            round(node.disk - sum(each["disk"] for each in specs), 9),
            node.gpus - sum(each["gpus"] for each in specs),
            node.ports,
            node.attributes,
            node.region,
            node.zone,
            {port for each in used for port in each.ports},
        )
