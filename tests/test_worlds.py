"""What users can count on, in random worlds: slow starts and stops, failures, silence, outages, killed controllers.

HYPOTHESIS_PROFILE=thorough tries thousands of worlds for each property instead of a hundred.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beaufort.model import NO_COUNTS, Action, Band, Decision, Service
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from drive import QUIET, Drive, Observer, slack
from plots import MEMORYLESS, Demand, Kill, Plot, demands, faults, moves, plots, silences

EXAMPLES = {"thorough": 3000}.get(os.environ.get("HYPOTHESIS_PROFILE", ""), 100)

worlds = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@dataclass(frozen=True, slots=True)
class Limit:
    """One dimension of the pool, or of a quota: at most ``amount`` of ``resource`` for the services of ``group``."""

    resource: str
    amount: float
    group: str | None = None

    def need(self, service: Service) -> float:
        return service.size.get(self.resource) if self.group in {None, service.group} else 0.0


def limits(drive: Drive) -> Iterator[Limit]:
    """Those of the configured pool; of the nodes, what they have together."""
    nodes = drive.plot.capacity or drive.world.nodes
    for resource in set.intersection(*(set(node.capacity) for node in nodes)):
        yield Limit(resource, sum(node.capacity[resource] for node in nodes))
    for group, quota in drive.plot.quotas.items():
        for resource, amount in quota.items():
            yield Limit(resource, amount, group)


def fits(drive: Drive, one_more: Service, kept: Mapping[str, int]) -> bool:
    """Whether one more container fits beside these counts, by arithmetic of totals."""
    return all(
        sum(limit.need(service) * kept[name] for name, service in drive.services.items()) + limit.need(one_more)
        <= limit.amount + 1e-12
        for limit in limits(drive)
        if limit.need(one_more) > 0
    )


def fits_on_a_node(drive: Drive, one_more: Service, kept: Mapping[str, int]) -> bool:
    """The same where all containers have one shape: then it is the slots that count, wherever they are."""
    slots = sum(
        min(
            math.floor(amount / one_more.size[name] + 1e-9)
            for name, amount in node.capacity.items()
            if one_more.size.get(name)
        )
        for node in drive.world.nodes
    )
    return sum(kept.values()) < slots and fits(drive, one_more, kept)


def is_remainder(drive: Drive, service: Service) -> bool:
    return isinstance(drive.plot.policies[service.name], Remainder)


def favour(drive: Drive, service: Service) -> tuple[bool, int]:
    """Smaller is served first: by priority, and what takes the remainder after all others."""
    return is_remainder(drive, service), service.priority


def share_a_band(bands: tuple[Band, ...], one: Service, other: Service) -> bool:
    """Whether neither may take from the other."""
    return any(
        not band.preemptible and all(band.first <= each.priority <= band.last for each in (one, other))
        for band in bands
    )


def at_rest(plot: Plot) -> Drive:
    """The plot played, then everything mended and left alone."""
    drive = Drive(plot)
    drive.play()
    drive.rest()
    return drive


def current(drive: Drive) -> dict[str, int]:
    return {name: drive.counts(name).current for name in drive.services}


def wanted(drive: Drive, service: Service) -> float:
    if is_remainder(drive, service):
        return math.inf if service.max is None else service.max
    return drive.last.desired[service.name].count


# 1. Capacity.


class WithinCapacity(Observer):
    """At no instant does anything that we start exceed the pool or a quota, by the world's own books."""

    def scaled(self, drive: Drive, action: Action, started: int) -> None:
        if started <= 0:
            return
        service = drive.service(action.service)
        for limit in limits(drive):
            tally = drive.world.total if limit.group is None else drive.world.groups.get(limit.group)
            if tally is not None and limit.need(service):
                held = tally.held.get(limit.resource, 0.0)
                assert held <= slack(limit.amount), f"{action} at {drive.now}: {limit} but {held} held"


@worlds
@given(plots(demands, silences, faults))
def test_capacity_is_never_exceeded(plot: Plot) -> None:
    drive = Drive(plot, WithinCapacity())
    drive.play()
    drive.rest()


@worlds
@given(plots(demands, silences, faults, moves, whole=False))
def test_capacity_of_nodes_that_come_and_go_is_never_exceeded(plot: Plot) -> None:
    drive = Drive(plot, WithinCapacity())
    drive.play()
    drive.rest()


class NeverRefused(Observer):
    """No node is asked for more than it has, so none refuses."""

    def scaled(self, drive: Drive, action: Action, started: int) -> None:
        del action, started
        assert not [each for each in drive.refused if each.error == "NoRoom"]


