"""One service through time: samples, silence, pauses, refusals, policies that misbehave, a new configuration."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import pytest

from beaufort.model import (
    NO_COUNTS,
    NO_STANDBY,
    Counts,
    Direction,
    Fallback,
    Launch,
    Outcome,
    Pause,
    RateLimit,
    Resources,
    Sample,
    Service,
    Settling,
    Standby,
    Wish,
)
from beaufort.policies.constant import Constant
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.protocols import Policy, View
from beaufort.settle import BOUNDLESS, NEVER
from beaufort.workload import Workload

PLAIN = Settling(tolerance_down=0.0, window_down=0.0, idle=0.0, ramp=0.0)
WEB = Service("web", priority=1, min=1, max=20, settling=PLAIN)


@dataclass
class Scripted:
    """A policy that keeps what it was shown, and answers with the demand unless it is told what to do."""

    act: Callable[[View], Wish] = lambda view: Wish(view.latest.value if view.latest else 0, "asked", memory=view.now)
    views: list[View] = field(default_factory=list)
    needs_demand: ClassVar[bool] = True

    def desired(self, view: View) -> Wish:
        self.views.append(view)
        return self.act(view)


class Other(Scripted):
    """The same under another name."""


def workload(
    service: Service = WEB, policy: Policy | None = None, *, running: int = 3, at_rest: bool = False
) -> Workload:
    """A service of which some run at time 0."""
    each = Workload(service, policy or PerContainer(target=1.0), at_rest=at_rest)
    each.see(0.0, Counts(running=running))
    return each


def desire(each: Workload, now: float, *samples: Sample, pause: Pause | None = None, holds: int = BOUNDLESS) -> int:
    each.feed(now, samples)
    each.desire(now, holds, pause)
    return each.desired.count


# Demand, and its absence.


def test_samples_are_shown_in_order_and_once() -> None:
    policy = Scripted()
    each = workload(policy=policy)
    first, second, late, same = Sample(1.0, 4.0), Sample(2.0, 5.0), Sample(1.5, 9.0), Sample(2.0, 6.0)
    assert desire(each, 2.0, first, second, late, same) == 6
    assert desire(each, 3.0) == 6
    assert [list(view.samples) for view in policy.views] == [[first, second, same], []]
    assert [view.latest for view in policy.views] == [same, same]


def test_a_sample_from_the_future_is_one_of_now() -> None:
    policy = Scripted()
    each = workload(policy=policy)
    assert desire(each, 2.0, Sample(99.0, 4.0, arrivals=1.0)) == 4
    assert policy.views[0].latest == Sample(2.0, 4.0, arrivals=1.0)
    assert desire(each, 3.0, Sample(3.0, 5.0)) == 5, "it must not keep those after it out"


def test_a_policy_sees_what_its_last_answer_became() -> None:
    policy = Scripted()
    each = workload(policy=policy)
    desire(each, 1.0, Sample(1.0, 99.0))
    desire(each, 2.0)
    assert [(view.now, view.wish, view.memory) for view in policy.views] == [(1.0, 3, None), (2.0, 20, 1.0)]
    assert policy.views[0].service is WEB
    assert policy.views[0].counts == Counts(running=3)


@pytest.mark.parametrize(
    ("fallback", "count", "words"),
    [
        pytest.param(Fallback(), 8, "as before", id="hold"),
        pytest.param(Fallback(5), 5, "the fallback", id="a count"),
        pytest.param(Fallback(5, if_higher=True), 8, "the fallback", id="the present is higher"),
        pytest.param(Fallback(9, if_higher=True), 9, "the fallback", id="the count is higher"),
    ],
)
def test_silence(fallback: Fallback, count: int, words: str) -> None:
    each = workload(replace(WEB, settling=replace(PLAIN, fallback=fallback, stale_after=30.0)))
    assert desire(each, 10.0, Sample(10.0, 8.0)) == 8
    assert each.wake_at == 40.0
    assert desire(each, 39.9) == 8, "no data is not zero"
    assert desire(each, 40.0) == count
    assert each.desired.reason == f"wants {count}: no data for 30 s or more, {words}"
    assert each.wake_at == NEVER
    assert desire(each, 50.0, Sample(50.0, 2.0)) == 2, "data is back"


def test_before_the_first_sample_it_is_as_before() -> None:
    policy = Scripted()
    each = workload(replace(WEB, settling=replace(PLAIN, fallback=Fallback(7))), policy)
    assert desire(each, 5.0) == 3
    assert each.desired.reason == "wants 3: no data yet, as before"
    assert each.wake_at == 35.0
    assert desire(each, 34.9) == 3
    assert desire(each, 35.0) == 7
    assert policy.views == []


def test_at_rest_there_is_no_past() -> None:
    """As if the controller had been here for ever: silent from the beginning, and nothing adopted."""
    service = replace(WEB, settling=replace(PLAIN, window_down=15.0, fallback=Fallback(7)))
    assert desire(workload(service, running=9, at_rest=True), 5.0) == 7
    assert desire(workload(service, running=9, at_rest=True), 5.0, Sample(5.0, 2.0)) == 2
    assert desire(workload(service, running=9), 5.0, Sample(5.0, 2.0)) == 9


def test_without_need_of_demand_silence_is_nothing() -> None:
    each = workload(policy=Constant(count=6))
    assert [desire(each, now) for now in (0.0, 1e6)] == [6, 6]
    assert each.wake_at == NEVER


# Policies that misbehave.


def fail(view: View) -> Wish:
    raise ZeroDivisionError(f"at {view.now:g}")


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        pytest.param(fail, "failed (ZeroDivisionError: at 2)", id="raises"),
        pytest.param(
            lambda _: Wish(math.nan, "?"), "failed (ValueError: expected a finite count, got nan)", id="not a number"
        ),
        pytest.param(
            lambda _: Wish(math.inf, "?"), "failed (ValueError: expected a finite count, got inf)", id="without end"
        ),
    ],
)
def test_a_policy_that_fails_moves_nothing(act: Callable[[View], Wish], reason: str) -> None:
    policy = Scripted()
    each = workload(policy=policy)
    assert desire(each, 1.0, Sample(1.0, 8.0)) == 8
    policy.act = act
    assert desire(each, 2.0, Sample(2.0, 1.0)) == 8
    assert each.desired.reason == f"wants 8: its policy Scripted {reason}, as before"
    policy.act = Scripted.act
    assert desire(each, 3.0) == 1, "it is asked again"
    assert policy.views[-1].memory == 1.0, "its memory is that of its last answer"


@pytest.mark.parametrize(
    ("wish", "count"), [pytest.param(-5.0, 1, id="negative"), pytest.param(1e300, 20, id="beyond all measure")]
)
def test_a_wish_beyond_the_bounds_is_brought_within(wish: float, count: int) -> None:
    assert desire(workload(policy=Scripted(lambda _: Wish(wish, "asked"))), 1.0, Sample(1.0, 0.0)) == count


# What is left over.


@pytest.mark.parametrize(
    ("most", "holds", "count", "reason"),
    [
        pytest.param(None, 12, 12, "takes what is left over", id="all that the pool holds"),
        pytest.param(20, 99, 20, "takes what is left over", id="no more than max"),
        pytest.param(20, BOUNDLESS, 20, "takes what is left over", id="a pool without limit, but a max"),
        pytest.param(
            None,
            BOUNDLESS,
            1,
            "takes what is left over, which nobody knows: neither the pool nor max limits it",
            id="no limit at all",
        ),
    ],
)
def test_remainder(most: int | None, holds: int, count: int, reason: str) -> None:
    each = workload(replace(WEB, max=most), Remainder())
    assert desire(each, 1.0, holds=holds) == count
    assert each.desired.reason == reason
    assert each.desired.remainder
    assert each.wake_at == NEVER


# Bounds: pauses and refusals.


@pytest.mark.parametrize(
    ("direction", "demand", "least", "most", "words"),
    [
        pytest.param(Direction.IN, 1.0, 3, 3, "paused: not made smaller", id="not smaller"),
        pytest.param(Direction.IN, 8.0, 3, 8, "paused: not made smaller", id="in may grow"),
        pytest.param(Direction.OUT, 8.0, 1, 3, "paused: not made larger", id="not larger"),
        pytest.param(Direction.OUT, 1.0, 1, 1, "paused: not made larger", id="out may shrink"),
        pytest.param(Direction.BOTH, 8.0, 3, 3, "paused: left as it is", id="neither: would grow"),
        pytest.param(Direction.BOTH, 1.0, 3, 3, "paused: left as it is", id="neither: would shrink"),
    ],
)
def test_pause(direction: Direction, demand: float, least: int, most: int, words: str) -> None:
    each = workload()
    pause = Pause(direction, until=10.0)
    assert desire(each, 1.0, Sample(1.0, demand), pause=pause) == demand, "what it desires is not paused"
    assert (each.least, each.most, each.held_back(1.0)) == (least, most, words)
    assert each.wake_at == 10.0
    desire(each, 10.0, pause=pause)
    assert (each.least, each.most, each.held_back(10.0)) == (1, demand, None)


def test_a_pause_without_end_is_not_waited_for() -> None:
    each = workload(policy=Constant(count=8))
    desire(each, 1.0, pause=Pause())
    assert (each.most, each.wake_at) == (3, NEVER)


def test_failures_bound_what_it_may_have() -> None:
    each = workload(policy=Constant(count=8))
    each.see(1.0, Counts(running=2, failed=1, failure="exit 1"))
    desire(each, 1.0)
    assert (each.most, each.held_back(1.0)) == (8, None)
    each.see(3.0, Counts(running=2, failed=2, failure="exit 1"))
    desire(each, 3.0)
    assert (each.least, each.most, each.wake_at) == (1, 2, 4.0)
    assert each.held_back(3.0) == "waits 1 s after 2 failures: exit 1"
    desire(each, 4.0)
    assert (each.most, each.wake_at) == (3, 64.0)


def conclude(each: Workload, error: str | None, *, times: int = 1) -> None:
    for _ in range(times):
        each.ask(8, NO_STANDBY)
        each.conclude(Outcome(1.0, "web", 8, error, "because"))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        pytest.param("NoRoom", "the scheduler found no room", id="no room"),
        pytest.param("Unreachable", "the scheduler failed: because", id="unreachable"),
        pytest.param("Rejected", "rejected, until the configuration changes: because", id="rejected"),
    ],
)
def test_refused(error: str, words: str) -> None:
    each = workload(policy=Constant(count=8))
    conclude(each, error, times=2)
    desire(each, 1.0)
    assert (each.most, each.held_back(1.0)) == (3, words)
    conclude(each, None)
    desire(each, 1.0)
    assert each.most == (3 if error == "Rejected" else 8)


def test_what_was_asked_holds_until_a_snapshot_after_the_answer() -> None:
    each = workload(policy=Constant(count=8))
    each.asked = 8
    assert each.see(0.5, Counts(running=3)) is False
    assert each.asked == 8, "there is no answer yet"
    each.conclude(Outcome(1.0, "web", 8))
    assert each.asked == 8
    assert each.see(1.5, Counts(running=3)) is True
    assert each.asked is None


def test_an_answer_to_nothing_asked_changes_nothing() -> None:
    each = workload(policy=Constant(count=8))
    each.conclude(Outcome(1.0, "web", 8))
    assert each.see(1.5, Counts(running=3)) is False


def test_a_snapshot_tells_whether_anything_changed() -> None:
    each = Workload(WEB, Constant(count=8))
    assert each.see(0.0, NO_COUNTS) is True, "the first is adopted"
    assert each.see(1.0, NO_COUNTS) is False
    assert each.see(2.0, Counts()) is False, "equal counts are no news"
    assert each.see(3.0, Counts(running=1)) is True


# A new configuration.


def succeed(before: Workload, service: Service, policy: Policy, now: float = 5.0) -> Workload:
    after = Workload(service, policy)
    after.succeed(before, now)
    return after


@pytest.mark.parametrize(
    ("service", "most"),
    [
        pytest.param(replace(WEB, priority=2, max=19), 3, id="another priority: still rejected"),
        pytest.param(replace(WEB, launch=Launch(image="web:2")), 8, id="another image"),
        pytest.param(replace(WEB, resources=Resources(cpu=0.5)), 8, id="another size"),
    ],
)
def test_another_launch_clears_a_rejection(service: Service, most: int) -> None:
    before = workload(policy=Constant(count=8))
    conclude(before, "Rejected")
    after = succeed(before, service, Constant(count=8))
    desire(after, 5.0)
    assert after.most == most


@pytest.mark.parametrize(
    ("policy", "memory"),
    [pytest.param(Scripted(), 1.0, id="same type"), pytest.param(Other(), None, id="another type")],
)
def test_memory_goes_with_the_type_of_policy(policy: Scripted, memory: float | None) -> None:
    before = workload(policy=Scripted())
    desire(before, 1.0, Sample(1.0, 8.0))
    after = succeed(before, WEB, policy)
    assert desire(after, 5.0) == 8
    (view,) = policy.views
    assert (view.memory, view.wish, view.latest) == (memory, 8, Sample(1.0, 8.0))


def test_what_is_known_goes_over() -> None:
    before = workload()
    desire(before, 1.0, Sample(1.0, 8.0))
    before.asked = 8
    after = succeed(before, WEB, PerContainer(target=2.0))
    assert (after.counts, after.asked, after.desired) == (before.counts, 8, before.desired)
    assert after.see(6.0, Counts(running=3)) is False, "it was adopted already"
    assert desire(after, 6.0) == 4
    assert after.wake_at == 31.0, "the sample is as old as it was"


@pytest.mark.parametrize(
    ("most", "at", "count"),
    [
        pytest.param(20, 16.0, 2, id="the same service: its windows go on"),
        pytest.param(19, 16.0, 8, id="a changed one: what it had counts as wanted until now"),
        pytest.param(19, 20.0, 2, id="a changed one: for a window from now"),
    ],
)
def test_windows_after_a_new_configuration(most: int, at: float, count: int) -> None:
    service = replace(WEB, settling=replace(PLAIN, window_down=15.0))
    before = workload(service)
    desire(before, 0.0, Sample(0.0, 8.0))
    desire(before, 1.0, Sample(1.0, 2.0))
    after = succeed(before, replace(service, max=most), PerContainer(target=1.0))
    assert desire(after, 5.0) == 8
    assert desire(after, at) == count


def test_one_that_was_never_looked_at_hands_over_nothing() -> None:
    before = Workload(WEB, Scripted())
    after = succeed(before, replace(WEB, max=19), Scripted())
    assert after.see(6.0, Counts(running=2)) is True
    assert desire(after, 6.0) == 2


def test_it_wakes_for_whatever_comes_first() -> None:
    service = replace(WEB, settling=replace(PLAIN, limit_up=RateLimit(10.0, amount=2)))
    each = workload(service)
    assert desire(each, 0.0, Sample(0.0, 9.0)) == 5
    assert each.wake_at == 10.0
    desire(each, 0.0, pause=Pause(until=4.0))
    assert each.wake_at == 4.0
    desire(each, 0.0, pause=Pause(until=14.0))
    assert each.wake_at == 10.0
    for now in (1.0, 3.0):
        each.see(now, Counts(running=2, failed=int(now)))
    desire(each, 3.0)
    assert each.wake_at == 4.0


# Standby.


@pytest.mark.parametrize(
    ("counts", "pause", "ready"),
    [
        pytest.param(Counts(running=1), None, Standby(1, 2), id="as the service says"),
        pytest.param(
            Counts(running=1, standby=Standby(0, 1)), Pause(Direction.OUT), Standby(0, 1), id="paused, as it is"
        ),
        pytest.param(Counts(running=1, standby=Standby(4)), Pause(Direction.IN), Standby(1, 2), id="paused one way"),
    ],
)
def test_what_is_to_be_ready(counts: Counts, pause: Pause | None, ready: Standby) -> None:
    each = Workload(replace(WEB, standby=Standby(1, 2)), Constant(count=1))
    each.see(0.0, counts)
    each.desire(0.0, 10, pause)
    assert each.ready == ready


@pytest.mark.parametrize(
    ("there", "ready"),
    [
        pytest.param(NO_STANDBY, NO_STANDBY, id="nothing new"),
        pytest.param(Standby(5, 1, 4), Standby(1, 1, 2), id="no more than is wanted"),
        pytest.param(Standby(0, 2), Standby(0, 0, 2), id="a paused one for a frozen one"),
    ],
)
def test_what_fails_makes_nothing_ready(there: Standby, ready: Standby) -> None:
    each = Workload(replace(WEB, standby=Standby(1, 1, 2)), Constant(count=1))
    each.see(0.0, Counts(running=1, standby=there))
    for failed in (1, 2, 3):
        each.see(0.1 * failed, Counts(running=1, standby=there, failed=failed))
    each.desire(0.3, 10, None)
    assert each.ready == ready


def test_what_was_asked_for_is_warming_until_it_is_seen() -> None:
    each = Workload(WEB, Constant(count=1))
    each.see(0.0, Counts(running=1, standby=Standby(0, 1)))
    each.ask(1, Standby(0, 3))
    assert each.warming == 2
    each.conclude(Outcome(1.0, "web", 1))
    each.see(1.0, Counts(running=1, standby=Standby(0, 1), warming=1))
    assert each.warming == 1
