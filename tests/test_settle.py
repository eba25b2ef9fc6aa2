"""How a wish becomes a calm count: scripts of (time, wish, demand) -> count, and what holds whatever the script."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.model import NO_COUNTS, Counts, Desired, Fallback, RateLimit, Service, Settling, Wish
from beaufort.settle import BOUNDLESS, NEVER, Settler

PLAIN = Settling(tolerance_down=0.0, window_down=0.0, idle=0.0, ramp=0.0)
"""Nothing is settled: each case adds the one rule that it is about."""


class At(NamedTuple):
    """At this time, this wish becomes this count. Demand is the wish itself where nothing else is said."""

    time: float
    wish: float
    becomes: int
    demand: float | None = None


def settler(settling: Settling = PLAIN, *, least: int = 0, most: int | None = None) -> Settler:
    return Settler(Service("web", priority=1, min=least, max=most, settling=settling))


def settle(each: Settler, step: At) -> Desired:
    demand = step.wish if step.demand is None else step.demand
    return each.settle(step.time, Wish(step.wish, "asked"), NO_COUNTS, demand)


def play(each: Settler, script: list[At]) -> list[int]:
    return [settle(each, step).count for step in script]


UP, DOWN = replace(PLAIN, window_up=10.0), replace(PLAIN, window_down=15.0)
TOLERANT = replace(PLAIN, tolerance_up=0.2, tolerance_down=0.1)


@pytest.mark.parametrize(
    ("settling", "begin", "script"),
    [
        pytest.param(Settling(), 1, [At(0, 5, 5), At(0.1, 9, 9)], id="up at once by default"),
        pytest.param(PLAIN, 9, [At(0, 2, 2)], id="down at once where nothing is settled"),
        pytest.param(
            PLAIN, 1, [At(0, 2.1, 3), At(1, 3.0000000001, 3), At(2, -4, 0)], id="rounded up, never below zero"
        ),
        pytest.param(
            PLAIN, 1, [At(0, 0.3 / 0.1, 3), At(1, 3 * 1.1 / 1.1, 3)], id="what is rounding is not a container"
        ),
        pytest.param(PLAIN, 1, [At(0, 1e300, BOUNDLESS)], id="no more than anything can hold"),
        pytest.param(
            Settling(),
            10,
            [At(0, 10, 10), At(5, 2, 10), At(19.9, 2, 10), At(20, 2, 2)],
            id="down after 15 s by default",
        ),
        pytest.param(
            DOWN,
            10,
            [At(0, 10, 10), At(5, 4, 10), At(10, 6, 10), At(20, 2, 6), At(34.9, 2, 6), At(35, 2, 2)],
            id="down to the highest of the window, in force until superseded",
        ),
        pytest.param(DOWN, 8, [At(0, 3, 8), At(15, 3, 3)], id="what was adopted is in the window too"),
        pytest.param(
            DOWN, 2, [At(0, 9, 9), At(14, 9, 9), At(15, 1, 9), At(29.9, 1, 9)], id="a fall waits from the end"
        ),
        pytest.param(
            UP,
            2,
            [At(0, 8, 2), At(5, 6, 2), At(10, 8, 6), At(19.9, 8, 6), At(20, 8, 8)],
            id="up to the lowest of the window",
        ),
        pytest.param(
            UP, 5, [At(0, 9, 5), At(4, 1, 1), At(9, 9, 1), At(18.9, 9, 1), At(19, 9, 9)], id="a dip begins it anew"
        ),
        pytest.param(TOLERANT, 10, [At(0, 11.5, 10), At(1, 12, 10)], id="up to the tolerance nothing moves"),
        pytest.param(TOLERANT, 10, [At(0, 12.1, 13)], id="above it all of it moves"),
        pytest.param(TOLERANT, 10, [At(0, 9, 10)], id="down to the tolerance nothing moves"),
        pytest.param(TOLERANT, 10, [At(0, 8.9, 9)], id="below it all of it moves"),
        pytest.param(TOLERANT, 5, [At(0, 5.9, 5)], id="tolerance is of the wish before rounding"),
        pytest.param(TOLERANT, 0, [At(0, 0.1, 1)], id="from none the first is not within any share"),
        pytest.param(replace(PLAIN, tolerance_down=1.0), 1, [At(0, 0, 0)], id="no share keeps the last one"),
    ],
)
def test_script(settling: Settling, begin: int, script: list[At]) -> None:
    each = settler(settling)
    each.adopt(0.0, begin)
    assert play(each, script) == [step.becomes for step in script]


@pytest.mark.parametrize(
    ("settling", "begin", "script"),
    [
        pytest.param(
            replace(PLAIN, limit_up=RateLimit(10.0, amount=2)),
            1,
            [At(0, 9, 3), At(5, 9, 3), At(10, 9, 5), At(20, 9, 7)],
            id="two more in a period",
        ),
        pytest.param(
            replace(PLAIN, limit_up=RateLimit(10.0, amount=4)),
            2,
            [At(0, 4, 4), At(6, 9, 6), At(10, 9, 8)],
            id="all of the last period counts",
        ),
        pytest.param(
            replace(PLAIN, limit_up=RateLimit(10.0, share=0.5)),
            8,
            [At(0, 99, 12), At(10, 99, 18)],
            id="half as many more",
        ),
        pytest.param(
            replace(PLAIN, limit_up=RateLimit(10.0, share=0.1)),
            0,
            [At(0, 9, 1), At(10, 9, 2)],
            id="never less than one more",
        ),
        pytest.param(
            replace(PLAIN, limit_down=RateLimit(10.0, amount=3)),
            10,
            [At(0, 1, 7), At(9, 1, 7), At(20, 1, 4)],
            id="three fewer",
        ),
        pytest.param(
            replace(PLAIN, limit_down=RateLimit(10.0, share=0.5)),
            9,
            [At(0, 0, 5), At(10, 0, 3)],
            id="half as many fewer",
        ),
        pytest.param(
            replace(PLAIN, limit_down=RateLimit(10.0, share=0.1)),
            3,
            [At(0, 1, 2), At(10, 1, 1)],
            id="never less than one fewer",
        ),
        pytest.param(
            replace(PLAIN, limit_down=RateLimit(10.0, amount=3)),
            9,
            [At(0, 20, 20), At(1, 1, 17)],
            id="after a rise from its top",
        ),
        pytest.param(
            replace(PLAIN, limit_up=RateLimit(10.0, amount=9), limit_down=RateLimit(10.0, amount=9)),
            5,
            [At(0, 7, 7), At(1, 4, 4)],
            id="what is within the limits moves freely",
        ),
    ],
)
def test_rate_limit(settling: Settling, begin: int, script: list[At]) -> None:
    each = settler(settling)
    each.adopt(0.0, begin)
    assert play(each, script) == [step.becomes for step in script]


IDLE = replace(PLAIN, idle=60.0, activation=2.0)


@pytest.mark.parametrize(
    ("least", "begin", "script"),
    [
        pytest.param(
            0,
            3,
            [At(0, 3, 3, demand=9), At(10, 0, 1, demand=0), At(69.9, 0, 1, demand=0), At(70, 0, 0, demand=0)],
            id="last one",
        ),
        pytest.param(0, 3, [At(0, 0, 1, demand=2), At(60, 3, 0, demand=2)], id="at the threshold it is idle"),
        pytest.param(0, 0, [At(0, 0.5, 0, demand=2)], id="none is started at the threshold"),
        pytest.param(0, 0, [At(0, 0, 1, demand=2.1)], id="one is wanted above it"),
        pytest.param(
            0,
            3,
            [At(0, 3, 3, demand=1), At(59, 2, 2, demand=1), At(60, 2, 0, demand=1)],
            id="below it till idle as wished",
        ),
        pytest.param(
            0,
            1,
            [At(0, 0, 1, demand=0), At(50, 1, 1, demand=3), At(59, 0, 1, demand=0), At(119, 0, 0, demand=0)],
            id="begins anew",
        ),
        pytest.param(1, 3, [At(0, 0, 1, demand=0), At(99, 0, 1, demand=0)], id="a minimum is not idle"),
        pytest.param(1, 3, [At(0, 2, 2, demand=0), At(99, 2, 2, demand=0)], id="with a minimum as wished"),
    ],
)
def test_idle(least: int, begin: int, script: list[At]) -> None:
    each = settler(IDLE, least=least)
    each.adopt(0.0, begin)
    assert play(each, script) == [step.becomes for step in script]


def test_the_last_container_says_when_it_goes() -> None:
    each = settler(IDLE)
    each.adopt(0.0, 3)
    assert settle(each, At(5, 0, 1, demand=0)) == Desired("web", 1, "wants 1: asked; idle for less than 60 s")
    assert each.wake_at == 60.0


RAMP = replace(PLAIN, ramp=10.0, fallback=Fallback(4))


@pytest.mark.parametrize(
    ("script", "wake_at"),
    [
        pytest.param([At(50, 9, 4), At(52, 9, 5), At(55, 9, 6), At(59.9, 9, 8), At(60, 9, 9)], 52.0, id="up"),
        pytest.param([At(50, 2, 4), At(54.9, 2, 4), At(55, 2, 3), At(60, 2, 2)], 55.0, id="down"),
        pytest.param([At(50, 14, 4), At(55, 14, 9), At(56, 8, 8), At(57, 14, 11)], 51.0, id="to a wish that moves"),
        pytest.param([At(50, 14, 4), At(55, 14, 9), At(56, 12, 9)], 51.0, id="never back"),
        pytest.param([At(50, 4, 4), At(51, 9, 9)], NEVER, id="over once there is no way left"),
    ],
)
def test_ramp_after_a_silence(script: list[At], wake_at: float) -> None:
    each = settler(RAMP)
    each.adopt(0.0, 7)
    assert each.fall_back(40.0, NO_COUNTS, "no data").count == 4
    assert settle(each, script[0]).count == script[0].becomes
    assert each.wake_at == wake_at
    assert play(each, script[1:]) == [step.becomes for step in script[1:]]


def test_a_second_silence_begins_the_ramp_anew() -> None:
    each = settler(RAMP)
    each.adopt(0.0, 7)
    each.fall_back(40.0, NO_COUNTS, "no data")
    assert play(each, [At(50, 14, 4), At(55, 14, 9)]) == [4, 9]
    each.fall_back(90.0, NO_COUNTS, "no data")
    assert play(each, [At(100, 14, 4), At(102, 14, 6)]) == [4, 6]


@pytest.mark.parametrize(
    ("fallback", "count"),
    [
        pytest.param(Fallback(), 7, id="hold"),
        pytest.param(Fallback(3), 3, id="a count"),
        pytest.param(Fallback(3, if_higher=True), 7, id="the present is higher"),
        pytest.param(Fallback(9, if_higher=True), 9, id="the count is higher"),
        pytest.param(Fallback(99), 10, id="within max"),
        pytest.param(Fallback(0), 2, id="within min"),
    ],
)
def test_fallback(fallback: Fallback, count: int) -> None:
    each = settler(replace(PLAIN, fallback=fallback), least=2, most=10)
    each.adopt(0.0, 7)
    assert each.fall_back(40.0, NO_COUNTS, "no data").count == count
    assert each.fall_back(50.0, NO_COUNTS, "no data").count == count, "silence alone moves nothing further"
    assert each.wake_at == NEVER


@pytest.mark.parametrize(
    ("wish", "count", "reason"),
    [
        pytest.param(0, 2, "wants 2: asked; min 2 instead of 0", id="min"),
        pytest.param(2, 2, "wants 2: asked", id="at min"),
        pytest.param(10, 10, "wants 10: asked", id="at max"),
        pytest.param(11.5, 10, "wants 10: asked; max 10 instead of 12", id="max"),
    ],
)
def test_clamped(wish: float, count: int, reason: str) -> None:
    each = settler(least=2, most=10)
    each.adopt(0.0, 5)
    assert settle(each, At(0, wish, count, demand=0)) == Desired("web", count, reason)


@pytest.mark.parametrize(
    ("settling", "begin", "wish", "reason"),
    [
        pytest.param(DOWN, 9, 4, "wants 9: asked; wanted 9 in the last 15 s", id="window down"),
        pytest.param(UP, 1, 4, "wants 1: asked; wanted only 1 in the last 10 s", id="window up"),
        pytest.param(TOLERANT, 10, 11.25, "wants 10: asked; 11.25 is within 20% of 10", id="tolerance up"),
        pytest.param(TOLERANT, 20, 18.5, "wants 20: asked; 18.5 is within 10% of 20", id="tolerance down"),
        pytest.param(
            replace(PLAIN, limit_up=RateLimit(30.0, amount=2)),
            1,
            9,
            "wants 3: asked; at most 2 more in 30 s",
            id="limit up",
        ),
        pytest.param(
            replace(PLAIN, limit_down=RateLimit(30.0, share=0.5)),
            8,
            1,
            "wants 4: asked; at most 4 fewer in 30 s",
            id="limit down",
        ),
    ],
)
def test_the_reason_says_what_held_it(settling: Settling, begin: int, wish: float, reason: str) -> None:
    each = settler(settling)
    each.adopt(0.0, begin)
    assert settle(each, At(0, wish, 0)).reason == reason


def test_the_reason_says_what_cut_the_wish_that_still_holds() -> None:
    each = settler(DOWN, most=7)
    each.adopt(0.0, 1)
    assert settle(each, At(0, 30, 7)).reason == "wants 7: asked; max 7 instead of 30"
    assert settle(each, At(1, 3, 7)).reason == "wants 7: asked; wanted 30 in the last 15 s, max 7"


def test_without_an_adoption_it_begins_from_what_there_is() -> None:
    each = settler(replace(PLAIN, limit_up=RateLimit(10.0, amount=2)))
    desired = each.settle(0.0, Wish(9, "asked"), Counts(running=3, starting=1), 9.0)
    assert desired.count == 6
    idle = settler()
    assert idle.hold(0.0, Counts(running=3, starting=1), "no data yet").count == 4


@pytest.mark.parametrize(("window", "first"), [pytest.param(DOWN, 2, id="down"), pytest.param(UP, 9, id="up")])
def test_at_rest_the_windows_are_empty(window: Settling, first: int) -> None:
    """A service that nobody knew before, judged as if it had wanted for long what it wants now."""
    desired = settler(window).settle(0.0, Wish(first, "asked"), Counts(running=5), first)
    assert desired.count == first


def test_a_policy_without_demand_is_not_settled() -> None:
    each = settler(Settling(limit_up=RateLimit(10.0, amount=1)), least=1, most=20)
    each.adopt(0.0, 10)
    assert [each.settle(0.0, Wish(wish, "asked"), NO_COUNTS, None).count for wish in (1.5, 19, 0, 21)] == [2, 19, 1, 20]
    assert each.wake_at == NEVER


def test_nothing_to_settle_is_nothing_to_wait_for() -> None:
    each = settler(DOWN)
    each.adopt(0.0, 9)
    settle(each, At(0, 1, 9))
    assert each.wake_at == 15.0
    each.reset()
    assert each.wake_at == NEVER


# What holds for every script.

seconds = st.floats(0.01, 40.0)
wishes = st.floats(0.0, 30.0) | st.integers(0, 12)
scripts = st.lists(st.tuples(seconds, wishes), min_size=1, max_size=12)
periods = st.floats(0.5, 40.0)
limits = st.builds(RateLimit, periods, amount=st.integers(1, 4)) | st.builds(
    RateLimit, periods, share=st.floats(0.05, 1.0)
)
spans = st.just(0.0) | seconds
shares = st.just(0.0) | st.floats(0.0, 0.5)
unlimited = st.builds(
    Settling,
    tolerance_up=shares,
    tolerance_down=shares,
    window_up=spans,
    window_down=spans,
    idle=spans,
    activation=st.just(0.0) | st.floats(0.0, 5.0),
    ramp=spans,
    fallback=st.just(Fallback()) | st.builds(Fallback, st.integers(0, 12)),
)
settlings = st.builds(replace, unlimited, limit_up=st.none() | limits, limit_down=st.none() | limits)
limited = st.builds(lambda settling: Service("web", 1, settling=settling), settlings)
services = st.builds(
    lambda settling, least, more: Service(
        "web", 1, min=least, max=None if more is None else least + more, settling=settling
    ),
    unlimited,
    st.integers(0, 3),
    st.none() | st.integers(0, 10),
)


def timed(script: list[tuple[float, float]], begin: float = 1000.0) -> Iterator[tuple[float, float]]:
    for gap, wish in script:
        begin += gap
        yield begin, wish


@given(services | limited, scripts, st.integers(0, 20))
def test_it_stays_within_min_and_max(service: Service, script: list[tuple[float, float]], begin: int) -> None:
    each = Settler(service)
    each.adopt(1000.0, begin)
    for now, wish in timed(script):
        settled = settle(each, At(now, wish, 0)).count
        assert settled == each.count == service.clamp(settled)


@given(services | limited, scripts, wishes, st.integers(0, 20))
def test_a_constant_wish_ends_constant(
    service: Service, script: list[tuple[float, float]], last: float, begin: int
) -> None:
    """Whatever came before, waking only when it asks for it; and where nothing is tolerated, at the wish itself."""
    each = Settler(service)
    each.adopt(1000.0, begin)
    now = 1000.0
    for now, wish in timed(script):
        settle(each, At(now, wish, 0))
    each.fall_back(now, NO_COUNTS, "no data")
    now = now + 1.0
    for _ in range(1000):
        count = settle(each, At(now, last, 0)).count
        if each.wake_at == NEVER:
            break
        now = each.wake_at
    assert each.wake_at == NEVER
    assert [settle(each, At(now + later, last, 0)).count for later in (0.0, 0.1, 50.0, 1e4)] == [count] * 4
    if not (service.settling.tolerance_up or service.settling.tolerance_down or last <= service.settling.activation):
        assert count == service.clamp(settle(settler(), At(0, last, 0)).count)


@given(settlings, scripts, st.integers(0, 20))
def test_each_awakening_moves_time_on(settling: Settling, script: list[tuple[float, float]], begin: int) -> None:
    """It never asks to be woken at a time that is no later than now."""
    each = settler(settling)
    each.adopt(1000.0, begin)
    steps = [*timed(script), (NEVER, 0.0)]
    for (now, wish), (following, _) in pairwise(steps):
        settle(each, At(now, wish, 0))
        while each.wake_at < following:
            woken, count = each.wake_at, each.count
            assert woken > now
            now = woken  # noqa: PLW2901 - time goes on within the step
            settle(each, At(now, wish, 0))
            assert each.count != count or each.wake_at != woken
        assert each.wake_at > now


@given(settlings, scripts, st.integers(0, 20))
def test_nothing_changes_before_it_asks_to_be_woken(
    settling: Settling, script: list[tuple[float, float]], begin: int
) -> None:
    """One that is also looked at in between answers no otherwise than one that is left alone until then."""
    # Tolerance and idleness go by what was there when they were last looked at.
    settling = replace(settling, tolerance_up=0.0, tolerance_down=0.0, idle=0.0)
    watched, left = settler(settling), settler(settling)
    for each in (watched, left):
        each.adopt(1000.0, begin)
    steps = [*timed(script), (NEVER, 0.0)]
    for (now, wish), (following, _) in pairwise(steps):
        while now < following:
            step = At(now, wish, 0)
            assert settle(watched, step).count == settle(left, step).count
            between = (now + min(left.wake_at, following, now + 100.0)) / 2
            if now < between < min(left.wake_at, following):
                assert settle(watched, At(between, wish, 0)).count == left.count
            now = left.wake_at  # noqa: PLW2901 - time goes on within the step


@given(st.floats(0.1, 30.0), scripts, st.integers(0, 20))
def test_it_never_falls_below_the_highest_wish_of_the_window(
    window: float, script: list[tuple[float, float]], begin: int
) -> None:
    each = settler(replace(PLAIN, window_down=window))
    each.adopt(1000.0, begin)
    steps = list(timed(script))
    superseded = [*(now for now, _ in steps[1:]), NEVER]
    for latest, (now, wish) in enumerate(steps):
        settled = settle(each, At(now, wish, 0, demand=1.0)).count
        seen = [
            past
            for (_, past), end in zip(steps[: latest + 1], superseded, strict=False)
            if min(end, now) + window > now
        ]
        assert settled >= max(seen) * (1 - 1e-8)


@given(st.floats(1.0, 30.0), scripts, st.integers(0, 20))
def test_flapping_is_bounded_by_the_window(window: float, script: list[tuple[float, float]], begin: int) -> None:
    """A fall comes no sooner than a window after a rise, however the wish may flap."""
    each = settler(replace(PLAIN, window_down=window))
    each.adopt(1000.0, begin)
    rose, before = -NEVER, begin
    for now, wish in timed(script):
        count = settle(each, At(now, wish, 0)).count
        if count > before:
            rose = now
        assert count >= before or now >= rose + window
        before = count


@given(st.integers(1, 4), seconds, scripts, st.integers(0, 20), st.sampled_from([1, -1]))
def test_a_limit_is_never_exceeded_in_any_period(
    amount: int, period: float, script: list[tuple[float, float]], begin: int, sign: int
) -> None:
    limit = RateLimit(period, amount=amount)
    each = settler(replace(PLAIN, limit_up=limit) if sign > 0 else replace(PLAIN, limit_down=limit))
    each.adopt(1000.0, begin)
    past = [(1000.0, begin)]
    for now, wish in timed(script):
        count = settle(each, At(now, wish, 0, demand=1.0)).count
        past[-1] = now, past[-1][1]
        assert all(sign * (count - earlier) <= amount for at, earlier in past if at + period > now)
        past.append((now, count))
