"""Back-off: how long a service whose containers end unasked, or can't be started, must wait before it grows again."""

from __future__ import annotations

import math

from beaufort.model import Counts

__all__ = ["NO_ROOM", "Backoff"]

FIRST, LONGEST, CALM = 1.0, 60.0, 60.0

NO_ROOM = "the scheduler found no room"


class Backoff:
    """The failures and refusals of one service.

    A first failure is mended at once; after that come waits of 1 s, doubling to 60 s, after which the service grows
    again one container at a time, the next when the last one runs. With 60 s of calm all is forgotten. A scheduler
    that refuses is asked again at once, then after waits as long; if it had no room, when room appears. A request
    that was rejected waits for ever: for another configuration. While it ``is_calm``, nothing of this is in force.
    """

    __slots__ = (
        "_cause",
        "_delay",
        "_pause",
        "_refusal",
        "_refused_until",
        "_rejected",
        "_seen",
        "_series",
        "_there",
        "_until",
        "is_calm",
    )

    def __init__(self) -> None:
        self.is_calm = True
        self._rejected: str | None = None
        self._refusal = ""
        self._refused_until = -math.inf
        self._pause: float | None = None
        self._until = -math.inf
        self._delay = 0.0
        self._series = 0
        self._seen: int | None = None
        self._there = 0
        self._cause = ""

    def see(self, now: float, counts: Counts) -> None:
        """Take note of the failures in a snapshot."""
        lost = 0 if self._seen is None else counts.failed - self._seen
        self._seen = counts.failed
        if lost > 0:
            self._cause = counts.failure or "a container ended unasked"
            self._lose(now, lost)
        elif now >= self._until + FIRST:
            self._there = counts.current

    def _lose(self, now: float, lost: int) -> None:
        self.is_calm = False
        if now < self._until:
            return
        if now >= self._until + CALM:
            self._series, self._delay = 0, 0.0
        elif self._series == 1 and now < self._until + FIRST and lost <= self._there:
            # The rest of one burst, such as the loss of a node; those that were started since are not among them.
            self._there -= lost
            return
        if self._series:
            self._delay = min(LONGEST, max(FIRST, 2 * self._delay))
        self._series += 1
        self._there -= lost
        self._until = now + self._delay

    def accept(self) -> None:
        """The scheduler did what it was asked."""
        self._refused_until, self._pause = -math.inf, None

    def refuse(self, now: float, why: str) -> None:
        """The scheduler did not do what it was asked, but may another time."""
        self._pause = 0.0 if self._pause is None else min(LONGEST, max(FIRST, 2 * self._pause))
        self._refused_until = now + self._pause
        self._refusal = why
        self.is_calm = False

    def room_appeared(self) -> None:
        """What was refused for lack of room may be tried again."""
        if self._refusal == NO_ROOM:
            self._refused_until = -math.inf

    def reject(self, why: str) -> None:
        """The scheduler will never do what it was asked."""
        self._rejected = why
        self.is_calm = False

    def most(self, now: float, counts: Counts) -> int | None:
        """The most containers that the service may have now, or None for no limit."""
        if self._rejected is not None or now < self._until or now < self._refused_until:
            return counts.current
        return max(counts.current, counts.running + 1) if self._is_trying(now) else None

    def wake_at(self, now: float) -> float:
        """When ``most`` changes by itself."""
        if self._rejected is not None:
            return math.inf
        times = [self._refused_until, self._until, self._until + CALM if self._is_trying(now) else -math.inf]
        self.is_calm = max(times) <= now
        return min((time for time in times if time > now), default=math.inf)

    def reason(self, now: float) -> str:
        """Why the service may not grow freely."""
        if self._rejected is not None:
            return f"rejected, until the configuration changes: {self._rejected}"
        if now < self._until:
            return f"waits {self._delay:g} s after {self._series} failures: {self._cause}"
        if now < self._refused_until:
            return self._refusal
        return f"one at a time after {self._series} failures: {self._cause}"

    def _is_trying(self, now: float) -> bool:
        return self._series > 1 and self._until <= now < self._until + CALM
