"""What users can count on, in random worlds: slow starts and stops, failures, silence, outages, killed controllers.

HYPOTHESIS_PROFILE=thorough tries thousands of worlds for each property, and others each time, instead of the same hundred.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beaufort.model import NO_COUNTS, Action, Decision, Service
from beaufort.policies.per_container import PerContainer
from drive import Drive, Observer
from invariants import (
    assert_granted,
    assert_minimums_first,
    assert_nobody_waits,
    assert_nobody_waits_on_a_node,
    assert_still,
    assert_within_reach,
    exceeded,
    fits_on_a_node,
    share_a_band,
    wanted,
)
from plots import MEMORYLESS, Demand, Kill, Pace, Plot, demands, faults, hard_bands, moves, plots, silences

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

worlds = settings(
    max_examples=3000 if THOROUGH else 100,
    derandomize=not THOROUGH,  # the same worlds each time: what fails in one run fails in all
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def at_rest(plot: Plot, *observers: Observer) -> Drive:
    """The plot played, then everything mended and left alone."""
    drive = Drive(plot, *observers)
    drive.play()
    drive.rest()
    return drive


# 1. Capacity is never exceeded by what we start, at any instant.


class WithinCapacity(Observer):
    """What is found may be too much already. Then a service that is being made smaller, and dies before, is replaced by
    its smaller self while others still stop: that is not held against it.
    """

    def __init__(self) -> None:
        self._excused: set[Action] = set()

    def decided(self, drive: Drive, decision: Decision) -> None:
        if any(next(exceeded(drive, service), None) for service in drive.services.values()):
            self._excused |= {action for action in decision.actions if action.target < action.current}

    def scaled(self, drive: Drive, action: Action, started: int) -> None:
        if started > 0 and action not in self._excused:
            assert not list(exceeded(drive, drive.service(action.service)))


@worlds
@given(plots(demands, silences, faults))
def test_capacity_is_never_exceeded(plot: Plot) -> None:
    at_rest(plot, WithinCapacity())


@worlds
@given(plots(demands, pace=Pace.HASTY))
def test_capacity_is_never_exceeded_when_the_scheduler_is_slow(plot: Plot) -> None:
    """What was asked for, and can't be seen yet, is not given away again."""
    at_rest(plot, WithinCapacity())


@worlds
@given(plots(demands, silences, faults, moves, whole=False))
def test_capacity_of_nodes_that_come_and_go_is_never_exceeded(plot: Plot) -> None:
    at_rest(plot, WithinCapacity())


@worlds
@given(plots(demands, silences, alike=True, whole=False, pace=Pace.SWIFT))
def test_nodes_are_never_asked_for_more_than_they_have(plot: Plot) -> None:
    """So none refuses. Where all containers have one shape: then it does not matter which node the scheduler takes."""
    assert not [each for each in at_rest(plot).refused if each.error == "NoRoom"]


# 2. Minimums first, in priority order.


@worlds
@given(plots(demands, silences, faults))
def test_minimums_come_first_in_priority_order(plot: Plot) -> None:
    assert_minimums_first(at_rest(plot))


# 3. No lower priority holds room above its minimum while a higher one waits for room that would help it.


@worlds
@given(plots(demands, silences, faults))
def test_nobody_waits_for_room_that_a_lower_priority_holds(plot: Plot) -> None:
    assert_nobody_waits(at_rest(plot))


@worlds
@given(plots(demands, silences, faults, moves, alike=True, whole=False))
def test_nobody_waits_for_room_that_a_lower_priority_holds_on_nodes(plot: Plot) -> None:
    """Where all containers have one shape: otherwise it depends on which nodes the scheduler empties."""
    assert_nobody_waits(at_rest(plot), fits_on_a_node)


# 4. Constant demand ends in no actions.


@worlds
@given(plots(demands, silences, faults))
def test_constant_demand_ends_in_no_actions(plot: Plot) -> None:
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


# The same on nodes of which a service may not use all, and where it can be told from which nodes containers go.


class NeverInVain(Observer):
    """Who is sent away from a node goes for somebody who then fits there."""

    def __init__(self) -> None:
        self.sent = 0

    def decided(self, drive: Drive, decision: Decision) -> None:
        for action in decision.actions:
            on, total = drive.counts(action.service).on, action.current - action.target
            assert sum(action.off.values()) <= max(0, total)
            assert all(count <= on.get(node, 0) for node, count in action.off.items())
            self.sent += sum(action.off.values())


@worlds
@given(plots(demands, silences, faults, moves, whole=False, ruled=True))
def test_with_constraints_it_comes_to_rest_within_them(plot: Plot) -> None:
    drive = at_rest(plot, NeverInVain() if plot.chooses else WithinCapacity())
    assert_still(drive)
    assert_within_reach(drive)


@worlds
@given(plots(demands, silences, faults, moves, whole=False, choosing=st.just(True), ruled=True))
def test_nobody_waits_for_room_that_a_lower_priority_holds_on_any_node(plot: Plot) -> None:
    """Whatever the shapes, where it can be told from which node containers are to go."""
    assert_nobody_waits_on_a_node(at_rest(plot))


@worlds
@given(plots(demands, silences, faults, moves, whole=False, choosing=st.just(True), ruled=True))
def test_where_the_scheduler_chooses_what_exists_is_what_was_granted(plot: Plot) -> None:
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
@given(plots(demands, st.just(Kill()), settling=st.just(MEMORYLESS), pace=Pace.SWIFT))
def test_a_killed_controller_does_what_a_living_one_does(plot: Plot) -> None:
    """Where the past does not count (no windows, limits or tolerance), the same moves at the same times."""
    first = tuple((0.0, Demand(number, 3.0)) for number in range(len(plot.services)))
    # Two samples of one source at one time would be one sample to a living controller.
    apart = tuple((max(gap, 0.1), happening) for gap, happening in plot.script)
    plot = replace(plot, script=(*first, *apart), batch=0.0)
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

    A loss against one's wish has a taker outside the band: one of higher priority, or one below its minimum; unless
    there is more of the loser than the pool holds.
    """

    def decided(self, drive: Drive, decision: Decision) -> None:
        growing = [
            service
            for name, service in drive.services.items()
            if name in decision.grants and decision.grants[name].count > drive.counts(name).current
        ]
        for action in decision.actions:
            loser = drive.services.get(action.service)
            if loser is None or action.target >= min(action.current, wanted(drive, loser)):
                continue
            if next(exceeded(drive, loser), None):
                continue
            gainers = [each for each in growing if share_a_band(drive.plot.bands, loser, each)]
            takers = [each for each in growing if self.may_take(drive, loser, each)]
            assert not gainers or takers, f"{action} for {[each.name for each in gainers]}"

    def may_take(self, drive: Drive, loser: Service, taker: Service) -> bool:
        outside = not share_a_band(drive.plot.bands, loser, taker)
        return drive.counts(taker.name).current < taker.min or (outside and taker.priority < loser.priority)


@worlds
@given(plots(demands, silences, faults, bands=hard_bands))
def test_those_of_a_band_never_lose_to_each_other(plot: Plot) -> None:
    at_rest(plot, BandsHold())
