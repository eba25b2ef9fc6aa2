"""Does the estimator find the rates of queues that we know?"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from beaufort.policies.rates import ALARM, UNKNOWN, VAST, Interval, Rates


def watched(
    rates: Rates,
    counts: list[int],
    arrivals: Callable[[int], float],
    rate: float,
    *,
    every: float = 0.5,
    length: float = 1000.0,
    seed: int | None = None,
) -> Rates:
    """What is believed after one interval for each count. With a seed, both flows are those of Poisson streams."""
    rng = Random(seed)
    for look, count in enumerate(counts):
        flows = [arrivals(look) * every, rate * count * every]
        if seed is not None:
            flows = [max(0.0, rng.gauss(flow, math.sqrt(flow))) for flow in flows]
        after = max(0.0, length + flows[0] - flows[1])
        rates = rates.learn(Interval(every, math.floor(length), math.floor(after), count))
        length = after
    return rates


@pytest.mark.parametrize("arrivals", [5.0, 40.0, 3000.0])
@pytest.mark.parametrize("jobs_each", [0.1, 2.0, 50.0])
def test_finds_arrivals_and_rate_of_a_fluid_when_the_count_changes(arrivals: float, jobs_each: float) -> None:
    need = max(2, round(arrivals / jobs_each))
    counts = [need // 2] * 20 + [need * 2] * 20 + [need] * 20
    found = watched(UNKNOWN, counts, lambda _: arrivals, jobs_each, length=1e6)
    assert found.rate == pytest.approx(jobs_each, rel=0.1, abs=0.1)
    served = found.rate * found.serving
    assert found.drift + served == pytest.approx(arrivals, rel=0.1, abs=0.1 * served)


@pytest.mark.parametrize("seed", range(5))
def test_finds_them_in_noise(seed: int) -> None:
    found = watched(UNKNOWN, [10] * 40 + [30] * 40 + [20] * 40, lambda _: 40.0, 2.0, length=5000.0, seed=seed)
    assert found.rate == pytest.approx(2.0, rel=0.5)
    assert found.drift == pytest.approx(0.0, abs=8.0)
    assert found.noise == pytest.approx(80.0, rel=0.6)


def test_knows_that_it_does_not_know_the_rate_while_the_count_stands_still() -> None:
    found = watched(UNKNOWN, [10] * 100, lambda _: 25.0, 2.0, seed=1)
    assert found.drift == pytest.approx(5.0, abs=3.0)
    assert not found.rate_known


def test_small_changes_of_the_count_that_follow_the_noise_teach_no_rate() -> None:
    learnt = watched(UNKNOWN, [10] * 40 + [30] * 40 + [20] * 40, lambda _: 40.0, 2.0, length=5000.0, seed=0)
    follows = learnt
    rng, length = Random(3), 5000.0
    for _ in range(3000):
        count = 20 + (1 if follows.drift > 0 else -1)
        after = length + rng.gauss(20 - count, math.sqrt(40))
        follows = follows.learn(Interval(0.5, length, after, count))
        length = max(after, 100.0)
    assert follows.rate == pytest.approx(learnt.rate, rel=0.35)


@pytest.mark.parametrize(
    ("after", "within"),
    [pytest.param(80.0, 6, id="twice as many"), pytest.param(10.0, 8, id="a quarter")],
)
def test_a_sudden_change_of_arrivals_is_believed_after_a_few_intervals(after: float, within: int) -> None:
    known = watched(UNKNOWN.rated(2.0), [20] * 60, lambda _: 40.0, 2.0, length=1e5, seed=2)
    found = watched(known, [20] * within, lambda _: after, 2.0, length=1e5, seed=4)
    assert found.drift + 2 * 20 == pytest.approx(after, abs=14.0)


def test_a_batch_is_not_a_new_rate() -> None:
    known = watched(UNKNOWN.rated(2.0), [20] * 60, lambda _: 40.0, 2.0, length=1e5, seed=2)
    found = watched(known, [20] * 10, lambda look: 2000.0 if look == 0 else 40.0, 2.0, length=1e5, seed=4)
    assert found.drift == pytest.approx(0.0, abs=12.0)


@pytest.mark.parametrize("jobs_each", [0.2, 2.0])
def test_an_empty_queue_lowers_the_belief_and_never_raises_it(jobs_each: float) -> None:
    count = round(40 / jobs_each)
    rates = watched(UNKNOWN.rated(jobs_each), [count] * 60, lambda _: 40.0, jobs_each, length=1e5, seed=2)
    drifts = [rates.drift]
    for _ in range(40):
        rates = rates.learn(Interval(0.5, 0, 0, count))
        drifts.append(rates.drift)
    assert all(after <= max(before, 0.0) for before, after in pairwise(drifts))
    assert drifts[-1] < min(drifts[0], 0.0)


def test_a_length_that_falls_faster_than_what_is_served_shows_that_they_serve_more() -> None:
    slow = Rates(drift=0.0, rate=0.5, var_drift=0.1, var_rate=0.01, serving=10, noise=1.0)
    length = 1000.0
    for _ in range(3):
        slow = slow.learn(Interval(0.5, length, length - 20, 10))
        length -= 20
    assert slow.rate * 10 >= 40


def test_jobs_that_the_started_take_are_not_taken_for_jobs_done() -> None:
    rates = watched(UNKNOWN.rated(0.1), [10] * 30, lambda _: 1.0, 0.1, length=1000.0)
    told = rates.learn(Interval(0.5, 1000, 980, 10, started=20))
    assert told.drift == pytest.approx(rates.drift, abs=1.0)
    idle = rates.learn(Interval(0.5, 1000, 1000, 10, started=500))
    assert idle.drift == pytest.approx(rates.drift, abs=1.0)


def test_told_rates_are_taken_over() -> None:
    rates = UNKNOWN.rated(2.0)
    assert rates.told(30.0, Interval(0.5, 0, 0, 20)).drift == pytest.approx(-10.0)
    assert rates.told(0.0, Interval(0.5, 0, 0, 20)) == rates
    assert UNKNOWN.told(30.0, Interval(0.5, 10, 10, 20)) is UNKNOWN


def test_told_arrivals_show_the_rate_of_one_container_while_jobs_wait() -> None:
    rates = watched(UNKNOWN, [10] * 20, lambda _: 30.0, 2.0, length=100.0)
    waiting, empty = Interval(0.5, 200, 205, 10), Interval(0.5, 0, 0, 10)
    assert rates.told(30.0, empty) is rates
    assert rates.told(0.0, waiting) is rates
    told = rates.told(30.0, waiting)
    assert told.rate == pytest.approx(2.0, rel=0.05)
    for _ in range(20):
        told = told.learn(waiting).told(30.0, waiting)
    assert told.rate == pytest.approx(2.0, rel=0.05)
    assert told.var_rate < VAST
    assert told.told(10.0, empty).rate == told.rate
    assert told.told(10.0, empty).drift < told.drift


def test_nothing_is_begun_while_nothing_waits() -> None:
    assert UNKNOWN.learn(Interval(0.5, 0, 7, 3)) is UNKNOWN
    assert UNKNOWN.learn(Interval(0.5, 7, 0, 3)) is UNKNOWN


@pytest.mark.parametrize("sign", [1, -1])
def test_deviations_add_up_to_an_alarm_and_are_then_forgotten(sign: int) -> None:
    rates = Rates(drift=0.0, rate=1.0, var_drift=0.01, var_rate=0.0, serving=10, noise=10.0)
    length, sums = 1000.0, []
    for _ in range(30):
        rates = rates.learn(Interval(1.0, length, length + sign * 6, 10))
        length += sign * 6
        sums.append(abs(rates.surprise))
    assert max(sums) <= ALARM
    assert rates.drift == pytest.approx(sign * 6, abs=2.0)


def test_without_containers_what_comes_in_is_what_the_length_gains() -> None:
    rates = UNKNOWN.learn(Interval(1.0, 10, 14, 0)).learn(Interval(1.0, 14, 18, 0))
    assert rates.drift == pytest.approx(4.0)
    assert rates.told(4.0, Interval(1.0, 14, 18, 0)) is rates
    falls = Rates(drift=4.0, rate=1.0, var_drift=0.1, var_rate=0.1, serving=0, noise=1.0)
    assert falls.learn(Interval(1.0, 900, 100, 0)).learn(Interval(1.0, 900, 100, 0)).rate == 1.0
