"""The contracts of the edges, and the errors that may cross them. The author of a driver, source or policy reads
this one file and ``model``.

A plugin is one class. Its keyword arguments are its options: their annotations are the schema that the
configuration is checked against (see ``beaufort.registry`` for the types that it understands). Its docstring is its
page in the manual. It keeps no retry loops of its own: an error is raised, and the next step is the retry.

    BeaufortError
    ├── ConfigError          the input is wrong; carries every fault, each with its place
    ├── SourceError          a demand source can't be read
    └── SchedulerError
        ├── Rejected         the request is wrong: hold that service until the configuration changes
        ├── NoRoom           the scheduler has no room: try when room appears
        └── Unreachable      the scheduler did not answer: try at the next step
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from beaufort.model import NO_STANDBY, NOWHERE, Cluster, Counts, Sample, Service, Standby, Wish

__all__ = [
    "HEARTBEAT",
    "BeaufortError",
    "Choosing",
    "ConfigError",
    "ContainerScheduler",
    "DemandSource",
    "NoRoom",
    "Policy",
    "Rejected",
    "SchedulerError",
    "SourceError",
    "Unreachable",
    "View",
]

HEARTBEAT = 5.0
"""Seconds: a watch yields at least this often, changed or not, so that silence can be told from stillness."""


class BeaufortError(Exception):
    """The root of every error that Beaufort raises on purpose."""


class ConfigError(BeaufortError):
    """The input is wrong. ``faults`` are complete sentences, each beginning with its place."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


class SourceError(BeaufortError):
    """A demand source can't be read. The last wish holds, then the fallback; the source is opened again later."""


class SchedulerError(BeaufortError):
    """The scheduler did not do what was asked."""


class Rejected(SchedulerError):
    """The request itself is wrong (no such image, no such command): asking again is useless until it changes."""


class NoRoom(SchedulerError):
    """The request is right, but there is no room for it now."""


class Unreachable(SchedulerError):
    """The scheduler did not answer, or not in time: what it did is not known."""


class View(NamedTuple):
    """What a policy may see: its own service, its own samples, its own counts, its own past, and the time.

    ``samples``: those that came since the last call, oldest first; may be empty. ``latest``: the newest ever seen, or
    None. ``wish``: the desired count that its last answer became, or None. ``memory``: what its last answer carried.
    """

    now: float
    service: Service
    counts: Counts
    samples: Sequence[Sample] = ()
    latest: Sample | None = None
    wish: int | None = None
    memory: Any = None


@runtime_checkable
class Policy(Protocol):
    """Turns demand into a wish, as if the service were alone. Pure: no clock, no I/O, no state but ``View.memory``.

    It is called when samples have come, when the counts have changed, and now and then. With ``needs_demand`` it is
    never called without a fresh ``latest``: the absence of data is handled before it.
    """

    needs_demand: ClassVar[bool]

    def desired(self, view: View) -> Wish:
        """How many containers the service would like, unrounded, with a reason such as "120 jobs, 14/s in"."""
        ...


@runtime_checkable
class DemandSource(Protocol):
    """Measures the demand of one service."""

    def samples(self) -> AsyncGenerator[Sample, None]:
        """Yields samples for ever, in the order of their times (seconds since the epoch).

        A change is yielded as soon as it is known. An unchanged value is yielded again at least every few seconds: a
        silent source is a stale one. Raises SourceError when it can't go on; the caller opens it again later.
        """
        ...


@runtime_checkable
class ContainerScheduler(AbstractAsyncContextManager["ContainerScheduler"], Protocol):
    """Runs containers. It touches only those that carry our label for this deployment, and adopts them when entered.

    A driver is entered before use and left at the end; leaving it leaves the containers running. One that can hold
    containers ready says which kinds in a class attribute ``holds``: a frozenset of the fields of `model.Standby`. It is
    never asked for others. One that can say of itself which containers stop, on several nodes, is a `Choosing` one.
    """

    def check(self, service: Service) -> Sequence[str]:
        """What can be known to be wrong with the service's launch spec, without starting anything.

        Each fault begins with its place below the service, such as ``command: expected ...``.
        """
        ...

    def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        """Yields a full snapshot first, then one per change, and at least one every HEARTBEAT seconds.

        A service of which nothing exists has zero counts. Containers of ours whose service is not in ``services`` are
        counted under their own name. A snapshot yielded after ``scale`` returned counts what it accepted, as starting
        or stopping at least. Where a service may not use every node, for the constraints of its launch, `Cluster.reach`
        says which it may use; as long as that is not known, nothing is said of it. Raises Unreachable when the scheduler
        can't be read: blind means still.
        """
        ...

    async def scale(self, service: Service, count: int, standby: Standby = NO_STANDBY) -> None:
        """Make it ``count`` containers that run or start. Returns once accepted; asking twice is asking once.

        ``standby`` is how many to hold ready beyond them, of each kind that the driver ``holds``. What grows takes what
        is ready first, frozen before paused before created; what is then too much of a kind goes, what is too little is
        made, after every start that is wanted. Whether standby could be made is not waited for: it counts as failed
        later.

        Containers that are stopping are not counted, and are left to stop. Which ones go is `victims.victims`' answer.
        A service that is not being watched may be scaled too (to zero, when it has left the configuration).
        Raises Rejected, NoRoom or Unreachable.
        """
        ...

    async def __aenter__(self) -> Self: ...


@runtime_checkable
class Choosing(ContainerScheduler, Protocol):
    """A driver that decides which containers of a service stop. Its snapshots tell `model.Counts.since`, so that it can be
    told where some are to go. ``chooses`` is True.
    """

    chooses: ClassVar[bool]

    async def scale(
        self, service: Service, count: int, standby: Standby = NO_STANDBY, off: Mapping[str, int] = NOWHERE
    ) -> None:
        """The same. Of those that go, so many are to go ``off`` these nodes first (node -> count), as there is somebody who
        waits for the room: it is passed to `victims.victims`.
        """
        ...
