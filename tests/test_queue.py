"""The queue policy in closed loops: scripts of demand to counts, and what must hold for any."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from beaufort.model import Counts, Sample, Service
from beaufort.policies.queue import Memory, Queue
from beaufort.policies.rates import UNKNOWN, Rates
from beaufort.policies.tally import Tally
from beaufort.protocols import Policy, View
from line import Line

SERVICE = Service("q", 1)


def flat(level: float) -> Callable[[float], float]:
    return lambda _: level


def jump(before: float, after: float, at: float = 60.0) -> Callable[[float], float]:
    return lambda now: before if now < at else after


def look(policy: Policy, length: float, counts: Counts, now: float = 0.0, memory: object = None) -> float:
    sample = Sample(now, length)
    return policy.desired(View(now, SERVICE, counts, (sample,), sample, None, memory)).count


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({}, "target_length: expected either a length or a target_wait, got neither", id="no target"),
        pytest.param({"target_length": 5, "target_wait": 1}, "target_length: .* got both", id="two targets"),
        pytest.param({"target_length": 0}, "target_length: expected a number above 0, got 0", id="no length"),
        pytest.param({"target_wait": -1}, "target_wait: expected a number above 0, got -1", id="negative wait"),
        pytest.param({"target_length": 5, "drain_time": 0}, "drain_time: expected a number above 0", id="no time"),
        pytest.param({"target_length": 5, "rate": math.inf}, "rate: expected a number above 0", id="endless rate"),
    ],
)
def test_says_what_is_wrong_with_its_options(options: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Queue(**options)


@pytest.mark.parametrize("start_delay", [0.2, 5.0])
@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    ("arrivals", "count", "target", "needed"),
    [
        pytest.param(flat(40), 1, 50, 20, id="from one container"),
        pytest.param(jump(10, 40), 6, 50, 20, id="step up"),
        pytest.param(jump(40, 10), 21, 50, 5, id="step down"),
        pytest.param(flat(40), 60, 50, 20, id="far too many"),
        pytest.param(lambda now: 10 + 30 * min(now / 120, 1), 6, 50, 20, id="ramp"),
        pytest.param(flat(10), 30, 5, 5, id="small target"),
        pytest.param(flat(10), 30, 2, 5, id="smaller target"),
        pytest.param(flat(10), 30, 1, 5, id="smallest target"),
        pytest.param(flat(10), 30, 1000, 5, id="large target"),
    ],
)
def test_comes_to_what_is_needed(  # noqa: PLR0917 - the table has as many columns
    arrivals: Callable[[float], float], count: int, target: float, needed: int, start_delay: float, seed: int | None
) -> None:
    noise = None if seed is None else Random(seed)
    line = Line(Queue(target_length=target), arrivals, count=count, delay=start_delay, noise=noise).run(400)
    late = line.desired(300)
    # In noise a small target takes more, so that little waits when much comes.
    spare = max(3, 0.2 * needed) if noise is None else (2 if target < 10 else 0.5) * needed + 1
    assert needed - 2 <= sum(late) / len(late) <= needed + spare
    if target >= 50:
        above = [length > target for length in line.lengths(300)]
        assert sum(above) <= 0.25 * len(above)


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_constant_demand_ends_in_ever_fewer_actions(seed: int | None) -> None:
    noise = None if seed is None else Random(seed)
    line = Line(Queue(target_length=50), flat(40), count=10, noise=noise).run(2400)
    assert line.moves(1200) <= line.moves(0) / 2
    assert line.moves(1200) <= 12


def test_a_steady_queue_above_its_target_is_worked_off() -> None:
    line = Line(Queue(target_length=50), flat(20), count=10, length=60).run(60)
    assert max(line.lengths(30)) <= 51


def test_a_batch_is_drained_and_leaves_no_trace() -> None:
    line = Line(Queue(target_length=50), lambda now: 1e5 if 60 <= now < 60.01 else 20, count=11).run(240)
    drained = next(at for at, length, _ in line.seen if at > 61 and length <= 50)
    assert drained < 60 + 25
    assert max(line.desired(60)) < 700
    assert all(8 <= count <= 13 for count in line.desired(150))


def test_takes_no_action_after_a_restart_in_a_steady_state() -> None:
    line = Line(Queue(target_length=50), flat(16), count=8, length=20).run(60)
    assert set(line.desired(0)) == {8}


def test_what_the_pool_cannot_give_teaches_nothing_wrong() -> None:
    line = Line(Queue(target_length=50), flat(40), count=1, room=10).run(60)
    assert line.memory.rates.rate == pytest.approx(2.0, rel=0.3)  # type: ignore[attr-defined]
    line.room = 1000
    line.run(160)
    assert all(19 <= count <= 23 for count in line.desired(130))


@pytest.mark.parametrize(
    ("wish", "asks"),
    [
        pytest.param(None, 20, id="no wish yet"),
        pytest.param(20, 20, id="all there"),
        pytest.param(22, 22, id="two have ended: again"),
        pytest.param(60, 25, id="no room for forty: not for ever"),
    ],
)
def test_what_has_ended_is_wanted_again(wish: int | None, asks: int) -> None:
    sample = Sample(0.0, 10.0)
    assert Queue(target_length=50).desired(View(0.0, SERVICE, Counts(20), (sample,), sample, wish)).count == asks


def test_containers_that_start_are_not_asked_for_again() -> None:
    line = Line(Queue(target_length=50, rate=2), jump(10, 40, 20), count=6, delay=5).run(60)
    first = next(count for count in line.desired(20) if count > 10)
    assert max(line.desired(20)) <= 2 * first


def test_known_rates_are_used_from_the_first() -> None:
    line = Line(Queue(target_length=50, rate=2), flat(40), count=1).run(10)
    assert max(line.desired(0)) <= 25
    assert line.desired(5)[0] >= 18


def test_arrivals_that_the_source_knows_need_no_queue() -> None:
    line = Line(Queue(target_length=50, rate=2), jump(40, 10), count=1, told=True).run(200)
    assert line.desired(100)[-1] in (5, 6)
    assert max(line.lengths(70)) == 0


def test_rates_that_the_source_knows_are_used() -> None:
    policy = Queue(target_length=50)
    memory: object = None
    for step in range(10):
        sample = Sample(step * 0.5, 0.0, arrivals=40.0, rate=2.0)
        view = View(step * 0.5, SERVICE, Counts(40), (sample,), sample, None, memory)
        wish = policy.desired(view)
        memory = wish.memory
    assert wish.count == pytest.approx(22, abs=3)
    assert wish.reason == "0 jobs, 40/s in, 2/s each, drain 5 s"


def test_jobs_that_become_slower_are_noticed() -> None:
    line = Line(Queue(target_length=50), flat(40), rate=lambda now: 2.0 if now < 100 else 1.0, count=10).run(300)
    assert all(19 <= count <= 23 for count in line.desired(80, 100))
    assert all(39 <= count <= 46 for count in line.desired(250))


@pytest.mark.parametrize("wait", [0.5, 2.0, 10.0])
def test_keeps_the_waiting_time(wait: float) -> None:
    line = Line(Queue(target_wait=wait), flat(40), count=1).run(300)
    assert 19 <= line.desired(0)[-1] <= 22
    # Little's law: those who wait so long are so many.
    assert max(line.lengths(200)) <= 40 * wait + 5


def test_long_jobs_never_get_more_containers_than_there_are_jobs() -> None:
    policy = Queue(target_length=10)
    memory = Memory(
        Rates(drift=1.0, rate=0.01, var_drift=0.01, var_rate=1e-6, serving=5, noise=1.0),
        Tally(0.0, 5, 0, 0.0, 30.0, lately=5.0),
        look_at(policy, 30.0, Counts(5)).patience,
    )
    assert look(policy, 31.0, Counts(5), 1.0, memory) <= 5 + 31 - 10 + 6


def look_at(policy: Policy, length: float, counts: Counts) -> Memory:
    sample = Sample(0.0, length)
    memory = policy.desired(View(0.0, SERVICE, counts, (sample,), sample)).memory
    assert isinstance(memory, Memory)
    return memory


@pytest.mark.parametrize("every", [0.01, 0.1, 1.0, 5.0, 60.0])
def test_works_at_any_pace(every: float) -> None:
    line = Line(Queue(target_length=50), flat(40), count=8).run(max(120.0, 60 * every), every)
    late = line.desired(line.now * 0.8)
    assert 18 <= sum(late) / len(late) <= 26
    assert max(line.desired(0)) <= 130


@pytest.mark.parametrize(
    ("length", "counts", "least", "most"),
    [
        pytest.param(3, Counts(), 1, 1, id="one wakes from zero"),
        pytest.param(0, Counts(), 0, 0, id="nothing waits for nobody"),
        pytest.param(200, Counts(4), 5, 8, id="much waits: boldly, boundedly"),
        pytest.param(60, Counts(10), 11, 12, id="a little too much"),
        pytest.param(50, Counts(10), 10, 10, id="at the target"),
        pytest.param(0, Counts(10), 10, 10, id="nothing waits at first sight"),
        pytest.param(200, Counts(4, 4), 8, 8, id="starting ones are coming"),
    ],
)
def test_the_first_look(length: float, counts: Counts, least: int, most: int) -> None:
    assert least <= math.ceil(look(Queue(target_length=50), length, counts)) <= most


def test_the_reason_says_what_is_known() -> None:
    line = Line(Queue(target_length=50), flat(40), count=1)
    line.run(1)
    assert line.reasons[-1] == "37 jobs, rates not yet known"
    line.run(40)
    assert line.reasons[-1].endswith("/s each, drain 5 s, tries fewer") or line.reasons[-1].endswith("drain 5 s")
    quiet = Line(Queue(target_length=50), flat(1), count=20).run(20)
    assert quiet.reasons[-1] == "0 jobs, rates not yet known, tries fewer"


def test_a_look_without_samples_forgets_nothing() -> None:
    policy = Queue(target_length=50)
    sample = Sample(0.0, 200.0)
    first = policy.desired(View(0.0, SERVICE, Counts(4), (sample,), sample))
    again = policy.desired(View(0.3, SERVICE, Counts(4, 4), (), sample, 8, first.memory))
    served = policy.desired(View(0.4, SERVICE, Counts(8), (), sample, 8, again.memory))
    assert again.count == 8
    assert served.memory.tally.served == pytest.approx(0.4 * 4)
    assert served.memory.tally.started == 4


def test_a_rate_that_is_given_later_replaces_what_was_learnt() -> None:
    line = Line(Queue(target_length=50), flat(40), count=1).run(30)
    line.policy = Queue(target_length=50, rate=4)
    line.run(30.5)
    assert line.memory.rates.rate == 4  # type: ignore[attr-defined]


lengths = st.floats(0, 1e7)
counts = st.builds(Counts, st.integers(0, 300), st.integers(0, 100), st.integers(0, 50))
steps = st.lists(
    st.tuples(
        st.floats(0.001, 90),
        lengths,
        counts,
        st.none() | st.floats(0, 1e5),
        st.none() | st.floats(0.001, 1e4),
        st.booleans(),
    ),
    max_size=30,
)
policies = st.one_of(
    st.builds(lambda length: Queue(target_length=length), st.floats(0.1, 1e5)),
    st.builds(lambda wait: Queue(target_wait=wait), st.floats(0.01, 1e3)),
    st.builds(lambda rate: Queue(target_length=20, rate=rate), st.floats(0.001, 1e3)),
)


def replayed(policy: Queue, script: list[tuple[float, float, Counts, float | None, float | None, bool]]) -> list[str]:
    now, memory, latest, wishes = 0.0, None, Sample(0.0, 0.0), []
    for seconds, length, held, arrivals, rate, fresh in script:
        now += seconds
        if fresh:
            latest = Sample(now - seconds / 3, length, arrivals, rate)
        wish = policy.desired(View(now, SERVICE, held, (latest,) if fresh else (), latest, None, memory))
        assert math.isfinite(wish.count)
        assert wish.count >= 0
        memory = wish.memory
        wishes.append(repr(wish))
    return wishes


@given(policies, steps)
def test_any_history_gives_finite_wishes_and_the_same_again(
    policy: Queue, script: list[tuple[float, float, Counts, float | None, float | None, bool]]
) -> None:
    assert replayed(policy, script) == replayed(policy, script)


known = st.builds(
    Rates,
    drift=st.floats(-100, 100),
    rate=st.floats(0.01, 50),
    var_drift=st.floats(0.01, 100),
    var_rate=st.floats(0, 1),
    serving=st.integers(0, 50).map(float),
    noise=st.floats(0.01, 500),
)


@given(st.just(UNKNOWN) | known, lengths, lengths, lengths, st.integers(0, 50), st.integers(0, 20))
def test_a_longer_queue_never_asks_for_fewer(  # noqa: PLR0917 - as many things vary
    rates: Rates, before: float, one: float, other: float, running: int, starting: int
) -> None:
    """All else alike: what is believed of the rates, and so what the lengths tell of them, too."""
    assume(one != other)
    policy, held = Queue(target_length=20), Counts(running, starting)
    memory = look_at(policy, before, held)
    tally = replace(memory.tally, at=100.0, sampled=100.0)
    memory = replace(memory, rates=rates, tally=tally)
    # The look comes so soon after the last sample that its length is acted on, but nothing is learnt from it.
    shorter, longer = (look(policy, length, held, 100.05, memory) for length in sorted((one, other)))
    assert shorter <= longer + 1e-9


def test_a_clock_that_goes_back_does_no_harm() -> None:
    line = Line(Queue(target_length=50), flat(40), count=20, length=20).run(30)
    line.now = 5.0
    assert set(line.run(20).desired(0)[-30:]) <= set(range(18, 25))


def size(value: object) -> int:
    slots = getattr(type(value), "__slots__", None)
    return sum(size(getattr(value, name)) for name in slots) if slots else 1


def test_memory_does_not_grow() -> None:
    line = Line(Queue(target_length=50), jump(10, 40, 100), count=6, noise=Random(1)).run(5)
    early = size(line.memory)
    assert size(line.run(300).memory) == early
