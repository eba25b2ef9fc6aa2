"""One service through time: what is known of it, and what it desires. The part of a step that needs no other service."""

from __future__ import annotations

import math
from collections.abc import Sequence

from beaufort.backoff import Backoff
from beaufort.model import NO_COUNTS, Counts, Desired, Direction, Outcome, Pause, Sample, Service
from beaufort.protocols import Policy, View
from beaufort.settle import NEVER, Settler

__all__ = ["BOUNDLESS", "Workload"]

BOUNDLESS = 1 << 40
"""More containers than anything can hold: the maximum of a service that has none."""


class Workload:
    """A service with its policy, its samples, its settling, its failures, and what was last asked of the scheduler."""

    def __init__(self, service: Service, policy: Policy, *, at_rest: bool) -> None:
        self.service = service
        self.counts = NO_COUNTS
        self.asked: int | None = None
        self.no_room = False
        self.wake_at = -math.inf
        self.desired = Desired(service.name, service.min, "not looked at yet")
        self.backoff = Backoff()
        self._policy = policy
        self._settler = Settler(service)
        self._latest: Sample | None = None
        self._fresh: list[Sample] = []
        self._memory: object = None
        self._adopted = at_rest
        self._began = -math.inf if at_rest else math.nan
        self._accepted = False
        self._pause: Pause | None = None

    def succeed(self, before: Workload, now: float) -> None:
        """Take over what is known from the same service under an earlier configuration."""
        self._latest, self._began = before._latest, before._began
        self.counts, self.asked, self._accepted = before.counts, before.asked, before._accepted
        if type(self._policy) is type(before._policy):
            self._memory = before._memory
        if self.service == before.service:
            self._settler = before._settler
        elif before._settler.count is not None:
            self._settler.adopt(now, before._settler.count)
        if self.service.launch == before.service.launch:
            self.backoff = before.backoff
        self._adopted = before._adopted

    def see(self, now: float, counts: Counts) -> bool:
        """A new snapshot shows these counts. True if they, or what is known of what was asked, are not as before."""
        changed = counts != self.counts or self.no_room
        self.counts, self.no_room = counts, False
        self.backoff.see(now, counts)
        if self.asked is not None and self._accepted:
            self.asked, self._accepted, changed = None, False, True
        if not self._adopted:
            self._settler.adopt(now, counts.current)
            self._adopted = changed = True
        return changed

    def conclude(self, outcome: Outcome) -> None:
        """What was asked was accepted, or not. What may have been accepted is held until a newer snapshot tells."""
        if outcome.error == "Rejected":
            self.backoff.rejected = outcome.detail
        elif outcome.error == "NoRoom":
            self.no_room = True
        else:
            self._accepted = True
            return
        self.asked = None

    def feed(self, samples: Sequence[Sample]) -> None:
        """New samples, oldest first. One that is not newer than the newest is dropped."""
        for sample in samples:
            if self._latest is None or sample.at > self._latest.at:
                self._latest = sample
                self._fresh.append(sample)

    def desire(self, now: float, most: int, pause: Pause | None) -> None:
        """Form the desired count anew. ``most`` is what an empty pool could hold of it."""
        if math.isnan(self._began):
            self._began = now
        self._pause = pause if pause is not None and pause.holds(now) else None
        if self._policy.needs_demand and self._is_silent(now):
            self.desired = self._without_data(now)
        else:
            self.desired = self._with_data(now, most)
        wakes = [self._settler.wake_at, self.backoff.wake_at(now)]
        if self._pause is not None and self._pause.until is not None:
            wakes.append(self._pause.until)
        if self._policy.needs_demand:
            stale_at = self._stale_at
            wakes.append(stale_at if stale_at > now else NEVER)
        self.wake_at = min(wakes)

    def bounds(self, now: float) -> tuple[int, int]:
        """The most and the least that the service may be granted: the desired count and the minimum, unless held."""
        wanted, floor = self.desired.count, self.service.min
        current = self.counts.current
        limit = current if self.no_room else self.backoff.most(now, current)
        if limit is not None:
            wanted = min(wanted, limit)
        if self._pause is not None and self._pause.direction is not Direction.IN:
            wanted = min(wanted, current)
        if self._pause is not None and self._pause.direction is not Direction.OUT:
            wanted = floor = max(wanted, current)
        return wanted, floor

    def held_back(self, now: float) -> str | None:
        """Why the service may not have what it desires, apart from the pool."""
        if self._pause is not None:
            return f"paused ({self._pause.direction})"
        if self.no_room:
            return "the scheduler found no room"
        return self.backoff.reason(now) if self.backoff.most(now, self.counts.current) is not None else None

    @property
    def _stale_at(self) -> float:
        since = self._began if self._latest is None else self._latest.at
        return since + self.service.settling.stale_after

    def _is_silent(self, now: float) -> bool:
        return self._latest is None or now >= self._stale_at

    def _without_data(self, now: float) -> Desired:
        stale = now >= self._stale_at
        rule = "fallback" if stale and self.service.settling.fallback.count is not None else "holds"
        if self._latest is None:
            return self._settler.silent(now, self.counts, f"no data yet, {rule}", fallback=stale)
        age = now - self._latest.at
        return self._settler.silent(now, self.counts, f"no data for {age:.3g} s, {rule}", fallback=stale)

    def _with_data(self, now: float, most: int) -> Desired:
        view = View(now, self.service, self.counts, self._fresh, self._latest, self._settler.count, self._memory)
        wish = self._policy.desired(view)
        self._memory, self._fresh = wish.memory, []
        if wish.remainder:
            limit = BOUNDLESS if self.service.max is None else self.service.max
            count = max(self.service.min, min(limit, most))
            return Desired(self.service.name, count, wish.reason, remainder=True)
        demand = self._latest.value if self._policy.needs_demand and self._latest is not None else None
        return self._settler.settle(now, wish, self.counts, demand)
