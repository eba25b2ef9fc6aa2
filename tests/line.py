"""A queue as a fluid, with containers that take a while to start: the smallest loop that a policy can be tried in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from beaufort.model import Counts, Sample, Service
from beaufort.protocols import Policy, View

__all__ = ["Line"]

SERVICE = Service("q", 1)


def poisson(mean: float, rng: Random) -> int:
    """Knuth, The Art of Computer Programming, 3.4.1: for small means."""
    jobs, product, least = -1, 1.0, math.exp(-mean)
    while product > least:
        jobs, product = jobs + 1, product * rng.random()
    return jobs


@dataclass
class Line:
    """Jobs flow in at ``arrivals(t)`` per second, and out at ``rate(t)`` per container while any wait.

    ``room``: containers that the pool has. ``told``: do the samples say the arrivals? With ``noise`` the flow in is as
    uneven as that of a Poisson stream. ``seen``: time, length and desired count at each look.
    """

    policy: Policy
    arrivals: Callable[[float], float]
    rate: Callable[[float], float] = lambda _: 2.0
    count: int = 1
    length: float = 0.0
    delay: float = 0.2
    room: int = 10_000
    told: bool = False
    noise: Random | None = None
    now: float = 0.0
    memory: object = None
    seen: list[tuple[float, int, int]] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.starting: list[float] = []

    def flow(self, until: float) -> None:
        while self.now < until - 1e-9:
            step = min(0.01, until - self.now)
            self.count += sum(ready <= self.now for ready in self.starting)
            self.starting = [ready for ready in self.starting if ready > self.now]
            came = self.arrivals(self.now) * step
            if self.noise is not None:
                came = poisson(came, self.noise)
            self.length = max(0.0, self.length + came - self.rate(self.now) * self.count * step)
            self.now += step

    def look(self) -> int:
        """One look of the policy, carried out at once: the desired count."""
        arrivals = self.arrivals(self.now) if self.told else None
        sample = Sample(self.now, float(math.floor(self.length)), arrivals)
        counts = Counts(self.count, len(self.starting))
        wish = self.policy.desired(View(self.now, SERVICE, counts, (sample,), sample, None, self.memory))
        assert math.isfinite(wish.count)
        assert wish.count >= 0
        self.memory = wish.memory
        self.reasons.append(wish.reason)
        desired = math.ceil(wish.count - 1e-9)
        self.seen.append((self.now, math.floor(self.length), desired))
        self.scale(min(desired, self.room))
        return desired

    def scale(self, count: int) -> None:
        more = count - self.count - len(self.starting)
        self.starting += [self.now + self.delay] * more
        gone = max(-more, 0)
        kept = max(len(self.starting) - gone, 0)
        self.count -= gone - (len(self.starting) - kept)
        self.starting = self.starting[:kept]

    def run(self, until: float, every: float = 0.5) -> Line:
        while self.now < until - 1e-9:
            self.flow(self.now + every)
            self.look()
        return self

    def desired(self, since: float, until: float = math.inf) -> list[int]:
        """The desired counts in this time."""
        return [desired for at, _, desired in self.seen if since <= at <= until]

    def lengths(self, since: float, until: float = math.inf) -> list[int]:
        return [length for at, length, _ in self.seen if since <= at <= until]

    def moves(self, since: float) -> int:
        desired = self.desired(since)
        return sum(before != after for before, after in pairwise(desired))
