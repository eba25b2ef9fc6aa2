"""Numbers as people read them. What programs read has them as they are."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice

__all__ = ["amount", "counted", "figure", "listed"]

LARGE = 1e15
"""From here on a number has more digits than anybody reads."""

SIZES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))


def figure(value: float) -> str:
    """Whole from a hundred on, and three digits of what is smaller."""
    return f"{value:.0f}" if 100 <= abs(value) < LARGE else f"{value:.3g}"


def counted(count: int, noun: str) -> str:
    """A count of what has a regular plural."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def amount(resource: str, value: float) -> str:
    """So much of a resource; memory is in bytes."""
    if resource == "memory":
        for size, unit in SIZES:
            if value >= size:
                return f"{figure(value / size)} {unit}"
    return figure(value)


def listed(names: Collection[str], most: int) -> str:
    """The first of many names, and how many more there are."""
    more = len(names) - most
    return ", ".join(islice(names, most)) + (f" and {more} more" if more > 0 else "")
