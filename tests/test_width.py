"""A model engine in virtual time: how much at once is found by trying, and what the search costs."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from statistics import fmean, median

import pytest

from beaufort.schedulers.engine.width import Width

Speed = Callable[[int], float]
"""How many an engine does in a second, with so many under way."""

SEEDS = range(5)


def flat(knee: int) -> Speed:
    return lambda under_way: 30 * min(under_way, knee) / knee


def falling(knee: int, each: float) -> Speed:
    """With each one beyond the knee it gets slower by this part."""
    return lambda under_way: flat(knee)(under_way) * max(0.3, 1 - each * max(0, under_way - knee))


def here(under_way: int) -> float:
    """As a Docker engine was measured on two cores."""
    return {1: 15.2, 2: 25.5, 3: 27.5}.get(under_way, 29.0 if under_way < 20 else 27.0)


class Model:
    """Divides itself among what it is asked for, each of it work of one or, by chance, more or less than one."""

    def __init__(self, speed: Speed, spread: float, seed: int = 1) -> None:
        self._speed = speed
        self._spread = spread
        self._random = Random(seed)
        self._now = 0.0

    def seconds(self, width: Width, many: int) -> float:
        """Until so many are done, with as many under way as the width says."""
        begin, waiting, under_way = self._now, many, list[float]()
        while waiting or under_way:
            while waiting and len(under_way) < width.value:
                under_way.append(self._work())
                waiting -= 1
            part = min(under_way)
            self._now += part * len(under_way) / self._speed(len(under_way))
            under_way.remove(part)
            under_way = [left - part for left in under_way]
            if waiting:
                width.went_well(self._now)
            else:
                width.slack()
        return self._now - begin

    def _work(self) -> float:
        return self._random.gammavariate(1 / self._spread**2, self._spread**2)


class Fixed(Width):
    def went_well(self, now: float) -> None: ...


def ratio(speed: Speed, spread: float, first: int, best: int, many: int) -> float:
    """How much longer it takes than with the best width, known beforehand."""
    return fmean(
        Model(speed, spread, seed).seconds(Width(first), many) / Model(speed, spread, seed).seconds(Fixed(best), many)
        for seed in SEEDS
    )


NOISE = pytest.mark.parametrize("spread", [0.1, 0.3], ids=["little noise", "much noise"])


@NOISE
@pytest.mark.parametrize(
    ("speed", "best"),
    [
        pytest.param(flat(4), 4, id="flat"),
        pytest.param(flat(16), 16, id="flat far out"),
        pytest.param(here, 4, id="as measured"),
        pytest.param(falling(4, 0.03), 4, id="falling"),
        pytest.param(falling(8, 0.02), 8, id="falling farther out"),
    ],
)
def test_where_it_begins_well_the_search_costs_little(*, speed: Speed, best: int, spread: float) -> None:
    assert ratio(speed, spread, best, best, 200) < 1.08
    assert ratio(speed, spread, best, best, 3000) < 1.03


@NOISE
@pytest.mark.parametrize(
    ("speed", "first", "best"),
    [
        pytest.param(flat(8), 4, 8, id="flat, begun too narrow"),
        pytest.param(flat(16), 4, 16, id="flat, begun far too narrow"),
        pytest.param(flat(4), 8, 4, id="flat, begun too wide"),
        pytest.param(falling(4, 0.03), 8, 4, id="falling, begun too wide"),
        pytest.param(falling(2, 0.05), 4, 2, id="falling early, begun too wide"),
        pytest.param(falling(8, 0.02), 4, 8, id="falling, begun too narrow"),
    ],
)
def test_where_it_begins_badly_it_comes_close_to_the_best(
    *, speed: Speed, first: int, best: int, spread: float
) -> None:
    ratios = []
    for seed in SEEDS:
        model, width = Model(speed, spread, seed), Width(first)
        model.seconds(width, 2000)
        ratios.append(model.seconds(width, 2000) / model.seconds(Fixed(best), 2000))
    assert fmean(ratios) < 1.07


@NOISE
@pytest.mark.parametrize("first", [4, 8])
def test_what_gains_nothing_is_not_kept(*, first: int, spread: float) -> None:
    """With more at once than the engine can use, the first of them would only be later."""
    kept = []
    for seed in range(15):
        width = Width(first)
        Model(here, spread, seed).seconds(width, 3000)
        kept.append(width.value)
    assert median(kept) <= first


def test_a_search_ends_at_the_bounds() -> None:
    wide, narrow = Width(48), Width(2)
    Model(lambda under_way: 1.0 * under_way, 0.1).seconds(wide, 1000)
    Model(lambda under_way: 1.0 / under_way, 0.1).seconds(narrow, 1000)
    assert (wide.value, narrow.value) == (64, 1)


def test_nothing_is_learned_while_nobody_waits() -> None:
    width = Width(4)
    for second in range(1000):
        width.went_well(second)
        width.slack()
    assert width.value == 4


def test_what_was_learned_is_of_one_engine() -> None:
    width = Width(4)
    Model(flat(16), 0.1).seconds(width, 1000)
    learned = width.value
    assert learned > 8
    width.begin(4)
    assert width.value == learned
    width.begin(6)
    assert width.value == 6
