"""The Marathon driver on real tasks: the stand-in for Marathon is a framework of a real Mesos, whose agents are the room."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import controlled
import mesos_run
from beaufort.model import Launch, Resources, Service
from beaufort.protocols import Unreachable
from beaufort.schedulers.apps.launch import MarathonLaunch
from beaufort.schedulers.marathon import Marathon
from controlled import ROOM
from marathon_client import Client
from marathon_mesos import MesosBackend
from marathon_server import MarathonServer
from marathon_settings import Settings
from mesos_rig import Mesos, mesos
from scheduler_contract import bring, until, watching

PROGRAM = {"command": ["sleep", "1000"], "grace": "1s", "resources": {"cpu": 1, "memory": "32MiB"}}


@pytest.fixture(scope="module")
def small_mesos() -> Iterator[Mesos]:
    """Room for two tasks of a core on each of three agents."""
    with mesos(resources="cpus:2;mem:1024;disk:1000;ports:[31000-31100]") as private:
        yield private


@pytest.fixture
async def server(small_mesos: Mesos) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(MesosBackend(small_mesos.address), settings=Settings(min_revive=0.1)) as server:
        yield server


def configuration(server: MarathonServer, master: str) -> dict[str, Any]:
    config = controlled.configuration({"type": "marathon", "url": server.url, "master": master}, PROGRAM)
    del config["capacity"]
    return config


def service(name: str, *command: str, cpu: float = 1.0, **options: Any) -> Service:
    launch = Launch(command or ("sleep", "1000"), None, {"A": "=b"}, 1.0, MarathonLaunch(**options))
    return Service(name, 1, resources=Resources(cpu=cpu, memory=32 * 2**20), launch=launch)


def really(private: Mesos) -> Counter[str]:
    """Service -> how many of its processes there are, by the kernel, when it shows as many as there are tasks."""
    private.until(lambda: len(private.processes()) == len(private.tasks()))
    return Counter(task.partition(".")[0].rpartition("_")[2] for _, task in private.processes())


async def test_the_agents_are_the_room_and_are_divided(server: MarathonServer, small_mesos: Mesos) -> None:
    async with controlled.controlled(configuration(server, small_mesos.address)) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        assert run.controller.cluster is not None
        assert [node.capacity["cpu"] for node in run.controller.cluster.nodes] == [2, 2, 2]
        assert run.controller.cluster.counts["batch"].on == dict.fromkeys(small_mesos.agents(), 2)
        for web in (4, 1):
            run.want(web)
            await run.reaches(web, ROOM - web)
        assert really(small_mesos) == {"web": 1, "batch": 5}
    assert mesos_run.peak(small_mesos) == ROOM


async def test_what_others_use_is_no_room(server: MarathonServer, small_mesos: Mesos) -> None:
    """Another app of the same Marathon is somebody else too."""
    theirs = {"id": "/shop/db", "cmd": "sleep 1000", "cpus": 1, "mem": 32, "instances": 2, "portDefinitions": []}
    async with Client(server.url) as others:
        await others.made("PUT", "/v2/apps/shop/db", theirs)
        async with controlled.controlled(configuration(server, small_mesos.address)) as run:
            run.want(2)
            await run.reaches(2, 2)
            await others.made("PUT", "/v2/apps/shop/db", {"instances": 1})
            await run.reaches(2, 3)
    assert mesos_run.peak(small_mesos) == ROOM


async def test_a_task_gets_what_its_service_says(server: MarathonServer, small_mesos: Mesos) -> None:
    web = service("web", ports=(0,), health_command="test -n healthy", health_interval=1.0)
    async with Marathon(url=server.url, deployment="one", master=small_mesos.address) as scheduler:
        await bring(scheduler, web, 1)
    (task,) = small_mesos.tasks()
    labels = {each["key"]: each["value"] for each in task["labels"]}
    assert (labels["beaufort.deployment"], labels["beaufort.service"]) == ("one", "web")
    assert (task["resources"]["cpus"], task["resources"]["mem"]) == (1, 32)
    assert task["resources"]["ports"] != "[]"


async def test_why_a_task_ended_is_told_and_marathon_starts_another(server: MarathonServer) -> None:
    web = service("web", "sh", "-c", "sleep 0.3; exit 3")
    async with Marathon(url=server.url, deployment="one") as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        counts = await until(snapshots, web, lambda counts: counts.failed > 1)
        assert "failed" in counts.failure
        assert "3" in counts.failure


async def test_without_a_master_nothing_is_known(server: MarathonServer) -> None:
    """Marathon is there, and the Mesos that was named is not."""
    async with Marathon(url=server.url, master="127.0.0.1:1") as scheduler:
        with pytest.raises(Unreachable, match=r"master at http://127\.0\.0\.1:1 can't be reached"):
            await scheduler.scale(service("web"), 1)
