"""What users can count on, through the real controller: its tasks, time limits and re-openings, in virtual time."""

from __future__ import annotations

import asyncio
import math
import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beaufort.behaviour import Behaviour, Delay
from beaufort.model import Node, Resources, Service
from beaufort.policies.per_container import PerContainer
from beaufort.world import Link
from invariants import assert_granted, assert_minimums_first, assert_nobody_waits, assert_still
from live import Live, Mood
from plots import MEMORYLESS, Behave, Connect, Plot, behaviours, demands, faults, indices, plots, silences

pytestmark = pytest.mark.looptime

worlds = settings(
    max_examples=1000 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

SLOW = Behaviour(start=Delay(1.0), stop=Delay(2.0))


def trio(slots: int = 10, behaviour: Behaviour = SLOW) -> Live:
    """Services high, middle and low in a pool of ``slots``; each wants as many containers as its demand says."""
    services = tuple(
        Service(name, priority, settling=MEMORYLESS) for priority, name in enumerate(("high", "middle", "low"), start=1)
    )
    policies = {service.name: PerContainer(target=1.0) for service in services}
    return Live(Plot(services, policies, capacity=(Node("pool", Resources(containers=slots)),), behaviour=behaviour))


def current(live: Live) -> list[int]:
    return [live.counts(name).current for name in live.services]


async def say(live: Live, *demand: float) -> None:
    for voice, value in zip(live.voices.values(), demand, strict=True):
        voice.say(value)
    await asyncio.sleep(0.1)


# One that hangs or fails delays nobody else.


@pytest.mark.parametrize("mood", [Mood.SILENT, Mood.FAILING, Mood.BROKEN])
async def test_a_bad_source_delays_nobody(mood: Mood) -> None:
    async with trio().running() as live:
        await say(live, 2, 2, 2)
        live.voices["high"].say(mood=mood)
        await asyncio.sleep(100.0)
        assert current(live) == [2, 2, 2]
        live.voices["low"].say(5.0)
        await asyncio.sleep(0.1)
        assert current(live) == [2, 2, 5]
        live.voices["high"].say(3.0)
        await asyncio.sleep(31.0)
        assert current(live) == [3, 2, 5]


@pytest.mark.parametrize(
    "answer", [pytest.param(20.0, id="slow"), pytest.param(math.inf, id="hung, until its time is up")]
)
async def test_a_request_that_hangs_delays_nobody(answer: float) -> None:
    """Its room is kept for it meanwhile, as nobody knows whether it is being used."""
    async with trio().running() as live:
        with live.scheduler.meddle() as world:
            world.behaviours["high"] = replace(SLOW, answer=answer)
        await say(live, 4, 2, 0)
        assert current(live) == [0, 2, 0]
        live.voices["low"].say(9.0)
        await asyncio.sleep(0.1)
        assert current(live) == [0, 2, 4]
        with live.scheduler.meddle() as world:
            world.behaviours.clear()
        await asyncio.sleep(60.0)
        assert current(live) == [4, 2, 4]


async def test_a_scheduler_that_hangs_is_noticed_and_found_again() -> None:
    async with trio().running() as live:
        await say(live, 2, 2, 2)
        await live.happen(Connect(Link.HUNG))
        await say(live, 5, 2, 0)
        await asyncio.sleep(120.0)
        assert live.controller.cluster is None
        assert current(live) == [2, 2, 2]
        await live.happen(Connect(Link.UP))
        await asyncio.sleep(60.0)
        assert current(live) == [5, 2, 0]


# Outages.


@pytest.mark.parametrize("link", [Link.DOWN, Link.HUNG, Link.LOSSY])
@pytest.mark.parametrize("after", [0.0, 1.0, 2.5])
async def test_an_outage_in_the_middle_of_a_jump(link: Link, after: float) -> None:
    """While it lasts nothing is asked of what can't be read; afterwards the jump is finished."""
    async with trio().running() as live:
        await say(live, 2, 0, 8)
        await asyncio.sleep(10.0)
        assert current(live) == [2, 0, 8]
        live.voices["high"].say(9.0)
        await asyncio.sleep(after)
        await live.happen(Connect(link))
        await asyncio.sleep(20.0)
        asked = len(live.moves)
        await asyncio.sleep(100.0)
        assert link is Link.LOSSY or live.moves[asked:] == []
        await live.happen(Connect(Link.UP))
        await asyncio.sleep(60.0)
        assert current(live) == [9, 0, 1]


# Killed controllers.


async def test_a_killed_controller_loses_nothing() -> None:
    async with trio().running() as live:
        await say(live, 3, 3, 9)
        await asyncio.sleep(10.0)
        assert current(live) == [3, 3, 4]
        asked = len(live.moves)
        for silence in (0.0, 1.0, 60.0):
            await live.kill()
            await asyncio.sleep(silence)
            live.start()
            await asyncio.sleep(60.0)
        assert live.moves[asked:] == []


@pytest.mark.parametrize("after", [0.0, 0.05, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5])
async def test_a_controller_killed_in_the_middle_of_a_jump(after: float) -> None:
    """The next one finishes it, and starts and stops no more than the jump needs."""
    async with trio().running() as live:
        await say(live, 2, 0, 9)
        await asyncio.sleep(10.0)
        asked = len(live.moves)
        live.voices["high"].say(8.0)
        await asyncio.sleep(after)
        await live.kill()
        live.start()
        await asyncio.sleep(20.0)
        assert current(live) == [8, 0, 2]
        assert [count for _, name, count in live.moves[asked:] if name == "low" and count < 2] == []
        assert [count for _, name, count in live.moves[asked:] if name == "high" and count > 8] == []


# Random worlds.

answers = st.builds(
    Behave, indices, st.builds(replace, behaviours, answer=st.sampled_from([0.0, 0.3, 7.0, 40.0, math.inf]))
)


@worlds
@given(plots(demands, silences, faults, answers))
async def test_what_users_can_count_on_holds_through_the_controller(plot: Plot) -> None:
    """Capacity at every instant; at rest minimums, priorities, stillness, and what was granted."""
    async with Live(plot).running() as live:
        await live.play()
        await live.rest()
        assert_still(live)
        assert_granted(live)
        assert_minimums_first(live)
        assert_nobody_waits(live)


@worlds
@given(plots(demands))
async def test_a_controller_killed_at_rest_leaves_the_rest_undisturbed(plot: Plot) -> None:
    async with Live(plot).running() as live:
        await live.play()
        await live.rest()
        asked = len(live.moves)
        await live.kill()
        live.start()
        await asyncio.sleep(200.0)
        assert live.moves[asked:] == []
