"""The values check themselves where they are made, and say what was expected."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.model import (
    NO_COUNTS,
    Band,
    Counts,
    Fallback,
    Launch,
    Pause,
    RateLimit,
    Resources,
    Sample,
    Service,
    Settling,
    Standby,
)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda: Resources(cpu=-0.5), "cpu: expected an amount of 0 or more, got -0.5", id="negative amount"
        ),
        pytest.param(
            lambda: Resources(memory=math.nan),
            "memory: expected an amount of 0 or more, got nan",
            id="amount not a number",
        ),
        pytest.param(
            lambda: Resources({"gpu": math.inf}), "gpu: expected an amount of 0 or more, got inf", id="endless amount"
        ),
        pytest.param(lambda: RateLimit(0.0, amount=1), "period: expected seconds above 0, got 0.0", id="no period"),
        pytest.param(lambda: RateLimit(-1.0, share=1), "period: expected seconds above 0, got -1.0", id="period back"),
        pytest.param(lambda: RateLimit(1.0), "expected either an amount or a share", id="a limit of nothing"),
        pytest.param(
            lambda: RateLimit(1.0, amount=1, share=0.5), "expected either an amount or a share", id="two limits in one"
        ),
        pytest.param(lambda: Fallback(-1), "expected a count of 0 or more, got -1", id="negative fallback"),
        pytest.param(lambda: Fallback(if_higher=True), "current-if-higher needs a count", id="higher than nothing"),
        pytest.param(lambda: Launch(grace=-1.0), "grace: expected seconds of 0 or more, got -1.0", id="negative grace"),
        pytest.param(
            lambda: Launch(grace=math.nan), "grace: expected seconds of 0 or more, got nan", id="no such grace"
        ),
        pytest.param(lambda: Service("", 1), "name: expected a name", id="no name"),
        pytest.param(lambda: Service("a", 0), "priority: expected 1 (the highest) or more, got 0", id="priority 0"),
        pytest.param(lambda: Service("a", 1, min=-1), "min: expected 0 or more, got -1", id="negative min"),
        pytest.param(lambda: Service("a", 1, min=3, max=2), "max: expected min (3) or more, got 2", id="max below min"),
        pytest.param(lambda: Service("a", 1, weight=0), "weight: expected a number above 0, got 0", id="no weight"),
        pytest.param(
            lambda: Service("a", 1, weight=math.nan),
            "weight: expected a number above 0, got nan",
            id="weight not a number",
        ),
        pytest.param(
            lambda: Service("a", 1, weight=math.inf), "weight: expected a number above 0, got inf", id="endless weight"
        ),
        pytest.param(
            lambda: Band("b", 0, 3), "priorities: expected first <= last, both 1 or more, got [0, 3]", id="band from 0"
        ),
        pytest.param(
            lambda: Band("b", 3, 2),
            "priorities: expected first <= last, both 1 or more, got [3, 2]",
            id="band backwards",
        ),
        pytest.param(
            lambda: Sample(0.0, -1.0), "value: expected a demand of 0 or more, got -1.0", id="negative demand"
        ),
        pytest.param(lambda: Sample(math.nan, 1.0), "at: expected a finite number, got nan", id="no time"),
        pytest.param(lambda: Sample(0.0, math.inf), "value: expected a finite number, got inf", id="endless demand"),
        pytest.param(
            lambda: Sample(0.0, 1.0, arrivals=math.nan), "arrivals: expected a finite number, got nan", id="arrivals"
        ),
        pytest.param(lambda: Sample(0.0, 1.0, rate=-math.inf), "rate: expected a finite number, got -inf", id="rate"),
    ],
)
def test_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - all of the words are compared
        make()
    assert str(refusal.value) == words


def test_the_least_that_is_accepted() -> None:
    assert Band("b", 1, 1).preemptible is False
    assert Service("a", 1, min=0, max=0, weight=1e-9).clamp(1) == 0
    assert Fallback(0, if_higher=True).count == 0
    assert Launch(grace=0.0).grace == 0.0
    sample = Sample(-1.0, 0.0, arrivals=-1.0, rate=0.0)
    assert (sample.at, sample.value, sample.arrivals, sample.rate) == (-1.0, 0.0, -1.0, 0.0)


SECONDS = ("tolerance_up", "tolerance_down", "window_up", "window_down", "idle", "stale_after", "ramp")


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in SECONDS])
@pytest.mark.parametrize("number", [pytest.param(-0.1, id="negative"), pytest.param(math.nan, id="not a number")])
def test_settling_is_not_negative(name: str, number: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: expected 0 or more, got {number}$"):
        Settling(**{name: number})  # type: ignore[arg-type] # each of them is a float
    assert getattr(Settling(**{name: 0.0}), name) == 0.0  # type: ignore[arg-type] # as above


@pytest.mark.parametrize("name", ["running", "starting", "stopping", "warming", "failed"])
def test_counts_are_not_negative(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^expected counts of 0 or more, got Counts\(.*{name}=-1"):
        Counts(**{name: -1})  # type: ignore[arg-type] # each of them is an int


@pytest.mark.parametrize("kind", ["created", "paused", "frozen"])
def test_standby_is_not_negative(kind: str) -> None:
    with pytest.raises(ValueError, match=rf"^expected counts of 0 or more, got Standby\(.*{kind}=-1"):
        Standby(**{kind: -1})


def test_counts_tell_what_serves_and_what_takes_room() -> None:
    counts = Counts(running=1, starting=2, stopping=4, standby=Standby(8, 16, 32), warming=64, failed=128)
    assert (counts.current, counts.held, counts.present) == (3, 71, 123)
    assert (counts.standby.kept, counts.standby.total) == (48, 56)
    assert (NO_COUNTS.current, NO_COUNTS.held, dict(NO_COUNTS.on)) == (0, 0, {})


@pytest.mark.parametrize(
    ("limit", "count", "room"),
    [
        pytest.param(RateLimit(1.0, amount=3), 100, 3, id="an amount, whatever the count"),
        pytest.param(RateLimit(1.0, share=0.5), 9, 4, id="a share, rounded down"),
        pytest.param(RateLimit(1.0, share=0.5), 1, 1, id="a share is never less than one"),
        pytest.param(RateLimit(1.0, share=2.0), 3, 6, id="a share may be more than all"),
    ],
)
def test_room_of_a_rate_limit(limit: RateLimit, count: int, room: int) -> None:
    assert limit.room(count) == room


@pytest.mark.parametrize(
    ("most", "count", "clamped"),
    [
        pytest.param(5, 1, 2, id="below min"),
        pytest.param(5, 3, 3, id="between"),
        pytest.param(5, 6, 5, id="above max"),
        pytest.param(None, 6, 6, id="no max"),
        pytest.param(2, 6, 2, id="min is max"),
    ],
)
def test_clamp(most: int | None, count: int, clamped: int) -> None:
    assert Service("a", 1, min=2, max=most).clamp(count) == clamped


def test_a_container_takes_one_slot_besides_its_resources() -> None:
    assert Service("a", 1, resources=Resources(cpu=0.5)).size == Resources(cpu=0.5, containers=1)
    assert Service("a", 1, resources=Resources(containers=7)).size == Resources(containers=1)


@pytest.mark.parametrize(
    ("pause", "now", "holds"),
    [
        pytest.param(Pause(), 1e12, True, id="until it is resumed"),
        pytest.param(Pause(until=10.0), 9.9, True, id="before its end"),
        pytest.param(Pause(until=10.0), 10.0, False, id="at its end"),
    ],
)
def test_pause(pause: Pause, now: float, holds: bool) -> None:
    assert pause.holds(now) is holds


def test_values_do_not_change() -> None:
    service = Service("a", 1)
    for field in fields(service):
        with pytest.raises(FrozenInstanceError):
            setattr(service, field.name, None)
    with pytest.raises(TypeError):
        service.launch.env["A"] = "b"  # type: ignore[index] # that it can't is the point


def test_resources_are_a_mapping_in_the_order_of_their_names() -> None:
    resources = Resources({"memory": 64.0, "gpu": 1}, cpu=0.5)
    assert list(resources) == ["cpu", "gpu", "memory"]
    assert len(resources) == 3
    assert resources["gpu"] == 1
    assert (resources.get("cpu"), resources.get("disk"), resources.get("disk", 9.0)) == (0.5, 0.0, 9.0)
    assert repr(resources) == "Resources(cpu=0.5, gpu=1, memory=64)"
    assert repr(Resources()) == "Resources()"
    with pytest.raises(KeyError):
        resources["disk"]


def test_the_named_amount_wins() -> None:
    assert Resources({"cpu": 1.0}, cpu=2.0) == Resources(cpu=2.0)


def test_resources_do_not_follow_what_they_were_made_of() -> None:
    amounts = {"cpu": 1.0}
    resources = Resources(amounts)
    amounts["cpu"] = 2.0
    assert resources["cpu"] == 1.0


def test_nothing_used_is_not_the_same_as_not_named() -> None:
    """As a capacity, none at all is a limit, and what is not named is none."""
    assert Resources(cpu=0.0) != Resources()
    assert Resources(cpu=1.0) != {"cpu": 1.0}


amounts = st.dictionaries(st.sampled_from("abc"), st.floats(0.0, 3.0) | st.integers(0, 3), max_size=3)


@given(amounts, amounts)
def test_resources_are_equal_where_their_amounts_are(left: dict[str, float], right: dict[str, float]) -> None:
    first, second = Resources(left), Resources(right)
    assert (first == second) == (left == right)
    assert first == Resources(dict(reversed(left.items())))
    assert first != second or hash(first) == hash(second)
