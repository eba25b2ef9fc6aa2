"""The controller and the Swarm driver on a real Swarm while things go wrong.

After each fault the counts are right again by priority. At the end nothing of ours is left behind, and by the engines' own
event logs no machine ever ran more than it has room for (`running`).
"""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import IMAGE, busybox
from swarm_rig import Swarm, swarm
from swarm_run import EACH, ROOM, SwarmRun, running

HOLDING_A_CORE = {
    "ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000"], "Init": True},
    "Resources": {"Reservations": {"NanoCPUs": 10**9}},
}


@pytest.fixture
def clean_swarm(shared_swarm: Swarm) -> Iterator[Swarm]:
    yield shared_swarm
    shared_swarm.clear()
    for name in shared_swarm.engines:
        shared_swarm.set_node(name, Availability="active", Labels={})


def there_are(run: SwarmRun, web: int, batch: int) -> None:
    """By the word of the Swarm and of its engines, and nothing else."""
    assert run.services() == {"web": web, "batch": batch}
    assert sum(run.containers().values()) == web + batch


async def test_room_is_taken_and_handed_back(clean_swarm: Swarm) -> None:
    async with running(clean_swarm) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(4)
        await run.reaches(4, 2)
        run.want(0)
        await run.reaches(0, ROOM)


async def test_a_machine_is_lost() -> None:
    """Priority 1 keeps its count, out of what priority 2 held."""
    with swarm() as private:
        async with running(private) as run:
            run.want(3)
            await run.reaches(3, 3)
            private.lose("n3")
            await run.reaches(3, 1)
            assert run.room() == {"n1": 2, "n2": 2}
            there_are(run, 3, 1)


async def test_a_machine_is_cut_off_and_comes_back(clean_swarm: Swarm) -> None:
    """Its containers run on where nobody hears of them. When they do again, Swarm ends them, and only then there is room."""
    async with running(clean_swarm) as run:
        run.want(3)
        await run.reaches(3, 3)
        clean_swarm.cut("n3")
        await run.reaches(3, 1)
        assert run.room() == {"n1": 2, "n2": 2}
        assert run.containers()["n3"] == EACH
        clean_swarm.heal("n3")
        await run.reaches(3, 3)
        assert run.room() == {"n1": 2, "n2": 2, "n3": 2}
        there_are(run, 3, 3)


async def test_a_machine_is_drained_and_used_again(clean_swarm: Swarm) -> None:
    async with running(clean_swarm) as run:
        run.want(3)
        await run.reaches(3, 3)
        clean_swarm.set_node("n3", Availability="drain")
        await run.reaches(3, 1)
        assert run.room() == {"n1": 2, "n2": 2}
        clean_swarm.set_node("n3", Availability="active")
        await run.reaches(3, 3)
        there_are(run, 3, 3)


async def test_a_paused_machine_keeps_what_it_has_and_gets_nothing_new(clean_swarm: Swarm) -> None:
    async with running(clean_swarm) as run:
        run.want(3)
        await run.reaches(3, 3)
        clean_swarm.set_node("n3", Availability="pause")
        await run.until(lambda: run.counts("web") is not None and len(run.room()) == 3)
        run.want(0)
        await run.until(lambda: (web := run.counts("web")) is not None and web.held == 0)
        cluster = run.controller.cluster
        assert cluster is not None
        kept = cluster.counts["batch"].on.get("n3", 0)
        await run.reaches(0, 2 * EACH + kept)
        assert run.room() == {"n1": 2, "n2": 2, "n3": kept}
        there_are(run, 0, 2 * EACH + kept)


async def test_a_machine_is_added() -> None:
    with swarm(2) as private:
        async with running(private) as run:
            run.want(3)
            await run.reaches(3, 1)
            private.add()
            run.watch("n3")
            await run.reaches(3, 3)
            there_are(run, 3, 3)


async def test_the_leader_of_three_managers_is_lost() -> None:
    """And its containers with it. Another manager is asked, and the room that is left is divided anew."""
    with swarm(managers=3, heartbeat=2.0) as private:  # or Swarm gives up the others too, while it has no leader
        async with running(private, [engine.url for engine in private.engines.values()]) as run:
            run.want(3)
            await run.reaches(3, 3)
            private.lose("n1")
            await run.until(lambda: run.counts("web") is None)
            await run.until(lambda: run.counts("web") is not None)
            await run.until(lambda: len(run.room()) == 2)
            await run.reaches(3, 1)
            assert run.room() == {"n2": 2, "n3": 2}
            there_are(run, 3, 1)


@pytest.mark.parametrize(
    ("managers", "hanging", "asked"),
    [
        pytest.param(3, ["n1", "n2"], "n3", id="two of three, and so there is no quorum"),
        pytest.param(1, ["n1"], "n1", id="the only one"),
    ],
)
async def test_managers_hang_and_nothing_is_done_until_they_go_on(
    managers: int, hanging: list[str], asked: str
) -> None:
    with swarm(
        managers=managers, heartbeat=10.0
    ) as private:  # so that Swarm itself does not give up its nodes meanwhile
        async with running(private, [private.engines[asked].url]) as run:
            run.want(3)
            await run.reaches(3, 3)
            for name in hanging:
                private.engines[name].hang()
            await run.until(lambda: run.counts("web") is None)
            actions = len(run.said("action", "web"))
            run.want(4)
            await run.until(lambda: len(run.said("blind")) > 0)
            run.want(3)
            for name in hanging:
                private.engines[name].go_on()
            await run.reaches(3, 3)
            assert len(run.said("action", "web")) == actions, run.said("action", "web")
            there_are(run, 3, 3)


