"""The deployments that lock apps: which of them are ours, and what may be done about them.

Ours are those that we have asked for, and those of an earlier Beaufort: that only scale apps which were made by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from enum import Enum

from beaufort.schedulers.apps.answers import Deployment
from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.apps.marathons import Marathons
from beaufort.schedulers.calls import Refusal

__all__ = ["Aim", "Locks"]

REMEMBERED = 500


class Aim(Enum):
    MORE = "more tasks: it ends when they run, and may be stopped, as what has been launched stays"
    FEWER = "fewer tasks: it ends when they have ended, and others that have died meanwhile run again"
    ANEW = "other tasks in their place"


class Locks:
    def __init__(self, marathons: Marathons, ledger: Ledger) -> None:
        self._marathons = marathons
        self._ledger = ledger
        self._ours: dict[str, Aim] = {}

    def made(self, deployment: str, aim: Aim) -> None:
        """We have asked for it."""
        self._ours[deployment] = aim
        while len(self._ours) > REMEMBERED:
            del self._ours[next(iter(self._ours))]

    def are_ours(self, ids: Iterable[str]) -> bool:
        return all(id_ in self._ours for id_ in ids)

    def may_be_stopped(self, name: str) -> bool:
        """Whether all that lock a service's app are ours, and only wait for tasks to run."""
        waits = {Aim.MORE} if self._ledger.standing(name).stopping else {Aim.MORE, Aim.FEWER}
        return all(self._ours.get(id_) in waits for id_ in self._ledger.locks(name))

    async def of_others(self, name: str) -> list[Deployment]:
        """Those of others that lock a service's app now. What only scales what a Beaufort has made is ours from now on."""
        ids = [id_ for id_ in self._ledger.locks(name) if id_ not in self._ours]
        if not ids:
            return []
        listed = await self._marathons.ask("GET", "/v2/deployments", list[Deployment])
        found = [each for each in listed if each.id in ids]
        for each in found:
            if each.only_scales and self._ledger.have_made(each.affected_apps):
                self.made(each.id, Aim.FEWER)
        return [each for each in found if each.id not in self._ours]

    async def stop(self, name: str) -> None:
        """Stops those of ours that lock a service's app. What they have done stays, and what there is to be as well."""
        for id_ in self._ledger.locks(name) & self._ours.keys():
            with suppress(Refusal):  # it has ended in the meantime
                await self._marathons.tell("DELETE", f"/v2/deployments/{id_}", query={"force": "true"})
