"""The Scaler: one step from samples, cluster and time to a decision. Policy, settle, allocate, plan, in that order.

It is pure: the same inputs in the same order give the same decisions, live, in a dry run, in the simulator, in a replay.
It keeps what it must remember of each service, and works on what has changed since the last step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from beaufort.accounts import NAMES, Accounts
from beaufort.allocate import allocate
from beaufort.claims import Claims
from beaufort.model import (
    EMPTY,
    NO_COUNTS,
    NO_STANDBY,
    NOWHERE,
    Action,
    Band,
    Cluster,
    Decision,
    Desired,
    Node,
    Outcome,
    Pause,
    Reach,
    Resources,
    Sample,
    Service,
    Standby,
)
from beaufort.policies.constant import Constant
from beaufort.pool import Numbers, Pool
from beaufort.protocols import Policy
from beaufort.reserve import Reserve
from beaufort.room import Room
from beaufort.settle import BOUNDLESS
from beaufort.standing import Standing
from beaufort.strangers import Strangers
from beaufort.workload import Workload

__all__ = ["Scaler", "Scope"]

REFUSALS = {"NoRoom", "Rejected"}
"""Errors of an outcome that are told at once. What may have been accepted is told with the next snapshot, which shows it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a Scaler decides about. ``capacity``: the nodes; empty for what the scheduler reports. ``quotas``: by group.
    ``holds``: the kinds of standby that the scheduler can hold, the fields of `model.Standby`. ``chooses``: whether it can
    be told from which nodes containers are to go.
    """

    services: tuple[Service, ...]
    policies: Mapping[str, Policy]
    capacity: tuple[Node, ...] = ()
    quotas: Mapping[str, Resources] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()
    holds: frozenset[str] = frozenset()
    chooses: bool = False


class Scaler:
    """Decides for one scope. With ``at_rest`` the first cluster is taken to have stood as it is for long: no window,
    idle time or silence is still running. Otherwise what is found is adopted, as if it had been wanted until now.
    """

    def __init__(self, scope: Scope, *, at_rest: bool = False) -> None:
        self._scope = scope
        self._services = sorted(scope.services, key=lambda service: service.priority)
        self._works = [Workload(service, scope.policies[service.name], at_rest=at_rest) for service in self._services]
        self._names = [service.name for service in self._services]
        self._index = {name: index for index, name in enumerate(self._names)}
        self._claims = Claims(self._services, scope.bands)
        self._reserve = Reserve(self._services, scope.holds)
        self._wake = np.full(len(self._works), -math.inf)
        self._cluster: Cluster | None = None
        self._pauses: Mapping[str, Pause] = {}
        self._strangers = Strangers()
        self._answered: set[int] = set()
        self._crowded: set[int] = set()
        self._desired: Mapping[str, Desired] = {}
        self._use(scope.capacity, EMPTY)

    def _use(self, nodes: tuple[Node, ...], reach: Mapping[str, Reach]) -> None:
        """Decide about this capacity from now on."""
        count = len(self._works)
        self._nodes, self._reach = nodes, reach
        self._pool = Pool.of(self._services, nodes, self._scope.quotas)
        self._room = Room(self._services, nodes, self._pool, reach, chooses=self._scope.chooses)
        self._reserve.spread = self._room.placement is not None
        alone = self._pool.alone()
        if self._room.placement is not None:
            alone = np.minimum(alone, self._room.placement.alone())
        self._holds: list[int] = np.minimum(alone, BOUNDLESS).astype(np.int64).tolist()
        self._granted, self._at_once = np.zeros((2, count), dtype=np.int64)
        self._off: Mapping[int, Mapping[int, int]] = {}
        self._asked = np.zeros(count, dtype=bool)
        self._accounts = Accounts(self._works, self._pool, self._claims, reach)
        self._wake[:] = -math.inf
        self._due = True
        self._hold(range(count))

    def reconfigured(self, scope: Scope, now: float) -> Scaler:
        """The Scaler for another configuration, which knows what this one does of the services that both have.

        A service that has left stays in it at zero for as long as containers of it may be held: their size still counts.
        """
        staying = {service.name for service in scope.services}
        leaving = [
            replace(work.service, min=0, max=0)
            for work in self._works
            if work.service.name not in staying and (work.counts.present + work.counts.stopping or work.asked)
        ]
        policies = {**scope.policies, **{service.name: Constant(count=0) for service in leaving}}
        after = Scaler(replace(scope, services=(*scope.services, *leaving), policies=policies))
        for index, work in enumerate(after._works):
            if work.service.name in self._index:
                before = self._index[work.service.name]
                work.succeed(self._works[before], now)
                if before in self._answered:
                    after._answered.add(index)
        after._hold(range(len(after._works)))
        return after

    @property
    def wake_at(self) -> float:
        """When a step would decide otherwise with nothing new: seconds, or infinity."""
        return float(self._wake.min(initial=math.inf))

    def standing(self, now: float, service: str) -> Standing:
        """What the newest decision about a service of the scope came from."""
        return self._accounts.standing(now, self._index[service], self._reserve)

    def look_again(self) -> None:
        """Have the next step form every desire anew, as if all had changed: the slow repair of what an event missed."""
        self._wake[:] = -math.inf
        self._due = True

    def step(
        self,
        now: float,
        cluster: Cluster | None,
        samples: Mapping[str, Sequence[Sample]] = MappingProxyType({}),
        outcomes: Iterable[Outcome] = (),
        pauses: Mapping[str, Pause] = MappingProxyType({}),
    ) -> Decision:
        """Decide. ``cluster`` is the newest snapshot, or None while the scheduler can't be read: then nothing is done.

        ``samples``: those that are new, per service, oldest first. ``outcomes``: how the actions of earlier steps ended;
        the snapshot counts what was accepted, but may be older than a refusal.
        """
        changed = self._feed(now, samples)
        outcomes = list(outcomes)
        changed |= self._conclude(outcome for outcome in outcomes if outcome.error not in REFUSALS)
        if cluster is not None and cluster is not self._cluster:
            changed |= self._see(now, cluster)
        changed |= self._conclude(outcome for outcome in outcomes if outcome.error in REFUSALS)
        changed |= self._pause(pauses) | set(np.flatnonzero(self._wake <= now).tolist())
        self._desire(now, changed, pauses)
        actions: tuple[Action, ...] = ()
        if cluster is None:
            self._due = True
            self._accounts.blind(now, changed)
        elif changed or self._due:
            actions = self._plan(now, changed)
        return Decision(now, self._desired, self._accounts.grants, actions, self._accounts.shortfall)

    def _feed(self, now: float, samples: Mapping[str, Sequence[Sample]]) -> set[int]:
        fed = set()
        for name, new in samples.items():
            index = self._index.get(name)
            if index is not None:
                self._works[index].feed(now, new)
                fed.add(index)
        return fed

    def _conclude(self, outcomes: Iterable[Outcome]) -> set[int]:
        concluded = set()
        for outcome in outcomes:
            index = self._index.get(outcome.service)
            if index is None:
                self._strangers.conclude(outcome)
                continue
            self._works[index].conclude(outcome)
            concluded.add(index)
            if outcome.error == "NoRoom":
                self._crowded.add(index)
        self._answered |= concluded
        return concluded

    def _see(self, now: float, cluster: Cluster) -> set[int]:
        """Take in a new snapshot; the services of which it shows something new."""
        self._cluster = cluster
        # Nodes that are no longer told of are not gone: what they can hold is as it was, as far as anybody knows.
        if not self._scope.capacity and cluster.nodes and (cluster.nodes, cluster.reach) != (self._nodes, self._reach):
            self._use(cluster.nodes, cluster.reach)
        told = cluster.counts
        pairs = zip(self._index, self._works, strict=True)
        fresh = {i for i, (name, work) in enumerate(pairs) if told.get(name, NO_COUNTS) is not work.counts}
        freed = any(told.get(self._names[i], NO_COUNTS).held < self._works[i].counts.held for i in fresh)
        seen = {i for i in fresh | self._answered if self._works[i].see(now, told.get(self._names[i], NO_COUNTS))}
        self._hold(sorted(seen))
        self._answered.clear()
        self._due |= self._strangers.see(told, self._index) or bool(seen)
        if freed:
            for index in self._crowded:
                self._works[index].backoff.room_appeared()
            seen |= self._crowded
            self._crowded.clear()
        return seen

    def _pause(self, pauses: Mapping[str, Pause]) -> set[int]:
        names = {name for name, _ in self._pauses.items() ^ pauses.items()}
        self._pauses = dict(pauses)
        return {self._index[name] for name in names if name in self._index}

    def _hold(self, which: Sequence[int]) -> None:
        """What is known of the containers of these services holds room."""
        works = [self._works[index] for index in which]
        warming = [work.warming for work in works]
        self._room.see(which, [work.counts for work in works], [work.asked for work in works], warming)
        self._reserve.see(which, [work.counts.standby for work in works], warming)
        self._asked[which] = [work.asked is not None for work in works]

    def _desire(self, now: float, changed: set[int], pauses: Mapping[str, Pause]) -> None:
        """Form the desires of these services anew, and note whether what any of them may be granted is not as before."""
        if not changed:
            return
        which = sorted(changed)
        works = [self._works[index] for index in which]
        for index, work in zip(which, works, strict=True):
            work.desire(now, self._holds[index], pauses.get(work.service.name))
        self._desired = {**self._desired, **{work.service.name: work.desired for work in works}}
        for known, new in (
            (self._claims.most, [work.most for work in works]),
            (self._claims.least, [work.least for work in works]),
            (self._claims.remainder, [work.desired.remainder for work in works]),
        ):
            self._due |= bool((known[which] != new).any())
            known[which] = new
        self._due |= self._reserve.want(which, [work.ready for work in works])
        self._wake[which] = [work.wake_at for work in works]

    def _plan(self, now: float, changed: set[int]) -> tuple[Action, ...]:
        """Shrink first; grow only into room that is truly free."""
        if self._due:
            self._granted, self._at_once, self._off = allocate(self._pool, self._claims, self._room, self._reserve)
            self._due = False
        current, starts = self._room.current, self._starts()
        waiting = np.where(self._asked, 0, np.maximum(self._granted - current, 0) - starts)
        self._accounts.settle(now, changed, self._granted, waiting, self._leaving() if waiting.any() else "")
        takers = np.flatnonzero(waiting)
        shrinking = np.flatnonzero((self._granted < current) & ~self._asked)
        growing = self._in_turn(np.flatnonzero(starts))
        actions = self._strangers.turn_out()
        reasons = [self._why_less(index, takers) for index in shrinking.tolist()]
        actions += self._act(shrinking, self._granted[shrinking], reasons, waiting)
        reasons = [self._works[index].desired.reason for index in growing.tolist()]
        actions += self._act(growing, current[growing] + starts[growing], reasons, waiting)
        if self._reserve.is_possible:
            actions += self._prepare(waiting)
        return tuple(actions)

    def _in_turn(self, which: Numbers) -> Numbers:
        """In the order in which they are served, so that nobody starts on the node of one who is served before: minimums
        come first, and what takes the remainder last.
        """
        has_least = self._room.current[which] >= self._claims.least[which]
        return np.asarray(which[np.lexsort((self._claims.rank[which], has_least))])

    def _starts(self) -> Numbers:
        """How many containers each service may start now."""
        starts = np.zeros_like(self._granted)
        growing = self._in_turn(np.flatnonzero(self._granted > self._room.staying))
        if not self._strangers.held:
            useful = np.array([self._works[index].useful for index in growing.tolist()], dtype=np.int64)
            starts[growing] = np.minimum(self._room.starts(self._granted, growing, useful), self._at_once[growing])
        starts[self._asked] = 0
        return starts

    def _act(self, which: Numbers, target: Numbers, reasons: Sequence[str], waiting: Numbers) -> list[Action]:
        """Ask for these counts. What is ready then is what the starts leave, and what those need that wait for room."""
        current = self._room.current[which].tolist()
        standby = [NO_STANDBY] * len(current)
        if self._reserve.is_possible:
            standby = [
                self._ready(index, max(0, goal - now), int(waiting[index]))
                for index, now, goal in zip(which.tolist(), current, target.tolist(), strict=True)
            ]
        return self._ask(which, target, standby, reasons)

    def _ask(self, which: Numbers, target: Numbers, standby: Sequence[Standby], reasons: Sequence[str]) -> list[Action]:
        before = self._room.current[which].tolist()
        actions = []
        for index, current, goal, ready, reason in zip(
            which.tolist(), before, target.tolist(), standby, reasons, strict=True
        ):
            off = self._leave_nodes(index) if goal < current and index in self._off else NOWHERE
            actions.append(Action(self._names[index], current, goal, reason, ready, off))
            self._works[index].ask(goal, ready)
        warming = np.array([self._works[index].warming for index in which.tolist()], dtype=np.int64)
        self._room.ask(which, target, warming - self._reserve.warming[which])
        self._reserve.warming[which] = warming
        self._asked[which] = True
        return actions

    def _leave_nodes(self, index: int) -> Mapping[str, int]:
        """From which nodes those are to go that make room there."""
        placement = self._room.placement
        assert placement is not None
        off = {placement.names[node]: count for node, count in self._off[index].items()}
        placement.expect_off(index, off)
        return off

    def _prepare(self, waiting: Numbers) -> list[Action]:
        """Have as much ready as there should be, where the count stays as it is."""
        actions = []
        for index in self._reserve.concerned(waiting):
            work = self._works[index]
            if self._asked[index]:
                continue
            waits = int(waiting[index])
            target = self._ready(index, 0, waits, self._warmable(index))
            lacks = self._reserve.lacks(index, target)
            differs = self._reserve.differs(index, target) and (lacks or target != work.prepared)
            if differs or work.is_outdated:
                which = np.array([index])
                actions += self._ask(
                    which, self._room.current[which], [target], [self._reserve.why(index, target, waits)]
                )
        return actions

    def _ready(self, index: int, starts: int, waits: int, warm: int = 0) -> Standby:
        useful = not self._works[index].is_outdated
        return self._reserve.target(index, int(self._granted[index]), starts, waits, warm, useful=useful)

    def _warmable(self, index: int) -> int:
        """How many containers may run now for the moment that it takes to make them standby."""
        warm = int(self._reserve.warm[index])
        waits = self._strangers.held or not self._reserve.is_calm
        return 0 if not warm or waits else self._room.fits(index, warm)

    def _why_less(self, index: int, takers: Numbers) -> str:
        work = self._works[index]
        if self._granted[index] >= work.desired.count:
            return work.desired.reason
        if not work.desired.remainder:
            takers = takers[: np.searchsorted(self._claims.priority[takers], work.service.priority, side="right")]
        names = [f"{self._names[taker]} (priority {self._claims.priority[taker]})" for taker in takers[:NAMES]]
        return f"gives way to {', '.join(names)}" if names else self._accounts.lack(index)

    def _leaving(self) -> str:
        """Who holds the room that others wait for, in words."""
        held = np.maximum(self._room.stopping, self._room.held - self._granted)
        leaving = [(self._names[index], int(held[index])) for index in np.flatnonzero(held > 0)[:NAMES]]
        leaving += self._strangers.held.items()
        return "".join(f", {count} held by {name} stopping" for name, count in leaving[:NAMES])
