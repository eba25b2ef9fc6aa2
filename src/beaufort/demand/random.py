"""Made-up demand for demonstrations: the same for the same seed, and never quite still."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import AsyncGenerator, Iterator
from typing import Annotated

from beaufort.demand.timetable import play
from beaufort.model import Sample
from beaufort.quantity import Above, AtLeast, Seconds

__all__ = ["Random"]

JUMP = 1 / 12
"""The chance that a move is a jump to anywhere: seldom enough to be a surprise, often enough to be seen in a minute."""


class Random:
    """A seeded walk between ``low`` and ``high``: small moves, and now and then a jump.

    ``every``: seconds between moves. ``step``: the most that a small move changes; by default a tenth of the span.
    The values depend on the options alone, so a demonstration can be shown twice.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        low: Annotated[float, AtLeast(0)] = 0.0,
        high: Annotated[float, Above(0)] = 10.0,
        every: Annotated[Seconds, Above(0)] = 1.0,
        step: Annotated[float, Above(0)] | None = None,
    ) -> None:
        if not (math.isfinite(low) and low >= 0):
            raise ValueError(f"low: expected a demand of 0 or more, got {low!r}")
        if not (math.isfinite(high) and high > low):
            raise ValueError(f"high: expected a demand above low ({low:g}), got {high!r}")
        if not (math.isfinite(every) and every > 0):
            raise ValueError(f"every: expected seconds above 0, got {every!r}")
        if step is not None and not 0 < step <= high - low:
            raise ValueError(f"step: expected more than 0 and at most the span ({high - low:g}), got {step!r}")
        self._seed = seed
        self._low, self._high = low, high
        self._every = every
        self._step = (high - low) / 10 if step is None else step

    def samples(self) -> AsyncGenerator[Sample, None]:
        """Yields the walk from its beginning."""
        return play(zip(itertools.count(0, self._every), self._walk(), strict=False))

    def _walk(self) -> Iterator[float]:
        # Only random() keeps its sequence from one Python version to the next.
        draw = random.Random(self._seed).random  # noqa: S311 - a demonstration, not a secret
        value = self._low + (self._high - self._low) * draw()
        while True:
            yield value
            if draw() < JUMP:
                value = self._low + (self._high - self._low) * draw()
            else:
                value = self._within(value + self._step * (2 * draw() - 1))

    def _within(self, value: float) -> float:
        """Turned back at the bounds, so that the walk does not stick to them."""
        if value < self._low:
            return 2 * self._low - value
        if value > self._high:
            return 2 * self._high - value
        return value
