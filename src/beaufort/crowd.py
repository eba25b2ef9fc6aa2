"""Crowd: what could go from each node, and which of it would be enough.

What a node could have at most is summed up for all nodes at once; only where that is enough is it looked at who is there.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from beaufort.givers import Givers
from beaufort.placement import Placement
from beaufort.pool import Amounts
from beaufort.trial import Trial

__all__ = ["Crowd"]

LOOK = 8
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
    """Those of whom the ``givers`` have something to give, where they are.

    They are looked at level by level as it is needed: first those that go anyway, then the lowest priorities.
    """

    def __init__(self, placement: Placement, givers: Givers, trial: Trial) -> None:
        self._placement = placement
        self._kinds = placement.kinds
        self._sizes = placement.kinds.rows
        self._givers = givers
        self._trial = trial
        self._after: Amounts = placement.free.copy()
        ranks = np.unique(givers.rank[givers.at_need])[::-1]
        groups = [group for group in np.array_split(ranks, LEVELS) if len(group)]
        self._first: Amounts = np.array([math.inf, *(group[0] for group in groups)])
        self._last: Amounts = np.array([math.inf, *(group[-1] for group in groups)])
        self._sums: list[Amounts] = []
        self._by_node: defaultdict[int, dict[int, None]] = defaultdict(dict)

    def youngest(self, giver: int) -> tuple[float, int] | None:
        """Of those of one service that could go: since when the youngest has been there, and on which node."""
        gone = self._givers.gone(giver)
        best: tuple[float, int] | None = None
        for node, times in self._placement.standing(giver).items():
            first = gone.get(node, 0)
            if first < len(times) and (best is None or times[first] > best[0]):
                best = times[first], node
        return best

    def shrink(self, giver: int, node: int) -> None:
        """One of a service goes from a node: there is less that could."""
        if self._sums:
            loose = self._givers.due[giver] + self._givers.spare[giver] > 0
            for sums in self._sums[0 if loose else self._level(giver) :]:
                sums[:, node] -= self._kinds.sizes[self._kinds.numbers[giver]]

    def best(self, service: int, kind: int, least: float, *, minimum: bool) -> tuple[int, list[int]] | None:
        """The node on which the fewest and youngest of those that come after the rank ``least`` make room together, and
        who they are, once for each container. None where nowhere all of them would.
        """
        for node in self._trial.touched():
            self._after[:, node] = self._trial.after(node)
        need, allowed = self._kinds.sizes[kind][:, None], self._kinds.allowed[kind]
        for level, (first, last) in enumerate(zip(self._first, self._last, strict=True)):
            if first <= least:
                break
            enough = (self._after + self._sum_up(level) >= need).all(axis=0)
            nodes = np.flatnonzero(enough if allowed is None else enough & allowed).tolist()
            found = self._least_loss(service, kind, nodes, max(least, last - 1), minimum=minimum)
            if found is not None:
                return found
        return None

    def _least_loss(
        self, service: int, kind: int, nodes: Iterable[int], least: float, *, minimum: bool
    ) -> tuple[int, list[int]] | None:
        best: tuple[tuple[float, int, float], int, list[int]] | None = None
        looked = 0
        for node in nodes:
            if not self._trial.may_take(node, kind, 1):
                continue
            who = self._enough(node, kind, self._who(node, service, least, minimum=minimum))
            if who:
                loss = -min(one.rank for one in who), len(who), -sum(one.since for one in who)
                if best is None or loss < best[0]:
                    best = loss, node, [one.giver for one in who]
                looked += 1
                if looked == LOOK:
                    break
        return None if best is None else best[1:]

    def _who(self, node: int, service: int, least: float, *, minimum: bool) -> list[_One]:
        """Who may go from a node for a service."""
        givers, found = self._givers, []
        for giver in self._by_node[node]:
            times = self._placement.standing(giver)[node][givers.gone(giver).get(node, 0) :]
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

    def _level(self, giver: int) -> int:
        return int(np.searchsorted(-self._first, -self._givers.rank[giver], side="right")) - 1

    def _sum_up(self, level: int) -> Amounts:
        """What could go at most of this level and those before it, by resource and node."""
        if level < len(self._sums):
            return self._sums[level]
        givers = self._givers
        if level == 0:
            most = givers.due + givers.spare
            who = givers.anyway[most[givers.anyway] > 0]
        else:
            most = givers.kept - givers.claims.least
            who = givers.at_need[most[givers.at_need] > 0]
            who = who[(givers.rank[who] <= self._first[level]) & (givers.rank[who] >= self._last[level])]
        found: list[tuple[int, int, int]] = []
        for giver in who.tolist():
            for node, times in self._placement.standing(giver).items():
                self._by_node[node][giver] = None
                found.append((giver, node, len(times) - givers.gone(giver).get(node, 0)))
        sums = self._sums[-1].copy() if self._sums else np.zeros_like(self._after)
        if found:
            whose, nodes, many = np.array(found).T
            amounts = self._kinds.sizes[self._kinds.of[whose]].T * np.minimum(many, most[whose])
            for row, amount in zip(sums, amounts, strict=True):
                np.add.at(row, nodes, amount)
        self._sums.append(sums)
        return sums


def _help(own: Sequence[float], lack: Sequence[float]) -> float:
    """The greatest part of what is lacking that one has."""
    return max((amount / short for amount, short in zip(own, lack, strict=True) if short > 0), default=0.0)
