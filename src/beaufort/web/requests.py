"""The shapes of what the API is asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from beaufort.model import Sample

__all__ = ["Limits", "PauseRequest", "Pushed", "PushedSample"]

MOST = 1_000_000
"""What is greater is a mistake."""


Quantity = Annotated[float, Meta(ge=0, description="a number of 0 or more")]
Limit = Annotated[int, Meta(ge=0, le=MOST, description=f"a whole number from 0 to {MOST}")]
Priority = Annotated[int, Meta(ge=1, le=MOST, description=f"a whole number from 1 to {MOST}")]
Weight = Annotated[float, Meta(gt=0, le=MOST, description=f"a number above 0, up to {MOST}")]
Time = Annotated[float, Meta(description="a time in seconds since the epoch")]
Course = Annotated[Literal["in", "out", "both"], Meta(description="in, out or both")]


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all requests are: what is not known is refused, since it may be a mistake."""


class PushedSample(Asked, frozen=True, kw_only=True):
    """One measurement. ``at``: seconds since the epoch, by default now; a time to come is taken for now.

    ``arrivals`` is what came in, per second; ``rate`` is what one busy container completes, per second.
    """

    service: str
    value: Quantity
    at: Time | None = None
    arrivals: Quantity | None = None
    rate: Quantity | None = None

    def check(self) -> None:
        """Raises ValueError for what can't be a measurement."""
        Sample(self.at or 0.0, self.value, self.arrivals, self.rate)


class Pushed(Asked, frozen=True, kw_only=True):
    """``taken`` were new. ``known`` were not newer than what is known, and changed nothing: pushing twice is pushing once."""

    taken: int
    known: int


class PauseRequest(Asked, frozen=True, kw_only=True):
    """``until``: seconds since the epoch; null is until it is resumed."""

    direction: Course = "both"
    until: Time | None = None


class Limits(Asked, frozen=True, kw_only=True):
    """What is left out stays as it is. ``max`` null is no limit."""

    min: Limit | UnsetType = UNSET
    max: Limit | UnsetType | None = UNSET
    priority: Priority | UnsetType = UNSET
    weight: Weight | UnsetType = UNSET
