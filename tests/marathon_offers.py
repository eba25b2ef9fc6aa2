"""What Mesos offers, and what of it a task gets: room on one agent, if its constraints allow that agent."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marathon_definition import Definition, Json

__all__ = ["FUNNEL", "Offer", "Placed", "reason"]

FUNNEL = (
    "UnfulfilledRole",
    "UnfulfilledConstraint",
    "NoCorrespondingReservationFound",
    "AgentMaintenance",
    "InsufficientCpus",
    "InsufficientMemory",
    "InsufficientDisk",
    "InsufficientGpus",
    "InsufficientPorts",
)
"""Why an offer is not used, in this order: only the first reason of an offer counts."""


@dataclass(slots=True)
class Offer:
    """``taken`` are the ports that tasks of this very offer have got; what they took of the rest is subtracted."""

    id: str
    agent_id: str
    host: str
    cpus: float
    mem: float
    disk: float = 0.0
    gpus: float = 0.0
    ports: Sequence[range] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    region: str | None = None
    zone: str | None = None
    taken: set[int] = field(default_factory=set)

    def value(self, name: str) -> str | None:
        """Of a constraint's field."""
        special = {"hostname": self.host, "@hostname": self.host, "@region": self.region, "@zone": self.zone}
        return special[name] if name in special else self.attributes.get(name)

    def take(self, spec: Mapping[str, Any], count: int) -> list[int]:
        """The ports of a task that has been seen to fit."""
        self.cpus -= spec["cpus"]
        self.mem -= spec["mem"]
        self.disk -= spec["disk"]
        self.gpus -= spec["gpus"]
        ports = self.free(spec, count)
        self.taken.update(ports)
        return ports

    def free(self, spec: Mapping[str, Any], count: int) -> list[int]:
        """That many ports, or fewer if there are not so many."""
        wanted = [each["port"] for each in spec.get("portDefinitions", [])] if spec["requirePorts"] else []
        every = (port for each in self.ports for port in each if port not in self.taken)
        if wanted:
            return [port for port in wanted if any(port in each for each in self.ports) and port not in self.taken]
        return [port for port, _ in zip(every, range(count), strict=False)]

    def shown(self) -> Json:
        """As the launch queue tells of it."""
        scalars = {"cpus": self.cpus, "mem": self.mem, "disk": self.disk, "gpus": self.gpus}
        resources: list[Json] = [
            {"name": name, "role": "*", "scalar": value} for name, value in scalars.items() if value
        ]
        ranges = [{"begin": each.start, "end": each.stop - 1} for each in self.ports]
        resources += [{"name": "ports", "role": "*", "ranges": ranges}] if ranges else []
        attributes = [{"name": name, "text": value} for name, value in self.attributes.items()]
        return {
            "id": self.id,
            "agentId": self.agent_id,
            "hostname": self.host,
            "resources": resources,
            "attributes": attributes,
        }


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a task of the app is: what constraints look at."""

    host: str
    attributes: Mapping[str, str]
    region: str | None
    zone: str | None

    def value(self, name: str) -> str | None:
        special = {"hostname": self.host, "@hostname": self.host, "@region": self.region, "@zone": self.zone}
        return special[name] if name in special else self.attributes.get(name)


def reason(offer: Offer, app: Definition, others: Sequence[Placed]) -> str | None:
    """The first reason why the app can't use the offer, of FUNNEL. ``others`` are its tasks that there are."""
    spec = app.spec
    if "*" not in spec["acceptedResourceRoles"]:
        return "UnfulfilledRole"
    if not all(_meets(offer, each, others) for each in spec.get("constraints", [])):
        return "UnfulfilledConstraint"
    short = {
        "InsufficientCpus": offer.cpus - spec["cpus"],
        "InsufficientMemory": offer.mem - spec["mem"],
        "InsufficientDisk": offer.disk - spec["disk"],
        "InsufficientGpus": offer.gpus - spec["gpus"],
        "InsufficientPorts": len(offer.free(spec, len(app.ports))) - len(app.ports),
    }
    return next((name for name, left in short.items() if left < -1e-9), None)


def _meets(offer: Offer, constraint: Sequence[str], others: Iterable[Placed]) -> bool:
    name, operator = constraint[0], constraint[1]
    value = constraint[2] if len(constraint) > 2 else ""
    here = offer.value(name)
    if here is None:
        return operator == "UNLIKE"
    counts = Counter(each.value(name) for each in others)
    if operator == "CLUSTER":
        return value in {"", here} and set(counts) <= {here}
    if operator == "GROUP_BY":
        return _even(counts, here, int(value or 0))
    matches = {
        "UNIQUE": lambda: counts[here] == 0,
        "MAX_PER": lambda: counts[here] < int(value),
        "LIKE": lambda: re.fullmatch(value, here) is not None,
        "UNLIKE": lambda: re.fullmatch(value, here) is None,
        "IS": lambda: here == value,
    }
    return matches[operator]()


def _even(counts: Counter[str | None], here: str, groups: int) -> bool:
    """A group that has none yet may always have one; else the smallest, once there are so many groups as asked for."""
    if here not in counts:
        return True
    return len(counts) >= groups and counts[here] == min(counts.values())
