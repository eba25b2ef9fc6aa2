"""Placement: which node holds which container, so that "it fits" is answered per node and not from the sum.

It follows what the scheduler tells. Where containers are that nobody tells of, the first fit is as good a guess as any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from beaufort.kinds import Cap, Kinds
from beaufort.model import EMPTY, NOWHERE, Node, Reach, Service
from beaufort.pool import Amounts, Flags, with_slack
from beaufort.trial import Trial

__all__ = ["Placement"]

Times = Sequence[float]


class Placement:
    """What is where, on a fixed set of nodes. ``reach``: which of them a service may use, where not all.

    ``chooses``: whether the scheduler can be told from which nodes containers are to go. ``bound``: which services may not
    be everywhere.
    """

    def __init__(
        self,
        services: Sequence[Service],
        nodes: Sequence[Node],
        reach: Mapping[str, Reach] = EMPTY,
        *,
        chooses: bool = False,
    ) -> None:
        self.kinds = Kinds(services, nodes, reach)
        self.chooses = chooses
        self.bound: Flags = np.array([service.name in reach for service in services], dtype=bool)
        names = self.kinds.names
        self.free = with_slack(
            np.array([[node.capacity.get(name, np.inf) for node in nodes] for name in names]).reshape(-1, len(nodes))
        )
        self.names = [node.name for node in nodes]
        self._index = {name: index for index, name in enumerate(self.names)}
        self._told: dict[int, Mapping[str, int]] = {}
        self._since: dict[int, Mapping[str, tuple[float, ...]]] = {}
        self._keeps: dict[int, dict[str, int]] = {}
        self._moving: set[int] = set()
        self._standing: dict[int, dict[int, Times]] = {}
        self._guessed: dict[int, dict[int, int]] = {}
        self._untold: dict[int, int] = {}
        self._moves: list[tuple[int, int, int]] = []

    def alone(self) -> Amounts:
        """How many containers of each service the nodes could hold if they were empty; may be infinity."""
        capacities, which, times = np.unique(self.free.T, axis=0, return_inverse=True, return_counts=True)
        fits = []
        for size, allowed, caps in zip(self.kinds.sizes, self.kinds.allowed, self.kinds.caps, strict=True):
            each = _fit(capacities, size)
            if allowed is None:
                fits.append(float((times * each).sum()))
            else:
                fits.append(_capped(np.where(allowed, each[which], 0.0), caps))
        return np.array(fits, dtype=float)[self.kinds.of]

    def see(
        self, service: int, on: Mapping[str, int], held: int, since: Mapping[str, tuple[float, ...]] = EMPTY
    ) -> None:
        """A service now holds so many containers, of which those are ``on`` nodes. An unknown node is nobody's room."""
        told = self._told.get(service, {})
        if on is not told and on != told:
            for node in {node for node, _ in on.items() ^ told.items()} & self._index.keys():
                self._moves.append(
                    (self._index[node], self.kinds.numbers[service], on.get(node, 0) - told.get(node, 0))
                )
            self._told[service] = on
        located = sum(on.values())
        self._untold[service] = max(0, held - located)
        if self.chooses:
            self._since[service] = since
            self._standing.pop(service, None)
            if located > sum(map(len, since.values())) or service in self._keeps:
                self._moving.add(service)
            else:
                self._moving.discard(service)

    def expect(self, service: int, more: int) -> None:
        """So many more containers of a service may be anywhere soon."""
        if more > 0:
            untold = self._untold.get(service)
            guessed = sum(self._guessed.get(service, {}).values()) if untold is None else untold
            self._untold[service] = guessed + more

    def expect_off(self, service: int, off: Mapping[str, int]) -> None:
        """So many have been asked to go off these nodes, whether or not that is seen."""
        self._keeps[service] = {node: len(self._since[service][node]) - count for node, count in off.items()}
        self._moving.add(service)
        self._standing.pop(service, None)

    def seen(self, service: int) -> None:
        """What was asked of it is in what has been told."""
        self._keeps.pop(service, None)

    def where(self, service: int) -> dict[int, int]:
        """Node (its index) -> how many containers of the service it holds, by word or by guess."""
        places = dict(self._guessed.get(service, {}))
        for name, count in self._told.get(service, {}).items():
            if name in self._index:
                node = self._index[name]
                places[node] = places.get(node, 0) + count
        return places

    def standing(self, service: int) -> dict[int, Times]:
        """Node (its index) -> when those were started that have not been asked to go, first to go first."""
        standing = self._standing.get(service)
        if standing is None:
            keeps, index = self._keeps.get(service, NOWHERE), self._index
            standing = self._standing[service] = {
                index[name]: times[max(0, len(times) - keeps[name]) :] if name in keeps else times
                for name, times in self._since.get(service, EMPTY).items()
                if name in index
            }
        return standing

    def going(self) -> Iterable[tuple[int, int, int]]:
        """(service, node, how many) that are about to leave."""
        for service in sorted(self._moving):
            standing = self.standing(service)
            for name, held in self._told.get(service, NOWHERE).items():
                if name in self._index and held > (stay := len(standing.get(self._index[name], ()))):
                    yield service, self._index[name], held - stay

    def trial(self) -> Trial:
        """Try to place more containers. It changes nothing here."""
        self._guess()
        self._move()
        return Trial(self.free, self.kinds, self.where)

    def _guess(self) -> None:
        """Have the guesses agree with how many there are that nobody tells of."""
        missing = {}
        for service, untold in self._untold.items():
            guessed = self._guessed.setdefault(service, {})
            surplus = sum(guessed.values()) - untold
            while surplus > 0:
                node, count = guessed.popitem()
                if count > surplus:
                    guessed[node] = count - surplus
                gone = min(count, surplus)
                self._moves.append((node, self.kinds.numbers[service], -gone))
                surplus -= gone
            if surplus < 0:
                missing[service] = -surplus
        self._untold.clear()
        if not missing:
            return
        self._move()
        trial = Trial(self.free, self.kinds, self.where)
        for service, count in missing.items():
            kind, guessed = self.kinds.numbers[service], self._guessed[service]
            for node, placed in trial.place(kind, count):
                guessed[node] = guessed.get(node, 0) + placed
                self._moves.append((node, kind, placed))

    def _move(self) -> None:
        if self._moves:
            nodes, kinds, counts = np.array(self._moves).T
            for free, size in zip(self.free, self.kinds.sizes.T, strict=True):
                np.subtract.at(free, nodes, size[kinds] * counts)
            self._moves.clear()


def _fit(free: Amounts, size: Amounts) -> Amounts:
    """How many containers of one size each row holds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(size > 0, np.floor(free / size), np.inf).min(axis=1, initial=np.inf))


def _capped(each: Amounts, caps: Sequence[Cap]) -> float:
    """How many fit, if each node holds so many: exact for one cap, and never too few."""
    most = [float(np.minimum(cap.most, _by_code(each, cap)).sum()) for cap in caps]
    return min([float(each.sum()), *most])


def _by_code(each: Amounts, cap: Cap) -> Amounts:
    held = np.zeros(max(cap.codes, default=-1) + 1)
    np.add.at(held, np.array(cap.codes, dtype=np.int64), each)
    return held
