"""Givers: who may be made smaller so that somebody fits on a node, and who has been."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

import numpy as np

from beaufort.claims import Claims
from beaufort.pool import Numbers
from beaufort.room import Room

__all__ = ["Givers"]

NONE: Mapping[int, int] = MappingProxyType({})


class Givers:
    """``kept``: what each has that is granted. Beyond it, ``due`` are those that go in any case, as their service does not
    want them, and ``spare`` those that stay if they help nobody. ``counts``: what each is to have so far.

    ``dismissed``: who has been made smaller. ``off``: giver -> node -> how many are to go from there. ``anyway`` and
    ``at_need``: who has something beyond what is kept, and beyond the least, by rank.
    """

    def __init__(self, claims: Claims, room: Room, granted: Numbers) -> None:
        stay = np.minimum(room.staying, claims.most)
        self.claims = claims
        self.rank = claims.rank
        self.kept = np.minimum(stay, granted)
        self.due = room.staying - stay
        self.spare = stay - self.kept
        self.counts = self.kept.copy()
        self.dismissed: set[int] = set()
        self.off: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        by_rank = np.argsort(self.rank, kind="stable")
        self.anyway = by_rank[(room.held > self.kept)[by_rank]]
        self.at_need = by_rank[(self.kept > claims.least)[by_rank]]

    def dismiss(self, giver: int, node: int | None = None) -> None:
        """One of its containers goes, from this node if one is named."""
        self.dismissed.add(giver)
        if node is not None:
            self.off[giver][node] += 1
            if self.due[giver]:
                self.due[giver] -= 1
                return
        if self.spare[giver]:
            self.spare[giver] -= 1
        else:
            self.kept[giver] -= 1
            self.counts[giver] -= 1

    def gone(self, giver: int) -> Mapping[int, int]:
        """Node -> how many of its containers are to go from there."""
        return self.off.get(giver, NONE)

    def above_least(self, giver: int) -> int:
        return int(self.kept[giver] - self.claims.least[giver])

    def may_give(self, giver: int, service: int, *, minimum: bool) -> bool:
        """Whether what one has beyond its least may be taken for the other, or for the other's ``minimum``."""
        return minimum or (self.rank[giver] > self.rank[service] and self.claims.may_take(service, giver))

    def later(self, service: int, givers: list[int], *, minimum: bool) -> Iterator[int]:
        """Those of the givers, who are in order, from whom something may be taken; the last one first."""
        for giver in reversed(givers):
            if not minimum and self.rank[giver] <= self.rank[service]:
                return
            if self.may_give(giver, service, minimum=minimum):
                yield giver
