from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.demand.random import Random
from beaufort.protocols import HEARTBEAT
from source_contract import SourceContract, opened

pytestmark = pytest.mark.looptime


class RandomStage:
    source = Random(every=10)

    async def change(self) -> None:
        """It changes by itself."""

    async def repeat(self) -> None:
        """It repeats by itself."""


class TestRandomContract(SourceContract):
    @pytest.fixture
    def stage(self) -> RandomStage:
        return RandomStage()


async def values(source: Random, count: int) -> list[float]:
    async with opened(source) as samples:
        return [(await anext(samples)).value for _ in range(count)]


async def test_the_same_seed_is_the_same_demand() -> None:
    assert await values(Random(seed=7), 50) == await values(Random(seed=7), 50)
    assert await values(Random(seed=7), 50) != await values(Random(seed=8), 50)


async def test_the_walk_is_the_same_in_every_release() -> None:
    """What was shown once can be shown again: these figures may change only on purpose."""
    assert [round(value, 3) for value in await values(Random(seed=1), 5)] == [1.344, 1.871, 1.862, 2.165, 1.353]


async def test_it_moves_once_in_every_period(looptime: float) -> None:
    await values(Random(every=0.5), 11)
    assert looptime == 5.0


async def test_it_is_a_walk_with_jumps() -> None:
    moves = [abs(b - a) for a, b in itertools.pairwise(await values(Random(every=0.01, step=0.5), 1000))]
    jumps = sum(move > 0.5 for move in moves)
    assert 40 < jumps < 120
    assert all(move > 0 for move in moves)


@given(
    seed=st.integers(),
    low=st.floats(0, 1e6),
    span=st.floats(1e-3, 1e6),
    share=st.floats(0.001, 1),
)
def test_it_stays_within_its_bounds(seed: int, low: float, span: float, share: float) -> None:
    high = low + span
    walk = Random(seed=seed, low=low, high=high, step=(high - low) * share)._walk()
    assert all(low <= value <= high for value in itertools.islice(walk, 200))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({"low": -1}, "low: expected a demand of 0 or more, got -1", id="below zero"),
        pytest.param({"low": 5, "high": 5}, r"high: expected a demand above low \(5\), got 5", id="no span"),
        pytest.param(
            {"high": float("nan")}, r"high: expected a demand above low \(0\), got nan", id="high is no number"
        ),
        pytest.param({"every": 0}, "every: expected seconds above 0, got 0", id="no period"),
        pytest.param({"step": 0}, r"step: expected more than 0 and at most the span \(10\), got 0", id="no move"),
        pytest.param({"step": 11}, r"step: expected more than 0 and at most the span \(10\), got 11", id="too far"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, float], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Random(**options)  # type: ignore[arg-type]  # any of them is a number


async def test_a_slow_walk_is_not_taken_for_a_dead_one(looptime: float) -> None:
    await values(Random(every=1000), 5)
    assert looptime <= 4 * HEARTBEAT
