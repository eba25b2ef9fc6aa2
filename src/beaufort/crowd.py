"""Crowd: what could go from each node, and which of it would be enough.

What a node could have at most is summed up for all nodes at once; only where that is enough is it looked at who is there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from beaufort.givers import Givers
from beaufort.placement import Placement, Times
from beaufort.pool import Amounts, Numbers
from beaufort.trial import Trial

__all__ = ["Crowd"]

LOOK = 32
"""How many nodes on which enough could go are compared: it bounds the time."""

LEVELS = 16
"""How many levels of priority are told apart in the sums; more are taken together."""


@dataclass(frozen=True, slots=True)
class _One:
    """A container that may go: of whom, of which rank (infinity: it goes anyway), and since when it is there."""

    giver: int
    rank: float
    since: float


class Crowd:
    """Those of whom the ``givers`` have something to give, where they are. It is looked at when it is first needed."""

    def __init__(self, placement: Placement, givers: Givers, trial: Trial) -> None:
        self._placement = placement
        self._sizes: Sequence[Sequence[float]] = placement.kinds.sizes.tolist()
        self._kinds = placement.kinds
        self._givers = givers
        self._trial = trial
        self._standing: dict[int, dict[int, Times]] = {}
        self._sums: Amounts | None = None

    def youngest(self, giver: int) -> tuple[float, int] | None:
        """Of those of one service that could go: since when the youngest has been there, and on which node."""
        gone = self._givers.gone(giver)
        left = ((node, times[gone.get(node, 0) :]) for node, times in self._there(giver).items())
        return max(((times[0], node) for node, times in left if times), default=None)

    def shrink(self, giver: int, node: int) -> None:
        """One of a service goes from a node: there is less that could."""
        if self._sums is not None:
            loose = self._givers.due[giver] + self._givers.spare[giver] > 0
            level = 0 if loose else self._level(giver)
            self._sums[level:, :, node] -= self._kinds.sizes[self._kinds.numbers[giver]]

    def best(self, service: int, kind: int, least: float, *, minimum: bool) -> tuple[int, list[int]] | None:
        """The node on which the fewest and youngest of those that come after the rank ``least`` make room together, and
        who they are, once for each container. None where nowhere all of them would.
        """
        if self._sums is None:
            self._sums = self._sum_up()
        for node in self._trial.touched():
            self._after[:, node] = self._trial.after(node)
        need, allowed = self._kinds.sizes[kind][:, None], self._kinds.allowed[kind]
        for sums, first, last in zip(self._sums, self._first, self._last, strict=True):
            if first <= least:
                break
            enough = (self._after + sums >= need).all(axis=0)
            nodes = np.flatnonzero(enough if allowed is None else enough & allowed).tolist()
            found = self._least_loss(service, kind, nodes, max(least, last - 1), minimum=minimum)
            if found is not None:
                return found
        return None

    def _least_loss(
        self, service: int, kind: int, nodes: Iterable[int], least: float, *, minimum: bool
    ) -> tuple[int, list[int]] | None:
        best: tuple[tuple[int, float], int, list[int]] | None = None
        looked = 0
        for node in nodes:
            if not self._trial.may_take(node, kind, 1):
                continue
            who = self._enough(node, kind, self._who(node, service, least, minimum=minimum))
            if who:
                loss = len(who), -sum(one.since for one in who)
                if best is None or loss < best[0]:
                    best = loss, node, [one.giver for one in who]
                looked += 1
                if looked == LOOK:
                    break
        return None if best is None else best[1:]

    def _who(self, node: int, service: int, least: float, *, minimum: bool) -> list[_One]:
        """Who may go from a node for a service."""
        givers, found = self._givers, []
        for giver in self._by_node[self._begin[node] : self._begin[node + 1]]:
            times = self._there(giver)[node][givers.gone(giver).get(node, 0) :]
            loose = int(givers.due[giver] + givers.spare[giver])
            found += [_One(giver, math.inf, since) for since in times[:loose]]
            rank = float(givers.rank[giver])
            if rank > least and givers.may_give(giver, service, minimum=minimum):
                more = max(0, givers.above_least(giver))
                found += [_One(giver, rank, since) for since in times[loose : loose + more]]
        return found

    def _enough(self, node: int, kind: int, who: Iterable[_One]) -> list[_One]:
        """The fewest of these that together make room for one of the kind; none where all are too few.

        Those who are served last go first, of them those that help the most, then the youngest.
        """
        lack = [need - after for need, after in zip(self._sizes[kind], self._trial.after(node), strict=True)]
        first, gone = list(lack), []
        for one in sorted(who, key=lambda one: (-one.rank, -_help(self._size(one), first), -one.since)):
            if max(lack, default=0.0) <= 0:
                break
            gone.append(one)
            lack = [short - own for short, own in zip(lack, self._size(one), strict=True)]
        if max(lack, default=0.0) > 0:
            return []
        for one in gone[::-1]:
            without = [short + own for short, own in zip(lack, self._size(one), strict=True)]
            if max(without, default=0.0) <= 0:
                gone.remove(one)
                lack = without
        return gone

    def _size(self, one: _One) -> Sequence[float]:
        return self._sizes[self._kinds.numbers[one.giver]]

    def _there(self, giver: int) -> dict[int, Times]:
        there = self._standing.get(giver)
        if there is None:
            there = self._standing[giver] = self._placement.standing(giver)
        return there

    def _level(self, giver: int) -> int:
        return int(np.searchsorted(-self._first, -self._givers.rank[giver], side="right")) - 1

    def _sum_up(self) -> Amounts:
        """By level: what could go at most, with all levels before it, by resource and node. First is what goes anyway."""
        givers = self._givers
        self._after: Amounts = self._placement.free.copy()
        loose = givers.due + givers.spare
        who = np.union1d(givers.anyway[loose[givers.anyway] > 0], givers.at_need)
        ranks = np.unique(givers.rank[givers.at_need])[::-1]
        groups = [group for group in np.array_split(ranks, min(LEVELS, max(1, len(ranks)))) if len(group)]
        self._first: Amounts = np.array([math.inf, *(group[0] for group in groups)])
        self._last: Amounts = np.array([math.inf, *(group[-1] for group in groups)])
        places = [self._there(giver) for giver in who.tolist()]
        counts = np.array([len(there) for there in places], dtype=np.int64)
        giver = np.repeat(who, counts)
        node: Numbers = np.fromiter(chain.from_iterable(places), np.int64, len(giver))
        times = (times for there in places for times in there.values())
        many: Numbers = np.fromiter(map(len, times), np.int64, len(giver))
        order = np.argsort(node, kind="stable")
        self._by_node: list[int] = giver[order].tolist()
        self._begin: list[int] = np.searchsorted(node[order], np.arange(len(self._placement.names) + 1)).tolist()
        level = np.searchsorted(-self._first, -givers.rank[giver], side="right") - 1
        sizes = self._kinds.sizes[self._kinds.of[giver]]
        sums = np.zeros((len(self._first), sizes.shape[1], len(self._placement.names)))
        for dimension, size in enumerate(sizes.T):
            np.add.at(sums[0, dimension], node, size * np.minimum(many, loose[giver]))
            above = np.maximum(0, givers.kept - givers.claims.least)[giver]
            np.add.at(sums[:, dimension], (level, node), size * np.minimum(many, above))
        return np.asarray(sums.cumsum(axis=0))


def _help(own: Sequence[float], lack: Sequence[float]) -> float:
    """The greatest part of what is lacking that one has."""
    return max((amount / short for amount, short in zip(own, lack, strict=True) if short > 0), default=0.0)
