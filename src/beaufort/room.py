"""Room: what is held, and so what is truly free to grow into.

What starts and what stops holds its room. Whatever waits for room waits without a state of its own: when a container
has stopped, the next step finds the room free.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from beaufort.model import Counts, Node, Service
from beaufort.placement import Placement
from beaufort.pool import Numbers, Pool

__all__ = ["Room"]


class Room:
    """What the containers of a fixed set of services hold. Arrays are in the order of the services: by priority.

    ``current`` is what serves or is about to; ``staying`` is what will be when all that has been asked for is done.
    """

    def __init__(self, services: Sequence[Service], nodes: Sequence[Node], pool: Pool) -> None:
        self.current, self.staying, self.stopping, self.held = np.zeros((4, len(services)), dtype=np.int64)
        self.placement = Placement(services, nodes) if len(nodes) > 1 else None
        self._pool = pool

    def update(self, index: int, counts: Counts, asked: int | None) -> None:
        """One service now holds this. ``asked`` is the count that was asked for and may not be seen in ``counts`` yet."""
        current = counts.running + counts.starting
        self.current[index] = current
        self.stopping[index] = counts.stopping
        self.staying[index] = current if asked is None else asked
        held = current + counts.stopping
        if asked is not None and asked > current:
            held += asked - current
        self.held[index] = held
        if self.placement is not None:
            self.placement.update(index, counts.on, held)

    def starts(self, target: Numbers, growing: Numbers) -> Numbers:
        """How many containers each of the ``growing`` services may start now on the way to ``target``, by the totals.

        Room goes to the higher priority first: what it waits for is not given away below it.
        """
        more = target[growing] - self.current[growing]
        need = self._pool.need[growing]
        taken = more[:, None] * need
        left = self._pool.room - self.held @ self._pool.need - np.cumsum(taken, axis=0) + taken
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(need > 0, np.floor(np.maximum(left, 0) / need), np.inf).min(axis=1, initial=np.inf)
        return np.asarray(np.minimum(more, fit).astype(np.int64))
