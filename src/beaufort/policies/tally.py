"""What a policy has seen of its containers between two samples: how many served, began, are on their way.

The counts are known only at each look; between two looks the old ones are taken to hold. It keeps the last sample and
sums, no history.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from beaufort.model import Counts, Sample
from beaufort.policies.rates import Interval
from beaufort.protocols import View

__all__ = ["Tally"]

SHORTEST = 0.1
"""Seconds: samples that come faster are taken together, for between them little more than rounding is seen."""
PRIOR_DELAY = 0.5
"""Seconds that a start is taken to last, until one is seen."""
LATELY = 1.0
"""Seconds that "lately" reaches back."""
WAITS = 2.0
"""Seconds over which it is averaged whether anything waits."""
STARTS = 20
"""Starts that the delay is averaged over."""


@dataclass(frozen=True, slots=True)
class Starts:
    """How long a start lasts: the seconds ``waited`` by those that ``arrived``, and by those still ``pending``."""

    pending: float = 0.0
    waited: float = PRIOR_DELAY
    arrived: float = 1.0

    @property
    def delay(self) -> float:
        """Seconds from starting to running."""
        return self.waited / self.arrived

    def look(self, seconds: float, before: int, counts: Counts, more: int) -> Starts:
        """So many seconds later, when ``before`` were starting and ``more`` than before are running."""
        pending = self.pending + seconds * before
        if not (before or more > 0):
            return self
        come = min(max(more, 0), before)
        done = pending * come / before if before else 0.0
        pending -= done
        if counts.starting < before - come:  # some were given up
            pending *= counts.starting / (before - come)
        waited, arrived = self.waited + done, self.arrived + max(more, 0)
        fade = min(STARTS / arrived, 1.0)
        return Starts(pending, waited * fade, arrived * fade)


@dataclass(frozen=True, slots=True)
class Tally:
    """The state at the last look (``at``) and what has come together since the last sample that was learnt from.

    ``served`` is in container-seconds, ``pace`` the time between the last two samples; ``lately`` is how many have run
    in the last second or so, ``waits`` the share of that time, or somewhat longer, in which anything waited.
    """

    at: float
    running: int
    starting: int
    sampled: float
    length: float
    served: float = 0.0
    started: float = 0.0
    doubt: float = 0.0
    starts: Starts = Starts()
    pace: float = 0.0
    lately: float = 0.0
    waits: float = 1.0

    @staticmethod
    def begun(view: View) -> Tally:
        assert view.latest is not None
        return Tally(
            view.now,
            view.counts.running,
            view.counts.starting,
            view.latest.at,
            view.latest.value,
            lately=view.counts.running,
        )

    @property
    def delay(self) -> float:
        return self.starts.delay

    def look(
        self, now: float, counts: Counts, samples: Sequence[Sample], rate: float
    ) -> tuple[Tally, list[tuple[Interval, Sample]]]:
        """The tally at this look, and the intervals that the samples since the last one have closed."""
        now = max(now, self.at)  # time does not go back; where a clock does, it stands still
        change = counts.running - self.running
        sampled, length = self.sampled, self.length
        served, started, doubt, pace = self.served, self.started, self.doubt, self.pace
        closed = []
        at = self.at
        for sample in samples:
            time = min(max(sample.at, at), now)
            served += (time - at) * self.running
            at = time
            if change and sample is samples[-1]:
                # When they came or went is not known: half way, give or take.
                vague = change * (now - self.at)
                served += vague / 2
                started += max(change, 0)
                doubt += (rate * vague) ** 2 / 12 + change * change / 12
            if time - sampled >= SHORTEST:
                pace = time - sampled
                closed.append((Interval(pace, length, sample.value, served / pace, started, doubt), sample))
                sampled, length, served, started, doubt = time, sample.value, 0.0, 0.0, 0.0
        if not samples:
            started += max(change, 0)
        faded = math.exp((self.at - now) / WAITS)
        waits = self.waits * faded + (1 - faded) * (bool(samples[-1].value) if samples else self.length > 0)
        lately = self.running + (self.lately - self.running) * math.exp((self.at - now) / LATELY)
        starts = self.starts.look(now - self.at, self.starting, counts, change)
        served += (now - at) * self.running
        return (
            Tally(
                now,
                counts.running,
                counts.starting,
                sampled,
                length,
                served,
                started,
                doubt,
                starts,
                pace,
                lately,
                waits,
            ),
            closed,
        )
