"""A model cluster: what nodes hold, what starts, what stops, what breaks, in a time that the caller moves.

Tests, benchmarks and simulations ask it what a real cluster would have done. It has no clock and awaits nothing; the
same seed and the same calls give the same history. It starts and stops only what it is told to: it decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heappush
from itertools import chain, islice
from random import Random
from types import MappingProxyType

from beaufort.behaviour import Behaviour
from beaufort.constraints import Constraint
from beaufort.machine import Machine, Tally, while_paused, while_running
from beaufort.machines import Machines, constraints
from beaufort.model import (
    NO_COUNTS,
    NO_STANDBY,
    NOWHERE,
    Cluster,
    ContainerState,
    Counts,
    Launch,
    Node,
    Reach,
    Resources,
    Service,
    Standby,
)
from beaufort.protocols import NoRoom, Rejected, SchedulerError, Unreachable
from beaufort.reach import Reaches

__all__ = ["Link", "World"]

INSTANT = Behaviour()

THAW, MADE = 0.05, 0.6
"""What a start takes of the time of a new one: from a paused container, and from one that is made already."""


class Link(StrEnum):
    """What stands between the caller and the cluster."""

    UP = "up"
    DOWN = "down"
    """Nothing can be read, and nothing that is asked is done: each is refused at once."""
    HUNG = "hung"
    """The same, but without a refusal: no answer comes."""
    LOSSY = "lossy"
    """All can be read, and what is asked is done, but its answer is lost."""


@dataclass(eq=False, slots=True)
class _Workload:
    """The containers of one service: a set for each `ContainerState`, by its name. Dicts are sets that keep their order,
    so the youngest is last. Those that are ``created`` are nowhere yet, and take nothing. All standby is made from
    ``launch``.
    """

    name: str
    starting: dict[_Container, None] = field(default_factory=dict)
    running: dict[_Container, None] = field(default_factory=dict)
    stopping: dict[_Container, None] = field(default_factory=dict)
    warming: dict[_Container, None] = field(default_factory=dict)
    paused: dict[_Container, None] = field(default_factory=dict)
    created: int = 0
    launch: Launch = field(default_factory=Launch)
    on: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    failure: str = ""

    @property
    def current(self) -> int:
        return len(self.starting) + len(self.running)

    def counts(self, places: bool) -> Counts:
        on = MappingProxyType(dict(self.on)) if places else {}
        running, starting, stopping = len(self.running), len(self.starting), len(self.stopping)
        standby = Standby(self.created, len(self.paused))
        since = self.since() if places else {}
        return Counts(running, starting, stopping, standby, len(self.warming), self.failed, self.failure, on, since)

    def since(self) -> Mapping[str, tuple[float, ...]]:
        found: dict[str, list[float]] = {}
        for container in self.first_to_go():
            found.setdefault(container.machine.node.name, []).append(container.since)
        return MappingProxyType({node: tuple(times) for node, times in found.items()})

    def first_to_go(self) -> Iterator[_Container]:
        """The order of `victims`, without a sort: what does not serve yet goes first, then the youngest."""
        return chain(reversed(self.starting), reversed(self.running))


@dataclass(eq=False, slots=True)
class _Container:
    workload: _Workload
    machine: Machine
    size: Resources
    group: str | None
    launch: Launch
    since: float
    state: ContainerState = ContainerState.STARTING
    event: int = 0  # the number of the one change that awaits it; 0 is none


def _named(workload: _Workload, how_many: int, off: Mapping[str, int]) -> list[_Container]:
    """Which are to stop: those of these nodes first."""
    left, first, others = dict(off), [], []
    for container in islice(workload.first_to_go(), None if off else max(0, how_many)):
        node = container.machine.node.name
        if left.get(node, 0) > 0:
            left[node] -= 1
            first.append(container)
        else:
            others.append(container)
    return [*first, *others][: max(0, how_many)]


class World:
    """A cluster of ``nodes``; without any, room has no end and the capacity is not known.

    ``behaviours`` holds how single services behave (name -> Behaviour), ``behaviour`` all others. ``link`` may be
    set at any time. ``total`` and ``groups`` (group -> Tally) tell what was truly held, stopping containers included.
    """

    def __init__(self, nodes: Sequence[Node] = (), behaviour: Behaviour = INSTANT, seed: int = 0) -> None:
        self.behaviour = behaviour
        self.behaviours: dict[str, Behaviour] = {}
        self.link = Link.UP
        self.total = Tally()
        self.groups: dict[str, Tally] = {}
        self.now = 0.0
        self._nodes_known = bool(nodes)
        self._machines = Machines(nodes or (Node("anywhere", Resources()),))
        self._reaches = Reaches({})
        self._rules: Mapping[str, Sequence[Constraint]] = {}
        self._workloads: dict[str, _Workload] = {}
        self._counts: dict[str, Counts] = {}
        self._changed: dict[_Workload, None] = {}
        self._random = Random(seed)  # noqa: S311 - a model, not a secret
        self._queue: list[tuple[float, int, _Container]] = []
        self._events = 0
        self._void = 0  # entries of the queue whose container has since taken another course

    # What the caller may see.

    def next_change(self) -> float | None:
        """When the next container changes by itself, if any will."""
        while self._queue and self._queue[0][2].event != self._queue[0][1]:
            heappop(self._queue)
            self._void -= 1
        return self._queue[0][0] if self._queue else None

    def cluster(self, services: Iterable[Service] = ()) -> Cluster:
        """What exists now; zero counts for those of ``services`` that have nothing. Raises Unreachable."""
        self._call()
        for workload in self._changed:
            self._counts[workload.name] = workload.counts(self._nodes_known)
        self._changed.clear()
        services = tuple(services)
        counts = MappingProxyType({service.name: NO_COUNTS for service in services} | self._counts)
        return Cluster(self.now, counts, self.nodes, self._reach(services))

    @property
    def changed(self) -> bool:
        """Whether any count differs from what `cluster` told last."""
        return bool(self._changed)

    def behaviour_of(self, service: str) -> Behaviour:
        return self.behaviours.get(service, self.behaviour)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return self._machines.nodes if self._nodes_known else ()

    def made_from(self, service: Service) -> int:
        """How many containers of the service were made from its launch as it is here, standby included."""
        workload = self._workloads.get(service.name)
        if workload is None:
            return 0
        made = [each for state in ContainerState for each in getattr(workload, state) if each.launch == service.launch]
        return len(made) + (workload.created if workload.launch == service.launch else 0)

    def node_peaks(self) -> Mapping[str, Mapping[str, float]]:
        """The most that each node ever held: node -> resource -> amount."""
        return {machine.node.name: machine.tally.peak for machine in self._machines}

    # What the caller may do.

    def advance(self, to: float) -> None:
        """Let time pass until ``to``, with all that happens by itself until then."""
        while (due := self.next_change()) is not None and due <= to:
            self.now = max(self.now, due)
            self._happen(heappop(self._queue)[2])
        self.now = max(self.now, to)

    def scale(
        self, service: Service, count: int, standby: Standby = NO_STANDBY, off: Mapping[str, int] = NOWHERE
    ) -> None:
        """Make it ``count`` that run or start, at the present time, and so much ``standby``, as far as it has room. Of those
        that go, so many are to go ``off`` these nodes. Raises Rejected, NoRoom (once what fits has been started) or
        Unreachable.
        """
        self._call()
        workload = self._workloads.get(service.name)
        if workload is None:
            workload = self._workloads[service.name] = _Workload(service.name)
        if workload.launch != service.launch:
            self._discard(workload)
            workload.launch = service.launch
        refusal = self._start(service, workload, count)
        for container in _named(workload, workload.current - count, off):
            del getattr(workload, container.state)[container]
            self._stop(container)
        self._prepare(service, workload, standby)
        if self.link is Link.LOSSY:
            raise Unreachable("the simulated cluster took the request, but its answer was lost")
        if refusal is not None:
            raise refusal

    def kill(self, service: str, how_many: int = 1, cause: str = "killed") -> int:
        """End so many containers of ``service`` that run or start, the oldest first; returns how many there were."""
        workload = self._workloads.get(service)
        doomed = [*workload.running, *workload.starting][:how_many] if workload else []
        for container in doomed:
            self._fail(container, cause)
        return len(doomed)

    def lose_node(self, name: str) -> None:
        """The node goes away, and with it all that it held."""
        machine = self._machines.remove(name)
        for workload in self._workloads.values():
            for state in ContainerState:
                for container in [*getattr(workload, state)]:
                    if container.machine is machine:
                        self._fail(container, f"node {name} went away")

    def add_node(self, node: Node) -> None:
        self._machines.add(node)

    # How it works.

    def _reach(self, services: Sequence[Service]) -> Mapping[str, Reach]:
        rules = {service.name: constraints(service) for service in services if service.launch.options is not None}
        if rules != self._rules:
            self._rules, self._reaches = rules, Reaches(rules)
        return self._reaches.of(self.nodes, {workload.name: workload.on for workload in self._workloads.values()})

    def _call(self) -> None:
        if self.link in {Link.DOWN, Link.HUNG}:
            raise Unreachable("the simulated cluster does not answer")

    def _start(self, service: Service, workload: _Workload, count: int) -> SchedulerError | None:
        wanted = count - workload.current
        behaviour = self.behaviour_of(service.name)
        if wanted > 0 and behaviour.rejected is not None:
            return Rejected(f"{service.name}: {behaviour.rejected}")
        thawed = 0
        while thawed < wanted and workload.paused and self._thaw(workload, behaviour.start.draw(self._random) * THAW):
            thawed += 1
        missing = wanted - thawed
        machines, why = self._machines.place(service, missing, workload.on) if missing > 0 else ([], "")
        for machine in machines:
            delay = behaviour.start.draw(self._random) * (MADE if workload.created else 1.0)
            self._launch(service, workload, machine, ContainerState.STARTING, delay)
            workload.created = max(0, workload.created - 1)
        if missing > len(machines):
            return NoRoom(f"{service.name}: started {thawed + len(machines)} of {wanted}; {why}")
        return None

    def _thaw(self, workload: _Workload, delay: float) -> bool:
        """Have one go on that was paused, where there is room for it to run."""
        for container in workload.paused:
            if container.machine.fits(while_running(container.size)):
                del workload.paused[container]
                self._take(container, while_running(container.size))
                self._become(container, ContainerState.STARTING, delay)
                return True
        return False

    def _launch(
        self, service: Service, workload: _Workload, machine: Machine, state: ContainerState, delay: float
    ) -> None:
        container = _Container(workload, machine, service.size, service.group, service.launch, self.now)
        self._take(container, container.size)
        self._become(container, state, delay)

    def _prepare(self, service: Service, workload: _Workload, standby: Standby) -> None:
        behaviour = self.behaviour_of(service.name)
        for _ in range(len(workload.paused) + len(workload.warming) - standby.kept):
            self._end(next(reversed(workload.paused or workload.warming)))
        if behaviour.rejected is not None:
            if standby.kept > len(workload.paused) + len(workload.warming):
                workload.failed, workload.failure = workload.failed + 1, behaviour.rejected
                self._changed[workload] = None
            return
        if workload.created != standby.created:
            workload.created = standby.created
            self._changed[workload] = None
        missing = standby.kept - len(workload.paused) - len(workload.warming)
        for machine in self._machines.place(service, missing, workload.on)[0] if missing > 0 else ():
            self._launch(service, workload, machine, ContainerState.WARMING, behaviour.start.draw(self._random))

    def _discard(self, workload: _Workload) -> None:
        """Standby that is of no use any more."""
        for container in [*workload.paused, *workload.warming]:
            self._end(container)
        if workload.created:
            workload.created = 0
            self._changed[workload] = None

    def _become(self, container: _Container, state: ContainerState, delay: float) -> None:
        """``container`` is in none of the sets any more; in so many seconds it changes again."""
        container.state = state
        getattr(container.workload, state)[container] = None
        self._changed[container.workload] = None
        self._schedule(container, delay)

    def _take(self, container: _Container, size: Resources) -> None:
        """It begins to run, and so takes this of its node."""
        on, node = container.workload.on, container.machine.node.name
        on[node] = on.get(node, 0) + 1
        self._machines.take(container.machine, size)
        for tally in self._tallies(container):
            tally.take(size)

    def _give_back(self, container: _Container, size: Resources) -> None:
        """It runs no more."""
        on, node = container.workload.on, container.machine.node.name
        on[node] -= 1
        if not on[node]:
            del on[node]
        self._machines.give_back(container.machine, size)
        for tally in self._tallies(container):
            tally.give_back(size)

    def _tallies(self, container: _Container) -> list[Tally]:
        tallies = [self.total]
        if container.group is not None:
            tallies.append(self.groups.setdefault(container.group, Tally()))
        return tallies

    def _stop(self, container: _Container) -> None:
        """``container`` has been taken out of its set already."""
        delay = self.behaviour_of(container.workload.name).stop.draw(self._random)
        self._become(container, ContainerState.STOPPING, delay)

    def _happen(self, container: _Container) -> None:
        container.event = 0
        behaviour = self.behaviour_of(container.workload.name)
        if container.state is ContainerState.STOPPING:
            self._end(container)
        elif container.state is ContainerState.RUNNING or behaviour.exits_after == 0:
            self._fail(container, "exited by itself" if container.state is ContainerState.RUNNING else "did not start")
        elif container.state is ContainerState.WARMING:
            del container.workload.warming[container]
            self._give_back(container, while_running(container.size))
            self._become(container, ContainerState.PAUSED, math.inf)
        else:
            del container.workload.starting[container]
            self._become(container, ContainerState.RUNNING, behaviour.lifetime(self._random))

    def _fail(self, container: _Container, cause: str) -> None:
        if container.state not in {ContainerState.STOPPING, ContainerState.PAUSED}:
            container.workload.failed += 1
            container.workload.failure = cause
        self._end(container)

    def _end(self, container: _Container) -> None:
        workload = container.workload
        del getattr(workload, container.state)[container]
        self._changed[workload] = None
        self._void += container.event != 0
        container.event = 0
        if container.state is not ContainerState.PAUSED:
            self._give_back(container, container.size)
            return
        self._machines.give_back(container.machine, while_paused(container.size))
        for tally in self._tallies(container):
            tally.give_back(while_paused(container.size))

    def _schedule(self, container: _Container, delay: float) -> None:
        self._void += container.event != 0
        container.event = 0
        if delay < math.inf:
            self._events += 1
            container.event = self._events
            heappush(self._queue, (self.now + delay, self._events, container))
        if self._void > 1000 + len(self._queue) // 2:  # lifetimes that were cut short would pile up for ever
            self._queue = [entry for entry in self._queue if entry[2].event == entry[1]]
            heapify(self._queue)
            self._void = 0
