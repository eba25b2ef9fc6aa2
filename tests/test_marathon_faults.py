"""The controller and the Marathon driver while things go wrong with Marathon: on the stand-in, and in virtual time.

After each fault the counts are right again by priority, and there were never more tasks than there is room for.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import controlled
from controlled import ROOM, Run
from marathon_client import Client
from marathon_memory import Memory, Node, Program
from marathon_settings import Settings
from marathon_stage import MarathonStage, serving
from scheduler_contract import bring

JUMP = Path(__file__).with_name("docker_jump.py")

virtual = pytest.mark.looptime


def configuration(*urls: str, **services: dict[str, Any]) -> dict[str, Any]:
    program = {"command": ["sleep", "1000"], "grace": "1s", "resources": {"cpu": 0.1, "memory": "32MiB"}}
    return controlled.configuration({"type": "marathon", "url": list(urls)}, program, **services)


def running(stage: MarathonStage, **services: dict[str, Any]) -> AbstractAsyncContextManager[Run]:
    return controlled.controlled(configuration(*stage.server.urls, **services))


@asynccontextmanager
async def played(members: int = 1, **services: dict[str, Any]) -> AsyncIterator[tuple[MarathonStage, Run]]:
    """A run that has come to rest, with as many of the one as of the other."""
    async with serving(members=members) as stage:
        async with running(stage, **services) as run:
            run.want(3)
            await run.reaches(3, 3)
            yield stage, run
        assert stage.memory.most == ROOM


def left(stage: MarathonStage) -> tuple[int, int]:
    return len(stage.ids("web")), len(stage.ids("batch"))


def writes(stage: MarathonStage) -> int:
    return sum(not call.startswith("GET") for each in stage.server.members for call in each.calls)


@virtual
async def test_room_is_taken_and_handed_back() -> None:
    async with played() as (stage, run):
        for web in (5, 1, 6, 0, 4):
            run.want(web)
            await run.reaches(web, ROOM - web)
        assert run.said("action-failed", "web") == run.said("action-failed", "batch") == []
    assert left(stage) == (4, 2)


@virtual
async def test_demand_that_jumps_faster_than_marathon_can_follow() -> None:
    async with played() as (stage, run):
        for web in (5, 0, 4, 1, 6, 2, 3, 5, 1, 4):
            run.want(web)
            await asyncio.sleep(0.4)
        await run.reaches(4, 2)
        assert not any("force" in call for call in stage.writes() if "deployments" not in call)


@virtual
async def test_the_leader_dies_in_a_jump_and_another_one_is_elected() -> None:
    async with played(members=3) as (stage, run):
        run.want(5)
        await run.until(lambda: (batch := run.counts("batch")) is not None and batch.stopping > 0)
        await stage.server.kill(0)
        await run.until(lambda: run.counts("web") is None or len(run.said("blind")) > 0)
        stage.server.elect(1)
        await run.reaches(5, 1)
        await stage.server.kill(1)
        stage.server.elect(2)
        run.want(2)
        await run.reaches(2, 4)
    assert left(stage) == (2, 4)


@virtual
async def test_without_a_leader_nothing_is_done_and_it_is_said() -> None:
    async with played(members=2) as (stage, run):
        stage.server.abdicate()
        await run.until(lambda: run.counts("web") is None)
        before = writes(stage)
        run.want(5)
        await asyncio.sleep(20)
        assert writes(stage) == before, "blind means still"
        assert "has no leader: Could not determine the current leader" in run.said("blind")[-1]
        stage.server.elect(1)
        await run.reaches(5, 1)


@virtual
async def test_a_marathon_that_hangs_is_noticed_and_nothing_is_done_until_it_goes_on() -> None:
    async with played() as (stage, run):
        began = asyncio.get_running_loop().time()
        stage.server.members[0].faults.hang()
        await run.until(lambda: run.counts("web") is None)
        assert asyncio.get_running_loop().time() - began < 7, "in virtual time: it is Beaufort's own patience"
        before = writes(stage)
        run.want(5)
        await asyncio.sleep(20)
        assert writes(stage) == before, "blind means still"
        assert run.said("blind")[-1].startswith(
            f"the scheduler can't be read: the Marathon at {stage.server.url} does not"
        )
        stage.server.members[0].faults.go_on()
        await run.reaches(5, 1)


@virtual
async def test_another_is_asked_when_the_one_that_is_asked_hangs() -> None:
    async with played(members=2) as (stage, run):
        stage.server.elect(1)
        await run.reaches(3, 3)
        stage.server.members[0].faults.hang()
        run.want(5)
        await run.reaches(5, 1)
        stage.server.members[0].faults.go_on()


@virtual
@pytest.mark.parametrize(
    "garbage", [b"<html>Bad day</html>", b"{}", b'{"apps": 7}', b""], ids=["a page", "nothing", "a number", "empty"]
)
async def test_what_no_marathon_would_say_is_not_believed(garbage: bytes) -> None:
    async with played() as (stage, run):
        stage.server.members[0].faults.garbage = garbage
        await run.until(lambda: run.counts("web") is None)
        before = writes(stage)
        run.want(5)
        await asyncio.sleep(5)
        assert writes(stage) == before, "blind means still"
        stage.server.members[0].faults.garbage = None
        await run.reaches(5, 1)


@virtual
async def test_a_slow_marathon_is_waited_for() -> None:
    async with played() as (stage, run):
        stage.server.members[0].faults.slow = 1.0
        for web in (5, 2):
            run.want(web)
            await run.reaches(web, ROOM - web)
        assert run.said("blind") == []


@virtual
async def test_a_stream_that_is_cut_is_taken_up_again() -> None:
    async with played() as (stage, run):
        for web in (5, 1, 4):
            run.want(web)
            await run.until(lambda: (batch := run.counts("batch")) is not None and batch.held > batch.running)
            stage.server.cut_events()
            await run.reaches(web, ROOM - web)


@virtual
async def test_a_node_is_lost_and_marathon_starts_what_was_there_elsewhere() -> None:
    nodes = [Node(name=name, cpus=0.6) for name in ("a", "b")]
    async with serving(Memory(*nodes)) as stage, running(stage) as run:
        run.want(3)
        await run.reaches(3, 3)
        stage.memory.lose("a")
        await run.until(lambda: bool(run.said("blind")) or ((web := run.counts("web")) is not None and web.failed > 0))
        await run.reaches(3, 3)
        assert {each.host for each in stage.server.scheduler.instances} == {"b"}


@virtual
async def test_what_fails_again_and_again_holds_nobody_else_back() -> None:
    async with played() as (stage, run):
        stage.memory.programs["/beaufort/one/batch"] = Program(lives=0.5)
        for each in stage.ids("batch"):
            stage.memory.end(each, "TASK_FAILED", "Command exited with status 1")
        await run.until(lambda: (batch := run.counts("batch")) is not None and "Marathon waits" in batch.failure)
        run.want(5)
        await run.until(lambda: (web := run.counts("web")) is not None and web.running == 5)
        del stage.memory.programs["/beaufort/one/batch"]
        await run.reaches(5, 1)


@virtual
async def test_others_scale_stop_and_remove_what_is_ours() -> None:
    async with played() as (stage, run), Client(stage.server.url) as others:
        for body in ({"instances": 1}, {"instances": 0}):
            await others.made("PUT", "/v2/apps/beaufort/one/web", body)
            await run.until(lambda: (web := run.counts("web")) is not None and web.current < 3)
            await run.reaches(3, 3)
        await others.ask("DELETE", "/v2/apps/beaufort/one/batch")
        await run.until(lambda: (batch := run.counts("batch")) is not None and batch.current == 0)
        await asyncio.sleep(1)
        await run.reaches(3, 3)


@virtual
async def test_a_stop_takes_all_of_it_along() -> None:
    async with serving() as stage, running(stage) as run:
        run.want(3)
        await run.reaches(3, 3)
        run.controller.stop(containers=True)
        await run.until(lambda: bool(run.said("stopped")))
    assert (left(stage), stage.server.scheduler.apps) == ((0, 0), {})


async def jump(config: dict[str, Any], seconds: float) -> None:
    """Another Beaufort, whose demand jumps up and down, until it is killed."""
    command = [sys.executable, str(JUMP), json.dumps(config), "0.1"]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    await asyncio.wait([asyncio.ensure_future(process.wait())], timeout=seconds)
    process.kill()
    await process.wait()


async def test_beaufort_is_killed_ten_times_in_a_jump() -> None:
    """At random instants, and in real time: what was under way is there or not, and nothing is there twice."""
    instants = random.Random(5)
    memory = Memory(allocation=0.05)
    async with serving(memory, Settings(min_revive=0.05)) as stage:
        for _ in range(10):
            await jump(configuration(stage.server.url), instants.uniform(0.05, 0.8))
        assert 0 < memory.most <= ROOM
        async with running(stage) as run:
            run.want(2)
            await run.reaches(2, 4)
    assert (left(stage), memory.most) == ((2, 4), ROOM)
    assert sorted(stage.server.scheduler.apps) == ["/beaufort/one/batch", "/beaufort/one/web"]


@virtual
async def test_the_lock_of_a_beaufort_that_found_no_offers_is_taken_off_by_the_next() -> None:
    """Its deployment only scales an app that a Beaufort has made: so it is ours."""
    async with serving(Memory(Node(name="a", cpus=0.2))) as stage, Client(stage.server.url) as others:
        web = stage.service("web")
        async with stage.scheduler() as scheduler:
            await scheduler.scale(web, 4)
        await asyncio.sleep(10)
        assert [each["affectedApps"] for each in await others.get("/v2/deployments")] == [["/beaufort/one/web"]]
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 1)
        assert await others.get("/v2/deployments") == []


@virtual
@pytest.mark.parametrize("seed", range(12))
async def test_whatever_happens_it_comes_to_rest_as_it_should(seed: int) -> None:
    chance = random.Random(seed)
    settings = Settings(purges=seed % 2 == 0, task_killing=chance.random() < 0.5, min_revive=chance.choice([0.1, 5.0]))
    async with serving(Memory(), settings, members=2) as stage:
        async with running(stage) as run:
            for _ in range(25):
                run.want(chance.randint(0, ROOM))
                happen(stage, chance)
                await asyncio.sleep(chance.expovariate(1 / 1.5))
            stage.memory.program = Program()
            for each in stage.server.members:
                each.faults.slow = 0.0
            run.want(2)
            await asyncio.sleep(60)
            await run.reaches(2, 4)
        assert left(stage) == (2, 4)
        assert stage.memory.most <= ROOM


def happen(stage: MarathonStage, chance: random.Random) -> None:
    """One of the things that do."""
    tasks = stage.memory.tasks()
    match chance.randrange(7):
        case 0:
            stage.server.cut_events()
        case 1:
            stage.server.elect(chance.randrange(2))
        case 2:
            stage.server.members[chance.randrange(2)].faults.slow = chance.choice([0.0, 0.3, 1.0])
        case 3:
            stage.memory.program = Program(start=chance.uniform(0, 2), stop=chance.uniform(0, 2))
        case 4 if tasks:
            stage.memory.end(chance.choice(tasks).id, "TASK_FAILED", "bad luck")
        case _:
            pass
