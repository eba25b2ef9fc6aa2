"""Asks Swarm for so many replicas of a service, under the lock of its version: only their number is changed of what the
service is, and what somebody else has changed in the meantime is read again and decided about anew.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from beaufort.model import Service
from beaufort.protocols import NoRoom, Rejected, SchedulerError
from beaufort.schedulers.cluster import answers
from beaufort.schedulers.cluster.answers import Created
from beaufort.schedulers.cluster.change import Changes, is_changing, told, with_replicas
from beaufort.schedulers.cluster.launch import LAUNCH, check, said, spec
from beaufort.schedulers.cluster.ledger import Ledger
from beaufort.schedulers.cluster.lookout import Lookout
from beaufort.schedulers.cluster.managers import Managers
from beaufort.schedulers.cluster.turns import Turn, Turns
from beaufort.schedulers.engine.client import WORK, Refusal
from beaufort.schedulers.engine.images import Registries
from beaufort.schedulers.engine.refusals import WRONG

__all__ = ["Replicas"]

ACCEPTED = 10.0
"""Seconds after which replicas are taken to be accepted, though none has been seen to run."""

PATIENCE = 1.0
"""Seconds that Swarm is given to find a node for a container before it is taken back."""

TRYING = 25.0
"""Seconds after which we no longer decide anew about a service that others have changed in the meantime."""


class Replicas:
    """``watched``: the names of the services in the configuration. Nothing is changed before ``acting`` is set."""

    def __init__(
        self,
        managers: Managers,
        ledger: Ledger,
        lookout: Lookout,
        tasks: asyncio.TaskGroup,
        registries: Registries | None,
    ) -> None:
        self.watched: Collection[str] = ()
        self._acting = False
        self._managers = managers
        self._ledger = ledger
        self._lookout = lookout
        self._changes = Changes(managers, ledger, lookout)
        self._tasks = tasks
        self._registries = registries
        self._wanted: dict[str, int] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._proven: set[str] = set()
        self._lacking: dict[str, float] = {}
        self._turns = Turns()

    async def bring(self, service: Service, count: int) -> None:
        """Of several requests the latest holds. Raises SchedulerError."""
        self._acting = True
        self._wanted[service.name] = count
        if count <= self._ledger.standing(service.name).current:
            await self._bring(service, None)
        else:
            reach = self._ledger.reach.get(service.name)
            with self._turns.taken(service.priority, None if reach is None else reach.nodes) as turn:
                await turn.come()
                await self._bring(service, turn)

    async def _bring(self, service: Service, turn: Turn | None) -> None:
        name = service.name
        async with self._locks[name]:
            await self._changes.seen(name)
            count = self._wanted[name]
            before = self._ledger.standing(name).current
            await self._make(service, count)
            if count > before:
                await self._prove(name, count, turn)

    async def sweep(self) -> None:
        """Removes what we have made, that has left the configuration, and of which there is nothing."""
        for service in self._ledger.strays(self.watched) if self._acting else ():
            with suppress(Refusal):
                await self._managers.tell("DELETE", f"/services/{service.id}")
                self._ledger.removed(service.id)

    def attend(self) -> None:
        """Takes back, after a while, what there is no node for, and what has ended by itself: others need not wait for it,
        and Swarm does not start it again behind our back when it has another leader.
        """
        now = _now()
        lacking = self._ledger.lacking() if self._acting else []
        self._lacking = {name: self._lacking.get(name, now) for name in lacking}
        for name, since in list(self._lacking.items()):
            patience = PATIENCE if self._ledger.standing(name).unplaced else 0.0
            if now >= since + patience and not self._locks[name].locked():
                self._lacking[name] = now + PATIENCE
                self._tasks.create_task(self._tidy(name), name=f"swarm {name}")

    async def _tidy(self, name: str) -> None:
        try:
            async with self._locks[name]:
                await self._take_back(name)
        except SchedulerError:
            pass  # it is lacking still, and is seen to again

    # One service.

    async def _make(self, service: Service, count: int) -> None:
        until = _now() + TRYING
        while _now() < until:
            with told(service.name):
                found = await self._read(service)
                if found is None:
                    done = count == 0 or await self._create(service, count)
                else:
                    done = await self._change(service, found, count)
            if done:
                return
        raise SchedulerError(f"{service.name}: others change it all the time")

    async def _read(self, service: Service) -> answers.Service | None:
        """It as it is now; None where there is none, and one may be made."""
        found = self._ledger.services(service.name)
        if len(found) > 1:
            names = " and ".join(each.name for each in found)
            raise Rejected(f"{service.name}: expected one service of the Swarm, got {names}")
        if found:
            try:
                return await self._managers.ask("GET", f"/services/{found[0].id}", answers.Service)
            except Refusal as refusal:
                if refusal.status != HTTPStatus.NOT_FOUND:
                    raise
                self._ledger.removed(found[0].id)
        if said(service).service is not None:
            raise SchedulerError(f"{service.name}: there is no service {said(service).service}")
        return None

    async def _create(self, service: Service, count: int) -> bool:
        """False where somebody else has made it in the meantime."""
        made_of = with_replicas(self._spec(service), count)
        headers = self._registries.header(service.launch.image or "") if self._registries else {}
        try:
            made = await self._managers.ask(
                "POST", "/services/create", Created, within=WORK, body=made_of, headers=headers
            )
        except Refusal as refusal:
            if refusal.status != HTTPStatus.CONFLICT:
                raise
            await self._lookout.look(whole=True)
            if not self._ledger.services(service.name):
                raise  # its name is taken by one that is not ours
            return False
        self._proven.discard(service.name)
        self._ledger.made(answers.Service(made.id, made_of))
        self._ledger.ask(service.name, count, _now())
        return True

    def _spec(self, service: Service) -> dict[str, Any]:
        if faults := check(service):
            raise Rejected(f"{service.name}: {'; '.join(faults)}")
        return spec(service, self._ledger.deployment)

    async def _change(self, service: Service, found: answers.Service, count: int) -> bool:
        """False where it must be read again first."""
        name = service.name
        if found.replicas is None:
            raise Rejected(f"{name}: the service {found.name} is not a replicated one, and is left alone")
        if count == 0 and LAUNCH in found.labels and name not in self.watched:
            await self._managers.tell("DELETE", f"/services/{found.id}")
            self._ledger.removed(found.id)
            self._ledger.ask(name, 0, _now())
            return True
        made_of = self._renewed(service, found) if count else None
        if made_of is None and not await self._changes.is_calm(name, found):
            return False
        standing = self._ledger.standing(name)
        if count > standing.current and standing.dead:
            # In their place nothing is started before they have been taken back.
            await self._changes.set(name, found, found.spec, standing.current)
            await self._changes.seen(name)
            return False
        if made_of is None and found.replicas == count:
            return True
        return await self._changes.set(name, found, made_of or found.spec, count)

    def _renewed(self, service: Service, found: answers.Service) -> dict[str, Any] | None:
        """What the service is to be made of from now on, if we have made it, and of something else."""
        if LAUNCH not in found.labels or service.launch.image is None:
            return None
        made_of = self._spec(service)
        if made_of["Labels"][LAUNCH] == found.labels[LAUNCH]:
            return None
        self._proven.discard(service.name)
        return made_of

    # What comes of it.

    async def _prove(self, name: str, count: int, turn: Turn | None) -> None:
        """Returns when Swarm has a node for all of them, and one runs. Raises when there is none, or all have failed."""
        until, pending_since = _now() + ACCEPTED, None
        while self._wanted[name] == count and _now() < until:
            await self._changes.seen(name)
            standing = self._ledger.standing(name)
            if standing.running:
                self._proven.add(name)
            if turn is not None and not standing.waiting:
                turn.placed.set()
            if standing.unplaced:
                pending_since = pending_since or _now()
                if _now() >= pending_since + PATIENCE:
                    await self._take_back(name)
                    raise NoRoom(f"{name}: {standing.unplaced[0]}")
            elif not standing.current:
                await self._give_up(name)
            elif not standing.waiting and name in self._proven:
                return
            await self._lookout.next()

    async def _give_up(self, name: str) -> None:
        words = self._ledger.failure.get(name, "its containers have ended")
        await self._take_back(name)
        kind = Rejected if any(wrong in words for wrong in WRONG) else SchedulerError
        raise kind(f"{name}: {words}")

    async def _take_back(self, name: str) -> None:
        """Have no more replicas than there are containers with a node."""
        await self._changes.seen(name)
        standing = self._ledger.standing(name)
        if standing.placed == standing.replicas:
            return
        for listed in self._ledger.services(name):
            with told(name):
                found = await self._managers.ask("GET", f"/services/{listed.id}", answers.Service)
                if not is_changing(found) and (found.replicas or 0) > standing.placed:
                    await self._changes.set(name, found, found.spec, standing.placed)
        if standing.unplaced:
            self._ledger.fail(name, standing.unplaced[0], len(standing.unplaced))


def _now() -> float:
    return asyncio.get_running_loop().time()
