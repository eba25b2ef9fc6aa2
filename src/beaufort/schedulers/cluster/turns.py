"""Turns: who is served first gets its nodes first. Swarm knows no priorities, and could give a node that only one service
may use to another that may be anywhere.
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
    """Of one service that grows. ``before``: those whom it lets go first. ``placed``: it has its nodes, or will get none."""

    priority: int
    before: Sequence[Turn]
    placed: asyncio.Event = field(default_factory=asyncio.Event)

    async def come(self) -> None:
        """Returns when all have their nodes that are before it, or after a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                for each in self.before:
                    await each.placed.wait()


class Turns:
    """Those who grow, in the order in which they have asked for it."""

    def __init__(self) -> None:
        self._growing: list[Turn] = []

    @contextmanager
    def taken(self, priority: int) -> Iterator[Turn]:
        """Lets those go first that are there already, but for lower priorities."""
        turn = Turn(priority, [each for each in self._growing if each.priority <= priority])
        self._growing.append(turn)
        try:
            yield turn
        finally:
            self._growing.remove(turn)
            turn.placed.set()
