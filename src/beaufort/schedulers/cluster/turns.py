"""Turns: who may not be anywhere gets its nodes before those who are served later. Swarm knows no priorities, and could give
others the only nodes that it may use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

__all__ = ["Turn", "Turns"]

LONGEST = 2.5
"""Seconds that those who come first are waited for: as long as containers that stop are, and as Swarm is to find a node."""


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """Of one service that grows. ``nodes``: those that it may use, None for all. ``placed``: it has its nodes, or will get
    none. ``before``: the same of those whom it lets go first.
    """

    priority: int
    nodes: frozenset[str] | None
    before: Sequence[asyncio.Event]
    placed: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self) -> None:
        """Returns when all have their nodes that are before it, or after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                for placed in self.before:
                    await placed.wait()


class Turns:
    """Those who grow, in the order in which they have asked for it."""

    def __init__(self) -> None:
        self._growing: list[Turn] = []

    @contextmanager
    def taken(self, priority: int, nodes: frozenset[str] | None) -> Iterator[Turn]:
        """Lets those go first that are there already and may use only some nodes, but for lower priorities and for those
        whose nodes it may not use itself.
        """
        earlier = [each for each in self._growing if each.priority <= priority and each.nodes is not None]
        before = [each.placed for each in earlier if nodes is None or nodes & (each.nodes or frozenset())]
        turn = Turn(priority, nodes, before)
        self._growing.append(turn)
        try:
            yield turn
        finally:
            self._growing.remove(turn)
            turn.placed.set()
