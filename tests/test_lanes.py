"""So many at once, and what matters most first."""

from __future__ import annotations

import asyncio
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.schedulers.engine.lanes import Lanes
from beaufort.schedulers.engine.width import Width


async def go(lanes: Lanes, rank: float, order: list[float], may_leave: asyncio.Event) -> None:
    async with lanes.lane(rank):
        order.append(rank)
        await may_leave.wait()


@given(st.lists(st.integers(1, 5), max_size=12), st.integers(1, 4))
def test_the_lowest_rank_is_next_and_no_lane_holds_two(ranks: list[int], width: int) -> None:
    async def run() -> list[float]:
        lanes, order, exits = Lanes(Width(width)), list[float](), [asyncio.Event() for _ in ranks]
        async with asyncio.TaskGroup() as tasks:
            for rank, may_leave in zip(ranks, exits, strict=True):
                tasks.create_task(go(lanes, rank, order, may_leave))
            await asyncio.sleep(0)
            for done, may_leave in enumerate(exits):
                assert len(order) <= width + done
                may_leave.set()
                for _ in range(5):
                    await asyncio.sleep(0)
        return order

    order = asyncio.run(run())
    assert sorted(order) == sorted(ranks)
    assert order[:width] == ranks[:width]


async def test_who_waits_goes_by_rank() -> None:
    lanes, order, leave = Lanes(Width(1)), list[float](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for rank in (9.0, 3.0, 1.0, 2.0, 1.0):
            tasks.create_task(go(lanes, rank, order, leave))
        await asyncio.sleep(0)
        leave.set()
    assert order == [9.0, 1.0, 1.0, 2.0, 3.0]


@pytest.mark.parametrize("given", [False, True], ids=["while it waits", "when it has just been given a lane"])
async def test_who_gives_up_leaves_its_lane_to_the_next(*, given: bool) -> None:
    lanes, order, leave, never = Lanes(Width(1)), list[float](), asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(go(lanes, 1.0, order, leave))
        await asyncio.sleep(0)
        quitter = tasks.create_task(go(lanes, 2.0, order, never))
        tasks.create_task(go(lanes, 3.0, order, leave))
        await asyncio.sleep(0)
        if given:
            leave.set()
            await asyncio.sleep(0)
        quitter.cancel()
        leave.set()
    assert order == [1.0, 3.0]


async def test_more_lanes_may_open() -> None:
    width, order, leave = Width(1), list[float](), asyncio.Event()
    lanes = Lanes(width)
    async with asyncio.TaskGroup() as tasks:
        for rank in (1.0, 2.0, 3.0):
            tasks.create_task(go(lanes, rank, order, leave))
        await asyncio.sleep(0)
        width.begin(3)
        leave.set()
    assert order == [1.0, 2.0, 3.0]


class Told(Width):
    """Notes what it is told, and stays as it is."""

    def __init__(self, first: int) -> None:
        super().__init__(first)
        self.words: list[str] = []

    def went_well(self, now: float) -> None:
        self.words.append(f"one at {now:g}")

    def slack(self) -> None:
        self.words.append("slack")


@pytest.mark.looptime(start=0)
@pytest.mark.parametrize(
    ("ranks", "words"),
    [
        pytest.param((1, 1, 1), ["one at 1", "one at 2", "slack", "slack"], id="while others wait"),
        pytest.param((1, math.inf, math.inf), ["slack", "slack", "slack"], id="not while only what has no rank waits"),
    ],
)
async def test_a_width_is_learned_from_what_others_wait_for(*, ranks: tuple[float, ...], words: list[str]) -> None:
    width = Told(1)
    lanes = Lanes(width)

    async def one(rank: float) -> None:
        async with lanes.lane(rank):
            await asyncio.sleep(1)
            lanes.went_well()

    async with asyncio.TaskGroup() as tasks:
        for rank in ranks:
            tasks.create_task(one(rank))
    assert width.words == words
