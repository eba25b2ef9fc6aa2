"""Clearing: who must go so that somebody fits on a node, where it is the scheduler's choice which container goes.

Only counts can be asked for. So nobody is made smaller unless, whichever of its containers go, one of somebody who is
served before it will fit where it did not.
"""

from __future__ import annotations

import math
from itertools import chain, islice

from beaufort.givers import Givers
from beaufort.placement import Placement
from beaufort.pool import Numbers
from beaufort.trial import Trial

__all__ = ["Clearing"]

LOOK = 10
"""How many services are looked at for one whose small containers could make way for a large one: it bounds the time."""


class Clearing:
    """``leaving``: how many of each service leave anyway."""

    def __init__(self, placement: Placement, givers: Givers, trial: Trial, leaving: Numbers) -> None:
        self._placement = placement
        self._kinds = placement.kinds
        self._givers = givers
        self._trial = trial
        self._leaving = leaving
        self._larger: dict[int, tuple[list[int], list[int]]] = {}

    def make_way(self, service: int, missing: int, *, minimum: bool) -> int:
        """Have others go. Returns for how many of the ``missing`` that makes room."""
        kind = self._kinds.numbers[service]
        most = min(missing, 1) if self._kinds.caps[kind] else missing  # two could become free on one node
        found = self._for_larger(service, kind, most, minimum=minimum)
        if found < missing:
            found += self._for_several(service, kind, minimum=minimum)
        return found

    def _for_larger(self, service: int, kind: int, missing: int, *, minimum: bool) -> int:
        """Containers at least as large: each makes room, wherever it is."""
        found, givers = 0, self._givers
        anyway, at_need = self._who(kind)
        while anyway and found < missing:
            if givers.spare[anyway[-1]]:
                found += self._swap(anyway[-1], kind, missing - found)
            else:
                anyway.pop()
        while at_need and givers.above_least(at_need[-1]) <= 0:
            at_need.pop()
        for giver in givers.later(service, at_need, minimum=minimum):
            while found < missing and givers.above_least(giver) > 0:
                found += self._swap(giver, kind, missing - found)
            if found == missing:
                break
        return found

    def _swap(self, giver: int, kind: int, missing: int) -> int:
        self._givers.dismiss(giver)
        self._trial.leave(giver, 1, self._placement.where(giver))
        return self._trial.place_later(kind, missing)

    def _for_several(self, service: int, kind: int, *, minimum: bool) -> int:
        """Have several smaller containers of one service leave, if that will surely make room for one in the end.

        The fewest that could do are asked to go. Should they not have been on the same node, the next step asks again.
        """
        givers = self._givers
        anyway = ((giver, givers.kept[giver]) for giver in givers.anyway[::-1].tolist())
        at_need = (
            (giver, givers.claims.least[giver])
            for giver in givers.later(service, givers.at_need.tolist(), minimum=minimum)
        )
        for giver, keeps in chain(islice(anyway, LOOK), islice(at_need, LOOK)):
            fewest = None if giver in givers.dismissed else self._fewest(kind, giver, keeps)
            if fewest is not None:
                for _ in range(fewest - self._leaving[giver]):
                    givers.dismiss(giver)
                for node in self._placement.where(giver):
                    self._trial.close(node)
                return 1
        return 0

    def _fewest(self, kind: int, giver: int, keeps: int) -> int | None:
        """How many of the giver's containers must go from some node for one of the kind to fit there.

        None unless it is sure that one will fit when only ``keeps`` are left, whichever these are: those that stay are
        too few to be in the way on every node that it may use.
        """
        places = {node: n for node, n in self._placement.where(giver).items() if self._is_open(node, kind)}
        size, own = self._kinds.rows[kind], self._kinds.rows[self._kinds.numbers[giver]]
        must_go = {node: _how_many(self._trial.row(node), size, own) for node in places}
        in_the_way = sum(max(0, there + 1 - must_go[node]) for node, there in places.items())
        return int(min(must_go.values())) if in_the_way > keeps else None

    def _is_open(self, node: int, kind: int) -> bool:
        """Whether the node may take one, and what leaves it is not for somebody else already."""
        return node not in self._trial.awaited and self._trial.may_take(node, kind, 1) > 0

    def _who(self, kind: int) -> tuple[list[int], list[int]]:
        """Of those who give anyway, and of those who give at need: whose containers are at least as large, and all of
        whose nodes it may use; last first.
        """
        if kind not in self._larger:
            givers = self._givers
            covers = self._kinds.covers(kind)[self._kinds.of]
            spare = givers.anyway[covers[givers.anyway] & (givers.spare[givers.anyway] > 0)].tolist()
            need = givers.at_need[covers[givers.at_need]].tolist()
            if self._kinds.allowed[kind] is not None:
                spare, need = (
                    list(filter(lambda giver: self._is_within(giver, kind), which)) for which in (spare, need)
                )
            self._larger[kind] = spare, need
        return self._larger[kind]

    def _is_within(self, giver: int, kind: int) -> bool:
        return all(self._trial.may_take(node, kind, 1) for node in self._placement.where(giver))


def _how_many(free: list[float], size: list[float], each: list[float]) -> float:
    """How many containers (``each`` so large) must go from where so much is ``free`` for one of ``size`` to fit there."""
    most = 0.0
    for left, need, own in zip(free, size, each, strict=True):
        if need > left:
            most = max(most, math.ceil((need - left) / own) if own else math.inf)
    return most
