"""What a policy has seen of its containers between two samples: how many served, began, are on their way.

The counts are known only at each look; between two looks the old ones are taken to hold. It keeps the last sample and
sums, no history.
"""

from __future__ import annotations

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
STARTS = 20
"""Starts that the delay is averaged over."""


@dataclass(frozen=True, slots=True)
class Tally:
    """The state at the last look (``at``) and what has come together since the last sample that was learnt from.

    ``served`` is in container-seconds. ``waited`` are seconds that starting containers waited, for ``arrived`` of them:
    by Little's law their quotient is how long a start lasts. ``pace`` is the time between the last two samples.
    """

    at: float
    running: int
    starting: int
    sampled: float
    length: float
    served: float = 0.0
    started: float = 0.0
    doubt: float = 0.0
    waited: float = PRIOR_DELAY
    arrived: float = 1.0
    pace: float = 0.0

    @staticmethod
    def begun(view: View) -> Tally:
        assert view.latest is not None
        return Tally(view.now, view.counts.running, view.counts.starting, view.latest.at, view.latest.value)

    @property
    def delay(self) -> float:
        """Seconds from starting to running."""
        return self.waited / self.arrived

    def look(
        self, now: float, counts: Counts, samples: Sequence[Sample], rate: float
    ) -> tuple[Tally, list[tuple[Interval, Sample]]]:
        """The tally at this look, and the intervals that the samples since the last one have closed."""
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
        waited, arrived = self.waited + (now - self.at) * self.starting, self.arrived + max(change, 0)
        fade = STARTS / arrived if arrived > STARTS else 1.0
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
                waited * fade,
                arrived * fade,
                pace,
            ),
            closed,
        )
