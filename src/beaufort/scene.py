"""What there is to see of a running controller at one time, as plain data. How it looks is for others to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

from beaufort.controller import Controller
from beaufort.meter import Figures, Meter, Moment
from beaufort.model import NO_COUNTS, Counts, Desired, Event, Service

__all__ = ["Lane", "Scene", "look"]


@dataclass(frozen=True, slots=True)
class Lane:
    """One service at one time."""

    service: Service
    demand: float | None
    desired: Desired
    granted: int
    counts: Counts
    past: Sequence[Moment]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that there is: the lanes in their order, the events oldest first. All times are on one clock.

    ``hint`` is said at the lower edge.
    """

    title: str
    began: float
    now: float
    capacity: int
    lanes: Sequence[Lane]
    figures: Figures
    events: Sequence[Event]
    hint: str = ""


def look(controller: Controller, meter: Meter) -> Sequence[Lane]:
    """The services of a running controller, highest priority first."""
    decision, cluster = controller.decision, controller.cluster
    counts = {} if cluster is None else cluster.counts
    services = sorted(controller.services.values(), key=attrgetter("priority", "name"))
    return [
        Lane(
            service=service,
            demand=meter.demand(service.name),
            desired=decision.desired[service.name],
            granted=decision.grants[service.name].count if service.name in decision.grants else 0,
            counts=counts.get(service.name, NO_COUNTS),
            past=meter.past(service.name),
        )
        for service in services
        if service.name in decision.desired
    ]
