"""How much to ask of an engine at once: found by trying, as no figure of a machine tells it."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass

__all__ = ["Width"]

MOST = 64

ENOUGH, ROUNDS = 16, 2
"""How many that have gone well make a measure of a width: so many, and so many for each that is under way."""

TOO_SLOW = 1.1
"""A trial ends early when it takes so much longer than as many took before."""

WORTH, CLEAR, BETTER, EQUAL = 1.1, 1.3, 1.05, 0.95
"""How much faster a wider one must be, over two trials or in one; how much a narrower one; and what is as fast."""

PATIENCE_MOST = 32
"""Measures until others are tried again when none was better: two at first, then twice as many each time."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Of a width: until ``enough`` have gone well, or those that have took longer than ``seconds``."""

    width: int
    enough: int
    seconds: float


class Width:
    """Its ``value`` changes by how fast things go well while others wait. When nobody waits, nothing is learned.

    It is a hill climb in small steps. A wider one must be faster to be kept, as with more at once the first of them are
    later. So must a narrower one; but what is wider than the ``first``, and no faster, is left again.
    """

    def __init__(self, first: int) -> None:
        self._first = self._done = 0
        self._seconds = self._last = 0.0
        self.begin(first)

    def begin(self, first: int) -> None:
        """If it began elsewhere, what was learned is forgotten: it was of another engine."""
        if first != self._first:
            self._first, self._climb = first, _climb(first)
            self._try(next(self._climb))

    def went_well(self, now: float) -> None:
        """One has, and others wait."""
        if self._skip > 0:
            self._skip -= 1
        else:
            self._done += 1
            self._seconds += now - self._last
        self._last = now
        if self._seconds > 0 and (self._done >= self._trial.enough or self._seconds > self._trial.seconds):
            self._try(self._climb.send(self._done / self._seconds))

    def slack(self) -> None:
        """Nobody waits: less is under way from here on, and goes faster than it would."""
        self._skip = self.value

    def _try(self, trial: Trial) -> None:
        self._trial, self.value = trial, trial.width
        self._done, self._seconds = 0, 0.0
        self._skip = trial.width  # those that were begun beside another number


def _climb(first: int) -> Generator[Trial, float, None]:
    """Yields what is to be tried, and is sent how many went well in a second."""
    kept, patience = first, 1
    while True:
        begin, rate = kept, (yield _trial(kept))
        gain, faster = yield from _gain(kept, rate, _wider(kept))
        while gain > WORTH:
            kept = _wider(kept)
            gain, faster = yield from _gain(kept, faster, _wider(kept))
        narrow = kept == begin and (gain < 1 / BETTER or kept > first)
        while narrow:
            gain, faster = yield from _gain(kept, rate, _narrower(kept))
            narrow = gain > (EQUAL if kept > first else BETTER)
            kept, rate = (_narrower(kept), faster) if narrow else (kept, rate)
        patience = 1 if kept != begin else min(2 * patience, PATIENCE_MOST)
        for _ in range(patience - 1):
            yield _trial(kept)


def _gain(kept: int, rate: float, other: int) -> Generator[Trial, float, tuple[float, float]]:
    """How much faster the other one is, and its rate."""
    if other == kept:
        return 1.0, rate
    tried = yield _trial(other, rate)
    if not (WORTH if other > kept else 1) < tried / rate < CLEAR:
        return tried / rate, tried
    rate += yield _trial(kept)
    tried += yield _trial(other, rate / 2)
    return tried / rate, tried / 2


def _trial(width: int, rate: float = 0.0) -> Trial:
    enough = max(ENOUGH, ROUNDS * width)
    return Trial(width, enough, TOO_SLOW * enough / rate if rate else math.inf)


def _wider(width: int) -> int:
    return min(MOST, width + max(1, width // 2))


def _narrower(width: int) -> int:
    return max(1, width - max(1, width // 4))
