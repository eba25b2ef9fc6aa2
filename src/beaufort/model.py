"""The value types that everything else passes around: frozen, slotted, checked where they are made. Those that a decision
makes for every service are structs, which are made in a tenth of the time.

Times are float seconds, memory is bytes, cpu is cores. A count is a whole number of containers.
This module imports nothing of ours and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import ItemsView, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from msgspec import Struct

__all__ = [
    "EMPTY",
    "NODE",
    "NOWHERE",
    "NO_COUNTS",
    "NO_STANDBY",
    "Action",
    "Band",
    "Cluster",
    "Container",
    "ContainerState",
    "Counts",
    "Decision",
    "Desired",
    "Direction",
    "Event",
    "Fallback",
    "Grant",
    "Launch",
    "Node",
    "Outcome",
    "Pause",
    "RateLimit",
    "Reach",
    "Resources",
    "Sample",
    "Service",
    "Settling",
    "Standby",
    "Wish",
]

EMPTY: Mapping[str, Any] = MappingProxyType({})
NOWHERE: Mapping[str, int] = EMPTY
"""Node -> count: none."""


class Resources:
    """A vector of resources: ``cpu`` in cores, ``memory`` in bytes, ``containers`` in slots, others by their own name.

    As the size of a container, a resource that is not named is not used. As a capacity, a resource that is not
    named is not limited.
    """

    __slots__ = ("_amounts",)

    def __init__(self, amounts: Mapping[str, float] | None = None, /, **named: float) -> None:
        merged = dict(sorted({**(amounts or {}), **named}.items()))
        for name, amount in merged.items():
            if not math.isfinite(amount) or amount < 0:
                raise ValueError(f"{name}: expected an amount of 0 or more, got {amount!r}")
        self._amounts: Mapping[str, float] = MappingProxyType(merged)

    def __getitem__(self, name: str) -> float:
        return self._amounts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def get(self, name: str, default: float = 0.0) -> float:
        return self._amounts.get(name, default)

    def items(self) -> ItemsView[str, float]:
        return self._amounts.items()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._amounts == other._amounts

    def __hash__(self) -> int:
        return hash(tuple(self._amounts.items()))

    def __repr__(self) -> str:
        return f"Resources({', '.join(f'{name}={amount:g}' for name, amount in self.items())})"


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most ``amount`` containers, or ``share`` of the count (0.5 is half), moved in any ``period`` seconds."""

    period: float
    amount: int | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        if self.period <= 0:
            raise ValueError(f"period: expected seconds above 0, got {self.period!r}")
        if (self.amount is None) == (self.share is None):
            raise ValueError("expected either an amount or a share")

    def room(self, count: int) -> int:
        """How many containers may be moved when ``count`` is where the period began; never less than one."""
        if self.amount is not None:
            return self.amount
        assert self.share is not None
        return max(1, math.floor(count * self.share))


@dataclass(frozen=True, slots=True)
class Fallback:
    """What to want when there is no data: hold the present count, or ``count``; with ``if_higher`` the greater of both."""

    count: int | None = None
    if_higher: bool = False

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 0:
            raise ValueError(f"expected a count of 0 or more, got {self.count!r}")
        if self.if_higher and self.count is None:
            raise ValueError("current-if-higher needs a count")


