"""Accounts: the grants of all services in words, and what the pool cannot hold. It decides nothing.

Words cost more than counts, so only what has changed is worded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from beaufort.claims import Claims
from beaufort.model import EMPTY, Grant, Reach
from beaufort.pool import Flags, Numbers, Pool
from beaufort.reserve import Reserve
from beaufort.standing import Standing
from beaufort.workload import Workload

__all__ = ["Accounts"]

NAMES = 3
"""How many other services a reason names at most."""

BLIND = "the scheduler can't be read, so all is left as it is"


class Accounts:
    """``grants`` and ``shortfall`` by name, as of the newest step."""

    def __init__(
        self, works: Sequence[Workload], pool: Pool, claims: Claims, reach: Mapping[str, Reach] = EMPTY
    ) -> None:
        self.grants: Mapping[str, Grant] = {}
        self.shortfall: Mapping[str, int] = {}
        self._works = works
        self._pool = pool
        self._claims = claims
        self._reach = reach
        self._granted = np.full(len(works), -1)
        self._waiting = np.zeros(len(works), dtype=np.int64)
        self._lacking = np.zeros_like(pool.need, dtype=bool)
        self._words: dict[bytes, str] = {}
        self._for = ""
        self._blind = False

    def blind(self, now: float, changed: Iterable[int]) -> None:
        """Nothing is granted anew, as the scheduler can't be read."""
        known = [index for index in changed if self._granted[index] >= 0]
        if not self._blind:
            self._blind = True
            known = np.flatnonzero(self._granted >= 0).tolist()
        self._write(now, known)

    def settle(self, now: float, changed: set[int], granted: Numbers, waiting: Numbers, whose: str) -> None:
        """All have been ``granted`` so many; of these, some are ``waiting`` for room, ``whose`` it is, in words.

        ``changed`` are the services that may have other reasons than before.
        """
        free = self._pool.room - self._pool.need @ granted
        lacking = (self._pool.need > free[:, None]) & (granted < self._claims.most)
        anew = (granted != self._granted) | (waiting != self._waiting) | (lacking != self._lacking).any(axis=0)
        if whose != self._for:
            anew |= waiting > 0
        if self._blind:
            anew[:] = True
        self._blind, self._for = False, whose
        self._granted, self._waiting, self._lacking = granted.copy(), waiting, lacking
        self._write(now, changed | set(np.flatnonzero(anew).tolist()))

    def _write(self, now: float, which: Iterable[int]) -> None:
        grants, shortfall = dict(self.grants), dict(self.shortfall)
        granted, waiting = self._granted.tolist(), self._waiting.tolist()
        for index in which:
            desired, count = self._works[index].desired, granted[index]
            why = ""
            if count != desired.count or waiting[index] or self._blind:
                why = self._why(now, index, count, waiting[index])
            reason = f"{desired.reason}; gets {count}{why}"
            grants[desired.service] = Grant(desired.service, count, desired.count, reason)
            short = self._works[index].most - count
            if short > 0 and not desired.remainder:
                shortfall[desired.service] = short
            elif shortfall:
                shortfall.pop(desired.service, None)
        self.grants, self.shortfall = grants, shortfall

    def lack(self, index: int) -> str:
        """What there is too little of for one more container."""
        lacking = self._lacking[:, index]
        reach = self._reach.get(self._works[index].service.name)
        if reach is not None and not any(
            group for group, lacks in zip(self._pool.groups, lacking, strict=True) if lacks
        ):
            return _full(reach)
        words = self._words.get(lacking.tobytes())
        if words is None:
            words = self._words[lacking.tobytes()] = self._name(lacking)
        return words

    def standing(self, now: float, index: int, reserve: Reserve) -> Standing:
        """What the newest grant of one service came from."""
        work, granted = self._works[index], int(self._granted[index])
        known = granted >= 0
        return Standing(
            latest=work.latest,
            wish=work.wish,
            desired=work.desired,
            least=work.least,
            most=work.most,
            held_back=work.held_back(now),
            granted=granted if known else None,
            waiting=int(self._waiting[index]),
            lack=self.lack(index) if known and granted < work.most else None,
            unready=self._unready(now, index, reserve) if work.service.standby.total else None,
        )

    def _unready(self, now: float, index: int, reserve: Reserve) -> str:
        """Why fewer are held ready than the service is to have; nothing where they are, or are being made."""
        work, asked = self._works[index], self._works[index].service.standby
        bounds = reserve.bounds(index, asked, int(self._granted[index]))
        reasons = [bound if isinstance(bound, str) else self._name(bound) for bound in bounds]
        if work.ready != asked and (held := work.held_back(now)):
            reasons.insert(0, held)
        return ", ".join(reasons)

    def _name(self, lacking: Flags) -> str:
        limits = zip(self._pool.names, self._pool.groups, lacking, strict=True)
        pool = ", ".join(name for name, group, lacks in limits if lacks and group is None)
        limits = zip(self._pool.names, self._pool.groups, lacking, strict=True)
        full = [f"quota of {group} used up ({name})" for name, group, lacks in limits if lacks and group is not None]
        return ", ".join(([f"pool full ({pool})"] if pool else []) + full) or "no node has room for another"

    def _why(self, now: float, index: int, count: int, waiting: int) -> str:
        if self._blind:
            return f": {BLIND}"
        work = self._works[index]
        reasons = []
        if (count > work.desired.count or work.most < work.desired.count) and (held := work.held_back(now)):
            reasons.append(held)
        if count < work.most and not work.desired.remainder:
            reasons.append(self.lack(index))
        if waiting:
            reasons.append(f"{waiting} of them {'waits' if waiting == 1 else 'wait'} for room{self._for}")
        return f": {', '.join(reasons)}" if reasons else ""


def _full(reach: Reach) -> str:
    """Why one that may not be anywhere gets no more."""
    count = len(reach.nodes)
    nodes = {0: "there is no node", 1: "no room on the 1 node"}.get(count, f"no room on the {count} nodes")
    return f"{nodes} with {reach.rule}" if reach.rule else f"{nodes} that it may use"
