"""The shape of the configuration file: each section is a signature, whose arguments are its keys.

The reading, the messages and the JSON Schema all come from here; the sections do not look at each other.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Annotated, Literal

from beaufort.extension import Extended
from beaufort.model import NO_STANDBY, Band, Fallback, Launch, Node, RateLimit, Resources, Service, Settling, Standby
from beaufort.protocols import ContainerScheduler, DemandSource, Policy
from beaufort.quantity import Above, AtLeast, Between, Bytes, Cores, Seconds, Share
from beaufort.reading.annotation import Either, Listing, Table
from beaufort.reading.document import Document, Place
from beaufort.reading.shape import Grammar, attempt
from beaufort.reading.signature import REQUIRED, Key, Signature
from beaufort.reading.unshown import Unshown
from beaufort.registry import DEMAND, POLICIES, SCHEDULERS, PluginSpec

__all__ = ["CONTENTS", "POOL", "SCHEDULER", "Contents", "Count", "Name", "Room", "ServiceSection", "capacity"]

SCHEDULER = "local"
"""The scheduler where none is named."""

POOL = "pool"
"""The name of the one node that stands for a capacity given as a total."""

_SETTLING = Settling()
_LAUNCH = Launch()

Count = Annotated[int, AtLeast(0)]
Name = Annotated[
    str,
    Grammar.matching(
        "a name of letters, digits, -, _ and . that begins with a letter or digit (at most 63)",
        r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}",
    ),
]
# What a container is told may hold passwords: as a command, as a value, or in the name's place by mistake.
_WORD = Unshown(Grammar.matching("text", r"[^\0]*", numbers=True))
_VARIABLE = Unshown(Grammar.matching("the name of an environment variable", r"[^=\0]+"))
Environment = Annotated[Mapping[str, str], Unshown(Table(_VARIABLE, _WORD))]


def resources(
    *,
    cpu: Cores | None = None,
    memory: Bytes | None = None,
    **others: Annotated[float, AtLeast(0)],
) -> Resources:
    """The size of one container. Resources other than cpu and memory have names of your own, such as gpu.

    ``cpu``: cores. ``memory``: bytes, or with a unit such as 256MiB.
    """
    return _named(cpu=cpu, memory=memory, **others)


def room(
    *,
    containers: Count | None = None,
    cpu: Cores | None = None,
    memory: Bytes | None = None,
    **others: Annotated[float, AtLeast(0)],
) -> Resources:
    """How much there is. What is not named is not limited.

    ``containers``: slots, of which each container takes one. ``cpu``: cores. ``memory``: bytes, or with a unit such as
    16GiB.
    """
    amounts = _named(containers=containers, cpu=cpu, memory=memory, **others)
    if not len(amounts):
        raise ValueError("expected containers, cpu, memory or another resource, got none")
    return amounts


def _named(**amounts: float | None) -> Resources:
    return Resources({name: amount for name, amount in amounts.items() if amount is not None})


# A container always takes one slot, so its size can't name any.
Size = Annotated[Resources, Signature(resources, supplied=frozenset({"containers"}))]
Room = Annotated[Resources, Signature(room)]


def capacity(
    *,
    containers: Count | None = None,
    cpu: Cores | None = None,
    memory: Bytes | None = None,
    nodes: Mapping[Name, Room] | None = None,
    **others: Annotated[float, AtLeast(0)],
) -> tuple[Node, ...]:
    """What there is to divide: a total, or nodes. Left out, it is what the scheduler reports.

    ``containers``: slots, of which each container takes one. ``cpu``: cores. ``memory``: bytes, or with a unit such as
    16GiB. ``nodes``: the room of each machine, by name, instead of a total.
    """
    if nodes is None:
        return (Node(POOL, room(containers=containers, cpu=cpu, memory=memory, **others)),)
    if len(_named(containers=containers, cpu=cpu, memory=memory, **others)):
        raise ValueError("nodes: expected either nodes or a total, got both")
    if not nodes:
        raise ValueError("nodes: expected at least one node, got none")
    return tuple(Node(name, amounts) for name, amounts in nodes.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Services that share a quota.

    ``quota``: the most that the services of the group may hold together.
    """

    quota: Annotated[Room, REQUIRED] = Resources()


