"""The stand-in for Marathon and its tasks: which go, which are named, what replaces them; in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import Any

import pytest

from marathon_client import SMALL, Client
from marathon_memory import Memory, Node, Program
from marathon_server import MarathonServer
from marathon_settings import Settings

pytestmark = pytest.mark.looptime


@pytest.fixture
def memory() -> Memory:
    """Room for four. A task takes a second to end."""
    nodes = [Node(name=name, cpus=0.2, mem=1000) for name in ("one", "two")]
    return Memory(*nodes, program=Program(stop=1.0))


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
async def server(memory: Memory, settings: Settings) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(memory, settings=settings) as server:
        yield server


@pytest.fixture
async def client(server: MarathonServer) -> AsyncIterator[Client]:
    async with Client(server.url) as client:
        yield client


@pytest.mark.parametrize(
    ("selection", "left"),
    [pytest.param("YOUNGEST_FIRST", 0, id="youngest"), pytest.param("OLDEST_FIRST", -1, id="oldest")],
)
async def test_who_goes_is_selected_by_age(client: Client, memory: Memory, selection: str, left: int) -> None:
    await client.running("/web", 1, killSelection=selection)
    ids = await client.running("/web", 2, killSelection=selection)
    await client.made("PATCH", "/v2/apps/web", {"instances": 1})
    await client.settled()
    assert [task.id for task in memory.tasks()] == [ids[left]]


async def test_victims_are_named_in_one_deployment(client: Client, memory: Memory) -> None:
    a, b = await client.running("/a", 2), await client.running("/b", 2)
    answer = await client.ask("POST", "/v2/tasks/delete?scale=true", {"ids": [a[0], b[1]]})
    assert answer.body["deploymentId"] == answer.headers["Marathon-Deployment-Id"]
    assert [(await client.told(app))["instances"] for app in ("/a", "/b")] == [1, 1]
    again = await client.ask("POST", "/v2/tasks/delete?scale=true&force=true", {"ids": [a[0]]})
    assert (again.status, (await client.told("/a"))["instances"]) == (200, 1)
    await client.settled()
    assert {task.id for task in memory.tasks()} == {a[1], b[0]}


async def test_an_app_that_is_locked_is_not_scaled_by_a_kill(client: Client) -> None:
    ids = await client.running("/web", 4)
    await client.made("PATCH", "/v2/apps/web", {"instances": 5})
    assert (await client.ask("POST", "/v2/tasks/delete?scale=true", {"ids": ids[:1]})).status == 409
    answer = await client.ask("POST", "/v2/tasks/delete", {"ids": ids[:1]})
    assert (answer.status, [task["id"] for task in answer.body["tasks"]]) == (200, ids[:1])
    await asyncio.sleep(30)
    tasks = {task["id"] for task in (await client.get("/v2/tasks"))["tasks"]}
    assert (len(tasks), ids[0] in tasks, ids[0].replace("_app.1", "_app.2") in tasks) == (4, False, True)


async def test_without_scale_what_is_killed_is_replaced(client: Client, memory: Memory) -> None:
    before = await client.running("/web", 2)
    await client.ask("DELETE", f"/v2/apps/web/tasks/{before[0]}")
    await client.settled()
    after = {task.id for task in memory.tasks()}
    assert (len(after), before[0] in after, before[1] in after) == (2, False, True)


@pytest.mark.parametrize(
    ("ids", "status", "message"),
    [
        pytest.param(["not-known"], 400, "Invalid task id 'not-known'.", id="no id"),
        pytest.param(["web.instance-00000000-0000-1000-8000-000000000000._app.1"], 200, None, id="one that has gone"),
        pytest.param("x", 422, "Invalid JSON", id="no list"),
    ],
)
async def test_ids_are_checked(client: Client, ids: Any, status: int, message: str | None) -> None:
    await client.running("/web", 1)
    answer = await client.ask("POST", "/v2/tasks/delete?scale=true", {"ids": ids})
    assert (answer.status, answer.body.get("message")) == (status, message)
    assert (await client.told("/web"))["instances"] == 1


async def test_what_is_not_there_is_not_killed(client: Client) -> None:
    await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 0})
    await client.settled()
    answer = await client.ask("DELETE", "/v2/apps/web/tasks?scale=true")
    assert (answer.status, answer.body) == (404, {"message": "Path '/web' does not exist"})
    answer = await client.ask("DELETE", "/v2/apps/web/tasks/web.x")
    assert (answer.status, answer.body) == (404, {"message": "Task 'web.x' does not exist"})
    assert (await client.ask("GET", "/v2/apps/other/tasks")).status == 404


async def test_tasks_are_listed_by_state_and_by_group(client: Client, memory: Memory) -> None:
    memory.programs["/b/web"] = Program(start=math.inf)
    await client.running("/a/web", 1)
    await client.made("PUT", "/v2/apps/b/web", SMALL)
    await asyncio.sleep(10)
    staging = (await client.get("/v2/tasks?status=staging"))["tasks"]
    assert [(task["appId"], task["state"]) for task in staging] == [("/b/web", "TASK_STAGING")]
    assert (await client.told("/b/web"))["tasksStaged"] == 1
    assert [task["appId"] for task in (await client.get("/v2/apps/a/*/tasks"))["tasks"]] == ["/a/web"]
    assert [app["id"] for app in (await client.get("/v2/apps/b/*"))["*"]] == ["/b/web"]


async def test_those_of_a_host_are_killed(client: Client) -> None:
    await client.running("/web", 4)
    await client.made("DELETE", "/v2/apps/web/tasks?host=one&scale=true")
    await client.settled()
    assert [task["host"] for task in (await client.get("/v2/tasks"))["tasks"]] == ["two", "two"]
    both = await client.ask("DELETE", "/v2/apps/web/tasks?scale=true&wipe=true")
    assert (both.status, both.body) == (400, {"message": "You cannot use scale and wipe at the same time."})


@pytest.mark.parametrize("settings", [Settings(task_killing=True)])
async def test_a_stubborn_task_is_killed_after_its_grace(client: Client, memory: Memory) -> None:
    memory.programs["/web"] = Program(stop=math.inf)
    await client.running("/web", 1, taskKillGracePeriodSeconds=7)
    await client.made("PATCH", "/v2/apps/web", {"instances": 0})
    await asyncio.sleep(6.9)
    assert (await client.told("/web"))["tasks"][0]["state"] == "TASK_KILLING"
    await asyncio.sleep(0.2)
    assert memory.tasks() == []


async def test_tasks_are_told_whole(client: Client) -> None:
    await client.running("/a/web", 1)
    await client.made("PUT", "/v2/apps/b", {"cmd": "x", "cpus": 0.1, "mem": 1, "ports": [0, 0]})
    await client.settled()
    (task,) = (await client.get("/v2/apps/b/tasks"))["tasks"]
    assert task["id"].startswith("b.instance-")
    assert (task["ports"], len(task["servicePorts"]), task["appId"]) == ([31000, 31001], 2, "/b")
    assert task["stagedAt"] < task["startedAt"]
    assert task["version"] == (await client.told("/b"))["version"]
    (other,) = (await client.get("/v2/apps/a/web/tasks"))["tasks"]
    assert other["id"].startswith("a_web.instance-")


async def test_what_can_not_be_reached_is_replaced(client: Client, memory: Memory) -> None:
    patient = {"unreachableStrategy": {"inactiveAfterSeconds": 60, "expungeAfterSeconds": 120}}
    ids = await client.running("/web", 1, **patient)
    where = memory.tasks()[0].node.name
    memory.lose(where)
    await asyncio.sleep(59)
    assert [task["state"] for task in (await client.told("/web"))["tasks"]] == ["TASK_UNREACHABLE"]
    await asyncio.sleep(10)
    assert sorted(task["state"] for task in (await client.told("/web"))["tasks"]) == [
        "TASK_RUNNING",
        "TASK_UNREACHABLE",
    ]
    await asyncio.sleep(60)
    memory.find(where)
    await asyncio.sleep(10)
    assert [task["id"] for task in (await client.told("/web"))["tasks"]] != ids
    assert len(memory.tasks()) == 1
