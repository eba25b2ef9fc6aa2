"""Where one service stands between its demand and its containers: what each stage of the newest decision said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from beaufort.model import Desired, Sample, Wish

__all__ = ["Standing", "paces"]


@dataclass(frozen=True, slots=True)
class Standing:
    """``wish`` and ``latest`` are None while there is none; ``granted`` is None before the first grant.

    ``least`` and ``most`` are the bounds of what it may be granted, and ``held_back`` is why they are not those of its
    desire. ``waiting``: how many of the granted ones wait for room. ``lack``: what there is too little of for one more,
    where it may have more. ``unready``: why fewer are held ready than it is to have, or None where it is to have none.
    """

    latest: Sample | None
    wish: Wish | None
    desired: Desired
    least: int
    most: int
    held_back: str | None
    granted: int | None
    waiting: int
    lack: str | None
    unready: str | None = None


def paces(start_seconds: Mapping[str, float]) -> str:
    """What starts have taken of late, in words; nothing where it is not known."""
    told = (f"{1e3 * seconds:.3g} ms {kind}" for kind, seconds in sorted(start_seconds.items(), key=lambda one: one[1]))
    return f"a start takes {', '.join(told)}" if start_seconds else ""
