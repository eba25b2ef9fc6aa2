"""The figures of a run, from scripts of steps whose answers are known, and from a controller in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort import clock
from beaufort.config import load
from beaufort.controller import Controller
from beaufort.demo import Diary
from beaufort.journal import Given
from beaufort.meter import PAST, Meter, Moment, Reaction
from beaufort.model import Cluster, Counts, Decision, Desired, Sample, Service

WEB = Service("web", priority=1, min=1)
REST = Service("rest", priority=2, min=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step saw of ``web``, and of ``rest``, which takes the remainder. ``running`` None: it was blind."""

    at: float
    demand: float | None = None
    sampled: float | None = None
    desired: int = 1
    running: int | None = 1
    stopping: int = 0
    rest: int = 1

    def tell(self, meter: Meter) -> None:
        sampled = self.at if self.sampled is None else self.sampled
        samples = {} if self.demand is None else {"web": [Sample(sampled, self.demand)]}
        web = Desired("web", self.desired, "")
        rest = Desired("rest", 99, "", remainder=True)
        meter.take(
            Given(self.at, self._cluster(), samples, (), {}, resync=False),
            Decision(self.at, {"web": web, "rest": rest}, {}, (), {}),
        )

    def _cluster(self) -> Cluster | None:
        if self.running is None:
            return None
        web = Counts(running=self.running, stopping=self.stopping)
        return Cluster(self.at, {"web": web, "rest": Counts(running=self.rest)})


def told(steps: Sequence[Step], capacity: int = 10) -> Meter:
    meter = Meter([WEB, REST], capacity)
    for step in steps:
        step.tell(meter)
    return meter


START = Step(at=0, demand=2, desired=2, running=2)


@pytest.mark.parametrize(
    ("steps", "reactions"),
    [
        pytest.param(
            [
                Step(at=10, sampled=9.9, demand=5, desired=5, running=2),
                Step(at=10.5, desired=5, running=4),
                Step(at=11, desired=5, running=5),
            ],
            [1.1],
            id="from the sample to the step that sees all of them running",
        ),
        pytest.param(
            [
                Step(at=10, demand=4, desired=4, running=2),
                Step(at=11, demand=6, desired=6, running=2),
                Step(at=12, desired=6, running=4),
                Step(at=14, desired=6, running=6),
            ],
            [2, 3],
            id="each rise has its own",
        ),
        pytest.param(
            [
                Step(at=10, demand=4, desired=4, running=2),
                Step(at=11, demand=6, desired=6, running=2),
                Step(at=12, desired=6, running=7),
            ],
            [2, 1],
            id="two are reached at once",
        ),
        pytest.param(
            [
                Step(at=10, demand=4, desired=4, running=2),
                Step(at=11, demand=4.5, sampled=11, desired=4, running=2),
                Step(at=12, desired=4, running=4),
            ],
            [2],
            id="a later sample that asks for no more changes nothing",
        ),
        pytest.param(
            [
                Step(at=10, demand=5, desired=5, running=2),
                Step(at=11, demand=2, desired=2, running=2),
                Step(at=12, demand=2, desired=2, running=5),
            ],
            [],
            id="a rise that is taken back has none",
        ),
        pytest.param(
            [
                Step(at=10, demand=3, desired=3, running=2),
                Step(at=11, demand=5, desired=5, running=2),
                Step(at=12, demand=4, desired=4, running=2),
                Step(at=13, desired=4, running=4),
            ],
            [3],
            id="what is not taken back stays asked for",
        ),
        pytest.param(
            [Step(at=10, demand=5, desired=5, running=5)], [], id="a rise to what still runs asks for nothing"
        ),
        pytest.param(
            [Step(at=10, desired=5, running=2), Step(at=11, desired=5, running=5)],
            [],
            id="a rise that no sample asked for is no reaction",
        ),
        pytest.param(
            [Step(at=10, desired=2, running=1), Step(at=11, desired=2, running=2)],
            [],
            id="a container that failed and came back is no reaction",
        ),
        pytest.param(
            [
                Step(at=10, demand=3, desired=3, running=2),
                Step(at=11, desired=3, running=None),
                Step(at=12, desired=3, running=3),
            ],
            [2],
            id="what was reached unseen counts from when it is seen",
        ),
    ],
)
def test_a_reaction_is_from_the_change_of_demand_to_running(steps: list[Step], reactions: list[float]) -> None:
    meter = told([START, *steps])
    assert [*meter._reactions] == pytest.approx(reactions)


def test_the_first_demand_is_no_change_of_demand() -> None:
    meter = told([Step(at=0, running=0), Step(at=1, demand=3, desired=3, running=0), Step(at=2, desired=3, running=3)])
    assert meter.figures(3).reaction == Reaction(None, None, None)


@pytest.mark.parametrize(
    ("delays", "reaction"),
    [
        pytest.param([0.5], Reaction(0.5, 0.5, 0.5), id="of one"),
        pytest.param([0.25, 0.5], Reaction(0.5, 0.25, 0.5), id="of two the median is the lower"),
        pytest.param([0.5, 0.25], Reaction(0.25, 0.25, 0.5), id="the latest is not the greatest"),
        pytest.param([n / 128 for n in range(1, 101)], Reaction(100 / 128, 50 / 128, 99 / 128), id="of a hundred"),
    ],
)
def test_percentiles_are_nearest_rank(delays: list[float], reaction: Reaction) -> None:
    steps = [START]
    for number, delay in enumerate(delays, 1):
        at = 10.0 * number
        steps += [
            Step(at=at, demand=5, desired=5, running=2),
            Step(at=at + delay, desired=5, running=5),
            Step(at=at + 5, demand=2, desired=2, running=2),
        ]
    assert told(steps).figures(1e4).reaction == reaction


