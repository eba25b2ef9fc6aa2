"""A model cluster: what nodes hold, what starts, what stops, what breaks, in a time that the caller moves.

Tests, benchmarks and simulations ask it what a real cluster would have done. It has no clock and awaits nothing; the
same seed and the same calls give the same history. It starts and stops only what it is told to: it decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heappush
from random import Random
from types import MappingProxyType

from beaufort.behaviour import Behaviour
from beaufort.machine import Machine, Tally, while_paused, while_running
from beaufort.model import (
    NO_COUNTS,
    NO_STANDBY,
    Cluster,
    ContainerState,
    Counts,
    Launch,
    Node,
    Resources,
    Service,
    Standby,
)
from beaufort.protocols import NoRoom, Rejected, SchedulerError, Unreachable

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
        return Counts(running, starting, stopping, standby, len(self.warming), self.failed, self.failure, on)


@dataclass(eq=False, slots=True)
class _Container:
    workload: _Workload
    machine: Machine
    size: Resources
    group: str | None
    launch: Launch
    state: ContainerState = ContainerState.STARTING
    event: int = 0  # the number of the one change that awaits it; 0 is none


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
        self._machines = [Machine(node) for node in nodes or (Node("anywhere", Resources()),)]
        self._next_machine = 0
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
        self._reach()
        for workload in self._changed:
            self._counts[workload.name] = workload.counts(self._nodes_known)
        self._changed.clear()
        zero = {service.name: NO_COUNTS for service in services}
        return Cluster(self.now, MappingProxyType(zero | self._counts), self.nodes)

    @property
    def changed(self) -> bool:
        """Whether any count differs from what `cluster` told last."""
        return bool(self._changed)

    def behaviour_of(self, service: str) -> Behaviour:
        return self.behaviours.get(service, self.behaviour)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(machine.node for machine in self._machines) if self._nodes_known else ()

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

    def scale(self, service: Service, count: int, standby: Standby = NO_STANDBY) -> None:
        """Make it ``count`` that run or start, at the present time, and so much ``standby``, as far as it has room. Raises
        Rejected, NoRoom (once what fits has been started) or Unreachable.
        """
        self._reach()
        workload = self._workloads.get(service.name)
        if workload is None:
            workload = self._workloads[service.name] = _Workload(service.name)
        if workload.launch != service.launch:
            self._discard(workload)
            workload.launch = service.launch
        refusal = self._start(service, workload, count)
        # The order of `victims`, without a sort: what does not serve yet goes first, then the youngest.
        for _ in range(workload.current - count):
            self._stop((workload.starting or workload.running).popitem()[0])
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
        machine = next(machine for machine in self._machines if machine.node.name == name)
        self._machines.remove(machine)
        for workload in self._workloads.values():
            for state in ContainerState:
                for container in [*getattr(workload, state)]:
                    if container.machine is machine:
                        self._fail(container, f"node {name} went away")

    def add_node(self, node: Node) -> None:
        self._machines.append(Machine(node))

    # How it works.

    def _reach(self) -> None:
        if self.link in {Link.DOWN, Link.HUNG}:
            raise Unreachable("the simulated cluster does not answer")

    def _start(self, service: Service, workload: _Workload, count: int) -> SchedulerError | None:
        wanted = count - workload.current
        behaviour = self.behaviour_of(service.name)
        if wanted > 0 and behaviour.rejected is not None:
            return Rejected(f"{service.name}: {behaviour.rejected}")
        for started in range(wanted):
            delay = behaviour.start.draw(self._random)
            if self._thaw(workload, delay * THAW):
                continue
            delay *= MADE if workload.created else 1.0
            if not self._launch(service, workload, ContainerState.STARTING, delay):
                size = service.size
                return NoRoom(f"{service.name}: started {started} of {wanted}, no node has room for more ({size!r})")
            workload.created = max(0, workload.created - 1)
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

    def _launch(self, service: Service, workload: _Workload, state: ContainerState, delay: float) -> bool:
        machine = self._place(service.size)
        if machine is None:
            return False
        container = _Container(workload, machine, service.size, service.group, service.launch)
        self._take(container, container.size)
        self._become(container, state, delay)
        return True

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
        for _ in range(standby.kept - len(workload.paused) - len(workload.warming)):
            self._launch(service, workload, ContainerState.WARMING, behaviour.start.draw(self._random))

    def _discard(self, workload: _Workload) -> None:
        """Standby that is of no use any more."""
        for container in [*workload.paused, *workload.warming]:
            self._end(container)
        if workload.created:
            workload.created = 0
            self._changed[workload] = None

    def _place(self, size: Resources) -> Machine | None:
        """The next node, taken in turn, that has room: this spreads, and costs little until the cluster is full."""
        for turn in range(len(self._machines)):
            index = (self._next_machine + turn) % len(self._machines)
            if self._machines[index].fits(size):
                self._next_machine = index + 1
                return self._machines[index]
        return None

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
        for tally in self._tallies(container):
            tally.take(size)

    def _give_back(self, container: _Container, size: Resources) -> None:
        """It runs no more."""
        on, node = container.workload.on, container.machine.node.name
        on[node] -= 1
        if not on[node]:
            del on[node]
        for tally in self._tallies(container):
            tally.give_back(size)

    def _tallies(self, container: _Container) -> list[Tally]:
        tallies = [self.total, container.machine.tally]
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
