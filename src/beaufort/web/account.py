"""Why a service has the count that it has: each stage's number and what bound it, and who lost what to whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from beaufort import clock
from beaufort.model import NO_COUNTS, Counts, Service
from beaufort.standing import Standing, paces
from beaufort.web.answers import Account, Change, DecisionRecord, Move, Stage
from beaufort.web.observer import Observer
from beaufort.wording import figure

__all__ = ["account"]

MOVES = 10
"""The newest moves that are told."""


def account(observer: Observer, name: str) -> Account:
    """Raises BeaufortError for a service that is not there."""
    standing, now = observer.controller.standing(name), clock.now()
    counts = observer.counts.get(name, NO_COUNTS) if observer.controller.cluster is not None else None
    service = observer.controller.services[name]
    stages = [*_stages(standing, service, counts, now), *_ready(standing, service, counts)]
    return Account(
        at=now,
        service=name,
        text="\n".join(_line(stage) for stage in stages),
        stages=stages,
        gave=list(islice(_moves(observer.chronicle.told(name, None, None), name, gave=True), MOVES)),
        took=list(islice(_moves(observer.chronicle.told(name, None, None), name, gave=False), MOVES)),
    )


def _line(stage: Stage) -> str:
    count = "" if stage.count is None else figure(stage.count)
    return f"{stage.stage:<8}{count:>6}  {stage.reason}"


def _stages(standing: Standing, service: Service, counts: Counts | None, now: float) -> Iterator[Stage]:
    latest, wish, desired = standing.latest, standing.wish, standing.desired
    if latest is None:
        yield Stage(stage="demand", count=None, reason="none was measured")
    else:
        yield Stage(
            stage="demand", count=latest.value, reason=f"measured {figure(round(max(0.0, now - latest.at), 1))} s ago"
        )
    if wish is not None:
        yield Stage(stage="policy", count=None if wish.remainder else wish.count, reason=wish.reason)
    yield Stage(stage="desired", count=desired.count, reason=desired.reason)
    reason = f"from {standing.least} to {standing.most}: {_bound(standing, service)}"
    yield Stage(stage="bounds", count=standing.most, reason=reason)
    yield _granted(standing)
    if counts is None:
        yield Stage(stage="running", count=None, reason="the scheduler can't be read")
    else:
        yield Stage(stage="running", count=counts.running, reason=_existing(counts))


def _bound(standing: Standing, service: Service) -> str:
    if standing.held_back:
        return standing.held_back
    limits = {service.min: ", its min", service.max: ", its max"}
    return f"its desire{limits.get(standing.most, '')}"


def _ready(standing: Standing, service: Service, counts: Counts | None) -> Iterator[Stage]:
    """What is held ready, of a service that is to have any or has some."""
    if counts is None or (standing.unready is None and not counts.standby.total):
        return
    asked, there = service.standby, counts.standby
    if standing.unready is None:
        reason = "none is to be held; it is for what waits for room, or goes"
    elif there.created >= asked.created and there.kept >= asked.kept:
        reason = f"all {asked.total} that are to be held ready"
    else:
        reason = f"of {asked.total} that are to be held ready: {standing.unready or 'the others are being made'}"
    yield Stage(stage="standby", count=there.total, reason=reason)


def _granted(standing: Standing) -> Stage:
    if standing.granted is None:
        return Stage(stage="granted", count=None, reason="not decided yet")
    reason = standing.lack or ("all of it" if standing.granted >= standing.most else "less than it may have")
    if standing.waiting:
        reason += f"; {standing.waiting} {'waits' if standing.waiting == 1 else 'wait'} for room"
    return Stage(stage="granted", count=standing.granted, reason=reason)


def _existing(counts: Counts) -> str:
    words = [f"{counts.starting} starting", f"{counts.stopping} stopping", f"{counts.standby.total} standing by"]
    failed = f", {counts.failed} ended unasked ({counts.failure})" if counts.failed else ""
    pace = paces(counts.start_seconds)
    return ", ".join(words) + failed + (f"; {pace}" if pace else "")


def _moves(records: Iterator[DecisionRecord], name: str, *, gave: bool) -> Iterator[Move]:
    """Decisions in which the service gave way to others, or others to it; newest first."""
    for record in records:
        mine = next(change for change in record.changes if change.service == name)
        if gave != _gave_way(mine):
            continue
        others = [change.service for change in record.changes if change is not mine and _pair(mine, change, gave=gave)]
        if others:
            count = abs(mine.granted - mine.granted_before)
            yield Move(at=record.at, decision=record.number, count=count, others=others, reason=mine.reason)


def _gave_way(change: Change) -> bool:
    return change.granted < change.granted_before and change.granted < change.desired


def _pair(mine: Change, other: Change, *, gave: bool) -> bool:
    """Whether room went from one to the other."""
    if gave:
        return other.granted > other.granted_before and other.priority <= mine.priority
    return mine.granted > mine.granted_before and _gave_way(other) and other.priority >= mine.priority