@worlds
@given(plots(demands, silences, alike=True, whole=False, swift=True))
def test_nodes_are_never_asked_for_more_than_they_have(plot: Plot) -> None:
    """Where all containers have one shape, so that it does not matter which node the scheduler takes."""
    drive = Drive(plot, NeverRefused())
    drive.play()
    drive.rest()


# 2. Minimums first.


@worlds
@given(plots(demands, silences, faults))
def test_minimums_come_first_in_priority_order(plot: Plot) -> None:
    """At rest, who has less than its minimum would not fit even if nobody had more than the minimum, and nobody of
    lower priority anything.
    """
    drive = at_rest(plot)
    have = current(drive)
    for name, service in drive.services.items():
        if have[name] >= service.min or name in drive.rejected:
            continue
        kept = {
            each.name: min(have[each.name], each.min) if each.priority <= service.priority else 0
            for each in drive.services.values()
        }
        assert not fits(drive, service, kept), f"{name} lacks its minimum: {have}"


# 3. Priority.


def envied(drive: Drive, have: Mapping[str, int], service: Service) -> dict[str, int]:
    """What all would keep if those that are served after ``service`` gave it all that they may have to give."""
    return {
        name: min(have[name], other.min) if gives(drive, other, service) else have[name]
        for name, other in drive.services.items()
    }


def gives(drive: Drive, other: Service, service: Service) -> bool:
    """A remainder gives way to all, but what it holds in a band is the band's: then it gives way as its priority says."""
    if share_a_band(drive.plot.bands, service, other):
        return False
    if other.priority < service.priority and share_a_band(drive.plot.bands, other, other):
        return False
    return favour(drive, other) > favour(drive, service)


@worlds
@given(plots(demands, silences, faults))
def test_nobody_waits_for_room_that_a_lower_priority_holds(plot: Plot) -> None:
    """At rest, a service that has less than it wants would have no more if all that are served after it went down to
    their minimums (bands and quotas considered). That there is no free room for it is part of this.
    """
    drive = at_rest(plot)
    have = current(drive)
    for name, service in drive.services.items():
        if have[name] < wanted(drive, service) and name not in drive.rejected:
            assert not fits(drive, service, envied(drive, have, service)), f"{name} waits: {have}, {drive.last.desired}"


@worlds
@given(plots(demands, silences, faults, moves, alike=True, whole=False))
def test_nobody_waits_for_room_that_a_lower_priority_holds_on_nodes(plot: Plot) -> None:
    drive = at_rest(plot)
    have = current(drive)
    for name, service in drive.services.items():
        if have[name] < wanted(drive, service) and name not in drive.rejected:
            kept = envied(drive, have, service)
            assert not fits_on_a_node(drive, service, kept), f"{name} waits: {have}, {drive.last.desired}"


# 4. Rest.


def assert_still(drive: Drive) -> None:
    late = [move for move in drive.moves if move[0] > drive.now - QUIET]
    assert not late, f"still moving: {late[-9:]}"
    assert not any(drive.counts(name).stopping for name in drive.services)
    assert drive.counts("stranger").held == 0


def assert_granted(drive: Drive) -> None:
    assert current(drive) == {name: grant.count for name, grant in drive.last.grants.items()}


@worlds
@given(plots(demands, silences, faults))
def test_constant_demand_ends_in_no_actions(plot: Plot) -> None:
    """And what exists is then what was granted, no more and no less."""
    drive = at_rest(plot)
    assert_still(drive)
    assert_granted(drive)


@worlds
@given(plots(demands, silences, faults, moves, whole=False))
def test_constant_demand_ends_in_no_actions_on_nodes(plot: Plot) -> None:
    """What was granted may wait for ever for a node with enough room at once: nothing is moved to make it."""
    assert_still(at_rest(plot))


@worlds
@given(plots(demands, silences, faults, moves, alike=True, whole=False))
def test_on_nodes_what_exists_is_what_was_granted(plot: Plot) -> None:
    """Where all containers have one shape."""
    drive = at_rest(plot)
    assert_still(drive)
    assert_granted(drive)


# 5. No data is not zero.