@dataclass(frozen=True, slots=True, kw_only=True)
class BandSection:
    """A range of priorities.

    ``priorities``: the first and the last, both included. ``preemptible``: whether services inside may lose containers
    to each other.
    """

    priorities: tuple[Annotated[int, AtLeast(1)], Annotated[int, AtLeast(1)]]
    preemptible: bool = False

    def __post_init__(self) -> None:
        first, last = self.priorities
        if first > last:
            raise ValueError(f"priorities: expected the first at most the last, got {first} and {last}")

    def named(self, name: str) -> Band:
        return Band(name, *self.priorities, self.preemptible)


def tolerance(
    *,
    up: Annotated[Share, Between(0, 1)] = _SETTLING.tolerance_up,
    down: Annotated[Share, Between(0, 1)] = _SETTLING.tolerance_down,
) -> tuple[float, float]:
    """A wish within this share of the current count is the current count."""
    return up, down


def window(*, up: Seconds = _SETTLING.window_up, down: Seconds = _SETTLING.window_down) -> tuple[float, float]:
    """A rise takes the lowest wish of its window, a fall the highest."""
    return up, down


def rate_limit(
    *,
    period: Annotated[Seconds, Above(0)],
    amount: Count | None = None,
    share: Annotated[Share, Above(0)] | None = None,
) -> RateLimit:
    """The most that may move in a period: an amount of containers, or a share of the count."""
    return RateLimit(period, amount, share)


def _rate(text: str) -> RateLimit:
    """``4 per 15s`` or ``50% per 15s``."""
    quantity, per, period = text.partition(" per ")
    amount = quantity.strip()
    share = {"share": amount} if amount.endswith("%") else {"amount": int(amount)}
    read = attempt(Signature(rate_limit), {**share, "period": period}, Place(Document(None)), [])
    if not per or not isinstance(read, RateLimit):
        raise ValueError
    return read


Rate = (
    Annotated[RateLimit, Grammar('"4 per 15s" or "50% per 15s"', _rate, r"^\s*[0-9.]+\s*%? per .+$")]
    | Annotated[RateLimit, Signature(rate_limit)]
)


def limit(*, up: Rate | None = None, down: Rate | None = None) -> tuple[RateLimit | None, RateLimit | None]:
    """The most that the count may rise, and fall, in a period of time."""
    return up, down


Tolerance = Annotated[Share, Between(0, 1)] | Annotated[tuple[float, float], Signature(tolerance)]
Window = Annotated[tuple[float, float], Signature(window)]
Limit = Annotated[tuple[RateLimit | None, RateLimit | None], Signature(limit)]


def settle(  # noqa: PLR0913 - each argument is a key
    *,
    tolerance: Tolerance = (_SETTLING.tolerance_up, _SETTLING.tolerance_down),
    window: Window = (_SETTLING.window_up, _SETTLING.window_down),
    limit: Limit = (_SETTLING.limit_up, _SETTLING.limit_down),
    idle: Seconds = _SETTLING.idle,
    activation: Annotated[float, AtLeast(0)] = _SETTLING.activation,
    ramp: Seconds = _SETTLING.ramp,
) -> Settling:
    """How a wish becomes calm. The defaults go up at once and come down slowly.

    ``tolerance``: a wish within this share of the current count is the current count. ``window``: how far back a rise
    takes the lowest wish, and a fall the highest. ``limit``: the most that may move in a period. ``idle``: how long
    demand must stay at or below ``activation`` before the last container goes. ``activation``: the demand that is still
    taken for none. ``ramp``: how long the count takes from the fallback to the wish when data comes back.
    """
    tolerances = tolerance if isinstance(tolerance, tuple) else (tolerance, tolerance)
    return Settling(
        *tolerances,
        *window,
        *limit,
        idle=idle,
        activation=activation,
        ramp=ramp,
    )


def current_if_higher(*, count: Annotated[int, AtLeast(0), Key("current-if-higher")]) -> Fallback:
    """The present count, or this one if that is lower."""
    return Fallback(count, if_higher=True)


def _split(line: str) -> tuple[str, ...]:
    words = tuple(shlex.split(line))
    if not words or "\0" in line:
        raise ValueError
    return words


