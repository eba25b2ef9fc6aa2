"""The metrics that say how things are now. They are made from a snapshot, so that any thread may write them down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from beaufort.model import NO_COUNTS, Counts, Decision, Sample

__all__ = ["OTHERS", "Gauges", "Snapshot"]

OTHERS = "(others)"
"""The label of the services that have no series of their own. No service can have this name."""

WORDS = {
    "desired": "How many containers the policy would like.",
    "granted": "How many containers the pool allows.",
    "running": "How many containers run.",
    "starting": "How many containers start.",
    "stopping": "How many containers stop.",
    "warming": "How many containers run only to be standby in a moment.",
    "standby": "How many containers stand by.",
    "shortfall": "How many containers the pool cannot hold.",
    "paused": "Whether somebody has paused it.",
    "demand": "The newest demand that was measured.",
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a controller knew at one time. None of it changes afterwards."""

    at: float
    services: tuple[str, ...]
    decision: Decision
    counts: Mapping[str, Counts]
    newest: Mapping[str, Sample]
    paused: frozenset[str]
    sighted: bool
    capacity: Mapping[str, float]
    held: Mapping[str, float]
    readers: int
    dropped: int


class Gauges(Collector):
    """``named``: the services that have series of their own."""

    def __init__(self, version: str) -> None:
        self.snapshot: Snapshot | None = None
        self.named: frozenset[str] = frozenset()
        self._version = version

    def describe(self) -> Iterator[GaugeMetricFamily]:
        return iter(())

    def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily | InfoMetricFamily]:
        snapshot = self.snapshot
        if snapshot is None:
            return
        yield InfoMetricFamily("beaufort_build", "What runs.", {"version": self._version})
        yield _gauge("beaufort_leader", "Whether this controller may act.", 1)
        yield _gauge("beaufort_scheduler_reachable", "Whether the scheduler can be read.", snapshot.sighted)
        yield _gauge("beaufort_services", "How many services there are.", len(snapshot.services))
        yield _by("resource", "beaufort_capacity", "What there is to divide.", snapshot.capacity)
        yield _by("resource", "beaufort_held", "What containers hold of it.", snapshot.held)
        yield _gauge("beaufort_event_readers", "Who follows the events now.", snapshot.readers)
        yield CounterMetricFamily("beaufort_event_readers_dropped", "Readers that were too slow.", snapshot.dropped)
        for name, words in WORDS.items():
            yield _by("service", f"beaufort_service_{name}", words, self._values(snapshot, name))
        words = "Seconds since the newest demand was measured."
        ages = {name: snapshot.at - sample.at for name, sample in snapshot.newest.items() if name in self.named}
        yield _by("service", "beaufort_service_demand_age_seconds", words, ages)

    def _values(self, snapshot: Snapshot, name: str) -> Mapping[str, float]:
        values: defaultdict[str, float] = defaultdict(float)
        for service in snapshot.services:
            value = _value(snapshot, name, service)
            if value is not None:
                values[service if service in self.named else OTHERS] += value
        return values


def _value(snapshot: Snapshot, name: str, service: str) -> float | None:
    read = DECIDED.get(name)
    if read is not None:
        return read(snapshot, service)
    counts = snapshot.counts.get(service, NO_COUNTS)
    count: int = counts.standby.total if name == "standby" else getattr(counts, name)
    return count


def _desired(snapshot: Snapshot, service: str) -> float | None:
    desired = snapshot.decision.desired.get(service)
    return None if desired is None else desired.count


def _granted(snapshot: Snapshot, service: str) -> float | None:
    grant = snapshot.decision.grants.get(service)
    return None if grant is None else grant.count


def _demand(snapshot: Snapshot, service: str) -> float | None:
    newest = snapshot.newest.get(service)
    return None if newest is None else newest.value


DECIDED: Mapping[str, Callable[[Snapshot, str], float | None]] = {
    "desired": _desired,
    "granted": _granted,
    "shortfall": lambda snapshot, service: snapshot.decision.shortfall.get(service, 0),
    "paused": lambda snapshot, service: service in snapshot.paused,
    "demand": _demand,
}
"""What is not counted in containers that exist."""


def _gauge(name: str, words: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, words, float(value))


def _by(label: str, name: str, words: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
