"""Accounts: the grants of all services in words, and what the pool cannot hold. It decides nothing.

Words cost more than counts, so only what has changed is worded anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from beaufort.claims import Claims
from beaufort.model import Grant
from beaufort.pool import Numbers, Pool
from beaufort.workload import Workload

__all__ = ["Accounts"]

NAMES = 3
"""How many other services a reason names at most."""

BLIND = "the scheduler can't be read, so all is left as it is"


class Accounts:
    """``grants`` and ``shortfall`` by name, as of the newest step."""

    def __init__(self, works: Sequence[Workload], pool: Pool, claims: Claims) -> None:
        self.grants: Mapping[str, Grant] = {}
        self.shortfall: Mapping[str, int] = {}
        self._works = works
        self._pool = pool
        self._claims = claims
        self._granted = np.full(len(works), -1)
        self._waiting = np.zeros(len(works), dtype=np.int64)
        self._lacking = np.zeros_like(pool.need, dtype=bool)
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
        free = self._pool.room - granted @ self._pool.need
        lacking = (self._pool.need > free) & (granted < self._claims.most)[:, None]
        anew = (granted != self._granted) | (waiting != self._waiting) | (lacking != self._lacking).any(axis=1)
        if whose != self._for:
            anew |= waiting > 0
        if self._blind:
            anew[:] = True
        self._blind, self._for = False, whose
        self._granted, self._waiting, self._lacking = granted.copy(), waiting, lacking
        self._write(now, changed | set(np.flatnonzero(anew).tolist()))

    def _write(self, now: float, which: Iterable[int]) -> None:
        grants, shortfall = dict(self.grants), dict(self.shortfall)
        for index in which:
            work, count = self._works[index], int(self._granted[index])
            desired = work.desired
            reason = f"{desired.reason}; gets {count}{self._why(now, index)}"
            grants[desired.service] = Grant(desired.service, count, desired.count, reason)
            if not desired.remainder and work.most > count:
                shortfall[desired.service] = work.most - count
            else:
                shortfall.pop(desired.service, None)
        self.grants, self.shortfall = grants, shortfall

    def lack(self, index: int) -> str:
        """What there is too little of for one more container."""
        pool = [self._pool.names[d] for d in np.flatnonzero(self._lacking[index]) if self._pool.groups[d] is None]
        quotas = [
            f"quota of {group} used up ({name})"
            for name, group, lacks in zip(self._pool.names, self._pool.groups, self._lacking[index], strict=True)
            if group is not None and lacks
        ]
        return (
            ", ".join(([f"pool full ({', '.join(pool)})"] if pool else []) + quotas) or "no node has room for another"
        )

    def _why(self, now: float, index: int) -> str:
        work, count = self._works[index], int(self._granted[index])
        reasons = []
        if self._blind:
            reasons.append(BLIND)
        elif count != work.desired.count:
            if (work.most < work.desired.count or count > work.desired.count) and (held := work.held_back(now)):
                reasons.append(held)
            if count < work.most and not work.desired.remainder:
                reasons.append(self.lack(index))
        if self._waiting[index] and not self._blind:
            reasons.append(f"{self._waiting[index]} of them wait for room{self._for}")
        return f": {', '.join(reasons)}" if reasons else ""
