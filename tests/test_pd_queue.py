"""The ancestor's law, number by number."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.model import Counts, Sample, Service, Wish
from beaufort.policies.pd_queue import PDQueue
from beaufort.protocols import View
from line import Line

SERVICE = Service("q", 1)


def driven(policy: PDQueue, lengths: list[float], counts: Counts) -> list[Wish]:
    """The wishes for samples every half second, while the counts stay what they are."""
    memory: object = None
    wishes = []
    for step, length in enumerate(lengths):
        sample = Sample(step / 2, length)
        wish = policy.desired(View(step / 2, SERVICE, counts, (sample,), sample, None, memory))
        memory = wish.memory
        wishes.append(wish)
    return wishes


@pytest.mark.parametrize(
    ("lengths", "change"),
    [
        pytest.param([60], 0, id="dead band: 10 too many, and nothing happens"),
        pytest.param([60, 60, 60], 0, id="dead band: for ever"),
        pytest.param([63], 1, id="13 too many make one"),
        pytest.param([150], 4, id="proportional alone at first"),
        pytest.param([50, 60], 13, id="10 more are 13 containers"),
        pytest.param([100, 90], -0, id="falls, but is not met: no fewer"),
        pytest.param([40, 50], 0, id="rises, but is met: no more"),
        pytest.param([36, 36], 0, id="above 70%: no fewer"),
        pytest.param([35, 35], -1, id="at 70%: fewer"),
        pytest.param([0, 0], -2, id="empty: two fewer"),
        pytest.param([45, 35], -13, id="falls fast: many fewer"),
    ],
)
def test_follows_the_law(lengths: list[float], change: int) -> None:
    assert driven(PDQueue(target_length=50), lengths, Counts(20))[-1].count == 20 + change


@pytest.mark.parametrize("target", [1, 2, 5, 12])
def test_never_shrinks_for_small_targets(target: float) -> None:
    assert {wish.count for wish in driven(PDQueue(target_length=target), [0.0] * 50, Counts(9))} == {9}


def test_sums_the_errors_where_asked_to() -> None:
    wishes = driven(PDQueue(target_length=50, kp=0, ki=0.1, kd=0), [60, 60, 60, 60], Counts(5))
    assert [wish.count for wish in wishes] == [6, 7, 8, 9]
    assert wishes[-1].reason == "60 jobs, +0 since the last sample"


def test_waits_for_containers_that_start() -> None:
    wish = driven(PDQueue(target_length=50), [50, 500], Counts(5, 3))[-1]
    assert (wish.count, wish.reason) == (8, "500 jobs, waits for containers that start")


def test_never_wants_fewer_than_none() -> None:
    assert driven(PDQueue(target_length=50), [45, 0], Counts(3))[-1].count == 0


@pytest.mark.parametrize(("wish", "held"), [(7, 7), (None, 5)])
def test_is_driven_by_samples_alone(wish: int | None, held: int) -> None:
    policy, sample = PDQueue(target_length=50), Sample(1.0, 500.0)
    first = policy.desired(View(1.0, SERVICE, Counts(5), (sample,), sample))
    again = policy.desired(View(1.2, SERVICE, Counts(5), (), sample, wish, first.memory))
    assert (again.count, again.memory) == (held, first.memory)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"target_length": 0}, "target_length: expected a number above 0", id="target"),
        pytest.param({"target_length": 5, "kd": -1}, "kd: expected a number of 0 or more, got -1", id="gain"),
        pytest.param({"target_length": 5, "kp": math.inf}, "kp: expected a number of 0 or more, got inf", id="endless"),
    ],
)
def test_says_what_is_wrong_with_its_options(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PDQueue(**options)


def test_swings_where_demand_is_constant() -> None:
    """Why there is another policy."""
    line = Line(PDQueue(target_length=50), lambda _: 40.0, count=10, noise=Random(1)).run(300)
    moves = [after - before for before, after in pairwise(line.desired(150)) if after != before]
    assert sum(one * other < 0 for one, other in pairwise(moves)) > 10


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20), st.integers(0, 1000))
def test_any_history_gives_finite_wishes(lengths: list[float], running: int) -> None:
    for wish in driven(PDQueue(target_length=50, ki=0.01), lengths, Counts(running)):
        assert math.isfinite(wish.count)
        assert wish.count >= 0
