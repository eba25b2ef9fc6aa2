"""What is known of a Swarm: the services that are ours, how their tasks stand, what was asked of them, and the nodes.

It is told what the managers say and what we ask for, and asks nothing itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beaufort.model import Counts, Node, Reach
from beaufort.schedulers.cluster import answers
from beaufort.schedulers.cluster.answers import Service, Task
from beaufort.schedulers.cluster.capacity import Amounts, capacity, names, reserved
from beaufort.schedulers.cluster.constraints import reach
from beaufort.schedulers.cluster.launch import LAUNCH
from beaufort.schedulers.cluster.leaving import Leaving
from beaufort.schedulers.cluster.standing import NOTHING, Standing, has_ended, holds, obituary, parked, standing
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE

__all__ = ["Ledger"]

DONE = 2.0
"""Seconds in which Swarm makes or marks the tasks that it was asked for. Beyond it, what it says is how it is."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """So many replicas of a service were asked for, and no list has shown it. ``stamp``: by the ledger's count."""

    replicas: int
    at: float
    stamp: int


class Ledger:
    """Services are ours by their labels, or because the configuration names them (``adopted``: their name -> ours).

    ``touched`` is set at the next change, and then replaced by another; ``looked`` after each list.
    """

    def __init__(self, deployment: str) -> None:
        self.touched, self.looked = asyncio.Event(), asyncio.Event()
        self.failed: Counter[str] = Counter()
        self.failure: dict[str, str] = {}
        self.adopted: Mapping[str, str] = {}
        self.planned: Sequence[Mapping[str, Any]] = ()
        self.nodes: tuple[Node, ...] = ()
        self.reach: Mapping[str, Reach] = {}
        self.deployment = deployment
        self._services: dict[str, Service] = {}
        self._names: dict[str, str] = {}
        self._machines: list[answers.Node] = []
        self._standing: dict[str, Standing] = {}
        self._asked: dict[str, _Asked] = {}
        self._others: Amounts = {}
        self._leaving = Leaving()
        self._parked: set[str] = set()
        self._told: set[str] | None = None
        self._stamp = 0

    def touch(self) -> None:
        """Tells whoever watches that something has changed, or only that it has been looked at."""
        touched, self.touched = self.touched, asyncio.Event()
        touched.set()

    def _look(self) -> None:
        looked, self.looked = self.looked, asyncio.Event()
        looked.set()

    # What is known.

    def services(self, name: str) -> list[Service]:
        """The Swarm's services of one of ours; more than one is somebody's mistake."""
        return [service for id_, service in self._services.items() if self._names[id_] == name]

    @property
    def found(self) -> list[str]:
        """The ids of those that others have made."""
        return [id_ for id_, service in self._services.items() if LAUNCH not in service.labels]

    def strays(self, watched: Collection[str]) -> list[Service]:
        """Those without replicas that we have made, and that are of none of these services."""
        found = [service for id_, service in self._services.items() if self._names[id_] not in watched]
        return [service for service in found if LAUNCH in service.labels and service.replicas == 0]

    def standing(self, name: str) -> Standing:
        return self._standing.get(name, NOTHING)

    def leaving_since(self, name: str) -> float | None:
        """When the last of its containers began to stop of which Swarm still knows."""
        return self._leaving.since(name)

    def is_awaited(self, name: str) -> bool:
        """Whether what was asked for has not been seen yet."""
        return name in self._asked

    @property
    def moves(self) -> bool:
        return bool(self._asked) or any(each.moves for each in self._standing.values())

    def lacking(self) -> list[str]:
        """The services of which Swarm has fewer containers than replicas, or none that has a node for all."""
        return [name for name, each in self._standing.items() if (each.dead or each.unplaced) and self.services(name)]

    def counts(self, services: Iterable[str], before: Mapping[str, int]) -> dict[str, Counts]:
        """By service, of these and of all that is held. ``before``: the failures that are not to be counted."""
        counts = {}
        for name in dict.fromkeys([*services, *self._standing, *self._asked, *self.failed]):
            each = self.standing(name)
            asked = self._asked[name].replicas if name in self._asked else each.current
            running, failed = min(each.running, asked), self.failed[name] - before.get(name, 0)
            counts[name] = Counts(
                running=running,
                starting=asked - running,
                stopping=each.leaving + max(0, each.current - asked),
                failed=failed,
                failure=self.failure[name] if failed else "",
                on=each.on,
            )
        return counts

    # What we do.

    def ask(self, name: str, replicas: int, now: float) -> None:
        """Swarm has accepted it."""
        self._stamp += 1
        self._asked[name] = _Asked(replicas, now, self._stamp)
        self.touch()

    def made(self, service: Service) -> None:
        self._services[service.id] = service
        self._names[service.id] = service.labels[SERVICE]

    def removed(self, id_: str) -> None:
        self._services.pop(id_, None)

    def fail(self, name: str, words: str, count: int = 1) -> None:
        self.failed[name] += count
        self.failure[name] = words

    # What the managers say.

    def mark(self) -> int:
        """To be taken before a list of tasks is asked for: what is asked of Swarm after it may not be in the list."""
        return self._stamp

    def see_services(self, services: Iterable[Service]) -> None:
        """All that may be ours. The names of those that have gone are kept, as they may still have tasks."""
        self._services = {}
        for service in services:
            name = self._name(service)
            if name is not None:
                self._services[service.id], self._names[service.id] = service, name

    def _name(self, service: Service) -> str | None:
        if service.labels.get(DEPLOYMENT) == self.deployment and SERVICE in service.labels:
            return service.labels[SERVICE]
        return self.adopted.get(service.name)

    def see_nodes(self, nodes: Sequence[answers.Node]) -> None:
        self._machines = list(nodes)

    def see_tasks(self, tasks: Sequence[Task], mark: int, now: float, *, whole: bool) -> bool:
        """A list of tasks: of ours, or (``whole``) of all. True if anything is not as it was before."""
        ours: dict[str, list[Task]] = {}
        for task in tasks:
            if (name := self._owner(task)) is not None:
                ours.setdefault(name, []).append(task)
        if whole:
            self._others = reserved(task for task in tasks if holds(task) and self._owner(task) is None)
        before = self._standing, self.nodes, self.reach, self.failed.copy(), self._asked
        called = names(self._machines)
        down = {node.id for node in self._machines if node.status.state == "down"}
        self._parked = parked((task for each in ours.values() for task in each), self._parked)

        def is_out(task: Task) -> bool:
            return task.node_id in down or task.id in self._parked

        self._leaving.forget(down)
        self._leaving.see(ours, is_out, now)
        standings = {name: standing(each, is_out, called) for name, each in ours.items()}
        self._standing = self._leaving.added(standings, called)
        self._count_failures(ours, down, called)
        held = reserved(task for each in ours.values() for task in each if holds(task))
        specs = [*self.planned, *(service.spec for service in self._services.values())]
        self.nodes = capacity(self._machines, held, self._others, specs)
        self.reach = self._reach(called)
        self._asked = {name: asked for name, asked in self._asked.items() if self._is_due(name, asked, mark, now)}
        self._names = {
            id_: name
            for id_, name in self._names.items()
            if id_ in self._services or any(task.service_id == id_ for task in ours.get(name, ()))
        }
        self._look()
        return before != (self._standing, self.nodes, self.reach, self.failed, self._asked)

    def _reach(self, called: Mapping[str, str]) -> dict[str, Reach]:
        """By service, as it is, or as it will be made."""
        specs = {self._names[id_]: service.spec for id_, service in self._services.items()}
        specs |= {planned["Labels"][SERVICE]: planned for planned in self.planned}
        there = {node.name for node in self.nodes}
        machines = [node for node in self._machines if called[node.id] in there]
        found = {name: reach(spec, machines, called) for name, spec in specs.items()}
        return {name: each for name, each in found.items() if each is not None}

    def lose(self) -> None:
        """The managers can't be read."""
        self._look()
        self.touch()

    def _owner(self, task: Task) -> str | None:
        """Which service of ours it is of. Of a service that was removed before we came, its tasks alone can tell."""
        name = self._names.get(task.service_id)
        if name is None and task.labels.get(DEPLOYMENT) == self.deployment:
            return task.labels.get(SERVICE)
        return name

    def _is_due(self, name: str, asked: _Asked, mark: int, now: float) -> bool:
        done = asked.stamp <= mark and self.standing(name).replicas == asked.replicas
        return not done and now < asked.at + DONE

    def _count_failures(self, ours: Mapping[str, Sequence[Task]], down: set[str], called: Mapping[str, str]) -> None:
        """Each once. What had ended, or was ending, when it was first seen is nobody's failure."""
        told = set()
        for name, tasks in ours.items():
            for task in tasks:
                words = obituary(task)
                if task.node_id in down and not has_ended(task) and task.desired_state != "remove":
                    words = f"its node {called[task.node_id]} is down"
                if words is not None or task.is_ending:
                    told.add(task.id)
                if words is not None and self._told is not None and task.id not in self._told:
                    self.fail(name, words)
        self._told = told
