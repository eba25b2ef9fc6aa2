"""One service through time: what is known of it, and what it desires. The part of a step that needs no other service."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from beaufort.backoff import NO_ROOM, Backoff
from beaufort.model import (
    NO_STANDBY,
    Counts,
    Desired,
    Direction,
    Outcome,
    Pause,
    Sample,
    Service,
    Standby,
    Wish,
)
from beaufort.protocols import Policy, View
from beaufort.settle import BOUNDLESS, NEVER, Settler

__all__ = ["Workload"]

_STILL = {Direction.IN: "not made smaller", Direction.OUT: "not made larger", Direction.BOTH: "left as it is"}


class Workload:
    """A service with its policy, its samples, its settling, its failures, and what was last asked of the scheduler.

    ``wish`` is its policy's newest, if it has answered; ``desired`` is what it wants; ``most`` and ``least`` are the bounds of what it may be granted; ``ready`` is what is to
    be held ready. ``wake_at`` is when any of them would change with nothing new. ``asked`` is the count that was asked
    for and is not seen yet; ``prepared`` the standby that was asked for last, or None where that may not be done. With
    ``is_outdated`` what is ready may be of an earlier configuration.
    """

    __slots__ = (
        "_accepted",
        "_adopted",
        "_began",
        "_fresh",
        "_latest",
        "_memory",
        "_moves",
        "_pause",
        "_policy",
        "_settler",
        "asked",
        "backoff",
        "counts",
        "desired",
        "is_outdated",
        "least",
        "most",
        "prepared",
        "ready",
        "service",
        "wake_at",
        "wish",
    )

    def __init__(self, service: Service, policy: Policy, *, at_rest: bool = False) -> None:
        self.service = service
        self.counts = Counts()
        self.asked: int | None = None
        self.wake_at = -math.inf
        self.desired = Desired(service.name, service.min, "not looked at yet")
        self.most = self.least = 0
        self.ready = NO_STANDBY
        self.prepared: Standby | None = None
        self.is_outdated = False
        self.wish: Wish | None = None
        self.backoff = Backoff()
        self._policy = policy
        self._settler = Settler(service)
        self._latest: Sample | None = None
        self._fresh: list[Sample] = []
        self._memory: object = None
        self._adopted = at_rest
        self._began: float | None = -math.inf if at_rest else None
        self._accepted = False
        self._moves = False
        self._pause: Pause | None = None

    @property
    def latest(self) -> Sample | None:
        """The newest sample ever seen."""
        return self._latest

    def succeed(self, before: Workload, now: float) -> None:
        """Take over what is known from the same service under an earlier configuration."""
        self._latest, self._began, self._adopted = before._latest, before._began, before._adopted
        self.counts, self.asked, self._accepted = before.counts, before.asked, before._accepted
        self.desired, self._moves = before.desired, before._moves
        self.prepared = before.prepared
        same = (self.service.launch, self.service.resources) == (before.service.launch, before.service.resources)
        self.is_outdated = before.is_outdated or not same
        if type(self._policy) is type(before._policy):
            self._memory = before._memory
        if self.service == before.service:
            self._settler = before._settler
        elif before._settler.count is not None:
            self._settler.adopt(now, before._settler.count)
        if same:
            self.backoff = before.backoff

    def see(self, now: float, counts: Counts) -> bool:
        """A new snapshot shows these counts. True if they, or what is known of what was asked, are not as before."""
        changed = counts is not self.counts and counts != self.counts
        self.counts = counts
        self.backoff.see(now, counts)
        if self._accepted:
            self.asked, self._accepted, changed = None, False, True
        if not self._adopted:
            self._settler.adopt(now, counts.current)
            self._adopted = changed = True
        return changed

    def ask(self, count: int, standby: Standby) -> None:
        """So many are asked for, with so much ready beyond them."""
        self._moves = count != self.counts.current
        self.is_outdated = False
        self.asked, self.prepared = count, standby

    @property
    def useful(self) -> int:
        """How many paused containers there are to start from: not what is of an earlier configuration, or going."""
        if self.is_outdated:
            return 0
        kept = self.counts.standby.kept
        return kept if self.prepared is None else min(kept, self.prepared.kept)

    @property
    def warming(self) -> int:
        """How many run only to be standby in a moment, or will as soon as what was asked for is done."""
        if self.asked is None or self.prepared is None:
            return self.counts.warming
        return max(self.counts.warming, self.prepared.kept - self.counts.standby.kept)

    def conclude(self, outcome: Outcome) -> None:
        """What was asked was accepted, or not. What may have been done of it is held until a newer snapshot tells."""
        self._accepted = self.asked is not None
        if outcome.error not in {None, "NoRoom", "Rejected"}:
            self.prepared = None
        if outcome.error == "Rejected":
            self.backoff.reject(outcome.detail)
        elif outcome.error is None:
            if self._moves:
                self.backoff.accept()
        else:
            no_room = outcome.error == "NoRoom"
            self.backoff.refuse(outcome.at, NO_ROOM if no_room else f"the scheduler failed: {outcome.detail}")

    def feed(self, now: float, samples: Sequence[Sample]) -> None:
        """New samples, oldest first. One older than the newest is dropped; one from the future is taken for one of now."""
        for sample in samples:
            if self._latest is None or sample.at >= self._latest.at:
                self._latest = sample if sample.at <= now else replace(sample, at=now)
                self._fresh.append(self._latest)

    def desire(self, now: float, holds: int, pause: Pause | None) -> None:
        """Form the desired count anew. ``holds`` is how many an empty pool could hold."""
        if self._began is None:
            self._began = now
        self._pause = pause if pause is not None and pause.holds(now) else None
        stale_at = NEVER
        if self._policy.needs_demand:
            stale_at = (self._began if self._latest is None else self._latest.at) + self.service.settling.stale_after
        if now >= stale_at or (self._latest is None and self._policy.needs_demand):
            self.desired = self._without_data(now, stale_at)
        else:
            self.desired = self._ask(now, holds)
        self._fresh = []
        self._bound(now)
        self.wake_at = self._settler.wake_at
        if not self.backoff.is_calm:
            self.wake_at = min(self.wake_at, self.backoff.wake_at(now))
        if now < stale_at < self.wake_at:
            self.wake_at = stale_at
        if self._pause is not None and self._pause.until is not None:
            self.wake_at = min(self.wake_at, self._pause.until)

    def held_back(self, now: float) -> str | None:
        """Why the service may not have what it desires, apart from the pool."""
        if self._pause is not None:
            return f"paused: {_STILL[self._pause.direction]}"
        return self.backoff.reason(now) if self.backoff.most(now, self.counts) is not None else None

    def _bound(self, now: float) -> None:
        most, least = self.desired.count, self.service.min
        limit = None if self.backoff.is_calm else self.backoff.most(now, self.counts)
        if limit is not None:
            most = min(most, limit)
        if self._pause is not None:
            current = self.counts.current
            if self._pause.direction is not Direction.IN:
                most = min(most, current)
            if self._pause.direction is not Direction.OUT:
                most, least = max(most, current), max(least, current)
        self.most, self.least = min(most, BOUNDLESS), min(least, most, BOUNDLESS)
        still = self._pause is not None and self._pause.direction is not Direction.IN
        self.ready = self.counts.standby if still else self.service.standby
        if limit is not None:
            self.ready = _at_most(self.ready, self.counts.standby)

    def _without_data(self, now: float, stale_at: float) -> Desired:
        if now < stale_at:
            return self._settler.hold(now, self.counts, "no data yet, as before")
        settling = self.service.settling
        rule = "the fallback" if settling.fallback.count is not None else "as before"
        return self._settler.fall_back(now, self.counts, f"no data for {settling.stale_after:g} s or more, {rule}")

    def _ask(self, now: float, holds: int) -> Desired:
        """Ask the policy. One that fails is no reason to stop the others: its service keeps what it has."""
        view = View(now, self.service, self.counts, self._fresh, self._latest, self._settler.count, self._memory)
        try:
            wish = _checked(self._policy.desired(view))
        except Exception as error:  # noqa: BLE001 - a policy may be anybody's
            name = type(self._policy).__name__
            reason = f"its policy {name} failed ({type(error).__name__}: {error}), as before"
            return self._settler.hold(now, self.counts, reason)
        self._memory, self.wish = wish.memory, wish
        if wish.remainder:
            return self._take_the_rest(wish, holds)
        demand = self._latest.value if self._policy.needs_demand and self._latest is not None else None
        return self._settler.settle(now, wish, self.counts, demand)

    def _take_the_rest(self, wish: Wish, holds: int) -> Desired:
        self._settler.reset()
        service = self.service
        if holds >= BOUNDLESS and service.max is None:
            reason = f"{wish.reason}, which nobody knows: neither the pool nor max limits it"
            return Desired(service.name, service.min, reason, remainder=True)
        return Desired(service.name, service.clamp(holds), wish.reason, remainder=True)


def _at_most(wanted: Standby, there: Standby) -> Standby:
    """What is wanted, as far as it is there already: a paused one will do for a frozen one."""
    kept = min(wanted.kept, there.kept)
    frozen = min(wanted.frozen, kept)
    return Standby(min(wanted.created, there.created), kept - frozen, frozen)


def _checked(wish: Wish) -> Wish:
    if not (wish.remainder or math.isfinite(wish.count)):
        raise ValueError(f"expected a finite count, got {wish.count!r}")
    return wish
