"""What a Mesos master says, as far as anything here looks at it. Unknown fields are ignored, as versions add some."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

__all__ = [
    "Agents",
    "Attribute",
    "Event",
    "InverseOffer",
    "Listed",
    "Offer",
    "Record",
    "Resource",
    "Status",
    "Told",
    "Value",
]

Resource = dict[str, Any]
"""One resource as Mesos tells it; what is taken of it is told back with all that is not understood here."""


class Value(Struct):
    value: str


class Text(Struct):
    value: str = ""


class Number(Struct):
    value: float = 0.0


class Attribute(Struct):
    """A text or a number; other kinds are not looked at."""

    name: str
    text: Text | None = None
    scalar: Number | None = None

    @property
    def value(self) -> str | None:
        if self.text is not None:
            return self.text.value
        return None if self.scalar is None else f"{self.scalar.value:g}"


class Named(Struct, frozen=True):
    name: str = ""


class FaultDomain(Struct, frozen=True):
    region: Named = Named()
    zone: Named = Named()


class Domain(Struct, frozen=True):
    """Where an agent is, if it says so."""

    fault_domain: FaultDomain = FaultDomain()

    @property
    def labels(self) -> dict[str, str]:
        """As constraints call it."""
        told = {"@region": self.fault_domain.region.name, "@zone": self.fault_domain.zone.name}
        return {name: value for name, value in told.items() if value}


class Subscribed(Struct):
    framework_id: Value


class Offer(Struct):
    """``unavailability``: set where the agent is to be taken down for maintenance."""

    id: Value
    agent_id: Value
    hostname: str
    resources: list[Resource] = []
    attributes: list[Attribute] = []
    domain: Domain = Domain()
    unavailability: dict[str, Any] | None = None


class Offers(Struct):
    offers: list[Offer] = []


class InverseOffer(Struct):
    id: Value
    agent_id: Value | None = None


class InverseOffers(Struct):
    inverse_offers: list[InverseOffer] = []


class Status(Struct):
    """``uuid``: it is to be acknowledged. ``timestamp``: seconds since the epoch."""

    task_id: Value
    state: str
    agent_id: Value | None = None
    reason: str = ""
    message: str = ""
    uuid: str | None = None
    timestamp: float = 0.0
    healthy: bool | None = None


class Update(Struct):
    status: Status


class Failure(Struct):
    agent_id: Value | None = None
    executor_id: Value | None = None


class Error(Struct):
    message: str = ""


class Event(Struct):
    """``type`` says which of the others there is."""

    type: str = "UNKNOWN"
    subscribed: Subscribed | None = None
    offers: Offers | None = None
    inverse_offers: InverseOffers | None = None
    update: Update | None = None
    failure: Failure | None = None
    error: Error | None = None


class AgentInfo(Struct):
    hostname: str
    id: Value
    attributes: list[Attribute] = []
    domain: Domain = Domain()


class Listed(Struct):
    """An agent that has registered. ``deactivated``: it is being drained."""

    agent_info: AgentInfo
    active: bool = True
    deactivated: bool = False
    total_resources: list[Resource] = []
    allocated_resources: list[Resource] = []


class GetAgents(Struct):
    agents: list[Listed] = []


class Agents(Struct):
    get_agents: GetAgents


class Moment(Struct):
    timestamp: float


class Record(Struct):
    """A task as the master keeps it. ``resources`` in Mesos's names, ports as text."""

    id: str
    resources: dict[str, Any] = {}
    statuses: list[Moment] = []


class Told(Struct):
    tasks: list[Record] = []
