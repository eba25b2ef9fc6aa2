"""The controller and the Mesos driver on a real Mesos while things go wrong.

After each fault the counts are right again, and as many processes run as there are tasks: none is lost, none runs twice.
"""

from __future__ import annotations

import asyncio
import json
import random
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from beaufort.protocols import Unreachable
from mesos_rig import Mesos, mesos
from mesos_run import ROOM, configuration, peak, really, running
from mesos_stage import MesosStage
from relay import Relay, relay
from scheduler_contract import bring, until, watching
from zookeeper import zookeeper

JUMP = Path(__file__).with_name("docker_jump.py")


@pytest.fixture
def clean_mesos(shared_mesos: Mesos) -> Iterator[Mesos]:
    yield shared_mesos
    shared_mesos.clear()


@pytest.fixture
def stage(shared_mesos: Mesos, tmp_path: Path) -> Iterator[MesosStage]:
    stage = MesosStage(shared_mesos, tmp_path)
    yield stage
    stage.close()


@pytest.fixture
def line(shared_mesos: Mesos) -> Iterator[Relay]:
    with relay(shared_mesos.port) as private:
        yield private


async def test_room_is_taken_and_handed_back(clean_mesos: Mesos, tmp_path: Path) -> None:
    async with running(clean_mesos.address, tmp_path) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(4)
        await run.reaches(4, 2)
        run.want(0)
        await run.reaches(0, ROOM)
    assert peak(clean_mesos) == ROOM
    assert really(clean_mesos) == {"batch": ROOM}


