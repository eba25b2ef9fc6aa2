"""A deployment as it is planned: what is to be done, step by step, to come from some apps to others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from marathon_clock import iso
from marathon_definition import Definition, Json

__all__ = ["Action", "Apps", "Plan", "planned"]

Apps = Mapping[str, Definition]


@dataclass(frozen=True, slots=True)
class Action:
    """``kind``: StartApplication, ScaleApplication, RestartApplication or StopApplication.

    ``named``: the ids of instances that are to go.
    """

    kind: str
    app: Definition
    named: frozenset[str] = frozenset()

    def shown(self) -> Json:
        return {"action": self.kind, "app": self.app.id}


@dataclass(frozen=True, slots=True)
class Plan:
    """``version``: seconds since the epoch."""

    id: str
    version: float
    original: Apps
    target: Apps
    steps: Sequence[Sequence[Action]]

    @property
    def affected(self) -> set[str]:
        return {action.app.id for step in self.steps for action in step}

    def shown(self, tell: Callable[[Apps], Json]) -> Json:
        """As events have it; ``tell`` gives the root group of such apps."""
        return {
            "id": self.id,
            "original": tell(self.original),
            "target": tell(self.target),
            "steps": [{"actions": [action.shown() for action in step]} for step in self.steps],
            "version": iso(self.version),
        }

    def listed(self, step: int) -> Json:
        """As ``/v2/deployments`` has it, ``step`` counted from 1."""
        current = [{**action.shown(), "readinessCheckResults": []} for action in self.steps[step - 1]]
        return {
            "id": self.id,
            "version": iso(self.version),
            "affectedApps": sorted(self.affected),
            "affectedPods": [],
            "steps": [{"actions": [action.shown() for action in each]} for each in self.steps],
            "currentActions": current,
            "currentStep": step,
            "totalSteps": len(self.steps),
        }


def planned(id_: str, version: float, original: Apps, target: Apps, named: Mapping[str, Collection[str]]) -> Plan:
    """First stop what is gone, then start what is new with no instance, then scale or restart it after what it needs."""
    stop = [Action("StopApplication", original[app]) for app in sorted(original.keys() - target.keys())]
    start = [Action("StartApplication", target[app]) for app in sorted(target.keys() - original.keys())]
    levels: dict[int, list[Action]] = {}
    for app in sorted(target):
        action = _change(original.get(app), target[app], frozenset(named.get(app, ())))
        if action is not None:
            levels.setdefault(_depth(app, target, frozenset()), []).append(action)
    steps = [stop, start, *(levels[depth] for depth in sorted(levels))]
    return Plan(id_, version, original, target, [step for step in steps if step])


def _change(before: Definition | None, after: Definition, named: frozenset[str]) -> Action | None:
    if before is None:
        return Action("ScaleApplication", after)
    if before.upgrades(after):
        return Action("RestartApplication", after)
    if before.instances != after.instances:
        return Action("ScaleApplication", after, named)
    return Action("RestartApplication", after) if before.configured != after.configured else None


def _depth(app: str, apps: Apps, seen: frozenset[str]) -> int:
    """How long the longest way is to what it depends on."""
    needed = [each for each in apps[app].spec.get("dependencies", []) if each in apps and each not in seen]
    return 1 + max((_depth(each, apps, seen | {app}) for each in needed), default=0)
