"""Placement: which node holds which container, so that "it fits" is answered per node and not from the sum.

It follows what the scheduler tells. Where containers are that nobody tells of, the first fit is as good a guess as any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from beaufort.model import Node, Service
from beaufort.pool import Amounts, with_slack

__all__ = ["Placement", "Trial"]


class Placement:
    """What is where, on a fixed set of nodes. Services whose containers are alike are of one ``kind``."""

    def __init__(self, services: Sequence[Service], nodes: Sequence[Node]) -> None:
        names = sorted({name for node in nodes for name in node.capacity})
        sizes = [[1.0 if name == "containers" else s.resources.get(name) for name in names] for s in services]
        self.sizes, self.kind = np.unique(
            np.array(sizes, dtype=float).reshape(-1, len(names)), axis=0, return_inverse=True
        )
        self.kinds: list[int] = self.kind.tolist()
        self._uses = [[(d, amount) for d, amount in enumerate(size) if amount > 0] for size in self.sizes.tolist()]
        self._free = with_slack(np.array([[node.capacity.get(name, np.inf) for node in nodes] for name in names]))
        self._index = {node.name: index for index, node in enumerate(nodes)}
        self._told: dict[int, Mapping[str, int]] = {}
        self._guessed: dict[int, dict[int, int]] = {}
        self._untold: dict[int, int] = {}
        self._moves: list[tuple[int, int, int]] = []

    def alone(self) -> Amounts:
        """How many containers of each service the nodes could hold if they were empty; may be infinity."""
        capacities, times = np.unique(self._free.T, axis=0, return_counts=True)
        fits = [float((times * _fit(capacities, size)).sum()) for size in self.sizes]
        return np.array(fits, dtype=float)[self.kind]

    def see(self, service: int, on: Mapping[str, int], held: int) -> None:
        """A service now holds so many containers, of which those are ``on`` nodes. An unknown node is nobody's room."""
        told = self._told.get(service, {})
        if on is not told and on != told:
            for node in {node for node, _ in on.items() ^ told.items()} & self._index.keys():
                self._moves.append((self._index[node], self.kinds[service], on.get(node, 0) - told.get(node, 0)))
            self._told[service] = on
        self._untold[service] = max(0, held - sum(on.values()))

    def expect(self, service: int, more: int) -> None:
        """So many more containers of a service may be anywhere soon."""
        if more > 0:
            untold = self._untold.get(service)
            guessed = sum(self._guessed.get(service, {}).values()) if untold is None else untold
            self._untold[service] = guessed + more

    def where(self, service: int) -> dict[int, int]:
        """Node (its index) -> how many containers of the service it holds, by word or by guess."""
        places = dict(self._guessed.get(service, {}))
        for name, count in self._told.get(service, {}).items():
            if name in self._index:
                node = self._index[name]
                places[node] = places.get(node, 0) + count
        return places

    def trial(self) -> Trial:
        """Try to place more containers. It changes nothing here."""
        self._guess()
        self._move()
        return Trial(self._free, self.sizes, self._uses)

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
                self._moves.append((node, self.kinds[service], -gone))
                surplus -= gone
            if surplus < 0:
                missing[service] = -surplus
        self._untold.clear()
        if not missing:
            return
        self._move()
        trial = Trial(self._free, self.sizes, self._uses)
        for service, count in missing.items():
            kind, guessed = self.kinds[service], self._guessed[service]
            for node, placed in trial.place(kind, count):
                guessed[node] = guessed.get(node, 0) + placed
                self._moves.append((node, kind, placed))

    def _move(self) -> None:
        if self._moves:
            nodes, kinds, counts = np.array(self._moves).T
            for free, size in zip(self._free, self.sizes.T, strict=True):
                np.subtract.at(free, nodes, size[kinds] * counts)
            self._moves.clear()


class Trial:
    """A try at placing more containers: what is free now, and what those that leave will leave, less what it has placed.

    Where a container that leaves has been is not known, but it leaves room for one of its size on one node.
    """

    def __init__(self, free: Amounts, sizes: Amounts, uses: Sequence[Sequence[tuple[int, float]]]) -> None:
        self._free = free
        self._sizes = sizes
        self._uses = uses
        self._rows: dict[int, list[float]] = {}
        self._open: dict[int, list[int]] = {}
        self._left: list[list[float]] = []
        self._next: dict[int, int] = {}

    def place(self, kind: int, count: int) -> list[tuple[int, int]]:
        """Place so many containers, or as many as there is room for now, by first fit: (node, how many there)."""
        placed = []
        nodes = self._nodes(kind)
        while count and nodes:
            node = nodes[-1]
            taken = self._take(self.row(node), kind, count)
            if taken:
                placed.append((node, taken))
                count -= taken
            if count:
                nodes.pop()
        return placed

    def is_open(self, kind: int) -> bool:
        """Whether there may be room for one now; if not, there is none."""
        return bool(self._nodes(kind))

    def leave(self, kind: int, count: int) -> None:
        """So many containers leave."""
        self._left += [size[:] for size in [self._sizes[kind].tolist()] * count]

    def place_later(self, kind: int, count: int) -> int:
        """The same for the room of those that leave; returns how many found room."""
        missing = count
        for index in range(self._next.get(kind, 0), len(self._left)):
            missing -= self._take(self._left[index], kind, missing)
            if not missing:
                break
            self._next[kind] = index + 1
        return count - missing

    def row(self, node: int) -> list[float]:
        """What is still free on a node, by resource; the caller may lower it."""
        row = self._rows.get(node)
        if row is None:
            row = self._rows[node] = self._free[:, node].tolist()
        return row

    def close(self, node: int) -> None:
        """Nothing more is to be placed on this node."""
        self._rows[node] = [0.0] * len(self._free)

    def _nodes(self, kind: int) -> list[int]:
        """The nodes that may have room, the first one last."""
        nodes = self._open.get(kind)
        if nodes is None:
            fitting = np.flatnonzero((self._free >= self._sizes[kind][:, None]).all(axis=0))
            nodes = self._open[kind] = fitting[::-1].tolist()
        return nodes

    def _take(self, row: list[float], kind: int, count: int) -> int:
        """Take the room of as many as fit, of ``count``."""
        uses = self._uses[kind]
        for d, amount in uses:
            if row[d] < amount * count:
                count = int(row[d] // amount)
        if count > 0:
            for d, amount in uses:
                row[d] -= amount * count
            return count
        return 0


def _fit(free: Amounts, size: Amounts) -> Amounts:
    """How many containers of one size each row holds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(size > 0, np.floor(free / size), np.inf).min(axis=1, initial=np.inf))
