"""Keeps the length of a queue, or the time that jobs wait in it, at its target. What it knows of the queue is learnt in
``rates``, from what ``tally`` has counted; when it may try with fewer, ``patience`` says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from beaufort.model import Wish
from beaufort.policies.patience import Patience
from beaufort.policies.rates import UNKNOWN, Rates
from beaufort.policies.tally import Tally
from beaufort.protocols import View
from beaufort.quantity import Above, Seconds
from beaufort.wording import figure

__all__ = ["Memory", "Queue"]

SURE_UP, SURE_DOWN = 0.5, 1.5
"""Standard deviations by which the drift is taken to be lower when growing, and higher when shrinking."""
BOLD = 2.0
"""As long as the rate of one container is not well known, the count grows at most to so many times those that ran
lately: by a factor of e in a second."""
SELDOM, HALF = 0.2, 0.5
"""Shares of the time. The queue counts as empty if anything waits seldom; or for less than half the time, and little now:
even where containers are idle, a job may be seen that is about to be taken."""
LITTLE = 0.02
"""The share of the target that is little; or one job."""
TURNS = 8.0
"""Nothing must have waited for so many times the time of a job before fewer are tried: by chance it is rare then."""
FALL = 2.0
"""Times the shortest patience in which a try goes down by a factor of e, at the fastest."""
LONGEST_WATCH = 600.0
"""Seconds that it must be, at the most, however long a job takes."""
LOST = 4
"""One in so many may have ended by itself, and is wanted again."""
REACTION = 1.0
"""Seconds, besides the start of a container, until a try that went too low has been seen and answered."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the policy wants to see again at the next look. It does not grow."""

    rates: Rates
    tally: Tally
    patience: Patience


