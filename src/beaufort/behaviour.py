"""How the containers of a model cluster behave: how long they take, whether they fail. It holds no state and no time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

__all__ = ["Behaviour", "Delay"]


@dataclass(frozen=True, slots=True)
class Delay:
    """How many seconds something takes: log-normal about ``median``; ``spread`` is the deviation of the logarithm."""

    median: float = 0.0
    spread: float = 0.0

    def __post_init__(self) -> None:
        for name in ("median", "spread"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)!r}")

    def draw(self, random: Random) -> float:
        return self.median * math.exp(random.gauss(0.0, self.spread)) if self.spread else self.median


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the containers of a service behave; a change is felt by what starts or stops after it.

    ``answer`` is how many seconds the scheduler takes to accept a change (infinity: for ever).
    ``exits_after`` ends each container so many seconds after it began to run; 0 is a start that fails.
    ``failure_rate`` is how often a running container fails, per second.
    ``rejected`` is why the scheduler refuses to start any.
    """

    start: Delay = Delay()
    stop: Delay = Delay()
    answer: float = 0.0
    exits_after: float | None = None
    failure_rate: float = 0.0
    rejected: str | None = None

    def lifetime(self, random: Random) -> float:
        """Seconds from running to its end by itself: infinity where it goes on until it is stopped."""
        if self.exits_after is not None:
            return self.exits_after
        return random.expovariate(self.failure_rate) if self.failure_rate else math.inf