def jump(config: str, seconds: float) -> None:
    """Another Beaufort, whose demand jumps up and down, until it is killed."""
    with subprocess.Popen([sys.executable, str(JUMP), config, "0.25"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        select.select([process.stdout], [], [], seconds)  # it says nothing more: a time to live
        process.kill()


async def test_beaufort_is_killed_ten_times_in_a_jump(clean_mesos: Mesos, tmp_path: Path) -> None:
    """At random instants: whatever was under way is adopted, and nothing is started twice."""
    instants = random.Random(3)
    config = json.dumps(configuration(clean_mesos.address, tmp_path))
    for _ in range(10):
        jump(config, instants.uniform(0.05, 0.8))
    assert 0 < peak(clean_mesos) <= ROOM
    (before,) = clean_mesos.frameworks()
    async with running(clean_mesos.address, tmp_path) as run:
        run.want(3)
        await run.reaches(3, 3)
        run.want(2)
        await run.reaches(2, 4)
    (after,) = clean_mesos.frameworks()
    assert before["id"] == after["id"], "the same framework, all the time"
    assert peak(clean_mesos) <= ROOM
    assert len(clean_mesos.tasks()) == ROOM
    assert really(clean_mesos) == {"web": 2, "batch": 4}


async def test_the_master_is_killed_in_a_jump_and_started_again(tmp_path: Path) -> None:
    with mesos() as private:
        async with running(private.address, tmp_path) as run:
            run.want(0)
            await run.reaches(0, ROOM)
            survivors = {pid for pid, _ in private.processes()}
            run.want(1)
            await run.until(lambda: (batch := run.counts("batch")) is not None and batch.stopping > 0)
            private.kill()
            await run.until(lambda: run.counts("web") is None)
            actions = len(run.said("action", "web"))
            run.want(2)
            await run.until(lambda: len(run.said("blind")) > 1)
            assert len(run.said("action", "web")) == actions, "blind means still"
            private.start()
            await run.reaches(2, 4)
            assert len(survivors & {pid for pid, _ in private.processes()}) == 4, "they have lived through it"
        assert really(private) == {"web": 2, "batch": 4}


async def test_a_master_that_hangs_is_noticed_and_nothing_is_done_until_it_goes_on(tmp_path: Path) -> None:
    with mesos() as private:
        async with running(private.address, tmp_path) as run:
            run.want(0)
            await run.reaches(0, ROOM)
            private.hang()
            await run.until(lambda: run.counts("web") is None)
            actions = len(run.said("action", "web"))
            run.want(5)
            await run.until(lambda: len(run.said("blind")) > 0)
            assert len(run.said("action", "web")) == actions, "blind means still"
            private.go_on()
            await run.reaches(5, 1)
        assert peak(private) == ROOM
        assert really(private) == {"web": 5, "batch": 1}


async def test_a_cut_stream_is_taken_up_again(clean_mesos: Mesos, line: Relay, tmp_path: Path) -> None:
    async with running(line.address, tmp_path) as run:
        run.want(3)
        await run.reaches(3, 3)
        for web in (5, 1, 4):
            run.want(web)
            await run.until(lambda: (batch := run.counts("batch")) is not None and batch.held > batch.running)
            line.cut()
            await run.reaches(web, ROOM - web)
    assert peak(clean_mesos) == ROOM
    assert really(clean_mesos) == {"web": 4, "batch": 2}


async def test_a_stream_without_heartbeats_is_noticed_though_calls_are_answered(stage: MesosStage, line: Relay) -> None:
    web = stage.service("web")
    async with stage.scheduler(master=line.address) as scheduler:
        await bring(scheduler, web, 1)
        async with watching(scheduler, web) as snapshots:
            await anext(snapshots)
            line.hold("SUBSCRIBE")
            with pytest.raises(Unreachable, match="has not told yet"):
                await until(snapshots, web, lambda counts: counts.running != 1)
        line.release()
        async with watching(scheduler, web) as snapshots:
            assert (await anext(snapshots)).counts["web"].running == 1


async def test_nothing_is_started_before_all_tasks_are_told(stage: MesosStage, line: Relay) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
    line.hold("SUBSCRIBE")
    async with stage.scheduler(master=line.address) as scheduler:
        with pytest.raises(Unreachable, match="has not told yet which tasks there are"):
            await scheduler.scale(web, 3)
        assert {"SUBSCRIBE", "RECONCILE"} <= set(line.calls)
        assert not {"REVIVE", "ACCEPT", "KILL"} & set(line.calls)
        line.release()
        await bring(scheduler, web, 3)
    assert really(stage.mesos) == {"web": 3}


async def test_an_offer_that_is_taken_back_in_the_launch_is_nobody_s_failure(tmp_path: Path) -> None:
    with mesos(offer_timeout="500ms") as private, relay(private.port) as line:
        stage = MesosStage(private, tmp_path)
        web = stage.service("web")
        async with stage.scheduler(master=line.address) as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 1)
            line.hold("ACCEPT")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(scheduler.scale(web, 2))
                await until(snapshots, web, lambda counts: counts.held == 2)
                await asyncio.to_thread(private.rescinded)
                line.release()
            counts = await until(snapshots, web, lambda counts: counts.held == 1)
            assert (counts.running, counts.failed) == (1, 0)
            await bring(scheduler, web, 2)
        stage.close()


async def test_each_update_is_acknowledged_once(stage: MesosStage, line: Relay) -> None:
    """RUNNING, KILLING and KILLED of three tasks. Mesos would tell again what it has no receipt of."""
    web = stage.service("web")
    async with stage.scheduler(master=line.address) as scheduler, watching(scheduler, web) as snapshots:
        await bring(scheduler, web, 3)
        await scheduler.scale(web, 0)
        await until(snapshots, web, lambda counts: counts.held == 0)
        for _ in range(2):
            await anext(snapshots)
    assert line.calls.count("ACKNOWLEDGE") == 9


async def test_who_leaves_acknowledges_first_what_was_told(stage: MesosStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await bring(scheduler, web, 8)
        await scheduler.scale(web, 0)
        await until(snapshots, web, lambda counts: counts.held == 0)
    left = [task["state"] for framework in stage.mesos.frameworks() for task in framework["tasks"]]
    assert left == [], "the master keeps those of whose end it has no receipt"


async def test_a_new_leader_is_found_in_zookeeper(tmp_path: Path) -> None:
    with zookeeper() as keeper, mesos(agents=1) as old, mesos(agents=1) as new:
        first, second = keeper.register(old.port), keeper.register(new.port)
        async with running(keeper.url, tmp_path) as run:
            run.want(2)
            await run.reaches(2, 4)
            assert really(old) == {"web": 2, "batch": 4}
            old.kill()
            keeper.leave(first)
            await run.until(lambda: run.counts("web") is None)
            await run.reaches(2, 4)
            assert really(new) == {"web": 2, "batch": 4}
        keeper.leave(second)


async def test_the_second_master_of_a_list_is_tried(stage: MesosStage) -> None:
    web = stage.service("web")
    async with stage.scheduler(master=("127.0.0.1:1", stage.mesos.address)) as scheduler:
        await bring(scheduler, web, 1)


async def test_agents_that_have_not_come_back_are_waited_for(tmp_path: Path) -> None:
    """After a change of masters, by whoever does not know what ran there; who does goes on."""
    with mesos(agents=2) as private:
        stage = MesosStage(private, tmp_path)
        web = stage.running("web", "sleep", "1000", constraints=("@agent MAX_PER 2",))
        async with stage.scheduler() as knows:
            await bring(knows, web, 4)
            async with watching(knows, web) as snapshots:
                await anext(snapshots)
                private.kill()
                with pytest.raises(Unreachable):
                    await until(snapshots, web, lambda _: False)
            private.start(agents=1)
            await bring(knows, web, 4)
            async with watching(knows, web) as snapshots:
                assert len((await anext(snapshots)).nodes) == 1
            async with stage.scheduler() as anew:
                with pytest.raises(Unreachable, match="has not told yet which tasks there are"):
                    await anew.scale(web, 5)
        private.kill()
        private.start()
        async with stage.scheduler() as anew, watching(anew, web) as snapshots:
            assert (await anext(snapshots)).counts["web"].running == 4


async def test_two_of_one_deployment_do_not_both_act(stage: MesosStage) -> None:
    """The master takes the later one for the framework, and sends the other away."""
    web = stage.service("web")
    async with stage.scheduler() as one, watching(one, web) as snapshots:
        await bring(one, web, 1)
        await anext(snapshots)
        async with stage.scheduler() as other:
            await bring(other, web, 2)
            with pytest.raises(Unreachable, match="Framework failed over"):
                await until(snapshots, web, lambda _: False)
            await bring(other, web, 3)
    assert really(stage.mesos) == {"web": 3}


async def test_a_framework_that_is_torn_down_begins_anew(clean_mesos: Mesos, tmp_path: Path) -> None:
    async with running(clean_mesos.address, tmp_path) as run:
        run.want(2)
        await run.reaches(2, 4)
        clean_mesos.clear()
        await run.until(lambda: run.counts("web") is None)
        await run.reaches(2, 4)
    assert really(clean_mesos) == {"web": 2, "batch": 4}
