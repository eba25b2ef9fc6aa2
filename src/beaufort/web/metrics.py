"""What Prometheus is told: figures of every service, of the pool, and of how Beaufort itself does."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from importlib.metadata import version

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from beaufort.journal import Step
from beaufort.model import Action, Decision, Event, Outcome
from beaufort.web.gauges import OTHERS, Gauges, Snapshot

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST

NAMED = 1000
"""Services that have series of their own, highest priority first. The others are one together."""

FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

# A second series for each counter, to say when it began, is what nobody asked for.
disable_created_metrics()  # type: ignore[no-untyped-call]

RESULTS = {None: "accepted", "Rejected": "rejected", "NoRoom": "no-room"}


class Metrics:
    """Counts what happens. What is so now is looked at when it is asked for."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry(auto_describe=True)
        self._gauges = Gauges(version("beaufort"))
        registry.register(self._gauges)
        ProcessCollector(registry=registry)
        self._deciding = _histogram(registry, "decision_seconds", "How long a decision took.", FAST)
        self._signal = _histogram(
            registry, "signal_to_action_seconds", "From a sample to the call of the scheduler that it caused.", FAST
        )
        self._calls = _histogram(
            registry, "scheduler_call_seconds", "From a call of the scheduler until it was accepted or refused.", SLOW
        )
        self._actions = _counter(registry, "actions", "Calls of the scheduler, by how they ended.", "result")
        self._preempted = _counter(registry, "preempted_containers", "Containers that gave way to others.", "service")
        self._sources = _counter(registry, "source_failures", "How often a demand source began to fail.", "service")
        self._events = _counter(registry, "events", "Events, by their kind.", "kind")
        self._requests = _counter(registry, "api_requests", "Requests to the API, by the status of the answer.", "code")
        self._asked: dict[str, float] = {}
        self._named: frozenset[str] = frozenset()

    def name(self, services: Iterable[str]) -> None:
        """These services are there from now on, the most important first."""
        named = frozenset(each for each, _ in zip(services, range(NAMED), strict=False))
        for gone in self._named - named:
            for counter in (self._preempted, self._sources):
                counter.remove_by_labels({"service": gone})
        self._named = named

    def take(self, step: Step, decision: Decision, deciding: float, signals: Iterable[float]) -> None:
        """A step was made, in so many seconds; ``signals``: seconds from samples to their calls."""
        self._deciding.observe(deciding)
        for seconds in signals:
            self._signal.observe(seconds)
        for outcome in step.given.outcomes:
            self._conclude(outcome)
        for action in step.actions:
            self._asked[action.service] = step.given.now
            if count := _preempted(action, decision):
                self._preempted.labels(self._label(action.service)).inc(count)

    def _conclude(self, outcome: Outcome) -> None:
        self._actions.labels(RESULTS.get(outcome.error, "failed")).inc()
        asked = self._asked.pop(outcome.service, None)
        if asked is not None:
            self._calls.observe(max(0.0, outcome.at - asked))

    def heard(self, event: Event) -> None:
        """Something happened."""
        self._events.labels(event.kind).inc()
        if event.kind == "source-failed" and event.service is not None:
            self._sources.labels(self._label(event.service)).inc()

    def answered(self, status: int) -> None:
        """A request was answered."""
        self._requests.labels(str(status)).inc()

    def _label(self, service: str) -> str:
        return service if service in self._named else OTHERS

    def text(self, snapshot: Snapshot) -> bytes:
        """All of it, in Prometheus' own format. May be called in any thread."""
        self._gauges.snapshot, self._gauges.named = snapshot, self._named
        return generate_latest(self.registry)


def _preempted(action: Action, decision: Decision) -> int:
    """How many containers the service loses though it would like to keep them."""
    desired = decision.desired.get(action.service)
    return 0 if desired is None else max(0, min(action.current, desired.count) - action.target)


def _counter(registry: CollectorRegistry, name: str, words: str, label: str) -> Counter:
    return Counter(f"beaufort_{name}", words, (label,), registry=registry)


def _histogram(registry: CollectorRegistry, name: str, words: str, buckets: Collection[float]) -> Histogram:
    return Histogram(f"beaufort_{name}", words, buckets=tuple(buckets), registry=registry)
