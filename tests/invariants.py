"""What users can count on, as checks of a world that is at rest or of a decision. Plain arithmetic, nothing of ours.

The world may have been driven by the Scaler alone or by the real controller: either is a ``Stage``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from beaufort.machines import constraints
from beaufort.model import Band, Counts, Decision, Node, Service
from beaufort.policies.remainder import Remainder
from beaufort.world import World
from plots import Plot

__all__ = [
    "Limit",
    "Stage",
    "assert_granted",
    "assert_minimums_first",
    "assert_nobody_waits",
    "assert_nobody_waits_on_a_node",
    "assert_still",
    "assert_within_reach",
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


# What nodes there are for whom.


def open_nodes(stage: Stage, service: Service) -> dict[str, Node]:
    """The nodes that may take one more of a service whatever room they have, by its constraints."""
    on = stage.counts(service.name).on
    found = {node.name: node for node in stage.world.nodes}
    for rule in constraints(service):
        values = {name: node.labels.get(rule.field) for name, node in found.items()}
        there = Counter(dict.fromkeys(values.values(), 0))
        for node in stage.world.nodes:
            there[node.labels.get(rule.field)] += on.get(node.name, 0)
        most = {"UNIQUE": 1, "MAX_PER": int(rule.value) if rule.operator == "MAX_PER" else 0}.get(rule.operator)
        found = {
            name: node
            for name, node in found.items()
            if (
                there[values[name]] < most
                if most is not None
                else (values[name] == rule.value) == (rule.operator == "LIKE")
            )
        }
    return found


def free_without(stage: Stage, node: Node, service: Service) -> dict[str, float]:
    """What of a node is free if all have gone from there that give way to a service, beyond their minimums."""
    free = dict(node.capacity.items())
    for other in stage.services.values():
        here, kept = stage.counts(other.name).on.get(node.name, 0), stage.counts(other.name).current
        goes = min(here, max(0, kept - other.min)) if other != service and gives(stage, other, service) else 0
        for name in free:
            free[name] -= other.size.get(name) * (here - goes)
    return free


# What holds at rest.


def assert_nobody_waits_on_a_node(stage: Stage) -> None:
    """Who has less than it wants would not fit on any node that it may use, if all that are served after it went from
    there down to their minimums; or it may have no more by a quota, or by the totals.
    """
    have = current(stage)
    for name, service in stage.services.items():
        if have[name] >= wanted(stage, service) or name in stage.rejected or in_a_band(stage, service):
            continue
        kept = {
            other.name: min(have[other.name], other.min) if gives(stage, other, service) else have[other.name]
            for other in stage.services.values()
        }
        if not fits(stage, service, kept):
            continue
        for node in open_nodes(stage, service).values():
            free = free_without(stage, node, service)
            room = all(service.size.get(resource) <= amount + 1e-9 for resource, amount in free.items())
            assert not room, f"{name} waits, though {node.name} could have room: {have}, {stage.last.desired}"


def in_a_band(stage: Stage, service: Service) -> bool:
    return any(not band.preemptible and band.first <= service.priority <= band.last for band in stage.plot.bands)


def assert_within_reach(stage: Stage) -> None:
    """Each is where its constraints allow, and not more of it."""
    for name, service in stage.services.items():
        on = stage.counts(name).on
        for rule in constraints(service):
            there: Counter[str | None] = Counter()
            for node in stage.world.nodes:
                there[node.labels.get(rule.field)] += on.get(node.name, 0)
            for value, count in there.items():
                match rule.operator:
                    case "LIKE" | "UNLIKE":
                        assert not count or (value == rule.value) == (rule.operator == "LIKE"), f"{name}: {rule}, {on}"
                    case _:
                        assert count <= int(rule.value or 1), f"{name}: {rule}, {on}"


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
