"""Room: what is held, and so what is truly free to grow into.

What starts and what stops holds its room. Whatever waits for room waits without a state of its own: when a container
has stopped, the next step finds the room free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from beaufort.model import Counts, Node, Service
from beaufort.placement import Packing
from beaufort.pool import Numbers, Pool

__all__ = ["Room"]


class Room:
    """What the containers of a fixed set of services hold, and so what is truly free, in total and on each node."""

    def __init__(self, services: Sequence[Service], nodes: Sequence[Node], pool: Pool) -> None:
        self.current = np.zeros(len(services), dtype=np.int64)
        self.stopping = np.zeros(len(services), dtype=np.int64)
        self._held = np.zeros(len(services), dtype=np.int64)
        self._pool = pool
        self._priority = np.array([service.priority for service in services], dtype=np.int64)
        self._shapes = [service.size for service in services]
        self._packing = Packing(nodes) if len(nodes) > 1 else None
        self._on: dict[int, Mapping[str, int]] = {}

    def update(self, index: int, counts: Counts, asked: int | None) -> None:
        """One service now holds this. ``asked`` is the count that was asked for and may not be seen in ``counts`` yet."""
        unseen = max(0, asked - counts.current) if asked is not None else 0
        self.current[index], self.stopping[index] = counts.current, counts.stopping
        self._held[index] = counts.held + unseen
        if self._packing is not None:
            self._locate(self._packing, index, counts)

    def grow(self, target: Numbers, growing: Numbers) -> dict[int, int]:
        """How many containers each of the ``growing`` services (indices) may start now on the way to ``target``.

        Room goes to the higher priority first: what it waits for is not given away below it.
        """
        growing = growing[np.argsort(self._priority[growing], kind="stable")]
        more = target[growing] - self.current[growing]
        need = self._pool.need[growing]
        free = self._pool.room - self._held @ self._pool.need
        # What is free to each is what the growth of those before it leaves, not counting the waits of those after it.
        left = free - np.cumsum(more[:, None] * need, axis=0) + more[:, None] * need
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(need > 0, np.floor(np.maximum(left, 0) / need), np.inf).min(axis=1, initial=np.inf)
        starts = np.minimum(more, fit).astype(np.int64)
        return self._on_nodes(dict(zip(growing.tolist(), starts.tolist(), strict=True)))

    def _locate(self, packing: Packing, index: int, counts: Counts) -> None:
        shape = self._shapes[index]
        for node, count in self._on.get(index, {}).items():
            packing.hold(node, shape, -count)
        for node, count in counts.on.items():
            packing.hold(node, shape, count)
        self._on[index] = counts.on
        # Of those that are nobody knows where, the first fit is as good a guess as any.
        packing.make(index, shape, max(0, int(self._held[index]) - sum(counts.on.values())))

    def _on_nodes(self, starts: dict[int, int]) -> dict[int, int]:
        if self._packing is None:
            return starts
        placed, trial = {}, len(self._shapes)
        for index, count in starts.items():
            placed[index] = self._packing.make(trial + index, self._shapes[index], count)
        for index in starts:
            self._packing.make(trial + index, self._shapes[index], 0)
        return placed
