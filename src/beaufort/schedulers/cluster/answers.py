"""What a Swarm manager answers, as far as anything here looks at it. Unknown fields are ignored, as versions add some."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

__all__ = [
    "Created",
    "Kinds",
    "Node",
    "Service",
    "Task",
    "Update",
    "Version",
]


GRACE = 10.0
"""Seconds that Swarm gives a container to stop that says nothing of it."""


class Version(Struct, rename="pascal"):
    index: int = 0


class Created(Struct, rename="pascal"):
    id: str = msgspec.field(name="ID")


class Update(Struct, rename="pascal"):
    state: str = ""
    message: str = ""


class Service(Struct, rename="pascal"):
    """``spec`` is as it was sent, so that all of it can be sent back."""

    id: str = msgspec.field(name="ID")
    spec: dict[str, Any]
    version: Version = msgspec.field(default_factory=Version)
    created_at: str = ""
    update_status: Update | None = None

    @property
    def name(self) -> str:
        return str(self.spec.get("Name", ""))

    @property
    def labels(self) -> dict[str, str]:
        return self.spec.get("Labels") or {}

    @property
    def replicas(self) -> int | None:
        """None where the number of tasks is not anybody's to say: it is global, or a job."""
        replicated = (self.spec.get("Mode") or {}).get("Replicated")
        return None if replicated is None else int(replicated.get("Replicas") or 0)


class Discrete(Struct, rename="pascal"):
    kind: str = ""
    value: int = 0


class Named(Struct, rename="pascal"):
    kind: str = ""


class Generic(Struct, rename="pascal"):
    discrete: Discrete | None = msgspec.field(default=None, name="DiscreteResourceSpec")
    named: Named | None = msgspec.field(default=None, name="NamedResourceSpec")


class Kinds(Struct, rename="pascal"):
    """Amounts of resources. Memory in bytes."""

    nano_cpus: int = msgspec.field(default=0, name="NanoCPUs")
    memory_bytes: int = 0
    generic_resources: list[Generic] | None = None

    @property
    def amounts(self) -> dict[str, float]:
        """By our names for them: ``cpu`` in cores, ``memory``, and others by their kind."""
        amounts: dict[str, float] = {"cpu": self.nano_cpus / 1e9, "memory": self.memory_bytes}
        for each in self.generic_resources or ():
            if each.discrete is not None:
                amounts[each.discrete.kind] = amounts.get(each.discrete.kind, 0) + each.discrete.value
            elif each.named is not None:
                amounts[each.named.kind] = amounts.get(each.named.kind, 0) + 1
        return amounts


class Platform(Struct, rename="pascal"):
    architecture: str = ""
    os: str = msgspec.field(default="", name="OS")


class EngineDescription(Struct, rename="pascal"):
    labels: dict[str, str] | None = None


class Description(Struct, rename="pascal"):
    hostname: str = ""
    platform: Platform = msgspec.field(default_factory=Platform)
    resources: Kinds = msgspec.field(default_factory=Kinds)
    engine: EngineDescription = msgspec.field(default_factory=EngineDescription)


class NodeSpec(Struct, rename="pascal"):
    availability: str = "active"
    role: str = "worker"
    labels: dict[str, str] | None = None


class NodeStatus(Struct, rename="pascal"):
    state: str = "unknown"
    addr: str = ""


class Node(Struct, rename="pascal"):
    """``status.state`` is "unknown" for some seconds after the managers have got another leader."""

    id: str = msgspec.field(name="ID")
    spec: NodeSpec = msgspec.field(default_factory=NodeSpec)
    description: Description = msgspec.field(default_factory=Description)
    status: NodeStatus = msgspec.field(default_factory=NodeStatus)


class Requirements(Struct, rename="pascal"):
    reservations: Kinds | None = None


class ContainerSpec(Struct, rename="pascal"):
    """``stop_grace_period`` in nanoseconds."""

    labels: dict[str, str] | None = None
    stop_grace_period: int | None = None


class ContainerStatus(Struct, rename="pascal"):
    exit_code: int = 0


class RestartPolicy(Struct, rename="pascal"):
    """``delay`` in nanoseconds."""

    condition: str = "any"
    delay: int | None = None


class TaskSpec(Struct, rename="pascal"):
    container_spec: ContainerSpec | None = None
    resources: Requirements | None = None
    restart_policy: RestartPolicy | None = None


class TaskStatus(Struct, rename="pascal"):
    """``err``: why it has failed, or why it is still pending."""

    state: str = "new"
    err: str = ""
    container_status: ContainerStatus | None = None


class Task(Struct, rename="pascal"):
    """One container, before, while and after it is one. Of one that has been replaced, its successor has the ``slot``."""

    id: str = msgspec.field(name="ID")
    created_at: datetime
    service_id: str = msgspec.field(default="", name="ServiceID")
    node_id: str = msgspec.field(default="", name="NodeID")
    slot: int = 0
    spec: TaskSpec = msgspec.field(default_factory=TaskSpec)
    status: TaskStatus = msgspec.field(default_factory=TaskStatus)
    desired_state: str = "running"

    @property
    def labels(self) -> dict[str, str]:
        return (self.spec.container_spec and self.spec.container_spec.labels) or {}

    @property
    def is_ending(self) -> bool:
        """It has been asked to end."""
        return self.desired_state in {"shutdown", "remove"}

    @property
    def grace(self) -> float:
        """Seconds that it is given to stop."""
        period = self.spec.container_spec.stop_grace_period if self.spec.container_spec else None
        return GRACE if period is None else period / 1e9

    @property
    def is_final(self) -> bool:
        """Swarm does not replace it when it has ended by itself."""
        return self.spec.restart_policy is not None and self.spec.restart_policy.condition == "none"

    @property
    def delay(self) -> float:
        """Seconds between the end of the one before in its slot and the start of this one."""
        policy = self.spec.restart_policy
        return (policy.delay or 0) / 1e9 if policy else 0.0

    @property
    def reserved(self) -> dict[str, float]:
        kinds = self.spec.resources and self.spec.resources.reservations
        return kinds.amounts if kinds else {}
