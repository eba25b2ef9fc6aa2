"""What the length of a queue tells of its two rates: jobs that arrive per second, and jobs that one container completes.

It learns and decides nothing. With a constant count only the difference of both is seen, the drift of the length; the
rate of one container shows when the count changes. Belief is kept in these two, with their uncertainty.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

__all__ = ["UNKNOWN", "Interval", "Rates"]

WANDER, STILL, REST = 0.04, 0.01, 60.0
"""Share of itself by which the arrival rate is taken to wander in a second (in n seconds: the root of n times that):
WANDER after it has changed at once, and in REST seconds by a factor of e nearer to STILL."""
WEAR = 0.005
"""The same for the rate of one container: a deploy makes it another, in minutes."""
STIR = 0.2
"""Share of the containers whose coming or going is large enough to learn their rate from: the count follows the very
noise that it is judged by, so that small changes would teach a rate that creeps upwards (closed-loop bias, Åström and
Wittenmark, "Adaptive Control", 1995)."""
SLACK, ALARM = 1.0, 5.0
"""Page's test (Biometrika 1954): deviations above SLACK add up, and above ALARM the arrivals have changed at once."""
CLIP = 4.0
"""Deviations beyond so many standard ones count as so many: a batch is a long queue, not a new rate (Huber 1964)."""
MEMORY = 20
"""Intervals that the noise is averaged over."""
ROUNDING = 1 / 6
"""The variance of the difference of two whole numbers that stand for something smooth."""
LEAST = 1e-6
"""The least noise, and the least rate: there is always some."""
VAST = 1e6
"""A variance that stands for not knowing."""

_HALF_ROOT = math.sqrt(0.5)
_ROOT = math.sqrt(2 / math.pi)


@dataclass(frozen=True, slots=True)
class Interval:
    """What was seen between two samples. ``serving`` is the mean count of containers that served, ``started`` how many of
    them began meanwhile (each takes a job off the queue at once), ``doubt`` the variance that not knowing when adds.
    """

    seconds: float
    before: float
    after: float
    serving: float
    started: float = 0.0
    doubt: float = 0.0

    @property
    def moved(self) -> float:
        return self.after - self.before

    @property
    def empty(self) -> bool:
        return self.before <= 0 and self.after <= 0


