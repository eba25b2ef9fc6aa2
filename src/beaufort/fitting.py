"""Fitting: which of the counts that the totals allow find a node, and who must go for that.

Where a scheduler chooses itself which containers go, it is told from which node (`eviction`); elsewhere nobody is made
smaller unless that helps whichever go (`clearing`). With the same demand, each step then serves those who come first
better than the last, and it comes to rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from beaufort.claims import Claims
from beaufort.clearing import Clearing
from beaufort.eviction import Eviction
from beaufort.givers import Givers
from beaufort.placement import Placement
from beaufort.pool import Numbers
from beaufort.room import Room

__all__ = ["Fitting"]


class Fitting:
    """A search for nodes. ``counts``: what each is to have so far. ``at_once``: how many of these can be started now.

    It begins with those of ``granted`` that are there to stay. ``spare`` is what is there beyond that, for those whom it
    helps. What is held and does not stay leaves anyway.
    """

    def __init__(self, placement: Placement, claims: Claims, room: Room, granted: Numbers) -> None:
        self._placement = placement
        self._numbers = placement.kinds.numbers
        self._trial = placement.trial()
        self._givers = Givers(claims, room, granted)
        self.counts = self._givers.counts
        self.at_once = np.zeros_like(granted)
        leaving = room.held - np.minimum(room.staying, claims.most)
        unknown = leaving.copy()
        self._going: defaultdict[int, set[int]] = defaultdict(set)
        if placement.chooses:
            unknown -= self._givers.due
            for service, node, count in placement.going():
                self._trial.leave_node(service, count, node)
                self._going[service].add(node)
                unknown[service] -= count
        for service in np.flatnonzero(unknown > 0).tolist():
            surely = self._trial.leave(service, int(unknown[service]), placement.where(service))
            self._going[service].update(surely)
        self._ways: Clearing | Eviction = (
            Eviction(placement, self._givers, self._trial)
            if placement.chooses
            else Clearing(placement, self._givers, self._trial, leaving)
        )

    @property
    def spare(self) -> Numbers:
        return self._givers.spare

    @property
    def off(self) -> Mapping[int, Mapping[int, int]]:
        """Of those who are made smaller: service -> node -> how many are to go from there."""
        return self._givers.off

    def raise_to(self, target: Numbers, *, minimum: bool = False) -> None:
        """Raise the counts to ``target``, by rank, as far as there are nodes; to a ``minimum`` at anyone's expense."""
        rising = np.flatnonzero(target > self.counts)
        rising = rising[np.argsort(self._givers.rank[rising], kind="stable")]
        missing = (target - self.counts)[rising]
        hopeless = set()
        for service, more in zip(rising.tolist(), missing.tolist(), strict=True):
            kind = self._numbers[service]
            if kind in hopeless or service in self._givers.dismissed:
                continue
            if self._seat(service, more, minimum=minimum) < more:
                hopeless.add(kind)

    def open_to(self, services: Numbers) -> Numbers:
        """Those of the services for which there may be room now."""
        kinds = self._placement.kinds.of[services]
        is_open = [kind for kind in np.unique(kinds).tolist() if self._trial.is_open(kind)]
        return np.asarray(services[np.isin(kinds, is_open)])

    def start(self, service: int, count: int) -> int:
        """Have so many more, as far as they could be started now; returns how many.

        None of a service that has just been made smaller: only its count can be asked for, so one would undo the other.
        Nor of one whose room somebody waits for, which it could take again.
        """
        if service in self._givers.dismissed or self._is_awaited(service):
            return 0
        found = sum(placed for _, placed in self._trial.place(self._numbers[service], count))
        self.counts[service] += found
        self.at_once[service] += found
        return found

    def _is_awaited(self, service: int) -> bool:
        nodes = self._going.get(service, ())
        return service in self._trial.awaited_of or not self._trial.awaited.isdisjoint(nodes)

    def _seat(self, service: int, missing: int, *, minimum: bool) -> int:
        found = self.start(service, missing)
        if found < missing:
            later = self._trial.place_later(self._numbers[service], missing - found)
            later += self._ways.make_way(service, missing - found - later, minimum=minimum)
            self.counts[service] += later
            found += later
        return found