def test_means_are_weighted_by_time() -> None:
    meter = told(
        [
            Step(at=100, running=None),
            Step(at=101, running=0, rest=1),
            Step(at=102, demand=4, desired=4, running=0, rest=5),
            Step(at=105, desired=4, running=4, stopping=1, rest=5),
            Step(at=106, demand=2, desired=2, running=None),
            Step(at=108, desired=2, running=2, rest=0),
        ],
        capacity=10,
    )
    figures = meter.figures(110)
    web, rest = figures.services["web"], figures.services["rest"]
    assert (figures.duration, figures.decisions, figures.capacity) == (10, 6, 10)
    # Known for 1 + 3 + 1 + 2 seconds: it was blind for the others.
    assert web.running_mean == pytest.approx((0 * 1 + 0 * 3 + 4 * 1 + 2 * 2) / 7)
    assert rest.running_mean == pytest.approx((1 * 1 + 5 * 3 + 5 * 1 + 0 * 2) / 7)
    assert figures.utilisation == pytest.approx((1 * 1 + 5 * 3 + 10 * 1 + 2 * 2) / 7 / 10)
    # There was no demand before 102; it is known while the scheduler is not.
    assert web.demand_mean == pytest.approx((4 * 4 + 2 * 4) / 8)
    assert rest.demand_mean is None
    # web lacks its minimum from 101, what it desires from 102 to 105; rest has no desire but its minimum, from 108.
    assert web.starved == pytest.approx(1 + 3)
    assert rest.starved == pytest.approx(2)
    assert (web.priority, rest.priority) == (1, 2)


LEVELS = st.lists(st.tuples(st.floats(0.001, 100), st.none() | st.integers(0, 50)), min_size=1, max_size=20)


@given(LEVELS)
def test_no_time_is_counted_twice_or_lost(levels: list[tuple[float, int | None]]) -> None:
    now, steps = 0.0, []
    for seconds, running in levels:
        steps.append(Step(at=now, running=running, desired=25))
        now += seconds
    share = told(steps).figures(now).services["web"]
    known = [(seconds, running) for seconds, running in levels if running is not None]
    total = sum(seconds for seconds, _ in known)
    mean = sum(seconds * running for seconds, running in known) / total if known else 0.0
    assert share.running_mean == pytest.approx(mean)
    assert share.starved == pytest.approx(sum(seconds for seconds, running in known if running < 25))


@given(LEVELS)
def test_figures_can_be_asked_for_at_any_time(levels: list[tuple[float, int | None]]) -> None:
    """Looking must not change what is measured."""
    looked, not_looked = Meter([WEB, REST], 10), Meter([WEB, REST], 10)
    now = 0.0
    for seconds, running in levels:
        for meter in (looked, not_looked):
            Step(at=now, running=running).tell(meter)
        now += seconds
        looked.figures(now)
    assert looked.figures(now) == not_looked.figures(now)


def test_before_the_first_step_there_is_nothing() -> None:
    figures = Meter([WEB, REST], 10).figures(5)
    assert (figures.duration, figures.decisions, figures.utilisation) == (0, 0, 0)
    assert figures.services["web"].demand_mean is None


def test_the_past_is_the_changes_of_the_last_minute() -> None:
    steps = [Step(at=at, demand=at // 10, running=1 if at < 100 else 2) for at in range(201)]
    meter = told(steps)
    past = meter.past("web")
    assert past[0] == Moment(140, 14, 2)
    assert past[-1] == Moment(200, 20, 2)
    assert [moment.at for moment in past] == list(range(140, 201, 10))
    assert past[-1].at - past[0].at <= PAST
    assert [*meter.past("rest")] == [Moment(0, None, 1)]
    assert meter.demand("web") == 20
    assert meter.demand("rest") is None


# A controller and a model cluster, in virtual time.


SLOW: dict[str, Any] = {
    "scheduler": {"type": "simulated", "start_delay": "2s", "stop_delay": "1s"},
    "capacity": {"containers": 10},
    "services": {
        "web": {"priority": 1, "min": 1, "policy": {"type": "per-container", "target": 1}},
        "rest": {"priority": 2, "min": 1, "policy": {"type": "remainder"}},
    },
}


@pytest.mark.looptime
async def test_a_slow_cluster_is_measured_right(looptime: float) -> None:
    config = load(SLOW)
    meter = Meter(config.services, 10)
    controller = Controller(config, journal=Diary(meter.take))
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(controller.run())
        controller.push("web", 1)
        await asyncio.sleep(10)
        controller.push("web", 4)
        await asyncio.sleep(10)
        figures = meter.figures(clock.now())
        controller.stop()
        await running
    web, rest = figures.services["web"], figures.services["rest"]
    assert looptime == 20
    assert figures.duration == pytest.approx(20, abs=1e-3)
    # The preempted take a second to stop, in which those in their place are made: that leaves 1.2 seconds of two.
    assert figures.reaction.latest == pytest.approx(2.2, abs=1e-3)
    assert web.starved == pytest.approx(2 + 2.2, abs=1e-3)
    assert rest.starved == pytest.approx(2, abs=1e-3)
    assert web.demand_mean == pytest.approx(2.5, abs=1e-3)
    assert web.running_mean == pytest.approx((2 * 0 + 10.2 * 1 + 7.8 * 4) / 20, abs=1e-3)
    assert rest.running_mean == pytest.approx((2 * 0 + 8 * 9 + 10 * 6) / 20, abs=1e-3)
    assert figures.utilisation == pytest.approx(1, abs=1e-3)