@dataclass(frozen=True, slots=True)
class Settling:
    """How a wish becomes calm. The defaults go up at once and come down slowly.

    ``tolerance_up``, ``tolerance_down``: a wish within this share of the current count is the current count.
    ``window_up``, ``window_down``: seconds; a rise takes the lowest wish of its window, a fall the highest.
    ``limit_up``, ``limit_down``: the most that may move in a period.
    ``idle``: seconds that demand must stay at or below ``activation`` before the last container goes.
    ``stale_after``: seconds without a sample before the last wish is given up for ``fallback``.
    ``ramp``: seconds over which the count returns from the fallback to the wish when data comes back.
    """

    tolerance_up: float = 0.0
    tolerance_down: float = 0.1
    window_up: float = 0.0
    window_down: float = 15.0
    limit_up: RateLimit | None = None
    limit_down: RateLimit | None = None
    idle: float = 60.0
    activation: float = 0.0
    stale_after: float = 30.0
    fallback: Fallback = Fallback()
    ramp: float = 10.0

    def __post_init__(self) -> None:
        for name in ("tolerance_up", "tolerance_down", "window_up", "window_down", "idle", "stale_after", "ramp"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Launch:
    """How one container is started. Which fields matter is the scheduler driver's to say (``check``).

    ``options`` is what only one driver knows of: an instance of its ``launch_options``, or None where nothing is said.
    """

    command: tuple[str, ...] = ()
    image: str | None = None
    env: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    grace: float = 10.0
    options: Any = None

    def __post_init__(self) -> None:
        if not self.grace >= 0:
            raise ValueError(f"grace: expected seconds of 0 or more, got {self.grace!r}")


@dataclass(frozen=True, slots=True)
class Standby:
    """Containers that are held ready beyond those that serve, so that to start them is nearly free.

    ``created``: made and not started, which takes nothing of the capacity. ``paused``: started, then paused by the
    scheduler. ``frozen``: started, then frozen through the kernel, past the scheduler. Both of these keep all that a
    container takes but its cpu and its slot, as they don't run.
    """

    created: int = 0
    paused: int = 0
    frozen: int = 0

    def __post_init__(self) -> None:
        if min(self.created, self.paused, self.frozen) < 0:
            raise ValueError(f"expected counts of 0 or more, got {self}")

    @property
    def kept(self) -> int:
        """Those that have been started, and so keep their memory."""
        return self.paused + self.frozen

    @property
    def total(self) -> int:
        return self.created + self.paused + self.frozen


NO_STANDBY = Standby()


@dataclass(frozen=True, slots=True)
class Service:
    """A scalable workload. Priority 1 is the highest; ``max`` None is no limit of its own.

    ``resources`` is the size of one container; each one also takes one slot of a capacity in ``containers``.
    ``group`` names the quota that the service shares with others, if any. ``standby``: what is to be held ready.
    """

    name: str
    priority: int
    min: int = 0
    max: int | None = None
    weight: float = 1.0
    resources: Resources = Resources()
    group: str | None = None
    settling: Settling = Settling()
    launch: Launch = Launch()
    standby: Standby = NO_STANDBY

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("name: expected a name")
        if self.priority < 1:
            raise ValueError(f"priority: expected 1 (the highest) or more, got {self.priority!r}")
        if self.min < 0:
            raise ValueError(f"min: expected 0 or more, got {self.min!r}")
        if self.max is not None and self.max < self.min:
            raise ValueError(f"max: expected min ({self.min}) or more, got {self.max!r}")
        if not (self.weight > 0 and math.isfinite(self.weight)):
            raise ValueError(f"weight: expected a number above 0, got {self.weight!r}")

    @property
    def size(self) -> Resources:
        """What one container takes of the capacity: its resources, and one slot."""
        return Resources({**dict(self.resources.items()), "containers": 1})

    def clamp(self, count: int) -> int:
        """``count`` brought within ``min`` and ``max``."""
        return max(self.min, count if self.max is None else min(count, self.max))


@dataclass(frozen=True, slots=True)
class Band:
    """The priorities from ``first`` to ``last``, both included. Services in a band that is not ``preemptible`` never
    lose containers to each other (Verma et al., "Large-scale cluster management at Google with Borg", EuroSys 2015).
    """

    name: str
    first: int
    last: int
    preemptible: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"priorities: expected first <= last, both 1 or more, got [{self.first}, {self.last}]")


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster, and what it can hold."""

    name: str
    capacity: Resources
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement of demand at a time. ``arrivals`` and ``rate`` only where the source knows them:

    ``arrivals`` is what came in, per second; ``rate`` is what one busy container completes, per second.
    """

    at: float
    value: float
    arrivals: float | None = None
    rate: float | None = None

    def __post_init__(self) -> None:
        for name in ("at", "value", "arrivals", "rate"):
            number = getattr(self, name)
            if number is not None and not math.isfinite(number):
                raise ValueError(f"{name}: expected a finite number, got {number!r}")
        if self.value < 0:
            raise ValueError(f"value: expected a demand of 0 or more, got {self.value!r}")


