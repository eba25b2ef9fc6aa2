from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.demand.push import KEPT, Push
from beaufort.model import Sample
from source_contract import SourceContract, opened

pytestmark = pytest.mark.looptime


class PushStage:
    def __init__(self) -> None:
        self.source = Push()
        self._clock = itertools.count(1)
        self._value = 0
        self._push()

    def _push(self) -> None:
        self.source.push(self._value, at=next(self._clock))

    async def change(self) -> None:
        self._value += 1
        self._push()

    async def repeat(self) -> None:
        self._push()


class TestPushContract(SourceContract):
    @pytest.fixture
    def stage(self) -> PushStage:
        return PushStage()


async def test_what_is_pushed_is_yielded_whole_and_in_order() -> None:
    source = Push()
    assert source.push(3, at=1, arrivals=2, rate=0.5)
    assert source.push(4, at=2)
    async with opened(source) as samples:
        assert [await anext(samples), await anext(samples)] == [Sample(1, 3, arrivals=2, rate=0.5), Sample(2, 4)]


@pytest.mark.parametrize("late", [pytest.param(2, id="the same time"), pytest.param(1.5, id="an earlier time")])
async def test_a_sample_not_newer_than_the_newest_is_dropped(late: float) -> None:
    source = Push()
    source.push(3, at=2)
    assert not source.push(9, at=late)
    source.push(4, at=3)
    async with opened(source) as samples:
        assert [(await anext(samples)).value for _ in range(2)] == [3, 4]


async def test_a_push_needs_no_time_to_arrive(looptime: float) -> None:
    source = Push()
    source.push(3, at=1)
    async with opened(source) as samples:
        await anext(samples)
        source.push(4, at=2)
        await anext(samples)
    assert looptime == 0


async def test_silence_is_silence(looptime: float) -> None:
    """A pusher that has died must not look alive."""
    source = Push()
    source.push(3, at=1)
    async with opened(source) as samples:
        await anext(samples)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await anext(samples)
    assert looptime == 30


async def test_opened_again_it_begins_with_the_newest() -> None:
    source = Push()
    for at in (1, 2):
        source.push(at * 10, at=at)
    async with opened(source) as samples:
        await anext(samples)
        await anext(samples)
    async with opened(source) as samples:
        assert await anext(samples) == Sample(2, 20)


@pytest.mark.parametrize(
    ("value", "at", "fault"),
    [
        pytest.param(-1, 2, "value: expected a demand of 0 or more, got -1", id="a negative demand"),
        pytest.param(float("nan"), 2, "value: expected a finite number, got nan", id="not a number"),
        pytest.param(1, float("inf"), "at: expected a finite number, got inf", id="no time"),
    ],
)
async def test_a_wrong_number_is_refused_and_changes_nothing(value: float, at: float, fault: str) -> None:
    source = Push()
    source.push(3, at=1)
    with pytest.raises(ValueError, match=fault):
        source.push(value, at=at)
    async with opened(source) as samples:
        assert await anext(samples) == Sample(1, 3)


@given(times=st.lists(st.integers(0, 100), max_size=4 * KEPT))
def test_the_newest_are_kept_in_order_whatever_comes(times: list[int]) -> None:
    source = Push()
    taken = [at for at in times if source.push(at, at=at)]
    assert taken == [at for at, best in zip(times, itertools.accumulate([-1, *times], max), strict=False) if at > best]
    assert [sample.at for sample in source._waiting] == taken[-KEPT:]
