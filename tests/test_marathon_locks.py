"""The Marathon driver behind the locks of Marathon's deployments, and where there is no room, on the stand-in and in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from beaufort.model import Resources
from beaufort.protocols import NoRoom, SchedulerError
from beaufort.schedulers.marathon import Marathon
from marathon_client import Client
from marathon_memory import Memory, Node, Program
from marathon_settings import Settings
from marathon_stage import THEIRS, MarathonStage, serving, shown, told
from scheduler_contract import all_run, bring, until, watching

pytestmark = pytest.mark.looptime


@pytest.fixture
async def stage() -> AsyncIterator[MarathonStage]:
    async with serving() as stage:
        yield stage


@pytest.fixture
async def others(stage: MarathonStage) -> AsyncIterator[Client]:
    async with Client(stage.server.url) as client:
        yield client


# Locks.


async def test_what_is_asked_for_behind_a_lock_of_ours_is_done_when_it_is_off(stage: MarathonStage) -> None:
    slow = stage.stubborn("slow")
    async with stage.scheduler() as scheduler, watching(scheduler, slow) as snapshots:
        await scheduler.scale(slow, 3)
        await until(snapshots, slow, all_run(3))
        await scheduler.scale(slow, 1)
        for count in (4, 2, 3):
            await scheduler.scale(slow, count)
            counts = (await anext(snapshots)).counts["slow"]
            assert (counts.current, counts.stopping) == (count, 2)
        await until(snapshots, slow, all_run(3))
    assert sum("PUT" in call for call in stage.writes()) == 2, "only the last one"
    assert not any("force" in call for call in stage.writes())


async def test_a_growth_is_stopped_at_once_when_fewer_are_wanted(stage: MarathonStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await until(snapshots, web, all_run(1))
        stage.memory.programs["/beaufort/one/web"] = Program(start=1000.0)
        await scheduler.scale(web, 3)
        await until(snapshots, web, lambda counts: len(stage.ids("web")) == 3 and counts.starting == 2)
        async with asyncio.timeout(1):
            await scheduler.scale(web, 1)
            await until(snapshots, web, all_run(1))


async def test_a_growth_that_takes_long_does_not_hold_back_a_further_one(stage: MarathonStage) -> None:
    web = stage.service("web")
    stage.memory.programs["/beaufort/one/web"] = Program(start=1000.0)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await until(snapshots, web, lambda counts: bool(stage.ids("web")) and counts.starting == 1)
        (first,) = stage.ids("web")
        await scheduler.scale(web, 3)
        await until(snapshots, web, lambda counts: len(stage.ids("web")) == 3 and counts.starting == 3)
        assert first in stage.ids("web"), "what was launched stays"


async def test_a_lock_of_others_is_waited_for(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    web = stage.found("web", app="/shop/web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        stage.memory.programs["/shop/web"] = Program(start=2.0)
        await others.made("PUT", "/v2/apps/shop/web", {"instances": 3})
        await scheduler.scale(web, 1)
        await bring(scheduler, web, 1)
    assert not any("force" in call for call in stage.writes())


async def test_a_lock_of_others_that_lasts_is_told(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    web = stage.found("web", app="/shop/web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        stage.memory.programs["/shop/web"] = Program(start=1000.0)
        lock = await others.made("PUT", "/v2/apps/shop/web", {"instances": 3})
        words = rf"web: /shop/web is locked by the deployment {lock} \(ScaleApplication /shop/web\) of others"
        with pytest.raises(SchedulerError, match=words):
            await scheduler.scale(web, 1)
        assert [each["id"] for each in await others.get("/v2/deployments")] == [lock], "it is left alone"


async def test_who_says_force_waits_for_nobody(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    web = stage.found("web", app="/shop/web")
    async with stage.scheduler(force=True) as scheduler:
        await bring(scheduler, web, 2)
        stage.memory.programs["/shop/web"] = Program(start=1000.0)
        await others.made("PUT", "/v2/apps/shop/web", {"instances": 3})
        async with watching(scheduler, web) as snapshots:
            await until(snapshots, web, lambda counts: counts.current == 3)
        await bring(scheduler, web, 1)


async def test_one_that_is_locked_does_not_hold_back_the_others(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    web, batch = stage.found("web", app="/shop/web"), stage.service("batch")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        stage.memory.programs["/shop/web"] = Program(start=1000.0)
        await others.made("PUT", "/v2/apps/shop/web", {"instances": 3})
        async with asyncio.TaskGroup() as tasks:
            locked = tasks.create_task(told(scheduler.scale(web, 4)))
            await scheduler.scale(batch, 1)
            await bring(scheduler, batch, 1)
        assert "is locked by" in locked.result()


# Room.


@pytest.mark.parametrize("purges", [False, True], ids=["what waits goes on to wait", "what waits is forgotten"])
async def test_what_finds_no_offer_locks_nothing_and_is_told(purges: bool) -> None:
    async with (
        serving(Memory(Node(name="a", cpus=0.3)), Settings(purges=purges)) as stage,
        Client(stage.server.url) as others,
    ):
        web, batch = stage.service("web"), stage.service("batch")
        async with stage.scheduler() as scheduler, watching(scheduler, web, batch) as snapshots:
            await stage.together(scheduler, [web, batch], 1)
            await until(snapshots, batch, all_run(1))
            before = stage.ids("batch")
            await scheduler.scale(batch, 4)
            counts = await until(snapshots, batch, lambda counts: counts.failed > 0)
            assert (counts.failed, counts.failure) == (2, "1 node: 1 too little cpu")
            await until(snapshots, batch, all_run(2), counts)
            await asyncio.sleep(1)
            assert await others.get("/v2/deployments") == []
            assert before < stage.ids("batch"), "none has ended for it"
            assert (await shown(others, "/beaufort/one/batch"))["instances"] == (2 if purges else 4)
            if not purges:
                with pytest.raises(NoRoom, match="batch: 1 node: 1 too little cpu"):
                    await scheduler.scale(batch, 4)
            await scheduler.scale(batch, 1)
            await until(snapshots, batch, all_run(1))


@pytest.mark.parametrize("purges", [False, True])
async def test_what_shares_its_deployment_with_what_finds_no_offer_is_launched_all_the_same(purges: bool) -> None:
    """Both are in one deployment, and ``web`` may still wait when it is stopped."""
    nodes = Node(name="a", cpus=0.3), Node(name="b", cpus=0.3, mem=40)
    async with serving(Memory(*nodes), Settings(purges=purges, launch_tokens=1, launch_token_refresh=4.0)) as stage:
        web, big = stage.service("web"), stage.service("big", resources=Resources(cpu=1, memory=2**20))
        stage.memory.programs["/beaufort/one/web"] = Program(start=3.0)
        async with stage.scheduler() as scheduler, watching(scheduler, web, big) as snapshots:
            await stage.together(scheduler, [web, big], 2)
            await until(snapshots, big, lambda counts: counts.failed > 0)
            for _ in range(20):  # the controller would ask again as soon as it sees that fewer are wanted
                await asyncio.sleep(1)
                await scheduler.scale(web, 2)
            assert (await anext(snapshots)).counts["web"].running == 2


async def test_where_no_offer_comes_at_all_that_is_told() -> None:
    async with serving(Memory(Node(name="a", cpus=0.1, mem=32, disk=0, ports=()))) as stage:
        web, batch = stage.service("web"), stage.service("batch")
        async with stage.scheduler() as scheduler, watching(scheduler, web, batch) as snapshots:
            await bring(scheduler, web, 1)
            await scheduler.scale(batch, 1)
            counts = await until(snapshots, batch, lambda counts: counts.failed > 0)
            assert (counts.current, counts.failure) == (1, "no offer of the cluster came in 10 s")


async def test_what_found_no_offer_is_launched_when_there_is_room() -> None:
    async with serving(Memory(Node(name="a", cpus=0.2)), Settings(purges=False)) as stage:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 3)
            await until(snapshots, web, lambda counts: counts.failed > 0 and counts.current == 2)
            stage.memory.add(Node(name="b"))
            await until(snapshots, web, all_run(3))


@pytest.mark.parametrize("purges", [False, True])
async def test_what_has_not_been_launched_is_the_first_to_go(purges: bool) -> None:
    """Though it may have to be launched for that, as Marathon would else end what runs in its place."""
    async with serving(settings=Settings(purges=purges)) as stage, stage.scheduler() as scheduler:
        await stays(stage, scheduler)


async def stays(stage: MarathonStage, scheduler: Marathon) -> None:
    web = stage.service("web")
    async with watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 2)
        await until(snapshots, web, all_run(2))
        before = stage.ids("web")
        await scheduler.scale(web, 4)
        await scheduler.scale(web, 2)
        counts = (await anext(snapshots)).counts["web"]
        assert (counts.running, counts.stopping) == (2, 2), "it holds its room"
        await until(snapshots, web, all_run(2))
        assert stage.ids("web") == before


async def test_what_waits_after_failures_is_left_to_marathon_and_told(stage: MarathonStage) -> None:
    web = stage.service("web")
    stage.memory.programs["/beaufort/one/web"] = Program(lives=0.2)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        words = "s after failures: failed: Command exited with status 1"
        counts = await until(snapshots, web, lambda counts: "Marathon waits" in counts.failure)
        assert counts.failure.endswith(words)
        assert counts.current == 1
