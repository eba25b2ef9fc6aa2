"""Fitting: which of the counts that the totals allow find a node, and who must go for that.

Only counts can be asked for: which container stops, and where one starts, is the scheduler's choice. So nobody is
made smaller unless, whichever of its containers go, one of somebody who is served before it will fit where it did not.
With the same demand, each step then serves those who come first better than the last, and it comes to rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain, islice

import numpy as np

from beaufort.claims import Claims
from beaufort.placement import Placement
from beaufort.pool import Numbers
from beaufort.room import Room

__all__ = ["Fitting"]

LOOK = 10
"""How many services are looked at for one whose small containers could make way for a large one: it bounds the time."""


class Fitting:
    """A search for nodes. ``counts``: what each is to have so far. ``at_once``: how many of these can be started now.

    It begins with those of ``granted`` that are there to stay. ``spare`` is what is there beyond that, for those whom it
    helps. What is held and does not stay leaves anyway.
    """

    def __init__(self, placement: Placement, claims: Claims, room: Room, granted: Numbers) -> None:
        stay = np.minimum(room.staying, claims.most)
        self._placement = placement
        self._claims = claims
        self._rank = claims.rank
        self._trial = placement.trial()
        self._kinds = placement.kinds
        self._kept = np.minimum(stay, granted)
        self._leaving = room.held - stay
        by_rank = np.argsort(self._rank, kind="stable")
        self._anyway = by_rank[(room.held > self._kept)[by_rank]]
        self._at_need = by_rank[(self._kept > claims.least)[by_rank]]
        self._larger: dict[int, tuple[list[int], list[int]]] = {}
        self._dismissed: set[int] = set()
        self.counts = self._kept.copy()
        self.spare = stay - self._kept
        self.at_once = np.zeros_like(granted)
        for service in np.flatnonzero(self._leaving).tolist():
            self._trial.leave(self._kinds[service], int(self._leaving[service]))

    def raise_to(self, target: Numbers, *, minimum: bool = False) -> None:
        """Raise the counts to ``target``, by rank, as far as there are nodes; to a ``minimum`` at anyone's expense."""
        rising = np.flatnonzero(target > self.counts)
        rising = rising[np.argsort(self._rank[rising], kind="stable")]
        missing = (target - self.counts)[rising]
        hopeless = set()
        for service, more in zip(rising.tolist(), missing.tolist(), strict=True):
            kind = self._kinds[service]
            if kind in hopeless or service in self._dismissed:
                continue
            if self._seat(service, more, minimum=minimum) < more:
                hopeless.add(kind)

    def open_to(self, services: Numbers) -> Numbers:
        """Those of the services for which there may be room now."""
        kinds = self._placement.kind[services]
        is_open = [kind for kind in np.unique(kinds).tolist() if self._trial.is_open(kind)]
        return np.asarray(services[np.isin(kinds, is_open)])

    def start(self, service: int, count: int) -> int:
        """Have so many more, as far as they could be started now; returns how many.

        None of a service that has just been made smaller: only its count can be asked for, so one would undo the other.
        """
        if service in self._dismissed:
            return 0
        found = sum(placed for _, placed in self._trial.place(self._kinds[service], count))
        self.counts[service] += found
        self.at_once[service] += found
        return found

    def _seat(self, service: int, missing: int, *, minimum: bool) -> int:
        found = self.start(service, missing)
        if found < missing:
            later = self._trial.place_later(self._kinds[service], missing - found)
            later += self._make_way(service, missing - found - later, minimum=minimum)
            if found + later < missing:
                later += self._clear(service, minimum=minimum)
            self.counts[service] += later
            found += later
        return found

    def _make_way(self, service: int, missing: int, *, minimum: bool) -> int:
        """Have containers at least as large leave: each makes room, wherever it is. Returns for how many."""
        found, kind = 0, self._kinds[service]
        anyway, at_need = self._givers(kind)
        while anyway and found < missing:
            if self.spare[anyway[-1]]:
                found += self._swap(anyway[-1], kind, missing - found)
            else:
                anyway.pop()
        while at_need and self._kept[at_need[-1]] <= self._claims.least[at_need[-1]]:
            at_need.pop()
        for giver in self._later(service, at_need, minimum=minimum):
            while found < missing and self._kept[giver] > self._claims.least[giver]:
                found += self._swap(giver, kind, missing - found)
            if found == missing:
                break
        return found

    def _swap(self, giver: int, kind: int, missing: int) -> int:
        self._dismiss(giver)
        self._trial.leave(self._kinds[giver], 1)
        return self._trial.place_later(kind, missing)

    def _clear(self, service: int, *, minimum: bool) -> int:
        """Have several smaller containers of one service leave, if that will surely make room for one in the end.

        The fewest that could do are asked to go. Should they not have been on the same node, the next step asks again.
        """
        anyway = ((giver, self._kept[giver]) for giver in self._anyway[::-1].tolist())
        at_need = (
            (giver, self._claims.least[giver])
            for giver in self._later(service, self._at_need.tolist(), minimum=minimum)
        )
        for giver, keeps in chain(islice(anyway, LOOK), islice(at_need, LOOK)):
            fewest = None if giver in self._dismissed else self._fewest(service, giver, keeps)
            if fewest is not None:
                for _ in range(fewest - self._leaving[giver]):
                    self._dismiss(giver)
                for node in self._placement.where(giver):
                    self._trial.close(node)
                return 1
        return 0

    def _fewest(self, service: int, giver: int, keeps: int) -> int | None:
        """How many of the giver's containers must go from some node for one of ours to fit there.

        None unless it is sure that one will fit when only ``keeps`` are left, whichever these are: those that stay are
        too few to be in the way on every node.
        """
        places = self._placement.where(giver)
        size, own = self._size(service), self._size(giver)
        must_go = {node: _how_many(self._trial.row(node), size, own) for node in places}
        in_the_way = sum(max(0, there + 1 - must_go[node]) for node, there in places.items())
        return int(min(must_go.values())) if in_the_way > keeps else None

    def _size(self, service: int) -> list[float]:
        size: list[float] = self._placement.sizes[self._kinds[service]].tolist()
        return size

    def _dismiss(self, giver: int) -> None:
        self._dismissed.add(giver)
        if self.spare[giver]:
            self.spare[giver] -= 1
        else:
            self._kept[giver] -= 1
            self.counts[giver] -= 1

    def _givers(self, kind: int) -> tuple[list[int], list[int]]:
        """Of those who give anyway, and of those who give at need: whose containers are at least as large; last first."""
        if kind not in self._larger:
            covers = (self._placement.sizes >= self._placement.sizes[kind]).all(axis=1)[self._placement.kind]
            spare = self._anyway[covers[self._anyway] & (self.spare[self._anyway] > 0)]
            self._larger[kind] = spare.tolist(), self._at_need[covers[self._at_need]].tolist()
        return self._larger[kind]

    def _later(self, service: int, givers: list[int], *, minimum: bool) -> Iterator[int]:
        """Those of the givers who may be taken from, the last one first."""
        for giver in reversed(givers):
            if not minimum and self._rank[giver] <= self._rank[service]:
                return
            if giver != service and (minimum or self._claims.may_take(service, giver)):
                yield giver


def _how_many(free: list[float], size: list[float], each: list[float]) -> float:
    """How many containers (``each`` so large) must go from where so much is ``free`` for one of ``size`` to fit there."""
    most = 0.0
    for left, need, own in zip(free, size, each, strict=True):
        if need > left:
            most = max(most, math.ceil((need - left) / own) if own else math.inf)
    return most
