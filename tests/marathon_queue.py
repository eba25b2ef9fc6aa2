"""The launch queue: what waits for an offer, how long an app that fails is held back, how much may be launched at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from marathon_backend import Backend
from marathon_clock import Clock, iso
from marathon_definition import Definition, Json
from marathon_instances import Instance, Instances
from marathon_offers import FUNNEL, Offer, reason
from marathon_settings import Settings

__all__ = ["LaunchQueue"]

Key = tuple[str, float]
"""An app and when its configuration changed last: what was wrong with another configuration counts no more."""


@dataclass(slots=True)
class Delay:
    """``until``: seconds since the epoch."""

    seconds: float
    until: float


@dataclass(slots=True)
class Attempt:
    """What was looked at for an app since it waits. ``last``: agent -> the offer, why it was no use, and when."""

    since: float
    processed: int = 0
    unused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    last: dict[str, tuple[Json, str, float]] = field(default_factory=dict)
    used: float | None = None


class LaunchQueue:
    """``started`` is told of each instance that gets a place."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        instances: Instances,
        backend: Backend,
        started: Callable[[Instance], None],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._instances = instances
        self._backend = backend
        self._started = started
        self._delays: dict[Key, Delay] = {}
        self._attempts: dict[str, Attempt] = {}
        self._tokens = settings.launch_tokens
        self._refreshing = False
        self._wanted: set[str] = set()
        self._revived = -settings.min_revive
        self._reviving = False
        self._open = True

    def lead(self, leading: bool) -> None:
        """Without a leader, no offer is taken. A new one asks for offers anew."""
        self._open = leading
        self._wanted = set()

    # What waits.

    def waiting(self) -> dict[str, list[Instance]]:
        found: dict[str, list[Instance]] = {}
        for each in self._instances:
            if each.condition == "Scheduled":
                found.setdefault(each.app.id, []).append(each)
        return found

    def turn(self) -> None:
        """Looks whether there is something new to launch, and asks for offers if there is."""
        waiting = self.waiting()
        self._attempts = {app: self._attempts.get(app) or Attempt(self._clock.now) for app in waiting}
        wanted = {each.id for app in waiting.values() for each in app if self.left(each.app) <= 0}
        if wanted - self._wanted and self._tokens > 0:
            self._revive()
        self._wanted = wanted

    def _revive(self) -> None:
        if self._reviving or not self._open:
            return
        self._reviving = True
        self._clock.later(self._revived + self._settings.min_revive - self._clock.now, self._revive_now)

    def _revive_now(self) -> None:
        self._reviving = False
        self._revived = self._clock.now
        self._backend.revive()

    # Offers.

    def offered(self, offers: Sequence[Offer]) -> None:
        for offer in offers:
            placed = self._matched(offer) if self._open else []
            if placed:
                self._backend.accept(offer, placed)
                for each in placed:
                    self._started(each)
            else:
                self._backend.decline(offer, self._settings.decline)

    def _matched(self, offer: Offer) -> list[Instance]:
        """One instance of an app after the other gets its part, until the offer is used up or enough were placed."""
        placed: list[Instance] = []
        ready = {app: each for app, each in self.waiting().items() if self.left(each[0].app) <= 0}
        while ready and self._tokens > 0 and len(placed) < self._settings.per_offer:
            for app, instances in list(ready.items()):
                if self._tokens <= 0 or len(placed) >= self._settings.per_offer:
                    break
                if self._fits(offer, instances[0]):
                    placed.append(instances.pop(0))
                    self._spend()
                    if instances and self.left(instances[0].app) <= 0:
                        continue
                del ready[app]
        return placed

    def _fits(self, offer: Offer, instance: Instance) -> bool:
        app, attempt, now = instance.app, self._attempts[instance.app.id], self._clock.now
        others = [each.place for each in self._instances.of(app.id) if each.place is not None and each.counted]
        why = reason(offer, app, others)
        attempt.processed += 1
        if why is None:
            instance.placed(offer, now)
            self._advance(app)
            attempt.used = now
            attempt.last.pop(offer.agent_id, None)
            return True
        attempt.unused += 1
        attempt.reasons[why] += 1
        attempt.last[offer.agent_id] = (offer.shown(), why, now)
        return False

    # Tokens: so many for every interval, and one for each task that has come up.

    def _spend(self) -> None:
        self._tokens -= 1
        if not self._refreshing:
            self._refreshing = True
            self._clock.later(self._settings.launch_token_refresh, self._refresh)

    def _refresh(self) -> None:
        self._refreshing = False
        empty, self._tokens = self._tokens <= 0, self._settings.launch_tokens
        if empty:
            self._revive()

    def came_up(self, app: Definition) -> None:
        self._advance(app)
        self._tokens += 1
        if self._tokens == 1 and self._wanted:
            self._revive()

    # Delays.

    def left(self, app: Definition) -> float:
        """Seconds until it may be launched again; less than nothing once that has passed."""
        delay = self._delay(app)
        return 0.0 if delay is None else delay.until - self._clock.now

    def failed(self, app: Definition) -> None:
        """A task of it ended, and nobody had asked for that."""
        key, spec = (app.id, app.configured), app.spec
        before = self._delay(app)
        seconds = spec["backoffSeconds"] if before is None else before.seconds * spec["backoffFactor"]
        seconds = min(float(seconds), float(spec["maxLaunchDelaySeconds"]))
        if seconds > 0:
            self._delays[key] = Delay(seconds, self._clock.now + seconds)
            self._clock.later(seconds, self.turn)

    def _advance(self, app: Definition) -> None:
        """After failures, each start is followed by the same delay once more."""
        delay = self._delay(app)
        if delay is not None:
            delay.until = self._clock.now + delay.seconds
            self._clock.later(delay.seconds, self.turn)

    def _delay(self, app: Definition) -> Delay | None:
        """None once the app has run long enough for all to be forgotten."""
        key = app.id, app.configured
        delay = self._delays.get(key)
        if delay is not None and self._clock.now - self._settings.viable >= delay.until:
            del self._delays[key]
            return None
        return delay

    def reset(self, app: str) -> bool:
        """Forgets how often it has failed. False if it does not wait."""
        for key in [key for key in self._delays if key[0] == app]:
            del self._delays[key]
        waits = app in self.waiting()
        self.turn()
        return waits

    # What it tells.

    def shown(self, app: Definition, count: int, told: Json, *, unused: bool) -> Json:
        attempt = self._attempts.get(app.id) or Attempt(self._clock.now)
        left = int(self.left(app))
        last = Counter(why for _, why, _ in attempt.last.values())
        times = {
            "lastUnusedOfferAt": max((at for *_, at in attempt.last.values()), default=None),
            "lastUsedOfferAt": attempt.used,
        }
        offers = [{"offer": offer, "reason": [why], "timestamp": iso(at)} for offer, why, at in attempt.last.values()]
        return {
            "count": count,
            "delay": {"timeLeftSeconds": max(0, left), "overdue": left < 0},
            "since": iso(attempt.since),
            "processedOffersSummary": {
                "processedOffersCount": attempt.processed,
                "unusedOffersCount": attempt.unused,
                "rejectSummaryLastOffers": _funnel(last, len(attempt.last)),
                "rejectSummaryLaunchAttempt": _funnel(attempt.reasons, attempt.processed),
                **{name: iso(at) for name, at in times.items() if at is not None},
            },
            **({"lastUnusedOffers": offers} if unused else {}),
            "app": told,
        }


def _funnel(counts: Counter[str], processed: int) -> list[Json]:
    steps = []
    for why in FUNNEL:
        steps.append({"reason": why, "declined": counts[why], "processed": processed})
        processed -= counts[why]
    return steps
