"""Eviction: from which node containers are to go so that somebody fits there, where the scheduler can be told.

The least and the youngest work of the lowest priority goes: first what goes anyway, then from the service that is served
last. Nobody is sent away for whom there is no taker, and nobody where it would not be enough.
"""

from __future__ import annotations

from itertools import islice

from beaufort.crowd import Crowd
from beaufort.givers import Givers
from beaufort.placement import Placement
from beaufort.trial import Trial

__all__ = ["Eviction"]

LOOK = 16
"""How many services of one rank are compared by the age of their containers: it bounds the time."""

SEARCHES = 32
"""How many times in one decision several containers are sought that can go together. The next decision goes on."""


class Eviction:
    """One decision's. ``trial`` is told of all who go."""

    def __init__(self, placement: Placement, givers: Givers, trial: Trial) -> None:
        self._kinds = placement.kinds
        self._givers = givers
        self._crowd = Crowd(placement, givers, trial)
        self._trial = trial
        self._larger: dict[int, tuple[list[int], list[int]]] = {}
        self._in_vain: dict[int, float] = {}
        self._searches = SEARCHES

    def make_way(self, service: int, missing: int, *, minimum: bool) -> int:
        """Have others go. Returns for how many of the ``missing`` that makes room."""
        kind, found = self._kinds.numbers[service], 0
        while found < missing and self._one(service, kind, minimum=minimum):
            found += self._trial.place_later(kind, missing - found)
        return found

    def _one(self, service: int, kind: int, *, minimum: bool) -> bool:
        """Have go who makes room for one."""
        single: tuple[int, int] | None = None
        if self._kinds.allowed[kind] is None:
            if (loose := self._loose(kind)) is not None:
                self._dismiss(*loose)
                return True
            single = self._single(service, kind, minimum=minimum)
        beyond = -1.0 if single is None else float(self._givers.rank[single[0]])
        if self._several(service, kind, beyond, minimum=minimum):
            return True
        if single is not None:
            self._dismiss(*single)
        return single is not None

    def _dismiss(self, giver: int, node: int) -> None:
        self._crowd.shrink(giver, node)
        self._givers.dismiss(giver, node)
        self._trial.leave_node(giver, 1, node)

    def _loose(self, kind: int) -> tuple[int, int] | None:
        """One at least as large that goes anyway: (giver, node)."""
        loose = self._who(kind)[0]
        while loose:
            giver = loose[-1]
            if self._givers.due[giver] + self._givers.spare[giver] > 0 and (found := self._crowd.youngest(giver)):
                return giver, found[1]
            loose.pop()
        return None

    def _single(self, service: int, kind: int, *, minimum: bool) -> tuple[int, int] | None:
        """One at least as large of the lowest priority, the youngest of a few: (giver, node)."""
        need = self._who(kind)[1]
        while need and self._givers.above_least(need[-1]) <= 0:
            need.pop()
        best: tuple[float, int, int] | None = None
        may = (g for g in self._givers.later(service, need, minimum=minimum) if self._givers.above_least(g) > 0)
        for giver in islice(may, LOOK):
            if best is not None and self._givers.rank[giver] != self._givers.rank[best[1]]:
                break
            if (found := self._crowd.youngest(giver)) is not None and (best is None or found[0] > best[0]):
                best = found[0], giver, found[1]
        return None if best is None else best[1:]

    def _several(self, service: int, kind: int, beyond: float, *, minimum: bool) -> bool:
        """Those that make room together on one node, if there are any that come later than what is ``beyond``."""
        least = max(beyond, -1.0 if minimum else float(self._givers.rank[service]))
        if self._in_vain.get(kind, least + 1) <= least or not self._searches:
            return False
        found = self._crowd.best(service, kind, least, minimum=minimum)
        if found is None:
            self._in_vain[kind] = least
            return False
        self._searches -= 1
        node, who = found
        for giver in who:
            self._dismiss(giver, node)
        return True

    def _who(self, kind: int) -> tuple[list[int], list[int]]:
        """Of those who give anyway, and of those who give at need: whose containers are at least as large; last first."""
        if kind not in self._larger:
            givers = self._givers
            covers = self._kinds.covers(kind)[self._kinds.of]
            loose = givers.anyway[covers[givers.anyway]]
            loose = loose[(givers.due + givers.spare)[loose] > 0]
            self._larger[kind] = loose.tolist(), givers.at_need[covers[givers.at_need]].tolist()
        return self._larger[kind]