class HoldsInSilence(Observer):
    """Without data the last wish holds; after ``stale_after`` the fallback, if there is one."""

    def __init__(self) -> None:
        self._wishes: dict[str, int] = {}
        self._scaler: object = None

    def decided(self, drive: Drive, decision: Decision) -> None:
        if self._scaler is not drive.scaler:
            self._scaler, self._wishes = drive.scaler, {}
        if drive.cluster is None:
            return
        for name, service in drive.services.items():
            if isinstance(drive.plot.policies[name], PerContainer):
                least = self.least(drive, service)
                assert decision.desired[name].count >= least, (decision.desired[name], least, drive.now)
                self._wishes[name] = decision.desired[name].count

    def least(self, drive: Drive, service: Service) -> int:
        """The smallest desired count that is not a loss by silence."""
        assert drive.cluster is not None
        now = drive.cluster.counts.get(service.name, NO_COUNTS).current
        last = self._wishes.get(service.name, now)
        sampled = drive.sampled.get(service.name)
        stale = drive.now >= (drive.began if sampled is None else sampled) + service.settling.stale_after
        fallback = service.settling.fallback
        if stale and fallback.count is not None:
            return service.clamp(max(fallback.count, now) if fallback.if_higher else fallback.count)
        if sampled is None or stale:
            return service.clamp(last)
        policy, demand = drive.plot.policies[service.name], drive.demand[service.name]
        assert isinstance(policy, PerContainer)
        wish = math.ceil(demand / policy._target - 1e-9) if demand > service.settling.activation else 0
        return min(last, service.clamp(wish))


@worlds
@given(plots(demands, silences, faults))
def test_no_data_is_not_zero(plot: Plot) -> None:
    Drive(plot, HoldsInSilence()).play()


# 6. Blind means still.


class StillWhenBlind(Observer):
    def decided(self, drive: Drive, decision: Decision) -> None:
        assert drive.cluster is not None or not decision.actions


@worlds
@given(plots(demands, silences, faults))
def test_blind_means_still(plot: Plot) -> None:
    Drive(plot, StillWhenBlind()).play()


# 7. A killed controller loses nothing.


@worlds
@given(plots(demands, silences, faults), st.booleans())
def test_a_controller_killed_at_rest_leaves_the_rest_undisturbed(plot: Plot, silent: bool) -> None:
    """The next one adopts what runs and does nothing, whether it hears from the sources at once or not at all."""
    drive = at_rest(plot)
    if drive.rejected:  # the new one does not know, and may try again
        return
    if silent and all(service.settling.fallback.count is None for service in plot.services):
        drive.silent = set(drive.services)
    done = len(drive.moves)
    drive.restart()
    drive.run(drive.now + 200.0)
    assert drive.moves[done:] == []


@worlds
@given(plots(demands, st.just(Kill()), settling=st.just(MEMORYLESS), swift=True))
def test_a_killed_controller_does_what_a_living_one_does(plot: Plot) -> None:
    """Where the past does not count (no windows, limits or tolerance), the same moves at the same times."""
    first = tuple((0.0, Demand(number, 3.0)) for number in range(len(plot.services)))
    plot = replace(plot, script=(*first, *plot.script), batch=0.0)
    histories = []
    for kills in (True, False):
        drive = Drive(plot, kills=kills)
        drive.play()
        drive.rest()
        histories.append(drive.moves)
    assert histories[0] == histories[1]


# 9. Bands.


class BandsHold(Observer):
    """In a band that is not preemptible, nobody is made smaller so that another of the band can grow.

    A loss against one's wish has a taker outside the band: one of higher priority, or one below its minimum.
    """

    def decided(self, drive: Drive, decision: Decision) -> None:
        for action in decision.actions:
            loser = drive.services.get(action.service)
            if loser is None or action.target >= min(action.current, wanted(drive, loser)):
                continue
            gainers = [
                each
                for each in drive.services.values()
                if share_a_band(drive.plot.bands, loser, each) and self.gains(drive, decision, each)
            ]
            takers = [
                each
                for each in drive.services.values()
                if self.may_take(drive, loser, each) and self.gains(drive, decision, each)
            ]
            assert not gainers or takers, f"{action} for {[each.name for each in gainers]}"

    def gains(self, drive: Drive, decision: Decision, service: Service) -> bool:
        return self.granted(decision, service) > drive.counts(service.name).current

    def granted(self, decision: Decision, service: Service) -> int:
        return decision.grants[service.name].count

    def may_take(self, drive: Drive, loser: Service, taker: Service) -> bool:
        outside = not share_a_band(drive.plot.bands, loser, taker)
        return drive.counts(taker.name).current < taker.min or (outside and taker.priority < loser.priority)


@worlds
@given(plots(demands, silences, faults))
def test_those_of_a_band_never_lose_to_each_other(plot: Plot) -> None:
    drive = Drive(plot, BandsHold())
    drive.play()
    drive.rest()
