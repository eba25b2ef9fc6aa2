"""The simulated scheduler tells of every change of its world when it happens. What all drivers promise is tried elsewhere."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

import pytest

from beaufort.behaviour import Behaviour
from beaufort.model import Cluster, Counts, Resources, Service
from beaufort.protocols import HEARTBEAT, Unreachable
from beaufort.schedulers.simulated import Simulated
from beaufort.world import Link, World

WEB = Service("web", priority=1)
BATCH = Service("batch", priority=2)


async def until(watch: AsyncIterator[Cluster], wanted: Callable[[Counts], bool], name: str = "web") -> Cluster:
    async for cluster in watch:
        if wanted(cluster.counts[name]):
            return cluster
    raise AssertionError("the watch ended")


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_it_must_be_entered() -> None:
    with pytest.raises(RuntimeError, match="before it was entered"):
        await Simulated().scale(WEB, 1)


@pytest.mark.looptime
async def test_a_watch_tells_of_every_change_when_it_happens() -> None:
    async with (
        Simulated(containers=4, start_delay=2, stop_delay=3) as scheduler,
        aclosing(scheduler.watch([WEB])) as watch,
    ):
        first = await anext(watch)
        assert first.counts["web"] == Counts()
        assert [each.capacity for each in first.nodes] == [Resources(containers=4)]
        await scheduler.scale(WEB, 2)
        assert (await anext(watch)).counts["web"].starting == 2
        assert (await anext(watch)).counts["web"].running == 2
        assert now() == 2
        await scheduler.scale(WEB, 0)
        assert (await anext(watch)).counts["web"].stopping == 2
        assert (await anext(watch)).counts["web"] == Counts()
        assert now() == 5


@pytest.mark.looptime
async def test_stillness_has_a_heartbeat() -> None:
    async with Simulated() as scheduler, aclosing(scheduler.watch([WEB])) as watch:
        for _ in range(4):
            await anext(watch)
        assert now() == 3 * HEARTBEAT


@pytest.mark.looptime
async def test_asking_twice_is_asking_once() -> None:
    async with Simulated() as scheduler, aclosing(scheduler.watch([WEB])) as watch:
        await scheduler.scale(WEB, 2)
        await scheduler.scale(WEB, 2)
        await anext(watch)
        await scheduler.scale(WEB, 2)
        assert (await anext(watch)).counts["web"].held == 2
        assert now() == 0.5  # nothing was told of the request that changed nothing


@pytest.mark.looptime
async def test_failures_are_counted_from_the_beginning_of_the_watch() -> None:
    world = World()
    async with Simulated.of(world) as scheduler:
        await scheduler.scale(WEB, 3)
        with scheduler.meddle():
            world.kill("web")
        async with aclosing(scheduler.watch([WEB])) as watch:
            assert (await anext(watch)).counts["web"].failed == 0
            with scheduler.meddle():
                world.kill("web")
            assert (await anext(watch)).counts["web"].failed == 1


@pytest.mark.looptime
async def test_a_watch_raises_when_the_cluster_can_not_be_read() -> None:
    async with Simulated() as scheduler, aclosing(scheduler.watch([WEB])) as watch:
        await anext(watch)
        with scheduler.meddle() as world:
            world.link = Link.DOWN
        with pytest.raises(Unreachable):
            await anext(watch)
        with pytest.raises(Unreachable):
            await anext(scheduler.watch([WEB]))
        assert now() == 0


@pytest.mark.looptime
async def test_a_hung_cluster_says_nothing_until_it_is_mended() -> None:
    async with Simulated() as scheduler, aclosing(scheduler.watch([WEB])) as watch:
        await anext(watch)
        with scheduler.meddle() as world:
            world.link = Link.HUNG
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10 * HEARTBEAT):
                await scheduler.scale(WEB, 1)
        with scheduler.meddle() as world:
            world.link = Link.UP
        assert (await anext(watch)).counts["web"].held == 0
        await scheduler.scale(WEB, 1)


@pytest.mark.looptime
async def test_a_service_may_wait_for_its_answer_while_others_have_theirs() -> None:
    async with Simulated() as scheduler, asyncio.TaskGroup() as tasks:
        with scheduler.meddle() as world:
            world.behaviours |= {"web": Behaviour(answer=7.0), "never": Behaviour(answer=math.inf)}
        slow = tasks.create_task(scheduler.scale(WEB, 1))
        hung = tasks.create_task(scheduler.scale(Service("never", priority=1), 1))
        await scheduler.scale(BATCH, 1)
        assert now() == 0
        await slow
        assert now() == 7
        assert not hung.done()
        hung.cancel()


@pytest.mark.looptime
async def test_who_enters_later_finds_what_runs() -> None:
    scheduler = Simulated(start_delay=1)
    async with scheduler:
        await scheduler.scale(WEB, 2)
        await asyncio.sleep(1)
    async with scheduler, aclosing(scheduler.watch([])) as watch:
        assert (await until(watch, lambda web: web.running == 2)).counts["web"].held == 2


async def test_it_runs_in_real_time_too() -> None:
    async with Simulated(start_delay=0.01) as scheduler, aclosing(scheduler.watch([WEB])) as watch:
        await scheduler.scale(WEB, 2)
        began = now()
        await until(watch, lambda web: web.running == 2)
        assert 0.005 < now() - began < 1


def test_a_launch_is_never_wrong() -> None:
    assert Simulated().check(WEB) == ()
