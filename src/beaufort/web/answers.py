"""The shapes of what the API answers. Times are seconds since the epoch, memory is bytes, cpu is cores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

__all__ = [
    "Account",
    "Change",
    "Check",
    "DecisionPage",
    "DecisionRecord",
    "EventRecord",
    "Health",
    "History",
    "Move",
    "NodePage",
    "NodeState",
    "Paused",
    "Plan",
    "Reaction",
    "Readiness",
    "Reading",
    "ServiceDetail",
    "ServicePage",
    "ServiceState",
    "Stage",
    "Stale",
    "Status",
    "StreamEntry",
    "Waiting",
]

Count = Annotated[int, msgspec.Meta(ge=0)]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What all answers are: values with names."""


class Reading(Answer, frozen=True, kw_only=True):
    """One measurement of demand. ``age`` is in seconds, as of the answer."""

    value: float
    at: float
    age: float


class Paused(Answer, frozen=True, kw_only=True):
    """``until`` null is until it is resumed."""

    direction: Literal["in", "out", "both"]
    until: float | None


class ServiceState(Answer, frozen=True, kw_only=True):
    """One service now. What the policy desires, what the pool grants and what exists are three different things.
    ``standby`` are held ready; ``warming`` run only to be standby in a moment.

    ``start_seconds``: what starts have taken of late, by what they began from: "new", "created", "paused" or "frozen".
    ``remainder``: it takes what is left over. ``on``: how many containers each node holds, where that is known.
    ``overrides``: limits that were changed through the API, in force until the next change of the configuration.
    """

    name: str
    priority: int
    min: Count
    max: Count | None
    weight: float
    group: str | None
    demand: Reading | None
    desired: Count
    remainder: bool
    granted: Count
    running: Count
    starting: Count
    stopping: Count
    warming: Count
    standby: Count
    shortfall: Count
    failed: Count
    failure: str
    on: Mapping[str, int]
    start_seconds: Mapping[str, float]
    paused: Paused | None
    overrides: Mapping[str, Any]
    reason: str


class ServicePage(Answer, frozen=True, kw_only=True):
    """``next``: the value of ``after`` for the next page; null on the last one."""

    at: float
    services: list[ServiceState]
    next: str | None


class ServiceDetail(Answer, frozen=True, kw_only=True):
    """``samples``: the newest, newest first. ``reasons``: from demand to containers, one sentence a stage."""

    at: float
    service: ServiceState
    samples: list[Reading]
    reasons: list[str]


class Stage(Answer, frozen=True, kw_only=True):
    """One stage of the way from demand to containers: its number, and what bound it."""

    stage: Literal["demand", "policy", "desired", "bounds", "granted", "running", "standby"]
    count: float | None
    reason: str


class Move(Answer, frozen=True, kw_only=True):
    """Room that went from one service to others (``with``), or came from them. ``count`` is of the service asked for."""

    at: float
    decision: int
    count: int
    others: list[str] = msgspec.field(name="with")
    reason: str


class Account(Answer, frozen=True, kw_only=True):
    """Why a service has the count that it has: in words, and stage by stage."""

    at: float
    service: str
    text: str
    stages: list[Stage]
    gave: list[Move]
    took: list[Move]


class NodeState(Answer, frozen=True, kw_only=True):
    """One machine, or the whole pool. ``capacity``: what is not named is not limited. ``containers``: held, by service."""

    name: str
    capacity: Mapping[str, float]
    held: Mapping[str, float]
    containers: Mapping[str, int]
    labels: Mapping[str, str]


class NodePage(Answer, frozen=True, kw_only=True):
    at: float
    nodes: list[NodeState]


class Change(Answer, frozen=True, kw_only=True):
    """One service in a decision, with what was known of it then.

    ``target``: what the scheduler was asked for, if anything, and ``ready``: how many it was asked to hold ready beyond.
    """

    service: str
    priority: int
    demand: float | None
    demand_at: float | None
    desired: int
    granted: int
    granted_before: int
    running: int
    starting: int
    stopping: int
    standby: int
    target: int | None
    ready: int
    reason: str


class DecisionRecord(Answer, frozen=True, kw_only=True):
    """A decision that changed something. ``causes``: what had happened, in words."""

    number: int
    at: float
    causes: list[str]
    changes: list[Change]


class DecisionPage(Answer, frozen=True, kw_only=True):
    """Newest first. ``next``: the value of ``before`` for the next page; null on the last one."""

    at: float
    decisions: list[DecisionRecord]
    next: int | None


class EventRecord(Answer, frozen=True, kw_only=True):
    """Something that happened, in the words of the log."""

    at: float
    kind: str
    detail: str
    service: str | None


class StreamEntry(Answer, frozen=True, kw_only=True):
    """One entry of the stream of events. ``data`` is JSON: what shape it has is told by ``event``.

    ``id`` is missing in what is said to one reader alone: reset, dropped, closing.
    """

    id: str = ""
    event: Literal["event", "decision", "services", "nodes", "status", "reset", "dropped", "closing"]
    data: str


class History(Answer, frozen=True, kw_only=True):
    """The near past of services: rows of time, demand (null: not known), desired, granted, running; oldest first."""

    at: float
    services: Mapping[str, list[list[float | None]]]
    next: str | None


class Reaction(Answer, frozen=True, kw_only=True):
    """Seconds from a sample to the scheduler's call that it caused (``action``), and until the containers ran (``running``).

    Nearest-rank percentiles of the newest thousand; null while there were none.
    """

    action_p50: float | None
    action_p99: float | None
    running_latest: float | None
    running_p50: float | None
    running_p99: float | None


class Waiting(Answer, frozen=True, kw_only=True):
    """A service that has less than it is granted, or is granted less than it desires."""

    service: str
    missing: int
    reason: str


class Status(Answer, frozen=True, kw_only=True):
    """The whole at a glance. ``sighted``: whether the scheduler can be read; while it can't, nothing is done.

    ``capacity`` and ``held`` by resource; what is not limited is not in ``capacity``. ``waiting``: at most twenty.
    """

    at: float
    version: str
    deployment: str
    started_at: float
    dry_run: bool
    leader: bool
    sighted: bool
    services: int
    nodes: int
    containers: int
    capacity: Mapping[str, float]
    held: Mapping[str, float]
    shortfall: int
    decisions: int
    decision_seconds: float
    reaction: Reaction
    waiting: list[Waiting]
    newest_event: str
    """The id of the newest event of the stream: following from there misses nothing."""


class Check(Answer, frozen=True, kw_only=True):
    good: bool
    detail: str


class Health(Answer, frozen=True, kw_only=True):
    alive: bool = True


class Stale(Answer, frozen=True, kw_only=True):
    """A service without fresh demand. ``age``: seconds since its newest sample; null if there was none since the start.
    ``reason``: what is in force instead.
    """

    service: str
    age: float | None
    reason: str


class Readiness(Answer, frozen=True, kw_only=True):
    """``ready`` needs a scheduler that can be read, and nothing else: without fresh demand a service has its fallback.

    ``stale``: at most twenty, those of the highest priority, and only for who may see services.
    """

    ready: bool
    leader: Check
    scheduler: Check
    sources: Check
    stale: list[Stale]


class Plan(Answer, frozen=True, kw_only=True):
    """What a configuration would cause, in the same words as ``beaufort plan``."""

    desired: Mapping[str, Any]
    grants: Mapping[str, Any]
    actions: list[Any]
    shortfall: Mapping[str, int]
