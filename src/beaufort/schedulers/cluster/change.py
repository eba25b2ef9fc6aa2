"""One change of a Swarm service, under the lock of its version: what others are doing to it is waited for, and what they
have done is not overwritten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from beaufort.protocols import Rejected, SchedulerError
from beaufort.schedulers.cluster.answers import Service
from beaufort.schedulers.cluster.ledger import Ledger
from beaufort.schedulers.cluster.lookout import Lookout
from beaufort.schedulers.cluster.managers import Managers
from beaufort.schedulers.engine.client import Refusal

__all__ = ["Changes", "is_changing", "told", "with_replicas"]

CLEAR = 1.5
"""Seconds that containers which are stopping are given before the service is changed again: then Swarm forgets them, and
nobody can tell any more when they have stopped.
"""

UPDATE = 20.0
"""Seconds that an update of the service by somebody else is waited for at a time."""

CHANGING = {"updating", "rollback_started"}
STUCK = {"paused", "rollback_paused"}

OUTDATED = "update out of sequence"

MISTAKEN = ("InvalidArgument", "not found", "constraint expected")
"""In the words of managers that answer a wrong request as if the fault were theirs."""


class Changes:
    """What has been asked is seen in a list before anything else is asked of the same service."""

    def __init__(self, managers: Managers, ledger: Ledger, lookout: Lookout) -> None:
        self._managers = managers
        self._ledger = ledger
        self._lookout = lookout

    async def seen(self, name: str) -> None:
        """Returns when what was asked before has been seen in a list."""
        await self._lookout.ready()
        while self._ledger.is_awaited(name):
            await self._lookout.look()

    async def is_calm(self, name: str, found: Service) -> bool:
        """An update by somebody else is waited for; False if there was one."""
        update = found.update_status
        if update is None or update.state not in CHANGING | STUCK:
            return True
        if update.state in STUCK:
            raise SchedulerError(f"{name}: its update is {update.state.replace('_', ' ')}: {update.message}")
        until = _now() + UPDATE
        while any(each.update_status and each.update_status.state in CHANGING for each in self._ledger.services(name)):
            if _now() > until:
                raise SchedulerError(f"{name}: waits for its update by others: {update.message}")
            await self._lookout.look(whole=True)
        return False

    async def set(self, name: str, found: Service, made_of: Mapping[str, Any], replicas: int) -> bool:
        """False where somebody else was faster."""
        if await self._is_clearing(name):
            return False
        body, query = with_replicas(made_of, replicas), {"version": str(found.version.index)}
        try:
            await self._managers.tell("POST", f"/services/{found.id}/update", query=query, body=body)
        except Refusal as refusal:
            if OUTDATED in refusal.words or refusal.status == HTTPStatus.NOT_FOUND:
                return False
            raise
        self._ledger.ask(name, replicas, _now())
        return True

    async def _is_clearing(self, name: str) -> bool:
        """Whether others of it have only just begun to stop; returns when that is no longer so."""
        if not self._clears(name):
            return False
        while self._clears(name):
            await self._lookout.next()
        return True

    def _clears(self, name: str) -> bool:
        since = self._ledger.leaving_since(name)
        return since is not None and _now() < since + CLEAR


def is_changing(found: Service) -> bool:
    """Whether an update of it is in progress, or has failed half way."""
    return found.update_status is not None and found.update_status.state in CHANGING | STUCK


def with_replicas(made_of: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    return {**made_of, "Mode": {"Replicated": {"Replicas": replicas}}}


@contextmanager
def told(name: str) -> Iterator[None]:
    """A manager's refusal, with the name of the service, as what it means to us."""
    try:
        yield
    except Refusal as refusal:
        wrong = refusal.status in {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT}
        wrong |= any(words in refusal.words for words in MISTAKEN)
        raise (Rejected if wrong else SchedulerError)(f"{name}: {refusal.words}") from refusal


def _now() -> float:
    return asyncio.get_running_loop().time()
