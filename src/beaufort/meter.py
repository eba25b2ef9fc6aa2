"""The figures of a run: how well supply followed demand. It is told of every step, and computes; it looks at nothing."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from beaufort.journal import Given
from beaufort.model import NO_COUNTS, Decision, Desired, Sample, Service

__all__ = ["Figures", "Meter", "Moment", "Reaction", "Share"]

PAST = 60.0
"""Seconds that are kept to be drawn."""

REACTIONS = 10_000
"""The newest reactions, of which the percentiles are taken: hours of them, in bounded memory."""


@dataclass(frozen=True, slots=True)
class Moment:
    """From ``at`` on, until the next moment. None is not known."""

    at: float
    demand: float | None
    running: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """What one service had, as means over the time in which it was known. ``demand_mean`` None: none was measured.

    ``starved`` is the seconds in which fewer containers ran than the service desired; of a service that takes the
    remainder, and so desires no certain count, those in which fewer ran than its minimum.
    """

    priority: int
    demand_mean: float | None
    running_mean: float
    starved: float


@dataclass(frozen=True, slots=True)
class Reaction:
    """Seconds from a change of demand until the containers that it asked for run; None while there was none.

    They are counted from the time of the sample at which the desired count rose to the first step that sees that many
    running. A rise that is taken back before, or that needs no container to be started, has no reaction.
    The percentiles are nearest-rank, of the newest 10,000.
    """

    latest: float | None
    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """A run until now. ``decisions`` counts the steps; ``utilisation`` is the mean of held / capacity over time."""

    capacity: int
    duration: float
    decisions: int
    utilisation: float
    reaction: Reaction
    services: Mapping[str, Share]


@dataclass(slots=True)
class _Level:
    """A value that holds until the next one is put, summed over time. None is not known, and not counted."""

    value: float | None = None
    _since: float = 0.0
    _sum: float = 0.0
    _seconds: float = 0.0

    def put(self, now: float, value: float | None) -> None:
        self._sum, self._seconds = self.total(now), self._known(now)
        self._since, self.value = now, value

    def total(self, now: float) -> float:
        return self._sum + (0.0 if self.value is None else self.value * (now - self._since))

    def mean(self, now: float) -> float | None:
        seconds = self._known(now)
        return self.total(now) / seconds if seconds > 0 else None

    def _known(self, now: float) -> float:
        return self._seconds + (0.0 if self.value is None else now - self._since)


@dataclass(slots=True)
class _Lane:
    """One service through time. ``asked``: (time of the sample, count that it asked for) of what does not run yet."""

    service: Service
    demand: _Level = field(default_factory=_Level)
    running: _Level = field(default_factory=_Level)
    starved: _Level = field(default_factory=_Level)
    desired: int = 0
    asked: list[tuple[float, int]] = field(default_factory=list)
    past: deque[Moment] = field(default_factory=deque)

    def take(self, now: float, samples: Sequence[Sample], desired: Desired, running: int | None) -> list[float]:
        """Returns the reactions that are complete now."""
        known_before = self.demand.value is not None
        least = self.service.min if desired.remainder else desired.count
        if samples:
            self.demand.put(now, samples[-1].value)
        self.running.put(now, running)
        self.starved.put(now, None if running is None else float(running < least))
        if not desired.remainder:
            self._ask(samples if known_before else (), desired.count, running)
        self._remember(Moment(now, self.demand.value, running))
        return self._reached(now, running)

    def _ask(self, samples: Sequence[Sample], count: int, running: int | None) -> None:
        self.asked = [(at, asked) for at, asked in self.asked if asked <= count]
        if samples and count > self.desired and running is not None and running < count:
            self.asked.append((samples[-1].at, count))
        self.desired = count

    def _reached(self, now: float, running: int | None) -> list[float]:
        if running is None:
            return []
        reached = [max(0.0, now - at) for at, asked in self.asked if asked <= running]
        self.asked = [(at, asked) for at, asked in self.asked if asked > running]
        return reached

    def _remember(self, moment: Moment) -> None:
        if self.past and (self.past[-1].demand, self.past[-1].running) == (moment.demand, moment.running):
            return
        self.past.append(moment)
        while len(self.past) > 1 and self.past[1].at <= moment.at - PAST:
            self.past.popleft()


class Meter:
    """Follows these services in a pool of ``capacity`` slots. ``steps`` is how many steps it was told of."""

    def __init__(self, services: Iterable[Service], capacity: int) -> None:
        self.steps = 0
        self.capacity = capacity
        self._lanes = {service.name: _Lane(service) for service in services}
        self._held = _Level()
        self._reactions: deque[float] = deque(maxlen=REACTIONS)
        self._began: float | None = None

    def take(self, given: Given, decision: Decision) -> None:
        """A step was made: what went in, and what came out."""
        now, cluster = given.now, given.cluster
        self.steps += 1
        if self._began is None:
            self._began = now
        for name, lane in self._lanes.items():
            running = None if cluster is None else cluster.counts.get(name, NO_COUNTS).running
            self._reactions += lane.take(now, given.samples.get(name, ()), decision.desired[name], running)
        self._held.put(now, None if cluster is None else sum(each.held for each in cluster.counts.values()))

    def demand(self, name: str) -> float | None:
        """The newest that was measured."""
        return self._lanes[name].demand.value

    def past(self, name: str) -> Sequence[Moment]:
        """The changes of the last minute, oldest first; the first one may be older, and was in force when it began."""
        return tuple(self._lanes[name].past)

    def figures(self, now: float) -> Figures:
        """Until ``now``, in which what the last step saw has lasted."""
        return Figures(
            capacity=self.capacity,
            duration=0.0 if self._began is None else now - self._began,
            decisions=self.steps,
            utilisation=(self._held.mean(now) or 0.0) / self.capacity,
            reaction=self._reaction(),
            services={name: _share(lane, now) for name, lane in self._lanes.items()},
        )

    def _reaction(self) -> Reaction:
        ranked = sorted(self._reactions)
        if not ranked:
            return Reaction(None, None, None)
        p50, p99 = (ranked[math.ceil(percent * len(ranked) / 100) - 1] for percent in (50, 99))
        return Reaction(self._reactions[-1], p50, p99)


def _share(lane: _Lane, now: float) -> Share:
    return Share(
        priority=lane.service.priority,
        demand_mean=lane.demand.mean(now),
        running_mean=lane.running.mean(now) or 0.0,
        starved=lane.starved.total(now),
    )