class Queue:
    """Wants as many containers as serve what arrives and work off what is too much. The length is that of the jobs which
    wait, not of those that a container has taken.

    ``target_length``: jobs that may wait; or ``target_wait``: how long a job may wait. The length may be anything up to
    the target; it is not kept up at it. ``drain_time``: within which what is too much is to be worked off. ``rate``:
    jobs per second that one container completes, where you know it; else it is learnt, as is the rate of arrivals.

    The theory: the fluid model of a queue, dL/dt = arrivals - rate * containers, with a Kalman filter for both rates
    (Kalman 1960), censored while the queue is empty; the wish is the least count whose predicted length at the end of
    the start of a container and the drain time is within the target. A waiting time becomes a length by Little's law
    (1961). The count falls to what is needed with some certainty. When the queue is empty, its length says little, and
    fewer are tried, the more patiently the more often that was wrong.
    """

    needs_demand: ClassVar[bool] = True

    def __init__(
        self,
        *,
        target_length: Annotated[float, Above(0)] | None = None,
        target_wait: Annotated[Seconds, Above(0)] | None = None,
        drain_time: Annotated[Seconds, Above(0)] = 5.0,
        rate: Annotated[float, Above(0)] | None = None,
    ) -> None:
        if (target_length is None) == (target_wait is None):
            found = "neither" if target_length is None else "both"
            raise ValueError(f"target_length: expected either a length or a target_wait, got {found}")
        for name, number in (
            ("target_length", target_length),
            ("target_wait", target_wait),
            ("drain_time", drain_time),
            ("rate", rate),
        ):
            if number is not None and not 0 < number < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {number!r}")
        self._length, self._wait = target_length or 0.0, target_wait or 0.0
        self._drain = drain_time
        self._rate = rate

    def desired(self, view: View) -> Wish:
        assert view.latest is not None
        rates, tally, patience = self._learnt(view)
        length, count = view.latest.value, tally.running + tally.starting
        drain = max(self._drain, tally.pace)
        least, most, reason = self._bounds(rates, tally, length, drain)
        if length > 0 and not count:
            least = max(least, 1.0)
        shortest = self._shortest(rates, drain)
        waiting = self._waiting(tally, length, self._target(rates, count))
        patience = patience.look(view.now, count, least, shortest, waiting=waiting)
        wish = min(max(_held(count, view.wish), least), max(most, least))
        if wish < count and not patience.allows(view.now, wish, shortest):
            wish = float(count)
        tried = patience.tries(view.now, self._slowness(rates, tally, count, shortest))
        certain = view.latest.arrivals is not None and rates.rate_trusted
        if tried < wish and not certain:
            wish, reason = tried, f"{reason}, tries fewer"
        return Wish(wish, reason, Memory(rates, tally, patience))

    def _learnt(self, view: View) -> tuple[Rates, Tally, Patience]:
        """What is known at this look."""
        memory: Memory | None = view.memory
        if memory is None:
            unknown = UNKNOWN if self._rate is None else UNKNOWN.rated(self._rate)
            return unknown, Tally.begun(view), Patience.begun(view.now, view.counts.current)
        rates = memory.rates
        if self._rate is not None and rates.var_rate:
            rates = rates.rated(self._rate)
        tally, intervals = memory.tally.look(view.now, view.counts, view.samples, rates.rate)
        for interval, sample in intervals:
            if sample.rate is not None and sample.rate > 0:
                rates = rates.rated(sample.rate)
            rates = rates.learn(interval)
            if sample.arrivals is not None:
                rates = rates.told(sample.arrivals, interval)
        return rates, tally, memory.patience

    def _bounds(self, rates: Rates, tally: Tally, length: float, drain: float) -> tuple[float, float, str]:
        """The least and the most that will do, and why."""
        if not (rates.noise and rates.rate_known):
            least = self._unlearnt(rates, tally, length, drain)
            return least, math.inf, f"{figure(length)} jobs, rates not yet known"
        drift, var, _ = rates.at(tally.running)
        doubt = math.sqrt(var)
        arrivals = max(drift + rates.rate * tally.running, 0.0)
        least = self._least(rates, tally, length, drift - SURE_UP * doubt, drain)
        most = self._most(rates, tally, length, drift + SURE_DOWN * doubt, drain)
        told = f"{_short(arrivals)}/s in, {_short(rates.rate)}/s each, drain {_short(drain)} s"
        return least, most, f"{figure(length)} jobs, {told}"

    def _least(self, rates: Rates, tally: Tally, length: float, drift: float, drain: float) -> float:
        """The least count with which the length is predicted to be within the target when it has been drained."""
        running, starting, rate = tally.running, tally.starting, rates.rate
        count = running + starting
        # Whoever has started takes a job at once; those asked for now begin when the length is this one.
        ahead = max(length + drift * tally.delay - starting, 0.0)
        arrivals = max(drift + rate * running, 0.0)
        least = (ahead - self._length + arrivals * drain + count) / (rate * (drain + self._wait) + 1)
        if least <= count:
            return least
        least = max(least, arrivals / rate)
        # A container more than there are jobs would have nothing to do.
        jobs = length + arrivals * (tally.delay + drain) - self._target(rates, count)
        least = min(least, count + max(jobs, 0.0))
        if not rates.rate_trusted:
            least = min(least, max(BOLD * tally.lately, count, 1.0))
        return least

    def _most(self, rates: Rates, tally: Tally, length: float, drift: float, drain: float) -> float:
        """The most that can be needed: for what arrives, and to drain what is above the target."""
        rate = rates.rate + math.sqrt(rates.var_rate)
        arrivals = max(drift + rate * tally.running, 0.0)
        drained = (length - self._length + arrivals * drain) / (rate * (drain + self._wait))
        return max(arrivals / rate, drained)

    def _unlearnt(self, rates: Rates, tally: Tally, length: float, drain: float) -> float:
        """The least count while nothing is known of the rate of one container: in proportion to the length, boldly but
        boundedly, and no more than there are jobs above the target. At or below the target: none in particular.
        """
        running, count = tally.running, tally.running + tally.starting
        target = self._target(rates, count)
        falls = rates.noise > 0 and length + rates.drift * (tally.delay + drain) <= target
        if length <= target or falls:
            return 0.0
        return max(min(running * length / target, BOLD * tally.lately, count + length - target), running + 1.0)

    def _target(self, rates: Rates, count: int) -> float:
        """The length that is allowed with so many containers. As long as nothing else is known, a job for each one."""
        if not self._wait:
            return self._length
        return self._wait * rates.rate * count if rates.rate_known else max(float(count), 1.0)

    def _waiting(self, tally: Tally, length: float, target: float) -> bool:
        """Does anything wait to speak of?"""
        if length > max(LITTLE * target, min(1.0, target / 4)):
            return tally.waits > SELDOM
        return tally.waits > HALF

    def _shortest(self, rates: Rates, drain: float) -> float:
        """Seconds for which nothing must have waited before fewer are tried, at the least."""
        return max(drain, min(TURNS / rates.rate, LONGEST_WATCH)) if rates.rate_trusted else drain

    def _slowness(self, rates: Rates, tally: Tally, count: int, shortest: float) -> float:
        """Seconds in which a try goes down by a factor of e: so slow that the length stays within the target until a
        try that went too low has been answered.
        """
        arrivals = rates.drift + rates.rate * rates.serving
        answered = tally.delay + max(REACTION, tally.pace)
        return max(FALL * shortest, arrivals * answered * answered / max(self._target(rates, count), 1.0))


def _held(count: int, wish: int | None) -> int:
    """What to hold: those that exist, and a few that were wanted and have ended. Those for which there never was room
    are not held on to.
    """
    return count if wish is None else max(count, min(wish, count + max(1, count // LOST)))


def _short(number: float) -> str:
    return f"{number:.0f}" if number >= 100 else f"{number:.2g}"
