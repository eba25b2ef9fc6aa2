"""Keeps containers ready, and gives them out: which ones serve next, which go, and how one is paused, woken and removed."""

from __future__ import annotations

import time
from collections.abc import Sequence

from beaufort.model import Standby
from beaufort.schedulers.engine.client import Client, Refusal
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.freezer import Freezer
from beaufort.schedulers.engine.held import Held, Phase

__all__ = ["Keeper"]


class Keeper:
    def __init__(self, client: Client, fleet: Fleet, freezer: Freezer) -> None:
        self._client = client
        self._fleet = fleet
        self._freezer = freezer

    def pick(self, service: str, spec: str) -> Held | None:
        """What is ready to serve, made of ``spec``: what is quickest to start comes first, of these the oldest."""
        paused = [held for held in self._fleet.ready(service, Phase.PAUSED) if not held.working]
        frozen = [held for held in paused if held.still == "frozen"]
        made = [held for held in self._fleet.ready(service, Phase.SPARE) if held.sent]
        return next((held for held in (*frozen, *paused, *made) if held.spec == spec), None)

    def trim(self, service: str, standby: Standby, spec: str | None) -> None:
        """Sends away what is too much, and what was made of something else; ``spec`` None: that is not known."""
        spares = [*self._fleet.ready(service, Phase.SPARE)]
        spares.sort(key=lambda held: (spec is not None and held.spec == spec, held.sent))
        wrong = sum(spec is not None and held.spec != spec for held in spares)
        for held in spares[: max(wrong, len(spares) - standby.created)]:
            self._fleet.drop(held)
        kept = [*self._fleet.ready(service, Phase.WARMING), *self._fleet.ready(service, Phase.PAUSED)[::-1]]
        right = [held for held in kept if spec is None or held.spec == spec]
        surplus = _first_to_go(right, standby)[: max(0, len(right) - standby.kept)]
        for held in kept:
            if held not in right or held in surplus:
                self._discard(held)

    def missing(self, service: str, standby: Standby) -> list[tuple[Phase, str]]:
        """What is to be made: the phase that it is to be in, and how it is to be paused."""
        kept = [*self._fleet.ready(service, Phase.WARMING), *self._fleet.ready(service, Phase.PAUSED)]
        lacking = standby.kept - len(kept)
        frozen = min(max(0, lacking), max(0, standby.frozen - sum(held.still == "frozen" for held in kept)))
        created = standby.created - len(self._fleet.ready(service, Phase.SPARE))
        warm = [(Phase.WARMING, "frozen")] * frozen + [(Phase.WARMING, "paused")] * (lacking - frozen)
        return warm + [(Phase.SPARE, "")] * created

    async def pause(self, held: Held) -> None:
        """Raises Refusal. One with a health check is the engine's to pause, which then stops asking for its health."""
        if held.still != "frozen" or held.checked or not self._freezer.freeze(held.id):
            held.still = "paused"
            await self._client.tell("POST", f"/containers/{held.id}/pause")
        if held.phase is Phase.WARMING:
            self._fleet.turn(held, Phase.PAUSED)

    async def wake(self, held: Held) -> None:
        """Raises Refusal."""
        begun = time.monotonic()
        if held.still != "frozen" or not self._freezer.thaw(held.id):
            await self._unpause(held)
        self._fleet.paces.took(held.service, held.still, time.monotonic() - begun)
        held.still = ""
        if held.phase is Phase.STARTING:
            self._fleet.turn(held, Phase.RUNNING)

    async def remove(self, held: Held) -> None:
        """Raises Refusal. What is frozen is thawed first: not every kernel lets it be killed before."""
        if held.still == "frozen":
            self._freezer.thaw(held.id)
        await self._client.tell("DELETE", f"/containers/{held.id}", query={"force": "1", "v": "1"})

    async def _unpause(self, held: Held) -> None:
        try:
            await self._client.tell("POST", f"/containers/{held.id}/unpause")
        except Refusal as refusal:
            if "is not paused" not in refusal.words:  # somebody else has woken it
                raise

    def _discard(self, held: Held) -> None:
        """What runs holds its room until it has stopped, and what is paused its memory until it is gone."""
        self._fleet.turn(held, Phase.LEAVING if held.phase is Phase.PAUSED else Phase.STOPPING)


def _first_to_go(kept: Sequence[Held], standby: Standby) -> list[Held]:
    """Those first of which there are more than there are to be of the kind."""
    left = {"paused": standby.paused, "frozen": standby.frozen}
    within = []
    for held in reversed(kept):
        left[held.still] -= 1
        if left[held.still] >= 0:
            within.append(held)
    return [*(held for held in kept if held not in within), *reversed(within)]