@dataclass(frozen=True, slots=True)
class Rates:
    """A belief. ``drift`` is what the length gains per second while ``serving`` containers serve, ``rate`` the jobs per
    second of one. ``noise`` is the variance that the length gains per second; zero as long as nothing has been seen.

    A Kalman filter of both rates, which wander slowly. An interval in which the queue was and stayed empty is censored:
    see ``_hidden``. A sudden change is found by Page's test, and the drift set to what it has been since.
    """

    drift: float = 0.0
    rate: float = 0.0
    var_drift: float = VAST
    cov: float = 0.0
    var_rate: float = VAST
    serving: float = 0.0
    noise: float = 0.0
    looks: int = 0
    slope: float = math.nan
    lasted: float = 0.0
    surprise: float = 0.0
    surprised: int = 0
    wander: float = WANDER

    @property
    def rate_known(self) -> bool:
        """Is there any notion of the rate of one container, however vague?"""
        return self.var_rate < VAST

    @property
    def rate_trusted(self) -> bool:
        """Is it above zero by two standard deviations?"""
        return self.rate * self.rate > 4 * self.var_rate

    def at(self, serving: float) -> tuple[float, float, float]:
        """The drift with so many serving, its variance, and its covariance with the rate."""
        more = serving - self.serving
        if not self.rate_known:
            return self.drift, self.var_drift, self.cov
        telling = more**3 / (more * more + (STIR * serving) ** 2) if more else 0.0
        rest = more - telling
        return (
            self.drift - self.rate * more,
            self.var_drift - 2 * telling * self.cov + (telling * telling + rest * rest) * self.var_rate,
            self.cov - telling * self.var_rate,
        )

    def learn(self, seen: Interval) -> Rates:
        """The belief after one more interval."""
        if not self.noise:
            return self._begun(seen)
        if not self.rate_known and abs(seen.serving - self.serving) > 1e-6:
            return self._guessed().learn(seen)
        seconds = seen.seconds
        drift, var, cov = self.at(seen.serving)
        busy = drift + self.rate * seen.serving if self.rate_known else 0.0
        wander = STILL + (self.wander - STILL) * math.exp(-seconds / REST)
        var += (wander * max(busy, self.noise / 4)) ** 2 * seconds
        var_rate = self.var_rate + (WEAR * self.rate) ** 2 * seconds if 0 < self.var_rate < VAST else self.var_rate
        size = math.sqrt(var * seconds * seconds + self.noise * seconds + ROUNDING + seen.doubt)
        noise, looks, slope = self._scattered(seen)
        if seen.empty:
            gap, share = self._hidden(drift, seen)
            tells = 0.0
        else:
            gap, share, tells = seen.moved - drift * seconds, 1.0, 1.0
            if gap < 0:
                gap = min(gap + seen.started, 0.0)  # they may have taken a job each; that they did not tells nothing
        deviation = min(max(gap / size, -CLIP), CLIP)
        surprise, surprised = self._surprise(deviation)
        if abs(surprise) > ALARM:
            jump = gap / size if abs(gap) > CLIP * size else surprise / surprised + math.copysign(SLACK, surprise)
            drift += jump * size / seconds
            var = max(var, (size / seconds) ** 2 / surprised)
            return Rates(
                drift, self._explained(drift, seen), var, cov, var_rate, seen.serving, noise, looks, slope, seconds
            )
        gain = seconds / size
        kept = 1 - var * gain * gain * share
        drift += var * gain * deviation
        return Rates(
            min(drift, 0.0) if seen.empty else drift,
            max(self.rate + cov * gain * deviation * tells, self.rate / 4, LEAST),
            var * kept,
            cov * kept,
            max(var_rate - (cov * gain) ** 2 * tells, 0.0),
            seen.serving,
            noise,
            looks,
            slope,
            seconds,
            surprise,
            surprised,
            wander,
        )

    def rated(self, rate: float) -> Rates:
        """The belief when the source has measured the rate of one container."""
        return replace(self, rate=rate, cov=0.0, var_rate=0.0)

    def told(self, arrivals: float, seen: Interval) -> Rates:
        """The belief after the source has measured the arrivals per second, say over this interval, or over a second."""
        seconds, waiting = max(seen.seconds, 1.0), seen.before > 0 and seen.after > 0
        if not self.noise:
            if not self.rate_known or not arrivals > 0:
                return self
            # A Poisson stream in which as many go as come.
            begun = replace(self, serving=seen.serving, noise=2 * arrivals)
            return replace(begun, drift=arrivals - self.rate * seen.serving, var_drift=arrivals / seconds)
        if not self.rate_known:
            if not waiting or not self.serving:
                return self
            rate = max((arrivals - self.drift) / self.serving, 0.0)
            var = (max(arrivals, 1.0) / seconds + self.var_drift) / self.serving**2
            return replace(self, rate=rate, var_rate=min(var, VAST / 2)) if rate else self
        count = self.serving
        with_drift = self.var_drift + count * self.cov
        with_rate = self.cov + count * self.var_rate
        whole = with_drift + count * with_rate + max(arrivals, 1.0) / seconds
        gap = (arrivals - self.drift - self.rate * count) / whole
        if not waiting:
            with_rate = 0.0  # containers may have been idle: nothing is told of their rate
        return replace(
            self,
            drift=self.drift + with_drift * gap,
            rate=max(self.rate + with_rate * gap, self.rate / 4, LEAST),
            var_drift=max(self.var_drift - with_drift * with_drift / whole, 0.0),
            cov=self.cov - with_drift * with_rate / whole,
            var_rate=max(self.var_rate - with_rate * with_rate / whole, 0.0),
        )

    def _begun(self, seen: Interval) -> Rates:
        """The first belief, from the first interval in which something waited all the time."""
        if seen.before <= 0 or seen.after <= 0:
            return self
        drift = (seen.moved + seen.started) / seen.seconds
        noise = abs(drift) + 1 / seen.seconds
        return replace(self, drift=drift, var_drift=noise / seen.seconds, serving=seen.serving, noise=noise)

    def _guessed(self) -> Rates:
        """With the rate that a Poisson stream of jobs would have, in which the variance is arrivals plus departures."""
        count = max(self.serving, 1.0)
        guess = max(self.noise, abs(self.drift), LEAST) / (2 * count)
        return replace(self, rate=guess, var_rate=min(guess * guess, VAST / 2))

    def _surprise(self, deviation: float) -> tuple[float, int]:
        """Page's sum, above zero for more than was believed and below for less, and how many intervals it goes back."""
        above = max(self.surprise, 0.0) + deviation - SLACK
        below = min(self.surprise, 0.0) + deviation + SLACK
        surprise = above if above > 0 else min(below, 0.0)
        goes_on = surprise * self.surprise > 0
        return surprise, (self.surprised + 1 if goes_on else 1) if surprise else 0

    def _explained(self, drift: float, seen: Interval) -> float:
        """The rate of one container after the drift has jumped. A length that falls faster than what is served shows
        that they serve more: as much more as leaves the arrivals what they were.
        """
        if not self.rate_known or -drift <= self.rate * seen.serving:
            return self.rate
        arrivals = max(self.drift + self.rate * self.serving, 0.0)
        return (arrivals - drift) / seen.serving if seen.serving else self.rate

    def _hidden(self, drift: float, seen: Interval) -> tuple[float, float]:
        """How much lower the drift must be for the queue to have stayed empty, in jobs; and how much of an ordinary
        interval's worth it is to know that.

        Where many serve and few wait, the number of the idle ones is that part of a normal variable which lies above
        zero (Halfin and Whitt, Operations Research 1981): its spread is that of the length over the time of one job.
        """
        each = self.rate if self.rate_known else self.noise / (2 * max(seen.serving, 1.0))
        spread = math.sqrt(self.noise * each / 2)
        spare = -drift / spread
        # The mean excess of a normal variable that is known to be above zero: its density over its distribution.
        pull = -spare if spare < -6 else _ROOT * math.exp(-0.5 * spare * spare) / math.erfc(-spare * _HALF_ROOT)
        return -spread * pull * seen.seconds, pull * (pull + spare)

    def _scattered(self, seen: Interval) -> tuple[float, int, float]:
        """The noise after one more interval, from the differences of successive slopes: a trend does not count as noise
        (von Neumann, Annals of Mathematical Statistics 1941). With it the looks so far, and the slope to go on from.
        """
        if seen.doubt or seen.empty:
            return self.noise, self.looks, math.nan
        variance = self.noise * seen.seconds + ROUNDING
        if seen.before > 0 and seen.after > 0:
            slope = seen.moved / seen.seconds
            if math.isnan(self.slope) or abs(seen.serving - self.serving) > 1e-6:
                return self.noise, self.looks, slope
            share = seen.seconds / self.lasted
            excess = (seen.moved - self.slope * seen.seconds) ** 2 / (
                variance + self.noise * seen.seconds * share + ROUNDING * share * share
            )
        else:
            slope, excess = math.nan, seen.moved * seen.moved / variance
        looks = min(self.looks + 1, MEMORY)
        return max(self.noise * (1 + (min(excess, CLIP * CLIP) - 1) / (looks + 1)), LEAST), looks, slope


UNKNOWN = Rates()
