"""Claims: how many containers each service may have at most and at least, and who is served before whom."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from beaufort.model import Band, Service
from beaufort.pool import Flags, Numbers

__all__ = ["Claims"]

_LAST = 1 << 40
"""Added to the priority of what takes the remainder: it is served after all others."""


class Claims:
    """The claims of a fixed set of services, by priority. All arrays are in that order.

    ``most`` is what each would have, or of a ``remainder`` service the most that it may take. ``least`` is what each is to
    have before anyone has more. ``band`` is the number of the non-preemptible band that a service is in, or -1.
    """

    def __init__(self, services: Sequence[Service], bands: Sequence[Band] = ()) -> None:
        self.priority = np.array([service.priority for service in services], dtype=np.int64)
        self.weight = np.array([service.weight for service in services], dtype=float)
        self.bands = sorted((band for band in bands if not band.preemptible), key=lambda band: band.first)
        self.band = np.full(len(services), -1)
        for number, band in enumerate(self.bands):
            self.band[(self.priority >= band.first) & (self.priority <= band.last)] = number
        self.most, self.least = np.zeros((2, len(services)), dtype=np.int64)
        self.remainder: Flags = np.zeros(len(services), dtype=bool)

    def at_most(self, most: Numbers) -> Claims:
        """The same, but none has more than so many."""
        less = copy.copy(self)
        less.most = most
        return less

    @property
    def ordinary(self) -> Numbers:
        """``most``, without what takes the remainder."""
        return np.where(self.remainder, 0, self.most)

    @property
    def rank(self) -> Numbers:
        """Who is served first: the smaller. Minimums come before that."""
        return np.asarray(self.priority + _LAST * self.remainder)

    def may_take(self, taker: int, giver: int) -> bool:
        """Whether one may have the room that the other holds beyond its minimum."""
        band = self.band[giver]
        if band >= 0 and (band == self.band[taker] or self.priority[giver] < self.priority[taker]):
            return False
        if self.remainder[giver] != self.remainder[taker]:
            return bool(self.remainder[giver])
        return bool(self.priority[giver] > self.priority[taker])
