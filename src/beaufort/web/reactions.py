"""How long demand takes to become a call of the scheduler, and running containers. Told of every step; looks at nothing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection

from beaufort.journal import Step
from beaufort.model import NO_COUNTS, Cluster, Decision
from beaufort.web.answers import Reaction

__all__ = ["Reactions"]

NEWEST = 1000
"""Of how many reactions the percentiles are taken."""


class Reactions:
    """A reaction begins at the time of a sample that changed what its service is granted.

    It has led to a call when the scheduler is asked for a change in the same step, and to containers when as many run as
    are granted. A rise that is taken back before has no reaction.
    """

    def __init__(self) -> None:
        self._fresh: list[float] = []
        self._calls: deque[float] = deque(maxlen=NEWEST)
        self._runs: deque[float] = deque(maxlen=NEWEST)
        self._pending: dict[str, list[tuple[float, int]]] = {}

    def take(self, step: Step, decision: Decision, now: float) -> None:
        """A step was made, and acted on at ``now``."""
        cluster = step.given.cluster
        for name, samples in step.given.samples.items():
            if name not in step.granted:
                continue
            at, granted = samples[-1].at, step.granted[name]
            if step.actions:
                self._called(now - at)
            if cluster is not None and granted > cluster.counts.get(name, NO_COUNTS).running:
                self._pending.setdefault(name, []).append((at, granted))
        if cluster is not None and not step.same_cluster:
            self._see(cluster, decision, step.given.now)

    def _see(self, cluster: Cluster, decision: Decision, now: float) -> None:
        for name, pending in list(self._pending.items()):
            granted = decision.grants[name].count if name in decision.grants else 0
            running = cluster.counts.get(name, NO_COUNTS).running
            self._runs.extend(max(0.0, now - at) for at, target in pending if target <= min(running, granted))
            waiting = [(at, target) for at, target in pending if running < target <= granted]
            if waiting:
                self._pending[name] = waiting
            else:
                del self._pending[name]

    def _called(self, seconds: float) -> None:
        self._calls.append(max(0.0, seconds))
        if len(self._fresh) < NEWEST:
            self._fresh.append(max(0.0, seconds))

    def drain(self) -> list[float]:
        """The seconds until the call, of those that came since this was last asked."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def forget(self, services: Collection[str]) -> None:
        """Only these services are there from now on."""
        self._pending = {name: pending for name, pending in self._pending.items() if name in services}

    def answer(self) -> Reaction:
        calls, runs = sorted(self._calls), sorted(self._runs)
        return Reaction(
            action_p50=_percentile(calls, 50),
            action_p99=_percentile(calls, 99),
            running_latest=self._runs[-1] if self._runs else None,
            running_p50=_percentile(runs, 50),
            running_p99=_percentile(runs, 99),
        )


def _percentile(ranked: list[float], percent: int) -> float | None:
    return ranked[math.ceil(percent * len(ranked) / 100) - 1] if ranked else None
