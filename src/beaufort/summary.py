"""What a demonstration came to, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import msgspec

from beaufort.meter import Figures, Share

__all__ = ["Percentiles", "Summary", "Supply"]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds; None where there was nothing to take them of."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Supply:
    """What one service demanded and had; see `meter.Share`."""

    priority: int
    demand_mean: float | None
    running_mean: float
    starved_s: float

    @classmethod
    def of(cls, share: Share) -> Self:
        demand = None if share.demand_mean is None else round(share.demand_mean, 3)
        return cls(share.priority, demand, round(share.running_mean, 3), round(share.starved, 3))

    def in_words(self) -> str:
        demand = "takes the rest" if self.demand_mean is None else f"demand {self.demand_mean:.2f}"
        short = f"{self.starved_s:.2f} s with too few"
        return f"priority {self.priority}  {demand:<14}  {self.running_mean:.2f} running  {short}"


@dataclass(frozen=True, slots=True)
class Summary:
    """The run until it was over; what was stopped in order to clean up is not counted.

    ``max_held``: the most containers that lived at one time, starting and stopping ones included, counted by
    whoever runs them, not by Beaufort (None where that can't be had). ``starts``, ``stops``: containers started, and ended
    again. ``decisions``: steps of the controller. ``utilisation``: the mean of held / capacity over time.
    ``reaction_ms``: from a change of demand until the containers that it asked for run; see `meter.Reaction`.
    """

    duration_s: float
    capacity: int
    max_held: int | None
    decisions: int
    starts: int
    stops: int
    reaction_ms: Percentiles
    utilisation: float
    services: Mapping[str, Supply]

    @classmethod
    def of(cls, figures: Figures, *, max_held: int | None, starts: int, stops: int) -> Self:
        """Rounded to what the measurement is good for."""
        reaction = figures.reaction
        return cls(
            duration_s=round(figures.duration, 3),
            capacity=figures.capacity,
            max_held=max_held,
            decisions=figures.decisions,
            starts=starts,
            stops=stops,
            reaction_ms=Percentiles(_milliseconds(reaction.p50), _milliseconds(reaction.p99)),
            utilisation=round(figures.utilisation, 4),
            services={name: Supply.of(share) for name, share in figures.services.items()},
        )

    def as_json(self) -> str:
        return msgspec.json.encode(self).decode()

    def in_words(self) -> str:
        """A few lines; ASCII only, as they may go anywhere."""
        held = "their number was not counted" if self.max_held is None else f"at most {self.max_held} were held at once"
        reaction = self.reaction_ms
        reacted = "none" if reaction.p50 is None else f"median {reaction.p50:g} ms, 99% {reaction.p99:g} ms"
        used = f"{self.duration_s:.1f} s with room for {self.capacity} containers: {held}, {self.utilisation:.1%} used"
        moved = f"{self.decisions} decisions, {self.starts} starts, {self.stops} stops"
        width = max(map(len, self.services))
        lanes = [f"  {name:<{width}}  {each.in_words()}" for name, each in self.services.items()]
        end = "Everything of it is stopped and removed."
        return "\n".join([used, moved, f"from a change of demand to running: {reacted}", *lanes, end])


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 2)
