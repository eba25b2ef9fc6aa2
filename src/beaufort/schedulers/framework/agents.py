"""The agents of the cluster, what they have for us, and which of them are about to go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from beaufort.model import Node, Resources
from beaufort.schedulers.framework.amounts import amounts
from beaufort.schedulers.framework.answers import AgentInfo, Listed, Offer
from beaufort.schedulers.framework.tasks import Phase, Task, Tasks

__all__ = ["Agents", "attributes"]

NOTICE = 60.0
"""Seconds that the word of a maintenance to come is believed. The master repeats it before, while it is true."""


class Agents:
    """By their ids, as two may have one host name. What they have is counted when they are listed, not at each look."""

    def __init__(self, role: str, tasks: Tasks) -> None:
        self.role = role
        self._tasks = tasks
        self._nodes: dict[str, Node] = {}
        self._drained: set[str] = set()
        self._leaving: dict[str, float] = {}
        self._others: dict[str, Resources] = {}

    def knows(self, agent: str) -> bool:
        return agent in self._nodes

    def leave(self, agent: str, now: float) -> None:
        """It is to be taken down: nothing more is to be started there."""
        self._leaving[agent] = now + NOTICE

    def stays(self, agent: str, now: float) -> bool:
        return agent not in self._drained and self._leaving.get(agent, 0.0) <= now

    def see(self, listed: Sequence[Listed]) -> None:
        """All that have registered and are there."""
        there = {each.agent_info.id.value: each for each in listed if each.active or each.deactivated}
        mine = self._mine()
        self._drained = {id_ for id_, each in there.items() if each.deactivated}
        self._others = {id_: self._used_by_others(id_, each, mine.get(id_, [])) for id_, each in there.items()}
        self._nodes = {id_: self._node(id_, each) for id_, each in there.items()}

    def attributes(self) -> dict[str, Mapping[str, str]]:
        """What constraints can ask for, by agent."""
        return {id_: node.labels for id_, node in self._nodes.items()}

    def nodes(self, now: float) -> tuple[Node, ...]:
        """What each has for us: all but what others use; of those that leave, no more than our tasks there take."""
        leaving = {id_ for id_ in self._nodes if not self.stays(id_, now)}
        mine = self._mine() if leaving else {}
        return tuple(
            replace(node, capacity=_least(node.capacity, _sum(mine.get(id_, [])))) if id_ in leaving else node
            for id_, node in self._nodes.items()
        )

    def _node(self, id_: str, listed: Listed) -> Node:
        info = listed.agent_info
        capacity = _less(amounts(listed.total_resources, self.role), self._others[id_])
        return Node(id_, capacity, attributes(id_, info))

    def _used_by_others(self, id_: str, listed: Listed, ours: Sequence[Task]) -> Resources:
        """What is on its way is in one count and not yet in the other: then the last word on the others holds."""
        known = self._others.get(id_)
        if known is None or all(task.told and task.size is not None for task in ours):
            return _less(amounts(listed.allocated_resources, self.role), _sum(ours))
        return known

    def _mine(self) -> dict[str, list[Task]]:
        found: defaultdict[str, list[Task]] = defaultdict(list)
        for task in self._tasks:
            if task.agent and task.phase is not Phase.AWAY:
                found[task.agent].append(task)
        return found


def attributes(agent: str, told: Offer | AgentInfo) -> dict[str, str]:
    """What constraints can ask for. The name of the host has two names, as it has on a Marathon."""
    named = {each.name: value for each in told.attributes if (value := each.value) is not None}
    return {**named, **told.domain.labels, "hostname": told.hostname, "@hostname": told.hostname, "@agent": agent}


def _sum(tasks: Iterable[Task]) -> Resources:
    total: defaultdict[str, float] = defaultdict(float)
    for task in tasks:
        for name, amount in (task.size or Resources()).items():
            total[name] += amount
    return Resources(total)


def _less(resources: Resources, others: Resources) -> Resources:
    return Resources({name: max(0.0, amount - others.get(name)) for name, amount in resources.items()})


def _least(resources: Resources, most: Resources) -> Resources:
    return Resources({name: min(amount, most.get(name)) for name, amount in resources.items()})
