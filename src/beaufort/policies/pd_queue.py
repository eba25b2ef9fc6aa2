"""The proportional-derivative law of the Microscaling Engine, for comparison. Use ``queue``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

from beaufort.model import Wish
from beaufort.protocols import View
from beaufort.quantity import Above, AtLeast
from beaufort.wording import figure

__all__ = ["Memory", "PDQueue"]

EXCEEDING = 0.7
"""The share of the target at or below which containers may go."""


@dataclass(frozen=True, slots=True)
class Memory:
    """The last sample's length, the sum of all errors, and the time of that sample."""

    at: float
    length: float
    total: float


class PDQueue:
    """Changes the count by floor(kp * e + ki * (sum of all e) + kd * v + 0.5) at each sample: e is the length less
    ``target_length``, v the length less the last sample's. More only while the length is above the target, fewer only
    while it is at or below 70% of it, and nothing while containers start.

    It has no time base: the gains suit one sample every 0.5 s, of a queue whose jobs take about half a second. They are
    the ancestor's: a Ziegler-Nichols rule (1942) with an ultimate gain of 0.05 and a period of 10 samples.
    """

    needs_demand: ClassVar[bool] = True

    def __init__(
        self,
        *,
        target_length: Annotated[float, Above(0)],
        kp: Annotated[float, AtLeast(0)] = 0.04,
        ki: Annotated[float, AtLeast(0)] = 0.0,
        kd: Annotated[float, AtLeast(0)] = 1.25,
    ) -> None:
        if not 0 < target_length < math.inf:
            raise ValueError(f"target_length: expected a number above 0, got {target_length!r}")
        for name, gain in (("kp", kp), ("ki", ki), ("kd", kd)):
            if not 0 <= gain < math.inf:
                raise ValueError(f"{name}: expected a number of 0 or more, got {gain!r}")
        self._target = target_length
        self._gains = kp, ki, kd

    def desired(self, view: View) -> Wish:
        assert view.latest is not None
        sample, memory, counts = view.latest, view.memory, view.counts
        if memory is not None and sample.at <= memory.at:
            held = counts.current if view.wish is None else view.wish
            return Wish(held, f"{figure(sample.value)} jobs, no new sample", memory)
        error = sample.value - self._target
        speed = 0.0 if memory is None else sample.value - memory.length
        after = Memory(sample.at, sample.value, error + (0.0 if memory is None else memory.total))
        if counts.starting:
            return Wish(counts.current, f"{figure(sample.value)} jobs, waits for containers that start", after)
        kp, ki, kd = self._gains
        change = self._gated(math.floor(kp * error + ki * after.total + kd * speed + 0.5), sample.value)
        return Wish(
            max(counts.running + change, 0), f"{figure(sample.value)} jobs, {speed:+g} since the last sample", after
        )

    def _gated(self, change: int, length: float) -> int:
        if change > 0 and length <= self._target:
            return 0
        if change < 0 and length > math.floor(EXCEEDING * self._target):
            return 0
        return change
