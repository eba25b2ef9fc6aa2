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

from beaufort.allocate import Allocator
from beaufort.model import (
    NO_COUNTS,
    Action,
    Band,
    Cluster,
    Counts,
    Decision,
    Desired,
    Grant,
    Node,
    Outcome,
    Pause,
    Resources,
    Sample,
    Service,
)
from beaufort.policies.constant import Constant
from beaufort.pool import Amounts, Numbers, Pool
from beaufort.protocols import Policy
from beaufort.room import Room
from beaufort.workload import BOUNDLESS, Workload

__all__ = ["Scaler", "Scope"]

NAMES = 3
"""How many other services a reason names at most."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a Scaler decides about. ``capacity``: the nodes; empty for what the scheduler reports. ``quotas``: by group."""

    services: tuple[Service, ...]
    policies: Mapping[str, Policy]
    capacity: tuple[Node, ...] = ()
    quotas: Mapping[str, Resources] = field(default_factory=dict)
    bands: tuple[Band, ...] = ()


class Scaler:
    """Decides for one scope. With ``at_rest`` the first cluster is taken to have stood as it is for long: no window,
    idle time or silence is still running. Otherwise what is found is adopted, as if it had been wanted until now.
    """

    def __init__(self, scope: Scope, *, at_rest: bool = False) -> None:
        self._scope = scope
        self._works = [Workload(service, scope.policies[service.name], at_rest=at_rest) for service in scope.services]
        self._index = {service.name: index for index, service in enumerate(scope.services)}
        self._ceiling = np.array([BOUNDLESS if s.max is None else s.max for s in scope.services], dtype=np.int64)
        self._wake = np.full(len(self._works), -math.inf)
        self._cluster: Cluster | None = None
        self._pauses: Mapping[str, Pause] = {}
        self._strangers: Mapping[str, Counts] = {}
        self._turned_out = False
        self._desired: dict[str, Desired] = {}
        self._grants: dict[str, Grant] = {}
        self._shortfall: dict[str, int] = {}
        self._waits: Mapping[int, int] = {}
        self._use(scope.capacity)

    def _use(self, nodes: tuple[Node, ...]) -> None:
        """Decide about this capacity from now on."""
        services = self._scope.services
        self._nodes = nodes
        self._pool = Pool.of(services, nodes, self._scope.quotas)
        self._allocator = Allocator(services, nodes, self._pool, self._scope.bands)
        self._room = Room(services, nodes, self._pool)
        self._most = self._pool.most(self._ceiling)
        self._wanted, self._floor, self._granted = (np.zeros(len(services), dtype=np.int64) for _ in range(3))
        self._worded = np.full(len(services), -1)
        self._remainder, self._asked = (np.zeros(len(services), dtype=bool) for _ in range(2))
        self._wake[:] = -math.inf
        for index in range(len(services)):
            self._update(index)

    def reconfigured(self, scope: Scope, now: float) -> Scaler:
        """The Scaler for another configuration, which knows what this one does of the services that both have.

        A service that has left stays in it at zero for as long as containers of it may be held: their size still counts.
        """
        staying = {service.name for service in scope.services}
        leaving = [
            replace(work.service, min=0, max=0)
            for work in self._works
            if work.service.name not in staying and (work.counts.held or work.asked)
        ]
        policies = {**scope.policies, **{service.name: Constant(count=0) for service in leaving}}
        after = Scaler(replace(scope, services=(*scope.services, *leaving), policies=policies))
        for index, work in enumerate(after._works):
            if work.service.name in self._index:
                work.succeed(self._works[self._index[work.service.name]], now)
                after._update(index)
        return after

    @property
    def wake_at(self) -> float:
        """When a step would decide otherwise with nothing new: seconds, or infinity."""
        return float(self._wake.min(initial=math.inf))

    def look_again(self) -> None:
        """Have the next step form every desire anew, as if all had changed: the slow repair of what an event missed."""
        self._wake[:] = -math.inf

    def step(
        self,
        now: float,
        cluster: Cluster | None,
        samples: Mapping[str, Sequence[Sample]] = MappingProxyType({}),
        outcomes: Iterable[Outcome] = (),
        pauses: Mapping[str, Pause] = MappingProxyType({}),
    ) -> Decision:
        """Decide. ``cluster`` is the newest snapshot, or None while the scheduler can't be read: then nothing is done.

        ``samples``: those that are new, per service, oldest first. ``outcomes``: how the actions of earlier steps ended.
        """
        changed = self._feed(samples) | self._conclude(outcomes)
        seen = self._see(now, cluster)
        changed |= seen | self._pause(pauses) | set(np.flatnonzero(self._wake <= now).tolist())
        if (self._desire(now, changed, pauses) or seen) and cluster is not None:
            self._granted = self._allocator.allocate(self._wanted, self._floor, self._room.current, self._remainder)
        actions = () if cluster is None else self._plan(now, changed)
        return Decision(now, self._desired, self._grants, actions, self._shortfall)

    def _feed(self, samples: Mapping[str, Sequence[Sample]]) -> set[int]:
        fed = {self._index[name] for name in samples if name in self._index}
        for index in fed:
            work = self._works[index]
            work.feed(samples[work.service.name])
        return fed

    def _conclude(self, outcomes: Iterable[Outcome]) -> set[int]:
        concluded = set()
        for outcome in outcomes:
            index = self._index.get(outcome.service)
            if index is not None:
                self._works[index].conclude(outcome)
                self._update(index)
                concluded.add(index)
        return concluded

    def _see(self, now: float, cluster: Cluster | None) -> set[int]:
        """Take in a new snapshot; the services of which it shows something new."""
        if cluster is None or cluster is self._cluster:
            return set()
        self._cluster = cluster
        if not self._scope.capacity and cluster.nodes != self._nodes:
            self._use(cluster.nodes)
        seen = set()
        for index, work in enumerate(self._works):
            if work.see(now, cluster.counts.get(work.service.name, NO_COUNTS)):
                self._update(index)
                seen.add(index)
        strangers = cluster.counts.keys() - self._index.keys()
        self._strangers = {name: cluster.counts[name] for name in sorted(strangers) if cluster.counts[name].held}
        self._turned_out = False
        return seen

    def _pause(self, pauses: Mapping[str, Pause]) -> set[int]:
        names = {name for name, _ in self._pauses.items() ^ pauses.items()}
        self._pauses = dict(pauses)
        return {self._index[name] for name in names if name in self._index}

    def _update(self, index: int) -> None:
        work = self._works[index]
        self._room.update(index, work.counts, work.asked)
        self._asked[index] = work.asked is not None

    def _desire(self, now: float, changed: set[int], pauses: Mapping[str, Pause]) -> bool:
        """Form the desires of these services anew. True if what any of them is to be granted may change by it."""
        if not changed:
            return False
        desired, differs = dict(self._desired), False
        for index in changed:
            work, most = self._works[index], int(self._most[index])
            work.desire(now, most, pauses.get(work.service.name))
            bounds = work.bounds(now)
            differs |= bounds != (self._wanted[index], self._floor[index])
            self._wanted[index], self._floor[index] = bounds
            self._remainder[index] = work.desired.remainder
            self._wake[index] = work.wake_at
            desired[work.service.name] = work.desired
        self._desired = desired
        return differs

    def _plan(self, now: float, changed: set[int]) -> tuple[Action, ...]:
        current = self._room.current
        free_to_act = ~self._asked
        shrinking = np.flatnonzero((self._granted < current) & free_to_act)
        growing = np.flatnonzero((self._granted > current) & free_to_act)
        starts = {} if self._strangers else self._room.grow(self._granted, growing)
        waits = {i: int(self._granted[i] - current[i]) - starts.get(i, 0) for i in growing.tolist()}
        waits = {index: count for index, count in waits.items() if count > 0}
        self._explain(now, changed, waits, shrinking)
        actions = self._turn_out()
        actions += [
            self._act(index, int(self._granted[index]), self._why_less(index, growing)) for index in shrinking.tolist()
        ]
        actions += [
            self._act(index, int(current[index]) + count, self._why_more(index))
            for index, count in starts.items()
            if count
        ]
        return tuple(actions)

    def _act(self, index: int, target: int, reason: str) -> Action:
        work = self._works[index]
        work.asked = target
        self._update(index)
        return Action(work.service.name, work.counts.current, target, reason)

    def _turn_out(self) -> list[Action]:
        """Containers of ours whose service is not in the configuration go, once a snapshot."""
        if self._turned_out:
            return []
        self._turned_out = True
        reason = "is not in the configuration"
        return [Action(name, held.current, 0, reason) for name, held in self._strangers.items() if held.current]

    def _why_less(self, index: int, growing: Numbers) -> str:
        grant = self._grants[self._works[index].service.name]
        priority = self._works[index].service.priority
        takers = [self._works[i].service for i in growing if self._works[i].service.priority <= priority]
        if grant.count >= grant.desired or not takers:
            return grant.reason
        names = ", ".join(f"{taker.name} (priority {taker.priority})" for taker in takers[:NAMES])
        return f"{grant.reason}; gives way to {names}"

    def _why_more(self, index: int) -> str:
        return self._grants[self._works[index].service.name].reason

    def _explain(self, now: float, changed: set[int], waits: Mapping[int, int], shrinking: Numbers) -> None:
        """Word the grants anew where anything about them has changed."""
        anew = changed | waits.keys() | self._waits.keys() | set(np.flatnonzero(self._granted != self._worded).tolist())
        if not anew:
            return
        self._waits, self._worded = waits, self._granted.copy()
        stopping = self._stopping(shrinking) if waits else ""
        free = self._pool.room - self._granted @ self._pool.need
        self._grants, self._shortfall = dict(self._grants), dict(self._shortfall)
        for index in anew:
            self._word(now, index, free, f"; {waits[index]} of them wait for room{stopping}" if index in waits else "")

    def _word(self, now: float, index: int, free: Amounts, waits: str) -> None:
        work = self._works[index]
        name, count, desired = work.service.name, int(self._granted[index]), work.desired
        short = int(self._wanted[index]) - count
        if desired.remainder:
            gets = f"gets {count}" + (f": {held}" if (held := work.held_back(now)) else "")
            short = 0
        elif count >= desired.count:
            gets = f"gets {count}"
        else:
            why = work.held_back(now) if short <= 0 else self._lack(index, free)
            gets = f"gets {count}: {why}"
        self._grants[name] = Grant(name, count, desired.count, f"{desired.reason}; {gets}{waits}")
        if short > 0:
            self._shortfall[name] = short
        else:
            self._shortfall.pop(name, None)

    def _lack(self, index: int, free: Amounts) -> str:
        names = [
            name for name, need, left in zip(self._pool.names, self._pool.need[index], free, strict=True) if need > left
        ]
        return f"pool full ({', '.join(names)})" if names else "no node has room for another"

    def _stopping(self, shrinking: Numbers) -> str:
        """Who is about to give room, in words."""
        leaving = {self._works[i].service.name: int(self._room.current[i] - self._granted[i]) for i in shrinking}
        for index in np.flatnonzero(self._room.stopping):
            work = self._works[index]
            leaving[work.service.name] = leaving.get(work.service.name, 0) + work.counts.stopping
        leaving |= {name: counts.held for name, counts in self._strangers.items()}
        words = [f"{count} held by {name} stopping" for name, count in list(leaving.items())[:NAMES]]
        return f", {', '.join(words)}" if words else ""
