"""Reserve: what is held ready beyond what serves, so that a start is nearly free. It comes below every real need.

What has been started and paused keeps its memory, which is given up as soon as somebody needs it to serve. Whatever
takes the remainder goes on with what it has, and grows only past what is to be held ready. What grows into room that is
yet to be freed is made ready beforehand, so that to start it is all that remains then.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from beaufort.model import NO_STANDBY, Service, Standby
from beaufort.pool import Amounts, Flags, Numbers, Pool
from beaufort.room import Room

__all__ = ["Reserve"]


class Reserve:
    """The standby of a fixed set of services, by priority. ``holds``: the kinds that the scheduler can hold. With
    ``spread`` there are several nodes, or one that not all may use, and none is held: nobody could say on which node it
    is needed. What is found goes.

    ``is_calm``: nobody is still to grow. ``wanted``: what each is to have ready; ``there``: what each has. ``warming``: how
    many of each run only to be paused, asked for or seen. ``warm``: how many more may, by the totals.
    """

    def __init__(self, services: Sequence[Service], holds: Collection[str]) -> None:
        count = len(services)
        self.wanted: list[Standby] = [NO_STANDBY] * count
        self.there: list[Standby] = [NO_STANDBY] * count
        self.warm = np.zeros(count, dtype=np.int64)
        self._most = [math.inf if service.max is None else service.max for service in services]
        self._holds = holds
        self._wants, self.warming, self._keep, self._there = np.zeros((4, count), dtype=np.int64)
        self._lacking: Flags = np.zeros((0, count), dtype=bool)
        self.is_calm, self.spread = True, False

    @property
    def is_possible(self) -> bool:
        """Whether anything can be held ready, or may be found so."""
        return bool(self._holds)

    def want(self, which: Sequence[int], wanted: Sequence[Standby]) -> bool:
        """These services are to have so much ready. True if that is not as before."""
        if not self.is_possible:
            return False
        before = [self.wanted[index] for index in which]
        for index, standby in zip(which, wanted, strict=True):
            self.wanted[index] = self._possible(standby)
            self._wants[index] = self.wanted[index].total
        return before != [self.wanted[index] for index in which]

    def see(self, which: Sequence[int], there: Sequence[Standby], warming: Sequence[int]) -> None:
        """These services now have so much ready, and so many ``warming``."""
        if not self.is_possible:
            return
        for index, standby in zip(which, there, strict=True):
            self.there[index] = standby
        self._there[which] = [standby.total for standby in there]
        self.warming[which] = warming

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to be paused, which takes of the pool."""
        return any(self.wanted[index].kept for index in np.flatnonzero(self._wants).tolist())

    def reckon(self, base: Numbers, pool: Pool, room: Room) -> Amounts:
        """What is to be kept beside the ``base``, the counts of all that comes first; returns what of each total that
        takes, with what those need for a moment that are on their way there.
        """
        self._keep[:] = self.warm[:] = 0
        self.is_calm = not bool((base > room.current).any())
        all_free = pool.room - pool.need @ base
        free = all_free - (pool.need - pool.rest) @ self.warming
        wants = [index for index in np.flatnonzero(self._wants).tolist() if self.wanted[index].kept]
        for index in wants:
            keep = self._keep[index] = _fit(free, pool.rest[:, index], min(self._above(index, base), self._kept(index)))
            free -= keep * pool.rest[:, index]
        for index in wants:
            missing = self._above(index, base) - self._kept(index)
            warm = self.warm[index] = _fit(free, pool.need[:, index], missing)
            self._keep[index] += warm
            free -= warm * pool.need[:, index]
        self._lacking = pool.need > free[:, None]
        return np.asarray(all_free - free)

    def target(  # noqa: PLR0913 - each is a number of its own
        self, index: int, granted: int, starts: int, waiting: int, warm: int, *, useful: bool = True
    ) -> Standby:
        """What a service should have ready when ``starts`` have taken of it, ``waiting`` more wait for room, and ``warm``
        begin to be warmed. While anybody is still to grow, nothing is made that nobody waits for. With ``useful`` what
        waits may start from what is there.
        """
        wanted, there = self.wanted[index], self.there[index]
        kept = there.kept - min(starts, there.kept)
        created = there.created - min(starts - (there.kept - kept), there.created)
        above = self._most[index] - granted
        used = min(waiting, kept) if useful else 0  # what waits will start from these: their memory is granted already
        spare = int(min(kept - used + int(self.warming[index]) + warm, self._keep[index], above))
        created = int(min(wanted.created if self.is_calm else min(wanted.created, created), above - spare))
        if "created" in self._holds and not self.spread:
            created = max(created, waiting - used)
        kept = used + spare
        frozen = min(kept, wanted.frozen)
        return Standby(created, kept - frozen, frozen)

    def concerned(self, waiting: Numbers) -> list[int]:
        """The services that have anything ready, or are to have."""
        found = (self._wants > 0) | (self._there > 0) | (self.warming > 0) | (waiting > 0)
        return [int(index) for index in np.flatnonzero(found)]

    def why(self, index: int, target: Standby, waiting: int) -> str:
        """What a change of what is ready is for, in words."""
        lacks = self.lacks(index, target)
        if waiting and lacks:
            return f"makes ready what waits for room ({waiting})"
        if not self.differs(index, target):
            return "what it holds ready may be of an earlier configuration"
        return "holds more ready" if lacks else "gives up what it held ready"

    def bounds(self, index: int, asked: Standby, granted: int) -> Iterator[str | Flags]:
        """What keeps a service from having ready all that is ``asked`` for, in words, or by the totals that lack."""
        wanted, above = self.wanted[index], max(0, self._most[index] - granted)
        if self.spread:
            yield "none is held where there are several nodes"
        elif self._possible(asked).total < asked.total:
            can = ", ".join(sorted(self._holds))
            yield f"the scheduler can hold {f'only {can}' if can else 'none'}"
        if wanted.total > above:
            yield f"max leaves {above} more to serve"
        if self._keep[index] < min(wanted.kept, above):
            yield self._lacking[:, index]
        if not self.is_calm and self.there[index].total < min(wanted.total, above):
            yield "none is made while anybody is still to grow"

    def lacks(self, index: int, target: Standby) -> bool:
        """Whether there is less ready than that."""
        return target.created > self.there[index].created or target.kept > self._kept(index)

    def differs(self, index: int, target: Standby) -> bool:
        return (target.created, target.kept) != (self.there[index].created, self._kept(index))

    def _above(self, index: int, base: Numbers) -> float:
        """How many are to be kept, as far as they could ever serve."""
        return min(self.wanted[index].kept, self._most[index] - int(base[index]))

    def _kept(self, index: int) -> int:
        return self.there[index].kept + int(self.warming[index])

    def _possible(self, standby: Standby) -> Standby:
        """Of the kinds that the scheduler holds; what it can't freeze it may pause, and the other way round."""
        if self.spread:
            return NO_STANDBY
        created = standby.created if "created" in self._holds else 0
        if not {"paused", "frozen"} & set(self._holds):
            return Standby(created)
        if "frozen" not in self._holds:
            return Standby(created, standby.kept)
        if "paused" not in self._holds:
            return Standby(created, frozen=standby.kept)
        return Standby(created, standby.paused, standby.frozen)


def _fit(free: Amounts, each: Amounts, most: float) -> int:
    """How many of that size fit, of ``most``."""
    needed = each > 0
    fits = float(np.floor(np.maximum(free[needed], 0) / each[needed]).min(initial=math.inf))
    return int(max(0, min(fits, most)))
