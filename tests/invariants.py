"""What users can count on, as checks of a world that is at rest or of a decision. Plain arithmetic, nothing of ours.

The world may have been driven by the Scaler alone or by the real controller: either is a ``Stage``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from beaufort.model import Band, Counts, Decision, Service
from beaufort.policies.remainder import Remainder
from beaufort.world import World
from plots import Plot

__all__ = [
    "Limit",
    "Stage",
    "assert_granted",
    "assert_minimums_first",
    "assert_nobody_waits",
    "assert_still",
    "exceeded",
    "share_a_band",
    "wanted",
]

QUIET = 150.0
"""Seconds: in the last so many of a rest nothing should be done."""


class Stage(Protocol):
    """``world`` is the truth, ``last`` the newest decision, ``rejected`` who may not grow for what the scheduler said,
    ``moves`` what was asked of the scheduler: (time, service, count).
    """

    plot: Plot
    world: World
    services: dict[str, Service]
    rejected: set[str]
    moves: list[tuple[float, str, int]]

    @property
    def now(self) -> float: ...
    @property
    def last(self) -> Decision: ...
    def counts(self, name: str) -> Counts: ...


@dataclass(frozen=True, slots=True)
class Limit:
    """One dimension of the pool, or of a quota: at most ``amount`` of ``resource`` for the services of ``group``."""

    resource: str
    amount: float
    group: str | None = None

    def need(self, service: Service) -> float:
        return service.size.get(self.resource) if self.group in {None, service.group} else 0.0


def limits(stage: Stage) -> Iterator[Limit]:
    """Those of the configured pool; of the nodes, what they have together."""
    nodes = stage.plot.capacity or stage.world.nodes
    for resource in set.intersection(*(set(node.capacity) for node in nodes)):
        yield Limit(resource, sum(node.capacity[resource] for node in nodes))
    for group, quota in stage.plot.quotas.items():
        for resource, amount in quota.items():
            yield Limit(resource, amount, group)


def exceeded(stage: Stage, grown: Service) -> Iterator[str]:
    """Where the world holds too much now of anything that ``grown`` uses, stopping and starting containers included."""
    for limit in limits(stage):
        tally = stage.world.total if limit.group is None else stage.world.groups.get(limit.group)
        held = tally.held.get(limit.resource, 0.0) if tally is not None and limit.need(grown) else 0.0
        if held > limit.amount + 1e-6 * max(1.0, limit.amount):
            yield f"{limit} but {held} held, after {grown.name} grew at {stage.now}"


# Who may have what.


Fits = Callable[[Stage, Service, Mapping[str, int]], bool]


def fits(stage: Stage, one_more: Service, kept: Mapping[str, int]) -> bool:
    """Whether one more container fits beside these counts, by arithmetic of totals. What takes the remainder leaves
    what is paused alone; for anybody else it goes.
    """
    return all(
        sum(limit.need(service) * kept[name] for name, service in stage.services.items())
        + limit.need(one_more)
        + (paused(stage, limit) if is_remainder(stage, one_more) else 0.0)
        <= limit.amount + 1e-12
        for limit in limits(stage)
        if limit.need(one_more) > 0
    )


def paused(stage: Stage, limit: Limit) -> float:
    """What is taken by paused containers."""
    if limit.resource in {"cpu", "containers"}:
        return 0.0
    return sum(limit.need(service) * stage.counts(name).standby.kept for name, service in stage.services.items())


def fits_on_a_node(stage: Stage, one_more: Service, kept: Mapping[str, int]) -> bool:
    """The same where all containers have one shape: then it is the slots that count, wherever they are."""
    size = one_more.size
    slots = sum(
        min(math.floor(amount / size[name] + 1e-9) for name, amount in node.capacity.items() if size.get(name))
        for node in stage.world.nodes
    )
    return sum(kept.values()) < slots and fits(stage, one_more, kept)


def share_a_band(bands: tuple[Band, ...], one: Service, other: Service) -> bool:
    """Whether neither may take from the other."""
    return any(
        not band.preemptible and all(band.first <= each.priority <= band.last for each in (one, other))
        for band in bands
    )


def is_remainder(stage: Stage, service: Service) -> bool:
    return isinstance(stage.plot.policies[service.name], Remainder)


def favour(stage: Stage, service: Service) -> tuple[bool, int]:
    """Smaller is served first: by priority, and what takes the remainder after all others."""
    return is_remainder(stage, service), service.priority


def gives(stage: Stage, other: Service, service: Service) -> bool:
    """Whether ``other`` gives way. A remainder gives way to all, but what it holds in a band is the band's: then it
    gives way as its priority says.
    """
    if share_a_band(stage.plot.bands, service, other):
        return False
    if other.priority < service.priority and share_a_band(stage.plot.bands, other, other):
        return False
    return favour(stage, other) > favour(stage, service)


def current(stage: Stage) -> dict[str, int]:
    return {name: stage.counts(name).current for name in stage.services}


def wanted(stage: Stage, service: Service) -> float:
    if is_remainder(stage, service):
        return math.inf if service.max is None else service.max
    return stage.last.desired[service.name].count


# What holds at rest.


def assert_minimums_first(stage: Stage) -> None:
    """Who has less than its minimum would not fit even if nobody had more than the minimum, and nobody of lower
    priority anything.
    """
    have = current(stage)
    for name, service in stage.services.items():
        if have[name] >= service.min or name in stage.rejected:
            continue
        kept = {
            each.name: min(have[each.name], each.min) if each.priority <= service.priority else 0
            for each in stage.services.values()
        }
        assert not fits(stage, service, kept), f"{name} lacks its minimum: {have}"


def assert_nobody_waits(stage: Stage, fits: Fits = fits) -> None:
    """Who has less than it wants would have no more if all that are served after it went down to their minimums,
    bands and quotas considered. That there is no free room for it is part of this.
    """
    have = current(stage)
    for name, service in stage.services.items():
        if have[name] >= wanted(stage, service) or name in stage.rejected:
            continue
        kept = {
            other.name: min(have[other.name], other.min) if gives(stage, other, service) else have[other.name]
            for other in stage.services.values()
        }
        assert not fits(stage, service, kept), f"{name} waits: {have}, {stage.last.desired}"


def assert_still(stage: Stage) -> None:
    """Nothing has been asked for long, and what was asked has long been done."""
    late = [move for move in stage.moves if move[0] > stage.now - QUIET]
    assert not late, f"still moving: {late[-9:]}"
    assert not any(stage.counts(name).stopping + stage.counts(name).warming for name in stage.services)
    stranger = stage.counts("stranger")
    assert stranger.present == stranger.stopping == 0


def assert_granted(stage: Stage) -> None:
    """What exists is what was granted, no more and no less."""
    assert current(stage) == {name: grant.count for name, grant in stage.last.grants.items()}
