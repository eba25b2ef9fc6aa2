"""A queue, job by job, in virtual time: who waits, who serves, what it costs. For the benchmark beside it.

Containers take a while to start, and finish the job that they have when they are stopped.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Sequence
from random import Random

from beaufort.model import Counts

__all__ = ["QueueWorld", "arrivals"]


def arrivals(rate: Callable[[float], float], peak: float, end: float, rng: Random) -> list[float]:
    """The times of a Poisson stream whose ``rate`` changes, at most ``peak`` (Lewis and Shedler 1979)."""
    times, now = [], 0.0
    while (now := now + rng.expovariate(peak)) < end:
        if rng.random() * peak < rate(now):
            times.append(now)
    return times


class QueueWorld:
    """First come, first served. ``jobs`` are arrival times, ``work`` makes the time of one job, ``need(t)`` is the
    offered load in containers. ``above`` counts the seconds that more than ``target`` jobs waited, ``held`` the
    container-seconds (starting and stopping ones too), ``beyond`` those above the need at the time.
    """

    def __init__(  # noqa: PLR0913 - a world has as many sides
        self,
        jobs: Sequence[float],
        work: Callable[[], float],
        need: Callable[[float], float],
        *,
        target: float,
        start_delay: float,
        count: int,
    ) -> None:
        self.now = self.above = self.held = self.beyond = 0.0
        self.waits: list[float] = []
        self._jobs, self._work, self._need = jobs, work, need
        self._target, self._start_delay = target, start_delay
        self._come = 0
        self._waiting: deque[float] = deque()
        self._starting: deque[float] = deque()
        self._ends: list[float] = []
        self._running, self._busy, self._leaving = count, 0, 0

    @property
    def length(self) -> int:
        return len(self._waiting)

    @property
    def counts(self) -> Counts:
        return Counts(self._running, len(self._starting), self._leaving)

    def scale(self, count: int) -> None:
        """Start or stop containers: the starting go first, then the idle; a busy one ends its job."""
        current = self._running + len(self._starting)
        for _ in range(count - current):
            self._starting.append(self.now + self._start_delay)
        for _ in range(current - count):
            if self._starting:
                self._starting.pop()
                continue
            self._running -= 1
            if self._busy > self._running:
                self._busy -= 1
                self._leaving += 1

    def run(self, until: float) -> None:
        while self.happen(until):
            pass

    def happen(self, until: float) -> bool:
        """Go on to the next event, or to ``until`` if there is none before: then False."""
        come = self._jobs[self._come] if self._come < len(self._jobs) else math.inf
        end = self._ends[0] if self._ends else math.inf
        start = self._starting[0] if self._starting else math.inf
        at = min(come, end, start)
        self._pass(min(at, until))
        if at > until:
            return False
        if at == come:
            self._waiting.append(come)
            self._come += 1
        elif at == end:
            self._end()
        else:
            self._starting.popleft()
            self._running += 1
        while self._waiting and self._busy < self._running:
            self._busy += 1
            self.waits.append(at - self._waiting.popleft())
            heapq.heappush(self._ends, at + self._work())
        return True

    def _end(self) -> None:
        heapq.heappop(self._ends)
        if self._leaving:
            self._leaving -= 1
        else:
            self._busy -= 1

    def _pass(self, to: float) -> None:
        seconds, held = to - self.now, self._running + len(self._starting) + self._leaving
        if len(self._waiting) > self._target:
            self.above += seconds
        self.held += seconds * held
        self.beyond += seconds * max(held - self._need(self.now), 0.0)
        self.now = to