@dataclass(frozen=True, slots=True)
class Counts:
    """What exists of one service. ``warming`` are those that run only to be standby in a moment. ``failed`` counts the
    containers that ended unasked since the watch began; ``failure`` is the last one's cause in words. ``on`` says where
    the held ones are (node -> count), if known. ``since``: when those of a node were started that have not been asked to
    stop (seconds), in the order in which they would go; from drivers that choose. ``start_seconds``: what a start has
    taken of late, by what it was started from ("new", "created", "paused", "frozen"), if the driver measures it.
    """

    running: int = 0
    starting: int = 0
    stopping: int = 0
    standby: Standby = NO_STANDBY
    warming: int = 0
    failed: int = 0
    failure: str = ""
    on: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    since: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: EMPTY)
    start_seconds: Mapping[str, float] = field(default_factory=lambda: EMPTY)

    def __post_init__(self) -> None:
        if min(self.running, self.starting, self.stopping, self.warming, self.failed) < 0:
            raise ValueError(f"expected counts of 0 or more, got {self}")

    @property
    def current(self) -> int:
        """Those that serve or are about to."""
        return self.running + self.starting

    @property
    def held(self) -> int:
        """Those that take all their room: what runs, what starts, and what has not yet stopped. Standby takes less."""
        return self.running + self.starting + self.stopping + self.warming

    @property
    def present(self) -> int:
        """All that there is and that has not been asked to go, whether or not it serves."""
        return self.current + self.warming + self.standby.total


NO_COUNTS = Counts()


NODE = "@node"
"""In `Reach.most`: the node itself, in place of a label."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where containers of a service may be: on these ``nodes``, by name, whatever room they have.

    ``most``: how many may be on nodes of one value of a label (label -> count), or on one node (NODE). ``rule``: why it
    is so, in words, such as "zone LIKE a".
    """

    nodes: frozenset[str]
    most: Mapping[str, int] = field(default_factory=lambda: EMPTY)
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A full snapshot of what exists, taken at one time. Empty ``nodes``: the driver does not know the capacity.

    ``reach``: of each service that may not be anywhere, where it may be.
    """

    at: float
    counts: Mapping[str, Counts] = field(default_factory=lambda: EMPTY)
    nodes: tuple[Node, ...] = ()
    reach: Mapping[str, Reach] = field(default_factory=lambda: EMPTY)


class ContainerState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    WARMING = "warming"
    """It runs only to be paused in a moment."""
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Container:
    """One running instance, as a driver knows it. ``busy`` is None where that is not known, ``node`` empty where it
    makes no difference.
    """

    id: str
    service: str
    state: ContainerState
    started_at: float
    busy: bool | None = None
    node: str = ""


class Wish(Struct, frozen=True):
    """A policy's answer: how many containers it would like, unrounded, and why.

    ``memory`` is whatever the policy wants to see again next time (``View.memory``): a bounded, immutable value.
    ``remainder`` marks a wish for whatever is left over; ``count`` is then not used.
    """

    count: float
    reason: str
    memory: Any = None
    remainder: bool = False


class Desired(Struct, frozen=True):
    """The wish of one service after settling, as if the service were alone."""

    service: str
    count: int
    reason: str
    remainder: bool = False


class Grant(Struct, frozen=True):
    """What the pool allows one service."""

    service: str
    count: int
    desired: int
    reason: str


@dataclass(frozen=True, slots=True)
class Action:
    """A change to make now: from ``current`` containers to ``target``, with so many held ready beyond them.

    ``off``: of those that go, so many are to be of these nodes (node -> count); from drivers that choose.
    """

    service: str
    current: int
    target: int
    reason: str
    standby: Standby = NO_STANDBY
    off: Mapping[str, int] = field(default_factory=lambda: EMPTY, hash=False)


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Pause:
    """A person's wish that a service be left alone: not made smaller (``in``), not larger (``out``), or neither.

    A service that may not be made smaller does not give way to others. ``until`` None is until it is resumed.
    """

    direction: Direction = Direction.BOTH
    until: float | None = None

    def holds(self, now: float) -> bool:
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an action ended: accepted, or the error that the driver raised (its class name and words)."""

    at: float
    service: str
    target: int
    error: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """All that one step decided. ``shortfall`` is what the pool cannot hold (service -> count above 0)."""

    at: float
    desired: Mapping[str, Desired]
    grants: Mapping[str, Grant]
    actions: tuple[Action, ...]
    shortfall: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, for people and programs to read."""

    at: float
    kind: str
    detail: str
    service: str | None = None
