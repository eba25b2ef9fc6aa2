"""Back-off: how long a service whose containers end unasked, or can't be started, must wait before it grows again."""

from __future__ import annotations

import math

from beaufort.model import Counts

__all__ = ["Backoff"]

FIRST, LONGEST, CALM = 1.0, 60.0, 60.0


class Backoff:
    """The failures of one service. The first one is mended at once; then 1 s, doubling to 60 s.

    After the wait the service grows by a single container, to try; with 60 s of calm all is forgotten. A request
    that was rejected waits for ever: for another configuration.
    """

    __slots__ = ("_cause", "_delay", "_seen", "_tries", "rejected", "until")

    def __init__(self) -> None:
        self.until = -math.inf
        self.rejected: str | None = None
        self._delay = 0.0
        self._tries = 0
        self._seen: int | None = None
        self._cause = ""

    def see(self, now: float, counts: Counts) -> None:
        """Take note of the failures in a snapshot. Those of one burst count once."""
        failed, self._seen = self._seen is not None and counts.failed > self._seen, counts.failed
        if not failed:
            return
        self._cause = counts.failure or "a container ended unasked"
        if now < self.until:
            return
        if now > self.until + CALM:
            self._tries, self._delay = 0, 0.0
        elif self._tries:
            self._delay = min(LONGEST, max(FIRST, 2 * self._delay))
        self._tries += 1
        self.until = now + self._delay

    def most(self, now: float, current: int) -> int | None:
        """The most containers that the service may have now, or None for no limit."""
        if self.rejected is not None or now < self.until:
            return current
        trying = self._tries > 1 and now <= self.until + CALM
        return current + 1 if trying else None

    def wake_at(self, now: float) -> float:
        """When ``most`` changes by itself."""
        if self.rejected is not None or self._tries < 2:
            return math.inf
        return self.until if now < self.until else self.until + CALM if now <= self.until + CALM else math.inf

    def reason(self, now: float) -> str:
        """Why the service may not grow freely."""
        if self.rejected is not None:
            return f"rejected, until the configuration changes: {self.rejected}"
        if now < self.until:
            return f"next try in {self.until - now:.3g} s, after {self._tries} failures: {self._cause}"
        return f"one at a time, after {self._tries} failures: {self._cause}"
