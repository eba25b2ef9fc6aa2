"""Room: what is held, and so what is truly free to grow into.

What starts and what stops holds its room. Whatever waits for room waits without a state of its own: when a container
has stopped, the next step finds the room free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from beaufort.model import EMPTY, Counts, Node, Reach, Service
from beaufort.placement import Placement
from beaufort.pool import Amounts, Numbers, Pool

__all__ = ["Room"]


class Room:
    """What the containers of a fixed set of services hold. Arrays are in the order of the services: by priority.

    ``current`` is what serves or is about to; ``staying`` is what will be when all that has been asked for is done.
    ``kept`` is what is paused, and so holds less. ``reach`` and ``chooses``: see `Placement`.
    """

    def __init__(
        self,
        services: Sequence[Service],
        nodes: Sequence[Node],
        pool: Pool,
        reach: Mapping[str, Reach] = EMPTY,
        *,
        chooses: bool = False,
    ) -> None:
        self.current, self.staying, self.stopping, self.held, self.kept = np.zeros((5, len(services)), dtype=np.int64)
        on_nodes = len(nodes) > 1 or (nodes and reach)
        self.placement = Placement(services, nodes, reach, chooses=chooses) if on_nodes else None
        self._pool = pool

    def see(
        self, which: Sequence[int], counts: Sequence[Counts], asked: Sequence[int | None], warming: Sequence[int]
    ) -> None:
        """These services now hold this. ``asked`` is what was asked for and may not be seen in the counts yet, and so are
        some of the ``warming``.
        """
        if not which:
            return
        self.current[which] = current = [each.running + each.starting for each in counts]
        self.stopping[which] = [each.stopping for each in counts]
        self.staying[which] = staying = [c if a is None else a for c, a in zip(current, asked, strict=True)]
        self.held[which] = held = [
            max(c, s) + each.stopping + w for each, c, s, w in zip(counts, current, staying, warming, strict=True)
        ]
        self.kept[which] = [each.standby.kept for each in counts]
        if self.placement is not None:
            for index, each, total, pending in zip(which, counts, held, asked, strict=True):
                if pending is None:
                    self.placement.seen(index)
                self.placement.see(index, each.on, total, each.since)

    def ask(self, which: Numbers, target: Numbers, warm: Numbers) -> None:
        """These services have been asked to have so many, and to warm some. What was asked for holds room at once."""
        self.staying[which] = target
        self.held[which] += np.maximum(target - self.current[which], 0) + warm
        if self.placement is not None:
            for index, more in zip(which.tolist(), (target - self.current[which]).tolist(), strict=True):
                self.placement.expect(index, more)

    def starts(self, target: Numbers, growing: Numbers, useful: Numbers) -> Numbers:
        """How many containers each of the ``growing`` services may start now on the way to ``target``, by the totals.

        Room goes to the higher priority first: what it waits for is not given away below it. What is paused takes only
        what it does not hold yet, if it is of those that are ``useful``; the others hold their room until they have gone.
        """
        more = target[growing] - self.staying[growing]
        need, rest = self._pool.need[:, growing], self._pool.rest[:, growing]
        kept = np.minimum(useful, self.kept[growing])
        taken = more * need - np.minimum(more, kept) * rest
        left = self.free[:, None] - np.cumsum(taken, axis=1) + taken
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(need > 0, np.floor(np.maximum(left, 0) / need), np.inf)
        fit = (fit + np.where(rest > 0, kept, 0)).min(axis=0, initial=np.inf)
        return np.asarray(np.minimum(more, fit).astype(np.int64))

    def fits(self, index: int, most: int) -> int:
        """How many more containers of one service there is room for now, of ``most``, by the totals."""
        need = self._pool.need[:, index]
        needed = need > 0
        return int(np.floor(np.maximum(self.free[needed], 0) / need[needed]).min(initial=most))

    @property
    def free(self) -> Amounts:
        """What is free now of each total."""
        return np.asarray(self._pool.room - self._pool.need @ self.held - self._pool.rest @ self.kept)
