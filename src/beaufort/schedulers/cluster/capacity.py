"""What the machines of a Swarm have left for us: all of it, less what the services of others reserve there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from beaufort.model import Node, Resources
from beaufort.schedulers.cluster import answers
from beaufort.schedulers.cluster.answers import Task
from beaufort.schedulers.cluster.constraints import may_use

__all__ = ["Amounts", "capacity", "names", "reserved"]

Amounts = Mapping[str, Mapping[str, float]]
"""By a node's id, then by resource."""


def names(nodes: Sequence[answers.Node]) -> dict[str, str]:
    """What the nodes are called, by their id: their hostname, and something more where several have the same."""
    taken = Counter(node.description.hostname for node in nodes)
    return {
        node.id: node.description.hostname if taken[node.description.hostname] == 1 else _longer(node) for node in nodes
    }


def _longer(node: answers.Node) -> str:
    return f"{node.description.hostname}-{node.id[:10]}"


def reserved(tasks: Iterable[Task]) -> Amounts:
    """What these tasks reserve, each on its node."""
    held: dict[str, dict[str, float]] = {}
    for task in tasks:
        there = held.setdefault(task.node_id, {})
        for name, amount in task.reserved.items():
            there[name] = there.get(name, 0.0) + amount
    return held


def capacity(
    nodes: Sequence[answers.Node], ours: Amounts, others: Amounts, specs: Sequence[Mapping[str, Any]]
) -> tuple[Node, ...]:
    """The nodes that are room for us. ``ours``, ``others``: what is reserved. ``specs``: the services that we have.

    Which of several services may use a node can't be told in a node: one that none of them may use is left out. One that
    is paused takes nothing new: it has the room that ours hold there. What is lost or drained has none. Where there is no
    other, there is one without room: no node at all would say that nobody knows.
    """
    called = names(nodes)
    kinds = {kind for node in nodes for kind in node.description.resources.amounts}
    found = []
    for node in nodes:
        is_usable = not specs or any(may_use(spec, node) for spec in specs)
        if not is_usable or node.status.state == "down" or node.spec.availability == "drain":
            continue
        there, held = node.description.resources.amounts, others.get(node.id, {})
        free = {kind: max(0.0, there.get(kind, 0.0) - held.get(kind, 0.0)) for kind in kinds}
        if node.spec.availability == "pause":
            free = {kind: ours.get(node.id, {}).get(kind, 0.0) for kind in kinds}
        labels = {**(node.description.engine.labels or {}), **(node.spec.labels or {})}
        found.append(Node(called[node.id], Resources(free), labels))
    if nodes and not found:
        found = [Node("none", Resources(dict.fromkeys(kinds, 0.0)))]
    return tuple(sorted(found, key=lambda node: node.name))
