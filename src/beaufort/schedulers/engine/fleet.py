"""The containers of one deployment on one engine, as far as is known: what is wanted of each, and what it is.

It is told what we ask for, what the engine's events say and what its lists say, in any order, and asks nothing itself.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from beaufort.model import Container, Counts, Standby
from beaufort.schedulers.engine.answers import Event, Listed
from beaufort.schedulers.engine.held import ALIVE, CURRENT, SERVICE, SPEC, Held, Phase
from beaufort.schedulers.paces import Paces

__all__ = ["Fleet"]

KEPT = {Phase.PAUSED, Phase.LEAVING}


class Fleet:
    """Those that carry the deployment's label. ``touched`` is set at the next change, and then replaced by another."""

    def __init__(self, deployment: str) -> None:
        self.touched = asyncio.Event()
        self.failed: Counter[str] = Counter()
        self.failure: dict[str, str] = {}
        self.graves: set[str] = set()
        self.paces = Paces()
        self._deployment = deployment
        self._held: dict[str, Held] = {}
        self._ids: dict[str, Held] = {}
        self._gone: dict[str, int] = {}
        self._stamps = itertools.count(1)
        self._stamp = 0

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def touch(self, held: Held | None = None) -> None:
        """Tells whoever watches that something has changed, or only that it has been looked at."""
        self._note(held)
        touched, self.touched = self.touched, asyncio.Event()
        touched.set()

    def _note(self, held: Held | None) -> None:
        self._stamp = next(self._stamps)
        if held is not None:
            held.stamp = self._stamp

    def counts(self, services: Iterable[str], node: str, before: Mapping[str, int]) -> dict[str, Counts]:
        """By service, of these and of all that is held. ``before``: the failures that are not to be counted."""
        tally = Counter((held.service, held.phase) for held in self._held.values())
        counts = {}
        for name in dict.fromkeys([*services, *(service for service, _ in tally), *self.failed]):
            starting = tally[name, Phase.WAITING] + tally[name, Phase.STARTING]
            stopping = tally[name, Phase.STOPPING] + tally[name, Phase.ENDED]
            warming = tally[name, Phase.WARMING]
            held = tally[name, Phase.RUNNING] + starting + stopping + warming
            failed = self.failed[name] - before.get(name, 0)
            counts[name] = Counts(
                running=tally[name, Phase.RUNNING],
                starting=starting,
                stopping=stopping,
                standby=self._standby(name, tally[name, Phase.SPARE]),
                warming=warming,
                failed=failed,
                failure=self.failure[name] if failed else "",
                on={node: held} if held else {},
                start_seconds=self.paces.of(name),
            )
        return counts

    def _standby(self, service: str, created: int) -> Standby:
        """What is being removed keeps its memory until it is gone."""
        kept = Counter(each.still for each in self if each.service == service and each.phase in KEPT)
        return Standby(created, kept["paused"], kept["frozen"])

    # What we ask for.

    def current(self, service: str) -> list[Container]:
        """Those that run or are about to."""
        return [held.container for held in self if held.service == service and held.phase in CURRENT]

    def begin(self, service: str, now: float, *, checked: bool, phase: Phase = Phase.WAITING, spec: str = "") -> Held:
        """One more is to be made. Its name is one that nobody else gives."""
        words = ["".join(c if c.isascii() and c.isalnum() else "-" for c in w) for w in (self._deployment, service)]
        name = f"beaufort-{'-'.join(words)}-{secrets.token_hex(6)}"
        held = self._held[name] = Held(name, service, phase, started_at=now, checked=checked, spec=spec)
        self.touch(held)
        return held

    def made(self, held: Held, id_: str) -> None:
        """The engine has made it: no count changes by that."""
        held.id = id_
        self._ids[id_] = held
        self._note(held)

    def stop(self, container: Container, drain_until: float | None = None) -> None:
        """It is to end. What nobody has asked the engine for is gone at once."""
        held = self._held[container.id]
        if held.phase is Phase.WAITING:
            self.drop(held)
        else:
            held.phase, held.drain_until = Phase.STOPPING, drain_until
            self.touch(held)

    def ready(self, service: str, phase: Phase) -> list[Held]:
        """Those of the service that are in this phase, the oldest first."""
        return [held for held in self if held.service == service and held.phase is phase]

    def turn(self, held: Held, phase: Phase) -> None:
        """From now on this is wanted of it."""
        held.phase = phase
        self.touch(held)

    def drop(self, held: Held) -> None:
        """It is held no more. If the engine has it still, it is to be removed."""
        self._held.pop(held.name, None)
        self._ids.pop(held.id, None)
        held.phase = Phase.GONE
        if held.id and held.id not in self._gone:
            self.graves.add(held.id)
        self.touch(held)
        if held.id:
            self._gone[held.id] = held.stamp

    def fail(self, service: str, words: str) -> None:
        self.failed[service] += 1
        self.failure[service] = words
        self.touch()

    # What the engine tells.

    def runs(self, held: Held, at: float | None = None) -> None:
        """It has been started, ``at`` seconds since the epoch by the engine's clock."""
        if held.up or held.phase in {Phase.ENDED, Phase.GONE}:
            return  # a list may show one that has just ended as running
        held.up = True
        if at is not None:
            held.started_at = at
        if held.phase in {Phase.SPARE, *CURRENT}:
            held.phase = Phase.STARTING if held.checked else Phase.RUNNING
        self.touch(held)

    def ended(self, held: Held, code: int | None = None) -> None:
        """Its process has ended, or it was never started and has been removed."""
        if held.phase in {Phase.GONE, Phase.ENDED}:
            return
        held.up, held.code = False, code
        if held.phase in {Phase.STOPPING, Phase.SPARE, Phase.LEAVING}:
            self.drop(held)
        else:
            held.phase = Phase.ENDED
            self.touch(held)

    def apply(self, event: Event) -> None:
        """An event of a container with our labels."""
        id_, told, at = event.actor.id, event.actor.attributes, event.at / 1e9
        held = self._find(id_, told.get("name", ""))
        if held is None and id_ not in self._gone and event.action in {"create", "start"}:
            held = self._adopt(id_, told["name"], told, at)
        if held is not None:
            self._happened(held, event.action, at, told)
        if event.action == "destroy":
            self.graves.discard(id_)
            self._gone[id_] = self._stamp

    def _happened(self, held: Held, action: str, at: float, told: Mapping[str, str]) -> None:
        match action:
            case "start":
                self.runs(held, at)
            case "die":
                self.ended(held, int(told["exitCode"]))
            case "destroy":
                self.ended(held)
            case "health_status: healthy" | "health_status: unhealthy":
                self._health(held, serves=action == "health_status: healthy")

    def _health(self, held: Held, *, serves: bool) -> None:
        held.checked, held.serves = True, serves
        phase = Phase.RUNNING if serves else Phase.STARTING
        if held.up and held.phase in CURRENT and held.phase is not phase:
            held.phase = phase
            self.touch(held)

    def knows(self, id_: str) -> bool:
        """Whether it is held, or is known to be going."""
        return id_ in self._ids or id_ in self._gone

    def mark(self) -> int:
        """To be taken before a list is asked for: what changes after it may not be in the list."""
        return self._stamp

    def listed(
        self, containers: Sequence[Listed], mark: int, stopping: Mapping[str, float], frozen: Collection[str] = ()
    ) -> None:
        """A full list. Mends what no event has told. ``stopping``: those found that were asked to end, and until when.
        ``frozen``: those that are frozen, of which the engine knows nothing.
        """
        for index, each in enumerate(containers):
            held = self._ids.get(each.id) or self._held.get(each.name)
            newer = held is not None and held.stamp > mark
            held = self._find(each.id, each.name)
            if held is not None and not newer:
                self._correct(held, each)
            elif held is None and each.id not in self._gone:
                # Of those made in the same second, the list tells the younger first.
                still = "frozen" if each.id in frozen else "paused" if each.state == "paused" else ""
                self._found(each, each.created - index * 1e-6, stopping.get(each.id), still)
        ids, names = {each.id for each in containers}, {each.name for each in containers}
        for held in self:
            if held.id not in ids and held.name not in names and held.stamp <= mark:
                self._miss(held)
        self._gone = {id_: stamp for id_, stamp in self._gone.items() if id_ in ids or stamp > mark}
        self.graves -= {id_ for id_ in self.graves if id_ not in self._gone}

    def lose(self) -> None:
        """The engine can't be read: what has not been asked of it is not wanted any more."""
        for held in self:
            if held.phase is Phase.WAITING:
                self.drop(held)
        self.touch()

    def _find(self, id_: str, name: str) -> Held | None:
        """By its id, or by the name that we gave it where the id is not known yet: others may change a name."""
        held = self._ids.get(id_) or self._held.get(name)
        if held is not None and not held.id:
            self.made(held, id_)
        return held if held is not None and held.id == id_ else None

    def _adopt(self, id_: str, name: str, labels: Mapping[str, str], at: float) -> Held:
        held = Held(name, labels[SERVICE], Phase.SPARE, started_at=at, sent=True, spec=labels.get(SPEC, ""))
        self._held[name] = held
        self.made(held, id_)
        return held

    def _found(self, listed: Listed, at: float, kill_at: float | None, still: str) -> None:
        assert listed.labels is not None
        held = self._adopt(listed.id, listed.name, listed.labels, at)
        if listed.state in ALIVE:
            self._seen_alive(held, listed)
            if kill_at is not None:
                held.phase, held.kill_at = Phase.STOPPING, kill_at
            elif still:
                held.phase, held.still = Phase.PAUSED, still
        elif listed.state != "created":
            self.drop(held)

    def _correct(self, held: Held, listed: Listed) -> None:
        if listed.state in ALIVE:
            self._seen_alive(held, listed)
        elif listed.state != "created":
            self.ended(held)
        elif held.phase in {Phase.STARTING, Phase.WARMING} and not held.working and not held.asked:
            self.turn(held, Phase.SPARE)

    def _seen_alive(self, held: Held, listed: Listed) -> None:
        held.checked = held.checked or "health" in listed.status
        self.runs(held)
        if held.checked and "health" in listed.status:
            self._health(held, serves="(healthy)" in listed.status)

    def _miss(self, held: Held) -> None:
        if held.id:
            self._gone[held.id] = self._stamp
            self.ended(held)
        elif held.phase is not Phase.WAITING and not held.working:
            self.drop(held)
