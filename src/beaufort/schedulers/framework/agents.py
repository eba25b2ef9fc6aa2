"""The agents of the cluster, what they have for us, and which of them are about to go."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from beaufort.model import Node, Resources
from beaufort.schedulers.framework.amounts import amounts
from beaufort.schedulers.framework.answers import Attribute, Listed
from beaufort.schedulers.framework.tasks import Phase, Task, Tasks

__all__ = ["Agents", "attributes"]

NOTICE = 60.0
"""Seconds that the word of a maintenance to come is believed. The master repeats it before, while it is true."""


class Agents:
    """By their ids, as two may have one host name."""

    def __init__(self, role: str, tasks: Tasks) -> None:
        self.role = role
        self._tasks = tasks
        self._listed: dict[str, Listed] = {}
        self._leaving: dict[str, float] = {}
        self._others: dict[str, Resources] = {}

    def knows(self, agent: str) -> bool:
        return agent in self._listed

    def leave(self, agent: str, now: float) -> None:
        """It is to be taken down: nothing more is to be started there."""
        self._leaving[agent] = now + NOTICE

    def stays(self, agent: str, now: float) -> bool:
        listed = self._listed.get(agent)
        return self._leaving.get(agent, 0.0) <= now and not (listed is not None and listed.deactivated)

    def see(self, listed: Sequence[Listed]) -> None:
        """All that have registered and are there."""
        self._listed = {each.agent_info.id.value: each for each in listed if each.active or each.deactivated}
        mine = self._mine()
        for id_, each in self._listed.items():
            ours = mine.get(id_, [])
            # What is on its way is in one count and not yet in the other: then the last word on the others holds.
            if id_ not in self._others or all(task.told and task.size is not None for task in ours):
                self._others[id_] = _less(amounts(each.allocated_resources, self.role), _sum(ours))

    def attributes(self) -> dict[str, dict[str, str]]:
        """What constraints can ask for, by agent."""
        return {
            id_: attributes(id_, each.agent_info.hostname, each.agent_info.attributes)
            for id_, each in self._listed.items()
        }

    def nodes(self, now: float) -> tuple[Node, ...]:
        """What each has for us: all but what others use; of those that leave, no more than our tasks there take."""
        mine, told = self._mine(), self.attributes()
        nodes = []
        for id_, each in self._listed.items():
            total = amounts(each.total_resources, self.role)
            left = _less(total, self._others.get(id_, Resources()))
            capacity = left if self.stays(id_, now) else _least(left, _sum(mine.get(id_, [])))
            nodes.append(Node(id_, capacity, told[id_]))
        return tuple(nodes)

    def _mine(self) -> dict[str, list[Task]]:
        found: defaultdict[str, list[Task]] = defaultdict(list)
        for task in self._tasks:
            if task.agent and task.phase is not Phase.AWAY:
                found[task.agent].append(task)
        return found


def attributes(agent: str, hostname: str, told: Iterable[Attribute]) -> dict[str, str]:
    named = {each.name: value for each in told if (value := each.value) is not None}
    return {**named, "@hostname": hostname, "@agent": agent}


def _sum(tasks: Iterable[Task]) -> Resources:
    total: Counter[str] = Counter()
    for task in tasks:
        for name, amount in (task.size or Resources()).items():
            total[name] += amount  # type: ignore[assignment]
    return Resources(total)


def _less(resources: Resources, others: Resources) -> Resources:
    return Resources({name: max(0.0, amount - others.get(name)) for name, amount in resources.items()})


def _least(resources: Resources, most: Resources) -> Resources:
    return Resources({name: min(amount, most.get(name)) for name, amount in resources.items()})