def standby(*, created: Count = 0, paused: Count = 0, frozen: Count = 0) -> Standby:
    """Containers that are held ready beyond those that serve, so that to start them is nearly free.

    ``created``: made and not started. ``paused``: started, then paused by the scheduler. ``frozen``: started, then frozen
    by the kernel, where Beaufort may do that. What is paused or frozen keeps its memory.
    """
    return Standby(created, paused, frozen)


_LINE = Grammar("a command line as a shell would split it", _split)
Command = Annotated[tuple[str, ...], Unshown(Either((_LINE, Listing(_WORD, tuple)), optional=False))]
Image = Annotated[str, Grammar.matching("an image such as shop/checkout:1.4", r"\S+")]
FallbackTo = Literal["hold"] | Count | Annotated[Fallback, Signature(current_if_higher)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSection:
    """A scalable workload.

    ``priority``: 1 is the highest. ``min``: containers that it always has. ``max``: the most that it may have.
    ``weight``: its part, against others of its priority, of what is short. ``group``: the quota that it shares.
    ``resources``: the size of one container. ``image``: what one container is started from. ``command``: what it runs,
    as a list or a command line. ``env``: its environment. ``grace``: how long it may take to stop. ``demand``: where its
    demand is measured; left out, it is pushed. ``policy``: what makes a wish of its demand. ``settle``: how the wish
    becomes calm. ``stale_after``: how long the last wish holds without data. ``fallback``: what is wanted after that.
    ``standby``: what is held ready beyond what serves.
    """

    priority: Annotated[int, AtLeast(1), REQUIRED] = 1
    min: Count = 0
    max: Count | None = None
    weight: Annotated[float, Above(0)] = 1.0
    group: str | None = None
    resources: Size = Resources()
    image: Image | None = None
    command: Command = _LAUNCH.command
    env: Environment = field(default_factory=dict)
    grace: Seconds = _LAUNCH.grace
    demand: Annotated[PluginSpec[DemandSource], DEMAND] | None = None
    policy: Annotated[PluginSpec[Policy] | None, POLICIES, REQUIRED] = None
    settle: Annotated[Settling, Signature(settle)] = _SETTLING
    stale_after: Seconds = _SETTLING.stale_after
    fallback: FallbackTo = "hold"
    standby: Annotated[Standby, Signature(standby)] = NO_STANDBY
    options: object = None  # no key: what the keys of the scheduler say

    def service(self, name: str) -> Service:
        """Raises ValueError, beginning with the key, where the keys contradict each other."""
        return Service(
            name=name,
            priority=self.priority,
            min=self.min,
            max=self.max,
            weight=self.weight,
            resources=self.resources,
            group=self.group,
            settling=replace(self.settle, stale_after=self.stale_after, fallback=_fallback(self.fallback)),
            launch=Launch(self.command, self.image, MappingProxyType(self.env), self.grace, self.options),
            standby=self.standby,
        )


def _fallback(said: str | int | Fallback) -> Fallback:
    if isinstance(said, Fallback):
        return said
    return Fallback(said if isinstance(said, int) else None)


ServiceKeys = Annotated[ServiceSection, Extended(Signature(ServiceSection, lasting=True), otherwise=SCHEDULER)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """A configuration of Beaufort.

    ``deployment``: the label of the containers that are ours. ``scheduler``: what runs the containers; left out, this
    machine. ``capacity``: what there is to divide; left out, what the scheduler reports. ``groups``: quotas that
    services share. ``bands``: ranges of priorities. ``services``: what the capacity is divided among. ``resync``: how
    often the controller looks for what no event told it.
    """

    services: Annotated[Mapping[Name, ServiceKeys], REQUIRED] = field(default_factory=dict)
    deployment: Name = "default"
    scheduler: Annotated[PluginSpec[ContainerScheduler], SCHEDULERS] | None = None
    capacity: Annotated[tuple[Node, ...], Signature(capacity)] = ()
    groups: Mapping[Name, Annotated[Group, Signature(Group, lasting=True)]] = field(default_factory=dict)
    bands: Mapping[Name, Annotated[BandSection, Signature(BandSection)]] = field(default_factory=dict)
    resync: Annotated[Seconds, Above(0)] = 5.0


CONTENTS = Signature(Contents, lasting=True)