async def test_others_scale_change_and_remove_our_service(clean_swarm: Swarm) -> None:
    async with running(clean_swarm) as run:
        run.want(3)
        await run.reaches(3, 3)
        clean_swarm.change(run.service("web")["ID"], Replicas=5)
        await run.until(lambda: len(run.said("action", "web")) > 1 and run.services()["web"] == 3)
        await run.reaches(3, 3)
        template = run.service("web")["Spec"]["TaskTemplate"]
        template["ContainerSpec"]["Env"] = ["THEIRS=1"]
        at_once = {"Parallelism": 0, "Monitor": 10**8}  # or Swarm looks on for five seconds
        clean_swarm.change(run.service("web")["ID"], TaskTemplate=template, UpdateConfig=at_once)
        run.want(4)
        await run.reaches(4, 2)
        assert run.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["THEIRS=1"]
        clean_swarm.first.ask("DELETE", f"/services/{run.service('web')['ID']}")
        await run.until(lambda: (web := run.counts("web")) is not None and web.running < 4)
        await run.reaches(4, 2)
        there_are(run, 4, 2)


async def test_an_image_that_is_missing_on_one_machine(clean_swarm: Swarm) -> None:
    """Swarm tries the machine that has most room again and again: back-off, and its cause is told, until it is there."""
    *others, last = clean_swarm.engines.values()
    for engine in others:
        put_image(engine)
    async with running(clean_swarm, web={"image": "busybox:partial"}) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(5)
        await run.until(lambda: (web := run.counts("web")) is not None and "o such image" in web.failure)
        put_image(last)
        await run.reaches(5, 1)
        there_are(run, 5, 1)


def put_image(engine: Any) -> None:
    tar = {"Content-Type": "application/x-tar"}
    engine.send("POST", "/images/create?fromSrc=-&repo=busybox&tag=partial", busybox(), tar)


async def test_what_there_is_no_node_for_is_taken_back(clean_swarm: Swarm) -> None:
    """Rather than left in Swarm's queue, in front of others. That it can't be anywhere, nobody could know before."""
    mount = {
        "Type": "volume",
        "Source": "v",
        "Target": "/v",
        "VolumeOptions": {"DriverConfig": {"Name": "no-such-driver"}},
    }
    options = {"swarm": {"TaskTemplate": {"ContainerSpec": {"Mounts": [mount]}}}}
    async with running(clean_swarm, web=options) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(4)
        await run.until(lambda: any("no suitable node" in said for said in run.said("action-failed", "web")))
        await run.reaches(0, ROOM)
        there_are(run, 0, ROOM)


async def test_nobody_goes_in_vain_for_who_may_not_be_everywhere(clean_swarm: Swarm) -> None:
    """Though it wants more, it gets what its node holds, also where all is free at once."""
    clean_swarm.set_node("n1", Labels={"zone": "east"})
    theirs = clean_swarm.make("theirs", ROOM, TaskTemplate=HOLDING_A_CORE)
    async with running(clean_swarm, web={"constraints": ["node.labels.zone == east"]}) as run:
        run.want(5)
        await run.until(lambda: run.controller.cluster is not None and not any(run.room().values()))
        clean_swarm.first.ask("DELETE", f"/services/{theirs}")
        await run.reaches(2, 4)
        assert run.reason("web").endswith("gets 2: no room on the 1 node with node.labels.zone == east")
        assert run.containers()["n1"] == EACH
        run.want(6)
        run.want(7)
        await run.reaches(2, 4)
        assert not any("gives way" in said for said in run.said("action", "batch"))
        there_are(run, 2, 4)


async def test_of_two_of_which_one_may_not_be_everywhere_nobody_holds_what_the_other_needs(clean_swarm: Swarm) -> None:
    """With room taken from below on the node that it may use, and handed back."""
    clean_swarm.set_node("n1", Labels={"zone": "east"})
    async with running(clean_swarm, web={"constraints": ["node.labels.zone == east"]}) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(5)
        await run.reaches(2, 4)
        assert run.containers() == {"n1": 2, "n2": 2, "n3": 2}
        run.want(0)
        await run.reaches(0, ROOM)
        there_are(run, 0, ROOM)


@contextmanager
def jumping(config: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Another Beaufort, whose demand jumps up and down. It is killed at the end."""
    program = [sys.executable, str(Path(__file__).with_name("docker_jump.py")), json.dumps(config), "0.7"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            yield process
        finally:
            process.kill()


async def test_beaufort_is_killed_ten_times_in_a_jump(clean_swarm: Swarm) -> None:
    """At random instants: whatever was under way is adopted, and nothing is started twice."""
    instants = random.Random(3)
    async with running(clean_swarm) as run:
        run.controller.pause("web")
        run.controller.pause("batch")
        for _ in range(10):
            with jumping(run.config) as process:
                assert process.stdout is not None
                select.select(
                    [process.stdout], [], [], instants.uniform(0.1, 1.0)
                )  # it says nothing more: a time to live
        run.want(3)
        run.controller.resume("web")
        run.controller.resume("batch")
        await run.reaches(3, 3)
        run.want(2)
        await run.reaches(2, 4)
        there_are(run, 2, 4)
