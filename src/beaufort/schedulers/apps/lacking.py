"""What waits to be launched for so long that it has to be told: since when, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.apps.words import delayed, unfit

__all__ = ["Lacking"]

UNFIT, UNOFFERED = 6.5, 10.0
"""Seconds after which it is told: when no offer does, and when there is none. Marathon asks for those of
all nodes every 5 s at most, and a master makes them every second.
"""

FORGOTTEN = 0.5
"""Seconds after which what is not in the queue is not about to be: Marathon puts it there at once."""

UNKNOWN = f"no offer of the cluster came in {UNOFFERED:g} s"


@dataclass(frozen=True, slots=True)
class _Wait:
    """Of one service: with so many tasks ``there``, since then. ``reason``: why no offer does, if none does. ``queued_at``:
    when it was last seen in the queue, or had it been.
    """

    there: int
    since: float
    waited: float = 0.0
    reason: str = ""
    is_told: bool = False
    queued_at: float = 0.0


class Lacking:
    """A wait begins anew with each task that is launched, and while Marathon itself waits after failures."""

    def __init__(self) -> None:
        self._waits: dict[str, _Wait] = {}
        self._now = 0.0

    def see(self, ledger: Ledger, now: float) -> None:
        waits = {}
        for name in ledger.waiting():
            queued, there = ledger.queued(name), len(ledger.standing(name).serving)
            wait = self._waits.get(name)
            if wait is None or wait.there != there or delayed(queued, ""):
                wait = _Wait(there, now, queued_at=now)
            queued_at = now if queued.count or ledger.locks(name) else wait.queued_at
            waits[name] = replace(wait, waited=now - wait.since, reason=unfit(queued), queued_at=queued_at)
        self._waits, self._now = waits, now

    def news(self) -> Iterator[tuple[str, str]]:
        """Service and reason, of each that has waited too long and has not been told."""
        for name, wait in self._waits.items():
            if wait.reason and wait.waited >= UNFIT and not wait.is_told:
                yield name, wait.reason
            elif wait.waited >= UNOFFERED and not wait.is_told:
                yield name, UNKNOWN

    def known(self) -> dict[str, str]:
        """Service and reason, of those that have been told and wait on, and for which no offer does. Where none comes, one
        that does may come at any time.
        """
        return {name: wait.reason for name, wait in self._waits.items() if wait.is_told and wait.reason}

    def unqueued(self) -> list[str]:
        """Those that wait no more though they are wanted: the deployment that let them wait was stopped."""
        return [name for name, wait in self._waits.items() if self._now >= wait.queued_at + FORGOTTEN]

    def is_told(self, name: str) -> bool:
        return name in self._waits and self._waits[name].is_told

    def told(self, name: str) -> None:
        self._waits[name] = replace(self._waits[name], is_told=True)
