"""How long a service waits whose containers end unasked, or can't be started."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.backoff import NO_ROOM, Backoff
from beaufort.model import Counts


class Seen(NamedTuple):
    """At this time so many run and so many have failed in all; then this is the most that it may have."""

    time: float
    running: int
    failed: int
    most: int | None


def look(backoff: Backoff, seen: Seen) -> int | None:
    counts = Counts(running=seen.running, failed=seen.failed, failure="exit 1" if seen.failed else "")
    backoff.see(seen.time, counts)
    return backoff.most(seen.time, counts)


FIRST = [Seen(0, 3, 0, None), Seen(10, 2, 1, None)]
SECOND = [*FIRST, Seen(11, 3, 1, None), Seen(12, 2, 2, 2)]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Seen(0, 3, 0, None), Seen(500, 3, 0, None)], id="nothing failed"),
        pytest.param(FIRST, id="a first failure is mended at once"),
        pytest.param([*FIRST, Seen(10.5, 0, 3, None)], id="a burst is one failure"),
        pytest.param([*FIRST, Seen(10.2, 1, 2, None), Seen(10.9, 0, 3, None)], id="a burst in parts is one failure"),
        pytest.param(
            [*FIRST, Seen(10.2, 0, 3, None), Seen(10.6, 0, 4, 0)], id="what was started since is no part of the burst"
        ),
        pytest.param([*FIRST, Seen(10.5, 0, 4, 0)], id="more than there were is no burst"),
        pytest.param([*FIRST, Seen(11, 3, 2, 3), Seen(12, 3, 2, 4)], id="a burst lasts less than a second"),
        pytest.param([*SECOND, Seen(12.9, 2, 2, 2)], id="a second failure waits a second"),
        pytest.param([*SECOND, Seen(13, 2, 2, 3)], id="then one at a time"),
        pytest.param(
            [*SECOND, Seen(13, 2, 2, 3), Seen(14, 3, 2, 4), Seen(15, 4, 2, 5)], id="the next when the last runs"
        ),
        pytest.param([*SECOND, Seen(12.5, 1, 3, 1), Seen(13, 1, 3, 2)], id="failures while it waits do not add up"),
        pytest.param(
            [*SECOND, Seen(14, 2, 3, 2), Seen(15.9, 2, 3, 2), Seen(16, 2, 3, 3)], id="a third waits two seconds"
        ),
        pytest.param([*SECOND, Seen(72.9, 3, 2, 4), Seen(73, 3, 2, None)], id="after a minute of calm it grows freely"),
        pytest.param([*SECOND, Seen(73, 3, 3, None)], id="after a minute of calm a failure is the first"),
        pytest.param(
            [Seen(0, 3, 700, None), Seen(1, 2, 701, None), Seen(3, 2, 702, 2)], id="what failed before is not ours"
        ),
        pytest.param([*SECOND, Seen(14, 2, 0, 3), Seen(15, 1, 1, 1)], id="a count that begins anew"),
    ],
)
def test_failures(script: list[Seen]) -> None:
    backoff = Backoff()
    assert [look(backoff, seen) for seen in script] == [seen.most for seen in script]


def test_starting_ones_are_had_but_not_running() -> None:
    backoff = Backoff()
    for seen in SECOND:
        look(backoff, seen)
    assert backoff.most(13.0, Counts(running=2, starting=1, failed=2)) == 3
    assert backoff.most(13.0, Counts(running=2, starting=4, failed=2)) == 6, "none is taken away"


def test_waits_double_to_a_minute() -> None:
    waits: list[float] = []
    backoff, now = Backoff(), 0.0
    look(backoff, Seen(0, 1, 0, None))
    for failed in range(1, 10):
        look(backoff, Seen(now, 0, failed, None))
        waits.append(backoff.wake_at(now) - now)
        now = now + 1 if math.isinf(waits[-1]) else backoff.wake_at(now)
    assert waits == [math.inf, 1, 2, 4, 8, 16, 32, 60, 60]


def test_it_says_why_and_until_when() -> None:
    backoff = Backoff()
    for seen in FIRST:
        look(backoff, seen)
    assert (backoff.is_calm, backoff.wake_at(10.0), backoff.is_calm) == (False, math.inf, True), "mended at once"
    for seen in SECOND[2:]:
        look(backoff, seen)
    assert backoff.reason(12.0) == "waits 1 s after 2 failures: exit 1"
    assert backoff.wake_at(12.0) == 13.0
    assert backoff.reason(13.0) == "one at a time after 2 failures: exit 1"
    assert (backoff.wake_at(13.0), backoff.is_calm) == (73.0, False)
    assert (backoff.wake_at(73.0), backoff.is_calm) == (math.inf, True)


def test_a_failure_without_a_cause_is_named_too() -> None:
    backoff = Backoff()
    for now, failed in ((0.0, 0), (1.0, 1), (3.0, 2)):
        backoff.see(now, Counts(failed=failed))
    assert backoff.reason(3.0) == "waits 1 s after 2 failures: a container ended unasked"


HERE = Counts(running=4)


def refused_until(backoff: Backoff, now: float) -> float:
    """When it may grow again, by what it says itself."""
    while backoff.most(now, HERE) is not None:
        now = backoff.wake_at(now)
    return now


@pytest.mark.parametrize("why", [pytest.param(NO_ROOM, id="no room"), pytest.param("it broke", id="another error")])
def test_a_refusal_is_asked_again_ever_more_seldom(why: str) -> None:
    backoff, now, waits = Backoff(), 0.0, []
    for _ in range(9):
        backoff.refuse(now, why)
        again = refused_until(backoff, now)
        if again > now:
            assert backoff.reason(now) == why
            assert backoff.most(now, HERE) == 4
        waits.append(again - now)
        now = again + 0.5
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_an_acceptance_ends_the_refusals() -> None:
    backoff = Backoff()
    for _ in range(3):
        backoff.refuse(0.0, "it broke")
    assert refused_until(backoff, 0.0) == 2.0
    backoff.accept()
    assert backoff.most(0.0, HERE) is None
    backoff.refuse(0.0, "it broke")
    assert refused_until(backoff, 0.0) == 0.0, "the next refusal is a first one"


@pytest.mark.parametrize(
    ("why", "until"),
    [pytest.param(NO_ROOM, 0.0, id="what had no room is tried"), pytest.param("it broke", 2.0, id="nothing else is")],
)
def test_room_appears(why: str, until: float) -> None:
    backoff = Backoff()
    for _ in range(3):
        backoff.refuse(0.0, why)
    backoff.room_appeared()
    assert refused_until(backoff, 0.0) == until


def test_a_rejection_holds_for_ever() -> None:
    backoff = Backoff()
    backoff.reject("no such image")
    backoff.accept()
    backoff.room_appeared()
    backoff.see(1e9, HERE)
    assert backoff.most(1e9, HERE) == 4
    assert backoff.wake_at(1e9) == math.inf
    assert not backoff.is_calm
    assert backoff.reason(1e9) == "rejected, until the configuration changes: no such image"


happenings = st.lists(st.tuples(st.floats(0.01, 70.0), st.sampled_from("frns"), st.integers(0, 3)), max_size=15)


@given(happenings)
def test_it_never_spins_and_calm_comes(script: list[tuple[float, str, int]]) -> None:
    """Each awakening moves time on, none goes below what there is, and two minutes after the last there is no limit."""
    backoff, now, failed = Backoff(), 1000.0, 0
    backoff.see(now, HERE)
    for gap, what, number in script:
        now += gap
        if what == "f":
            failed += number
            backoff.see(now, Counts(running=4, failed=failed))
        elif what == "r":
            backoff.refuse(now, NO_ROOM)
        else:
            (backoff.room_appeared if what == "n" else backoff.accept)()
        most, woken = backoff.most(now, HERE), backoff.wake_at(now)
        assert most is None or most >= HERE.current
        assert woken > now
        assert not (backoff.is_calm and most is not None)
    end = now
    while (woken := backoff.wake_at(now)) < math.inf:
        assert woken > now
        now = woken
    assert now <= end + 120.0
    assert backoff.is_calm
    assert backoff.most(now, HERE) is None
