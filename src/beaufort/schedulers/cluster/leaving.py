"""The containers that Swarm has forgotten: whenever a service is changed, Swarm drops those of its tasks that it had asked
to end from its books, ended or not. Their containers are still given their grace, and hold their room as long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from beaufort.schedulers.cluster.answers import Task
from beaufort.schedulers.cluster.standing import Standing, holds

__all__ = ["Leaving"]

SLOW = 2.0
"""Seconds that a node may take beyond a container's grace."""


@dataclass(frozen=True, slots=True)
class _Ending:
    """``since``: when it was first seen to be ending. ``is_listed``: Swarm knows of it."""

    service: str
    node: str
    grace: float
    since: float
    is_listed: bool = True


class Leaving:
    """Follows the tasks that are ending, list by list."""

    def __init__(self) -> None:
        self._ending: dict[str, _Ending] = {}

    def since(self, service: str) -> float | None:
        """When the youngest of those that Swarm knows of was first seen to be ending; None where there is none."""
        times = [each.since for each in self._ending.values() if each.service == service and each.is_listed]
        return max(times, default=None)

    def see(self, ours: Mapping[str, Iterable[Task]], is_out: Callable[[Task], bool], now: float) -> None:
        listed, ending = set(), {}
        for service, tasks in ours.items():
            for task in tasks:
                listed.add(task.id)
                if task.is_ending and holds(task) and not is_out(task):
                    known = self._ending.get(task.id)
                    since = now if known is None else known.since
                    ending[task.id] = _Ending(service, task.node_id, task.grace, since)
        for id_, each in self._ending.items():
            if id_ not in listed and now < each.since + each.grace + SLOW:
                ending[id_] = replace(each, is_listed=False)
        self._ending = ending

    def forget(self, nodes: Iterable[str]) -> None:
        """These nodes are down."""
        down = set(nodes)
        self._ending = {id_: each for id_, each in self._ending.items() if each.node not in down}

    def added(self, standings: Mapping[str, Standing], called: Mapping[str, str]) -> dict[str, Standing]:
        """With those that Swarm has forgotten. ``called``: the names of the nodes, by their ids."""
        found = dict(standings)
        for each in self._ending.values():
            if not each.is_listed:
                known = found.get(each.service, Standing())
                node = called.get(each.node, each.node)
                on = {**known.on, node: known.on.get(node, 0) + 1}
                found[each.service] = replace(known, forgotten=known.forgotten + 1, on=on)
        return found
