"""Whole steps: what is done, when, in which words, and what a step makes of what it is told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from beaufort.model import (
    NO_COUNTS,
    Cluster,
    Counts,
    Direction,
    Node,
    Pause,
    Reach,
    Resources,
    Sample,
    Service,
    Settling,
    Wish,
)
from beaufort.policies.constant import Constant
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.protocols import Policy, View
from beaufort.scaler import Scaler, Scope
from beaufort.standing import paces
from play import HIGH, LOW, PER_ONE, SWIFT, Play, running, scope, slots

# Growth and preemption.


def test_growth_into_free_room() -> None:
    play = Play()
    assert play.step({"high": 3, "low": 2}) == {"high": (0, 3), "low": (0, 2)}
    assert play.why("high") == "wants 3: demand 3, 1 each"
    assert play.granted("high") == "wants 3: demand 3, 1 each; gets 3"


def test_a_higher_priority_takes_exactly_what_it_needs_and_waits_for_it() -> None:
    play = Play(low=running(9))
    assert play.step({"high": 3, "low": 9}) == {"low": (9, 7), "high": (0, 1)}
    assert play.why("low") == "gives way to high (priority 1)"
    assert play.granted("high") == "wants 3: demand 3, 1 each; gets 3: 2 of them wait for room, 2 held by low stopping"
    assert play.granted("low") == "wants 9: demand 9, 1 each; gets 7: pool full (containers)"
    assert play.decision.shortfall == {"low": 2}
    assert play.see(accepted=["high", "low"], high=running(1), low=running(7, stopping=2)) == {}
    assert play.see(low=running(7, stopping=1)) == {"high": (1, 2)}
    assert play.see(accepted=["high"], high=running(2), low=running(7)) == {"high": (2, 3)}
    play.see(accepted=["high"], high=running(3))
    assert play.granted("high") == "wants 3: demand 3, 1 each; gets 3"


def test_the_lowest_priority_gives_way_first() -> None:
    services = [Service(f"s{priority}", priority, settling=SWIFT) for priority in (3, 1, 2)]
    play = Play(
        scope(*services, policies={service.name: PerContainer(target=1.0) for service in services}),
        s2=running(5),
        s3=running(5),
    )
    assert play.step({"s1": 6, "s2": 5, "s3": 5}) == {"s2": (5, 4), "s3": (5, 0)}
    assert play.decision.shortfall == {"s2": 1, "s3": 5}


def test_what_was_asked_holds_room_until_a_newer_snapshot_shows_it() -> None:
    play = Play()
    assert play.step({"high": 8}) == {"high": (0, 8)}
    assert play.step({"high": 0, "low": 9}) == {"low": (0, 2)}
    assert play.see(accepted=["high", "low"], high=running(8), low=running(2)) == {"high": (8, 0)}
    assert play.see(accepted=["high"], high=running(0, stopping=8)) == {}
    assert play.see(high=NO_COUNTS) == {"low": (2, 9)}


def test_one_shrinks_by_its_own_wish_and_says_so() -> None:
    play = Play(high=running(5))
    assert play.step({"high": 2}) == {"high": (5, 2)}
    assert play.why("high") == "wants 2: demand 2, 1 each"


def test_a_pool_that_has_shrunk_says_what_is_full() -> None:
    play = Play(scope(HIGH, policies=PER_ONE, capacity=slots(3)), high=running(5))
    assert play.step({"high": 5}) == {"high": (5, 3)}
    assert play.why("high") == "pool full (containers)"


def test_a_remainder_gives_way_to_all() -> None:
    rest = Service("rest", 1)
    play = Play(scope(rest, LOW, policies={**PER_ONE, "rest": Remainder()}), rest=running(10))
    assert play.step({"low": 3}) == {"rest": (10, 7)}
    assert play.why("rest") == "gives way to low (priority 2)"
    assert play.granted("rest") == "takes what is left over; gets 7"
    assert play.decision.shortfall == {}


def test_a_remainder_of_a_pool_without_limits_keeps_to_its_minimum() -> None:
    rest = Service("rest", 1, min=2)
    play = Play(scope(rest, policies={"rest": Remainder()}, capacity=()))
    assert play.step() == {"rest": (0, 2)}
    assert "neither the pool nor max limits it" in play.granted("rest")


@pytest.mark.parametrize(
    ("quotas", "words"),
    [
        pytest.param({"g": Resources(containers=2)}, "quota of g used up (containers)", id="a quota"),
        pytest.param({"g": Resources(containers=2, cpu=2)}, "quota of g used up (containers)", id="of what it uses"),
    ],
)
def test_a_quota_is_named(quotas: Mapping[str, Resources], words: str) -> None:
    member = Service("high", 1, settling=SWIFT, group="g")
    play = Play(scope(member, policies=PER_ONE, quotas=quotas))
    play.step({"high": 5})
    assert play.granted("high") == f"wants 5: demand 5, 1 each; gets 2: {words}"


ONE = Resources(cpu=1)


def on_two_nodes(reach: Reach, *, chooses: bool = True) -> Play:
    """``low`` holds both nodes, and ``high`` may not use all of them."""
    services = (replace(HIGH, resources=ONE), replace(LOW, resources=ONE))
    play = Play(Scope(services, PER_ONE, chooses=chooses))
    play.nodes = (Node("a", ONE), Node("b", ONE))
    play.reach = {"high": reach}
    play.see(low=Counts(running=2, on={"a": 1, "b": 1}, since={"a": (9.0,), "b": (5.0,)}))
    return play


def test_who_goes_is_told_from_which_node_and_not_again_until_that_is_seen() -> None:
    play = on_two_nodes(Reach(frozenset({"b"}), {}, "zone LIKE east"))
    assert play.step({"high": 2, "low": 2}) == {"low": (2, 1)}
    assert play.decision.actions[0].off == {"b": 1}
    assert play.granted("high").endswith(
        "gets 1: no room on the 1 node with zone LIKE east, 1 of them waits for room, 1 held by low stopping"
    )
    assert play.decision.shortfall == {"high": 1, "low": 1}
    seen = Counts(running=1, stopping=1, on={"a": 1, "b": 1}, since={"a": (9.0,)})
    assert play.see(low=replace(seen, stopping=0, running=2, since={"a": (9.0,), "b": (5.0,)}, failed=1)) == {}
    assert play.see(accepted=["low"], low=seen) == {}
    assert play.see(low=Counts(running=1, on={"a": 1}, since={"a": (9.0,)})) == {"high": (0, 1)}


def test_nobody_goes_for_who_waits_for_several_to_leave_one_node() -> None:
    """What leaves one node together leaves room for a larger one there, and its own service does not take it again."""
    services = (
        Service("web", 1, settling=SWIFT, resources=ONE),
        Service("near", 2, settling=SWIFT, resources=Resources(cpu=0.5)),
        Service("rest", 3, settling=SWIFT, resources=ONE),
    )
    policies: Mapping[str, Policy] = {"web": PerContainer(target=1.0), "near": Remainder(), "rest": Remainder()}
    play = Play(Scope(services, policies))
    play.nodes = (Node("a", Resources(cpu=2)), Node("b", Resources(cpu=4)))
    play.reach = {name: Reach(frozenset({"a"}), {}, "zone LIKE a") for name in ("web", "near")}
    rest = Counts(running=4, on={"b": 4})
    assert play.see(near=Counts(running=4, on={"a": 4}), rest=rest) == {}
    assert play.step({"web": 1}) == {"near": (4, 2)}
    assert play.see(accepted=["near"], near=Counts(running=2, stopping=2, on={"a": 4})) == {}
    assert play.see(near=Counts(running=2, stopping=1, on={"a": 3})) == {}
    assert play.see(near=Counts(running=2, on={"a": 2})) == {"web": (0, 1)}


@pytest.mark.parametrize(
    ("reach", "words"),
    [
        pytest.param(Reach(frozenset(), {}, "zone LIKE x"), "there is no node with zone LIKE x", id="none"),
        pytest.param(Reach(frozenset({"a", "b"})), "no room on the 2 nodes that it may use", id="for no reason"),
    ],
)
def test_where_it_may_be_is_the_reason(reach: Reach, words: str) -> None:
    play = on_two_nodes(reach, chooses=False)
    play.step({"high": 3, "low": 2})
    assert words in play.granted("high")


def test_nodes_without_room_are_told_from_a_pool_without_room() -> None:
    large = Service("high", 1, settling=SWIFT, resources=Resources(cpu=2))
    nodes = (Node("a", Resources(cpu=3)), Node("b", Resources(cpu=3)))
    play = Play(scope(large, policies=PER_ONE, capacity=nodes))
    assert play.step({"high": 3}) == {"high": (0, 2)}
    assert play.granted("high") == "wants 3: demand 3, 1 each; gets 2: no node has room for another"
    assert play.decision.shortfall == {"high": 1}


# Outcomes.


def test_a_rejected_request_is_not_repeated_and_others_are_not_held_up() -> None:
    play = Play()
    play.step({"high": 3, "low": 1})
    play.step(outcomes=[play.outcome("high", "Rejected", "no such image")])
    assert play.see(accepted=["low"], low=running(1)) == {}
    assert play.step({"low": 2, "high": 4}) == {"low": (1, 2)}
    assert play.granted("high").endswith("; gets 0: rejected, until the configuration changes: no such image")


def test_without_room_it_is_asked_again_at_once_and_then_when_room_appears() -> None:
    play = Play(low=running(2))
    play.step({"high": 3, "low": 2})
    play.step(outcomes=[play.outcome("high", "NoRoom")])
    assert play.see() == {"high": (0, 3)}
    play.step(outcomes=[play.outcome("high", "NoRoom")])
    assert play.see() == {}
    assert play.granted("high").endswith("; gets 0: the scheduler found no room")
    assert play.see(low=running(1)) == {"high": (0, 3), "low": (1, 2)}


def test_a_refusal_is_held_until_the_next_snapshot_shows_what_was_done_of_it() -> None:
    play = Play()
    play.step({"high": 8})
    play.step({"high": 0, "low": 9}, outcomes=[play.outcome("high", "NoRoom")])
    assert play.see(accepted=["low"], high=running(5), low=running(2)) == {"high": (5, 0), "low": (2, 5)}


def test_a_scheduler_that_fails_is_asked_again() -> None:
    play = Play()
    play.step({"high": 1})
    play.now += 0.1
    failed = play.outcome("high", "SchedulerError", "timed out")
    play.cluster = Cluster(play.now, {})
    assert play.step(outcomes=[failed]) == {"high": (0, 1)}
    play.cluster = Cluster(play.now, {})
    assert play.step(outcomes=[failed]) == {}
    assert play.granted("high").endswith("the scheduler failed: timed out")
    play.now = play.scaler.wake_at
    assert play.step() == {"high": (0, 1)}


def test_a_crash_loop_waits_and_others_do_not() -> None:
    play = Play(high=running(2))
    play.step({"high": 2, "low": 0})
    assert play.see(high=running(1, failed=1)) == {"high": (1, 2)}
    assert play.see(after=2, accepted=["high"], high=Counts(running=1, failed=2, failure="exit 1")) == {}
    assert play.granted("high").endswith("; gets 1: waits 1 s after 2 failures: exit 1")
    assert play.step({"low": 3}) == {"low": (0, 3)}
    play.now = play.scaler.wake_at
    assert play.step({"high": 9}) == {"high": (1, 2)}
    assert play.granted("high").endswith("; gets 2: one at a time after 2 failures: exit 1")
    assert play.see(accepted=["high"], high=Counts(running=1, starting=1, failed=2)) == {}
    assert play.see(high=running(2, failed=2)) == {"high": (2, 3)}


# Blindness, strangers, pauses.


def test_blind_means_still_and_what_was_missed_is_made_up_for() -> None:
    play = Play(high=running(1))
    play.step({"high": 1})
    seen, play.cluster = play.cluster, None
    assert play.step({"high": 4}) == {}
    assert "the scheduler can't be read" in play.granted("high")
    assert play.decision.grants["high"].count == 1
    assert play.step({"low": 1}) == {}
    play.cluster = seen
    assert play.step() == {"high": (1, 4), "low": (0, 1)}
    assert "can't be read" not in play.granted("high")


def test_blind_from_the_beginning_there_are_wishes_but_no_grants() -> None:
    play = Play()
    play.cluster = None
    assert play.step({"high": 4}) == {}
    assert play.decision.desired["high"].count == 4
    assert play.decision.grants == {}


def test_strangers_are_turned_out_and_growth_waits_for_them() -> None:
    play = Play(old=running(2))
    assert play.step({"high": 1}) == {"old": (2, 0)}
    assert play.why("old") == "is not in the configuration"
    assert play.granted("high").endswith("gets 1: 1 of them waits for room, 2 held by old stopping")
    assert play.see() == {}
    assert play.see(accepted=["old"], old=running(0, stopping=2)) == {}
    assert play.see(old=NO_COUNTS) == {"high": (0, 1)}


def test_a_stranger_that_stays_is_asked_again_once_there_is_an_answer() -> None:
    play = Play(old=running(2))
    play.step()
    play.step(outcomes=[play.outcome("old", "Rejected"), play.outcome("unheard of")])
    assert play.see() == {"old": (2, 0)}


@pytest.mark.parametrize(
    ("direction", "up", "down"),
    [
        pytest.param(Direction.IN, {"high": (3, 5)}, {}, id="not made smaller"),
        pytest.param(Direction.OUT, {}, {"high": (3, 1)}, id="not made larger"),
        pytest.param(Direction.BOTH, {}, {}, id="left as it is"),
    ],
)
def test_pauses(
    direction: Direction,
    up: dict[str, tuple[int, int]],
    down: dict[str, tuple[int, int]],
    request: pytest.FixtureRequest,
) -> None:
    for demand, expected in ((5, up), (1, down)):
        play = Play(high=running(3))
        assert play.step({"high": demand}, pauses={"high": Pause(direction)}) == expected
        if not expected:
            assert play.granted("high").endswith(f"; gets 3: paused: {request.node.callspec.id}")


def test_a_paused_service_does_not_give_way_until_its_time() -> None:
    play = Play(low=running(10))
    pauses = {"low": Pause(Direction.IN, until=1010.0), "nobody": Pause()}
    assert play.step({"high": 2, "low": 10}, pauses=pauses) == {}
    assert play.granted("high").endswith("; gets 0: pool full (containers)")
    assert play.scaler.wake_at == 1010.0
    play.now = 1010.0
    assert play.step(pauses=pauses) == {"low": (10, 8)}


def test_one_that_may_not_be_made_smaller_takes_nothing_for_its_wish() -> None:
    play = Play(scope(Service("low", 2, settling=SWIFT), HIGH), low=running(2), high=running(8))
    assert play.step({"high": 8, "low": 9}, pauses={"low": Pause(Direction.IN)}) == {}


# Policies of strangers.


class Odd:
    """Answers whatever it is told to."""

    needs_demand: ClassVar[bool] = False

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def desired(self, view: View) -> Wish:  # noqa: ARG002 - the contract hands it to every policy
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer if isinstance(self._answer, Wish) else Wish(self._answer, "odd")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(math.nan, "Odd failed (ValueError: expected a finite count, got nan)", id="not a number"),
        pytest.param(math.inf, "Odd failed (ValueError: expected a finite count, got inf)", id="infinity"),
        pytest.param("three", "Odd failed (TypeError: ", id="no number at all"),
        pytest.param(ZeroDivisionError("oh"), "Odd failed (ZeroDivisionError: oh), as before", id="an error"),
    ],
)
def test_a_policy_that_fails_leaves_its_service_as_it_is(answer: object, words: str) -> None:
    play = Play(scope(policies={"high": Odd(answer), "low": Constant(count=1)}), high=running(3))
    assert play.step() == {"low": (0, 1)}
    assert words in play.granted("high")


@pytest.mark.parametrize(
    ("answer", "count"), [pytest.param(-4.0, 0, id="negative"), pytest.param(1e30, 10, id="beyond all bounds")]
)
def test_a_policy_may_exaggerate(answer: float, count: int) -> None:
    play = Play(scope(HIGH, policies={"high": Odd(answer)}))
    play.step()
    assert play.decision.grants["high"].count == count


# Time.


def test_a_step_at_the_time_to_wake_changes_something_and_does_not_ask_for_it_again() -> None:
    calm = Service("high", 1, settling=Settling(window_down=15.0, idle=60.0, stale_after=1e6))
    play = Play(scope(calm, policies=PER_ONE), high=running(5))
    play.step({"high": 0})
    woken = []
    for _ in range(5):
        if play.scaler.wake_at == math.inf or play.scaler.wake_at > play.now + 1000:
            break
        assert play.scaler.wake_at > play.now
        play.now = play.scaler.wake_at
        moved = play.step()
        assert moved
        woken.append((play.now, *moved["high"]))
        play.see(after=0, accepted=["high"], high=running(moved["high"][1]))
    assert woken == [(1015.0, 5, 1), (1060.0, 1, 0)]


def test_only_what_has_changed_is_formed_anew() -> None:
    play = Play()
    play.step({"high": 1, "low": 1})
    before = play.decision
    play.see(accepted=["high", "low"], high=running(1), low=running(1))
    steady = play.decision
    play.step({"high": 2})
    assert play.decision.desired["low"] is steady.desired["low"]
    assert play.decision.grants["low"] is steady.grants["low"]
    assert before.grants["high"].count == 1, "earlier decisions stay as they were"
    play.scaler.look_again()
    play.step()
    assert play.decision.desired["low"] is not steady.desired["low"]


def test_samples_of_services_that_are_not_there_are_nobodys() -> None:
    play = Play()
    assert play.step({"nobody": 3}) == {}


def test_a_sample_from_the_future_is_taken_for_one_of_now() -> None:
    play = Play()
    play.decision = play.scaler.step(play.now, play.cluster, {"high": [Sample(9e9, 3)]})
    play.now += 1
    play.step({"high": 5})
    assert play.decision.desired["high"].count == 5


# What the scheduler reports as its capacity.


def test_the_capacity_that_is_reported_counts_and_is_kept_when_it_is_not_told() -> None:
    play = Play(scope(HIGH, policies=PER_ONE, capacity=()))
    play.nodes = slots(3)
    assert play.see() == {}
    assert play.step({"high": 9}) == {"high": (0, 3)}
    play.nodes = ()
    assert play.see(accepted=["high"], high=running(3)) == {}
    play.nodes = slots(5)
    assert play.see() == {"high": (3, 5)}


# Another configuration.


def test_what_was_learnt_is_kept_by_another_configuration() -> None:
    play = Play(high=running(1))
    play.step({"high": 3})
    play.scaler = play.scaler.reconfigured(scope(), play.now)
    assert play.step() == {}, "what was asked is still under way"
    assert play.decision.desired["high"].count == 3
    assert play.see(accepted=["high"], high=running(3)) == {}


def test_an_answer_is_kept_too() -> None:
    play = Play()
    play.step({"high": 3})
    play.step(outcomes=[play.outcome("high")])
    play.scaler = play.scaler.reconfigured(scope(), play.now)
    assert play.see() == {"high": (0, 3)}


def test_a_service_that_has_left_goes_to_zero_while_its_size_counts() -> None:
    play = Play(low=running(8))
    play.step({"high": 0, "low": 8})
    play.scaler = play.scaler.reconfigured(scope(HIGH, policies=PER_ONE), play.now)
    assert play.step({"high": 5}) == {"low": (8, 0), "high": (0, 2)}
    play.see(accepted=["high", "low"], high=running(2), low=NO_COUNTS)
    again = play.scaler.reconfigured(scope(HIGH, policies=PER_ONE), play.now)
    again.step(play.now, play.cluster)
    assert set(again.step(play.now, play.cluster).desired) == {"high"}


def test_another_image_is_tried_though_the_last_one_was_rejected() -> None:
    play = Play()
    play.step({"high": 1})
    play.step(outcomes=[play.outcome("high", "Rejected", "no such image")])
    play.see()
    other = Service("high", 1, settling=SWIFT, resources=Resources(cpu=1))
    play.scaler = play.scaler.reconfigured(scope(other, LOW), play.now)
    assert play.see() == {"high": (0, 1)}


def test_a_service_that_is_new_begins_from_what_runs() -> None:
    play = Play(scope(HIGH, policies=PER_ONE), high=running(1))
    play.step({"high": 1})
    play.scaler = play.scaler.reconfigured(scope(), play.now)
    assert play.see(low=running(2)) == {}
    assert play.decision.desired["low"].reason == "wants 2: no data yet, as before"


# What a decision came from.


def test_a_standing_tells_each_stage_of_the_newest_decision() -> None:
    play = Play(scope(capacity=slots(4)), low=Counts(running=3))
    play.step({"high": 3, "low": 3})
    high, low = (play.scaler.standing(play.now, name) for name in ("high", "low"))
    assert (high.latest, high.wish and high.wish.count) == (Sample(play.now, 3), 3)
    assert (high.desired.count, high.least, high.most, high.granted, high.waiting) == (3, 0, 3, 3, 2)
    assert (high.held_back, high.lack) == (None, None)
    assert (low.desired.count, low.granted, low.lack) == (3, 1, "pool full (containers)")
    play.step(pauses={"low": Pause(Direction.OUT)})
    assert play.scaler.standing(play.now, "low").held_back == "paused: not made larger"


def test_before_the_first_decision_a_standing_knows_nothing() -> None:
    standing = Scaler(scope()).standing(1000.0, "high")
    assert (standing.latest, standing.wish, standing.granted, standing.lack) == (None, None, None, None)


@pytest.mark.parametrize(
    ("learnt", "told"),
    [
        pytest.param({}, "", id="nothing"),
        pytest.param(
            {"new": 0.13, "paused": 0.0091}, "a start takes 9.1 ms paused, 130 ms new", id="the quickest first"
        ),
    ],
)
def test_what_starts_take_is_told_in_words(learnt: dict[str, float], told: str) -> None:
    assert paces(learnt) == told
