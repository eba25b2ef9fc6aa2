"""What the agents of a Mesos have for the tasks of one Marathon deployment: all of it, less what others use there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping

from msgspec import Struct

from beaufort.model import Node, Resources
from beaufort.schedulers.framework.agents import attributes
from beaufort.schedulers.framework.amounts import amounts
from beaufort.schedulers.framework.answers import GetAgents, Listed, Resource, Value

__all__ = ["State", "capacity"]


class Label(Struct, frozen=True):
    key: str
    value: str = ""


class Labels(Struct, frozen=True):
    labels: list[Label] = []


class Task(Struct):
    task_id: Value
    agent_id: Value
    resources: list[Resource] = []
    labels: Labels = Labels()

    @property
    def labelled(self) -> Mapping[str, str]:
        return {each.key: each.value for each in self.labels.labels}


class GetTasks(Struct, frozen=True):
    tasks: list[Task] = []


class GetState(Struct):
    get_agents: GetAgents
    get_tasks: GetTasks = GetTasks()


class State(Struct):
    """A master's answer to GET_STATE: agents and tasks as they are at one moment."""

    get_state: GetState


def capacity(state: State, role: str, is_ours: Callable[[str, Mapping[str, str]], bool]) -> tuple[Node, ...]:
    """The agents that are there. ``is_ours``: of a task, by its id and its labels. One that is being drained has no room
    but what ours hold.
    """
    ours: defaultdict[str, list[Resources]] = defaultdict(list)
    for task in state.get_state.get_tasks.tasks:
        if is_ours(task.task_id.value, task.labelled):
            ours[task.agent_id.value].append(amounts(task.resources, role))
    listed = [each for each in state.get_state.get_agents.agents if each.active or each.deactivated]
    return tuple(_node(each, role, _sum(ours[each.agent_info.id.value])) for each in listed)


def _node(listed: Listed, role: str, ours: Mapping[str, float]) -> Node:
    info, total = listed.agent_info, amounts(listed.total_resources, role)
    used = amounts(listed.allocated_resources, role)
    others = {name: max(0.0, amount - ours.get(name, 0.0)) for name, amount in used.items()}
    free = {name: max(0.0, amount - others.get(name, 0.0)) for name, amount in total.items()}
    if listed.deactivated:
        free = {name: min(amount, ours.get(name, 0.0)) for name, amount in free.items()}
    return Node(info.id.value, Resources(free), attributes(info.id.value, info))


def _sum(several: list[Resources]) -> Mapping[str, float]:
    total: defaultdict[str, float] = defaultdict(float)
    for each in several:
        for name, amount in each.items():
            total[name] += amount
    return total
