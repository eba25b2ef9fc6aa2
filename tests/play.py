"""A Scaler, step by step, in a time and a cluster that the test moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beaufort.model import (
    Cluster,
    Counts,
    Decision,
    Node,
    Outcome,
    Pause,
    Reach,
    Resources,
    Sample,
    Service,
    Settling,
    Standby,
)
from beaufort.policies.per_container import PerContainer
from beaufort.protocols import Policy
from beaufort.scaler import Scaler, Scope

__all__ = ["HIGH", "LOW", "PER_ONE", "SWIFT", "Play", "running", "scope", "slots"]

SWIFT = Settling(tolerance_down=0.0, window_down=0.0, idle=0.0, stale_after=1000.0, ramp=0.0)
HIGH = Service("high", 1, settling=SWIFT)
LOW = Service("low", 2, settling=SWIFT)
PER_ONE = {"high": PerContainer(target=1.0), "low": PerContainer(target=1.0)}


def slots(count: int) -> tuple[Node, ...]:
    return (Node("pool", Resources(containers=count)),)


def scope(
    *services: Service,
    policies: Mapping[str, Policy] = PER_ONE,
    capacity: tuple[Node, ...] = slots(10),
    quotas: Mapping[str, Resources] | None = None,
) -> Scope:
    return Scope(services or (HIGH, LOW), policies, capacity, quotas or {})


class Play:
    """A Scaler, and a time and a cluster that the test moves. ``counts`` given to `see` change; the others stay."""

    def __init__(self, what: Scope | None = None, **counts: Counts) -> None:
        self.scaler = Scaler(what or scope())
        self.now = 1000.0
        self.counts: dict[str, Counts] = dict(counts)
        self.nodes: tuple[Node, ...] = ()
        self.reach: Mapping[str, Reach] = {}
        self.cluster: Cluster | None = Cluster(self.now, dict(counts))
        self.decision = Decision(0.0, {}, {}, (), {})

    def step(
        self,
        demand: Mapping[str, float] | None = None,
        outcomes: Sequence[Outcome] = (),
        pauses: Mapping[str, Pause] | None = None,
    ) -> dict[str, tuple[int, int]]:
        """What is to be done: service -> (from, to)."""
        samples = {name: [Sample(self.now, value)] for name, value in (demand or {}).items()}
        self.decision = self.scaler.step(self.now, self.cluster, samples, outcomes, pauses or {})
        return {action.service: (action.current, action.target) for action in self.decision.actions}

    def see(self, *, after: float = 0.1, accepted: Sequence[str] = (), **counts: Counts) -> dict[str, tuple[int, int]]:
        """A step with a new snapshot, and what was accepted before it."""
        self.now += after
        self.counts |= counts
        self.cluster = Cluster(self.now, dict(self.counts), self.nodes, self.reach)
        return self.step(outcomes=[self.outcome(name) for name in accepted])

    def outcome(self, name: str, error: str | None = None, detail: str = "") -> Outcome:
        return Outcome(self.now, name, 0, error, detail)

    def ready(self) -> dict[str, Standby]:
        """What is to be held ready, of the services of which anything is asked."""
        return {action.service: action.standby for action in self.decision.actions}

    def granted(self, name: str) -> str:
        return self.decision.grants[name].reason

    def why(self, name: str) -> str:
        return next(action.reason for action in self.decision.actions if action.service == name)


def running(count: int, stopping: int = 0, failed: int = 0) -> Counts:
    return Counts(running=count, stopping=stopping, failed=failed)
