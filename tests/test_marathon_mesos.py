"""The stand-in for Marathon on a real Mesos."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from marathon_client import Client
from marathon_mesos import MesosBackend
from marathon_server import MarathonServer
from marathon_settings import Settings
from mesos_rig import Mesos

SMALL: dict[str, Any] = {"cmd": "exec sleep 1000", "cpus": 0.1, "mem": 32}
SOON = Settings(min_revive=0.1, task_killing=True)


@pytest.fixture
async def server(shared_mesos: Mesos) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(MesosBackend(shared_mesos.address), settings=SOON) as server:
        yield server


@pytest.fixture
async def client(server: MarathonServer) -> AsyncIterator[Client]:
    async with Client(server.url) as client:
        yield client


Events = AsyncIterator[dict[str, Any]]


async def over(client: Client, events: Events, id_: str) -> None:
    await client.until(events, lambda event: event["eventType"] == "deployment_success" and event["id"] == id_)


def is_state(state: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["eventType"] == "status_update_event" and event["taskStatus"] == state


async def test_tasks_run_and_end_by_name(client: Client, shared_mesos: Mesos, tmp_path: Path) -> None:
    said = tmp_path / "said"
    app = {
        **SMALL,
        "cmd": f"echo $A $PORT0 $MARATHON_APP_ID >> {said}; exec sleep 1000",
        "env": {"A": "b"},
        "labels": {"team": "shop"},
    }
    async with asyncio.timeout(30), client.events() as events:
        await over(client, events, await client.made("PUT", "/v2/apps/a/web", {**app, "instances": 3}))
        tasks = shared_mesos.tasks()
        assert {task["state"] for task in tasks} == {"TASK_RUNNING"}
        assert {task["labels"][0]["value"] for task in tasks} == {"shop"}
        told = (await client.get("/v2/apps/a/web/tasks"))["tasks"]
        lines = {f"b {task['ports'][0]} /a/web" for task in told}
        assert set(said.read_text().splitlines()) == lines
        victim = told[1]["id"]
        assert victim.startswith("a_web.instance-")
        await over(client, events, await client.made("POST", "/v2/tasks/delete?scale=true", {"ids": [victim]}))
        assert {task["id"] for task in shared_mesos.tasks()} == {task["id"] for task in told} - {victim}


async def test_a_stubborn_task_ends_after_its_grace(client: Client, shared_mesos: Mesos, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    cmd = f"trap '' TERM; touch {ready}; while :; do sleep 0.1; done"
    app = {**SMALL, "cmd": cmd, "taskKillGracePeriodSeconds": 1}
    async with asyncio.timeout(30), client.events() as events:
        await over(client, events, await client.made("PUT", "/v2/apps/web", app))
        await asyncio.to_thread(shared_mesos.until, ready.exists)
        id_ = await client.made("PATCH", "/v2/apps/web", {"instances": 0})
        await client.until(events, is_state("TASK_KILLING"))
        (task,) = (await client.get("/v2/tasks"))["tasks"]
        assert task["state"] == "TASK_KILLING"
        await over(client, events, id_)
        assert (await client.get("/v2/tasks"))["tasks"] == shared_mesos.tasks() == []


async def test_what_dies_is_replaced_and_what_fails_waits(client: Client, shared_mesos: Mesos) -> None:
    async with asyncio.timeout(30), client.events() as events:
        await over(client, events, await client.made("PUT", "/v2/apps/web", {**SMALL, "backoffSeconds": 1}))
        (before,) = shared_mesos.processes()
        os.kill(before[0], signal.SIGKILL)
        await client.until(events, is_state("TASK_FAILED"))
        ((item,),) = [(await client.get("/v2/queue"))["queue"]]
        assert (item["count"], item["app"]["id"]) == (1, "/web")
        await client.until(events, is_state("TASK_RUNNING"))
        failure = (await client.get("/v2/apps/web"))["app"]["lastTaskFailure"]
        assert (failure["state"], failure["message"]) == ("TASK_FAILED", "Command terminated with signal Killed")


async def test_it_finds_its_tasks_again_after_its_master_was_gone(client: Client, shared_mesos: Mesos) -> None:
    async with asyncio.timeout(60), client.events() as events:
        await over(client, events, await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 2}))
        before = {task["id"] for task in shared_mesos.tasks()}
        await asyncio.to_thread(shared_mesos.kill)
        await asyncio.to_thread(shared_mesos.start)
        await over(client, events, await client.made("PATCH", "/v2/apps/web", {"instances": 3}))
        after = {task["id"] for task in (await client.get("/v2/tasks"))["tasks"]}
        assert (len(after), before <= after) == (3, True)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param({"protocol": "COMMAND", "command": {"value": "test -e FLAG"}}, id="by Mesos"),
        pytest.param({"protocol": "HTTP", "path": "/flag"}, id="by Marathon"),
    ],
)
async def test_a_deployment_waits_for_health(client: Client, tmp_path: Path, check: dict[str, Any]) -> None:
    flag = tmp_path / "flag"
    quick = {"intervalSeconds": 1, "delaySeconds": 0, "gracePeriodSeconds": 60, **check}
    if "command" in check:
        quick["command"] = {"value": f"test -e {flag}"}
    app = {**SMALL, "cmd": f"cd {tmp_path}; exec python3 -m http.server $PORT0", "healthChecks": [quick]}
    async with asyncio.timeout(30), client.events() as events:
        id_ = await client.made("PUT", "/v2/apps/web", app)
        await client.until(events, is_state("TASK_RUNNING"))
        told = (await client.get("/v2/apps/web"))["app"]
        assert (told["tasksRunning"], told["tasksHealthy"], told["deployments"]) == (1, 0, [{"id": id_}])
        flag.touch()
        await over(client, events, id_)
        assert (await client.get("/v2/apps/web"))["app"]["tasksHealthy"] == 1
