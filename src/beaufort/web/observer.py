"""What there is to see of a running controller, in the shapes that the API answers. It only looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from itertools import islice
from operator import attrgetter

from beaufort import clock
from beaufort.controller import Controller, Setup
from beaufort.model import NO_COUNTS, Counts, Node, Resources, Sample, Service
from beaufort.web.answers import (
    NodeState,
    Paused,
    Reading,
    ServiceDetail,
    ServiceState,
    Stale,
    Status,
    Waiting,
)
from beaufort.web.chronicle import Chronicle
from beaufort.web.overrides import Overrides

__all__ = ["Observer"]

MOST_WAITING = 20
"""How many waiting services the status names."""

SLOT: Mapping[str, float] = {"containers": 1.0}

ANYWHERE = Node("pool", Resources())
"""Where the containers are when nobody tells of nodes."""


class Observer:
    """Looks at one controller, with its near past and the limits that were changed by hand."""

    def __init__(self, controller: Controller, chronicle: Chronicle, overrides: Overrides) -> None:
        self.controller = controller
        self.chronicle = chronicle
        self._overrides = overrides
        self.started_at = clock.now()
        self._version = version("beaufort")
        self._known: Setup | None = None
        self._ordered: Sequence[Service] = ()
        self._sizes: dict[str, Mapping[str, float]] = {}

    @property
    def counts(self) -> Mapping[str, Counts]:
        cluster = self.controller.cluster
        return {} if cluster is None else cluster.counts

    def services(self) -> Sequence[Service]:
        """Highest priority first."""
        self._know()
        return self._ordered

    def _know(self) -> None:
        """Take in the configuration, if it is another one than before."""
        if self._known is not self.controller.setup:
            self._known = self.controller.setup
            self._ordered = sorted(self.controller.services.values(), key=attrgetter("priority", "name"))
            self._sizes = {each.name: dict(each.size.items()) for each in self._ordered}

    def state(self, service: Service, now: float) -> ServiceState:
        """One service now."""
        name, decision = service.name, self.controller.decision
        desired, grant = decision.desired.get(name), decision.grants.get(name)
        counts = self.counts.get(name, NO_COUNTS)
        pause, sample = self.controller.pauses.get(name), self.chronicle.newest(name)
        reason = grant.reason if grant else self._reason(name)
        return ServiceState(
            name=name,
            priority=service.priority,
            min=service.min,
            max=service.max,
            weight=service.weight,
            group=service.group,
            demand=None if sample is None else reading(sample, now),
            desired=desired.count if desired else 0,
            remainder=desired.remainder if desired else False,
            granted=grant.count if grant else 0,
            running=counts.running,
            starting=counts.starting,
            stopping=counts.stopping,
            warming=counts.warming,
            standby=counts.standby.total,
            shortfall=decision.shortfall.get(name, 0),
            failed=counts.failed,
            failure=counts.failure,
            on=dict(counts.on),
            start_seconds=dict(counts.start_seconds),
            paused=None if pause is None else Paused(direction=pause.direction.value, until=pause.until),
            overrides=dict(self._overrides.changes.get(name, {})),
            reason=reason,
        )

    def detail(self, name: str) -> ServiceDetail:
        """Raises BeaufortError for a service that is not there."""
        now, standing = clock.now(), self.controller.standing(name)
        samples = [reading(sample, now) for sample in reversed(self.chronicle.samples.get(name, ()))]
        reasons = [standing.wish.reason] if standing.wish else []
        reasons += [standing.desired.reason]
        state = self.state(self.controller.services[name], now)
        return ServiceDetail(at=now, service=state, samples=samples, reasons=[*dict.fromkeys([*reasons, state.reason])])

    def nodes(self) -> list[NodeState]:
        """Every machine; or one node that stands for all, where the capacity is a total."""
        known = self._nodes()
        held, amounts = self._held(known)
        return [
            NodeState(
                name=node.name,
                capacity=dict(node.capacity.items()),
                held=amounts[node.name],
                containers=held[node.name],
                labels=dict(node.labels),
            )
            for node in known
        ]

    def _nodes(self) -> Sequence[Node]:
        cluster = self.controller.cluster
        told = cluster.nodes if cluster is not None else ()
        return self.controller.setup.scope.capacity or told or (ANYWHERE,)

    def _held(self, nodes: Sequence[Node]) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
        """By node: how many containers of each service it holds, and what they take of it."""
        held: dict[str, dict[str, int]] = {node.name: {} for node in nodes}
        amounts: dict[str, dict[str, float]] = {node.name: {} for node in nodes}
        for name, counts in self.counts.items():
            size = self._size(name)
            for node, count in self._where(nodes, counts):
                held[node][name] = count
                for resource, amount in size.items():
                    amounts[node][resource] = amounts[node].get(resource, 0.0) + amount * count
        return held, amounts

    def _size(self, name: str) -> Mapping[str, float]:
        """What one container takes. Of a service that has left the configuration only the slot is known."""
        self._know()
        return self._sizes.get(name, SLOT)

    @staticmethod
    def _where(nodes: Sequence[Node], counts: Counts) -> Iterator[tuple[str, int]]:
        if len(nodes) == 1 and counts.held:
            yield nodes[0].name, counts.held
        elif len(nodes) > 1:
            names = {node.name for node in nodes}
            yield from ((node, count) for node, count in counts.on.items() if node in names and count)

    def status(self, newest_event: str) -> Status:
        controller, now = self.controller, clock.now()
        nodes = self._nodes()
        capacity: dict[str, float] = {}
        for node in nodes:
            for resource, amount in node.capacity.items():
                capacity[resource] = capacity.get(resource, 0.0) + amount
        return Status(
            at=now,
            version=self._version,
            deployment=str(controller.setup.document.get("deployment", "default")),
            started_at=self.started_at,
            dry_run=controller.dry_run,
            leader=True,
            sighted=controller.cluster is not None,
            services=len(controller.services),
            nodes=len(nodes),
            containers=sum(counts.held for counts in self.counts.values()),
            capacity=capacity,
            held=self.held(),
            shortfall=sum(controller.decision.shortfall.values()),
            decisions=self.chronicle.steps,
            decision_seconds=controller.deciding,
            reaction=self.chronicle.reactions.answer(),
            waiting=list(islice(self._waiting(), MOST_WAITING)),
            newest_event=newest_event,
        )

    def stale(self) -> list[Stale]:
        """The services that need demand and have no fresh one, highest priority first."""
        scope, now = self.controller.setup.scope, clock.now()
        return [
            Stale(service=service.name, age=age, reason=self._reason(service.name))
            for service in self.services()
            if scope.policies[service.name].needs_demand
            and ((age := self._age(service.name, now)) is None or age >= service.settling.stale_after)
        ]

    def _age(self, service: str, now: float) -> float | None:
        newest = self.chronicle.newest(service)
        return None if newest is None else now - newest.at

    def _reason(self, service: str) -> str:
        desired = self.controller.decision.desired.get(service)
        return desired.reason if desired else "not decided yet"

    def held(self) -> dict[str, float]:
        """What all containers take together, by resource."""
        held: dict[str, float] = {"containers": 0.0}
        for name, counts in self.counts.items():
            for resource, amount in self._size(name).items() if counts.held else ():
                held[resource] = held.get(resource, 0.0) + amount * counts.held
        return held

    def _waiting(self) -> Iterator[Waiting]:
        decision = self.controller.decision
        for service in self.services():
            grant, desired = decision.grants.get(service.name), decision.desired.get(service.name)
            if grant is None or desired is None:
                continue
            wanted = grant.count if desired.remainder else max(grant.count, desired.count)
            missing = wanted - self.counts.get(service.name, NO_COUNTS).running
            if missing > 0:
                yield Waiting(service=service.name, missing=missing, reason=grant.reason)


def reading(sample: Sample, now: float) -> Reading:
    return Reading(value=sample.value, at=sample.at, age=max(0.0, now - sample.at))
