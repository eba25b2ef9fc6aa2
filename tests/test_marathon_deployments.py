"""The stand-in for Marathon and its deployments: what they do in which order, and what they lock; in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from marathon_client import SMALL, Client
from marathon_memory import Memory, Node, Program
from marathon_server import MarathonServer
from marathon_settings import Settings

pytestmark = pytest.mark.looptime

LOCKED = (
    "App is locked by one or more deployments. Override with the option '?force=true'. "
    "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
)


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


async def test_a_scale_up_that_finds_no_offers_holds_its_lock(client: Client) -> None:
    await client.running("/web", 4)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 5})
    await asyncio.sleep(1000)
    answer = await client.ask("PUT", "/v2/apps", [{"id": "/web", "instances": 4}])
    assert (answer.status, answer.body) == (409, {"message": LOCKED, "deployments": [{"id": first}]})
    assert (await client.told("/web"))["instances"] == 5


async def test_a_change_of_nothing_is_never_locked(client: Client) -> None:
    await client.running("/web", 4)
    await client.made("PATCH", "/v2/apps/web", {"instances": 5})
    await client.made("PATCH", "/v2/apps/web", {"instances": 5})
    assert len(await client.get("/v2/deployments")) == 1


async def test_force_ends_what_is_in_the_way(client: Client, server: MarathonServer) -> None:
    await client.running("/web", 2)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 5})
    second = await client.made("PATCH", "/v2/apps/web?force=true", {"instances": 3})
    assert [each["id"] for each in await client.get("/v2/deployments")] == [second]
    await client.settled()
    ends = [(each["eventType"], each["id"]) for each in server.scheduler.bus.published if "id" in each]
    assert ends[-2:] == [("deployment_failed", first), ("deployment_success", second)]


async def test_a_scale_down_locks_until_its_tasks_have_gone(client: Client) -> None:
    await client.running("/web", 3)
    await client.made("PATCH", "/v2/apps/web", {"instances": 1})
    await asyncio.sleep(0.9)
    app = await client.told("/web")
    assert (app["instances"], app["tasksRunning"]) == (1, 3)
    assert (await client.ask("PATCH", "/v2/apps/web", {"instances": 2})).status == 409
    await asyncio.sleep(0.2)
    assert (await client.told("/web"))["tasksRunning"] == 1
    await client.made("PATCH", "/v2/apps/web", {"instances": 2})


async def test_downs_and_ups_of_one_deployment_run_side_by_side(client: Client, memory: Memory) -> None:
    await client.running("/a", 2)
    await client.running("/b", 1)
    await client.made("PUT", "/v2/apps", [{"id": "/a", "instances": 1}, {"id": "/b", "instances": 2}])
    await asyncio.sleep(0.5)
    assert {len(memory.tasks("/a")), len(await client.get("/v2/deployments"))} == {2, 1}
    await client.settled()
    assert [len(memory.tasks(app)) for app in ("/a", "/b")] == [1, 2]


async def test_a_deployment_waits_for_health(client: Client, memory: Memory) -> None:
    memory.programs["/web"] = Program(healthy=None)
    await client.made(
        "PUT", "/v2/apps/web", {**SMALL, "healthChecks": [{"protocol": "COMMAND", "command": {"value": "x"}}]}
    )
    await asyncio.sleep(100)
    app = await client.told("/web")
    assert (app["tasksRunning"], app["tasksHealthy"], len(app["deployments"])) == (1, 0, 1)
    memory.health(app["tasks"][0]["id"], alive=True)
    await client.settled()
    app = await client.told("/web")
    assert (app["tasksHealthy"], app["tasks"][0]["healthCheckResults"][0]["alive"]) == (1, True)


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        pytest.param(Settings(), 1, id="what waits goes last"),
        pytest.param(Settings(purges_late=False), 4, id="what waits goes at once"),
    ],
)
async def test_a_rollback_may_end_what_ran_before(client: Client, memory: Memory, kept: int) -> None:
    before = await client.running("/web", 4)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 7})
    await asyncio.sleep(30)
    await client.made("DELETE", f"/v2/deployments/{first}")
    await client.settled()
    assert (await client.told("/web"))["instances"] == 4
    assert len({task.id for task in memory.tasks()} & set(before)) == kept


async def test_a_deployment_that_is_stopped_leaves_what_runs(client: Client, memory: Memory) -> None:
    before = await client.running("/web", 4)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 6})
    answer = await client.ask("DELETE", f"/v2/deployments/{first}?force=true")
    assert (answer.status, answer.body) == (202, "")
    assert (await client.get("/v2/queue"))["queue"] == []
    assert (await client.told("/web"))["instances"] == 6
    await client.made("PATCH", "/v2/apps/web", {"instances": 4})
    await client.settled()
    assert {task.id for task in memory.tasks()} == set(before)
    answer = await client.ask("DELETE", f"/v2/deployments/{first}")
    assert (answer.status, answer.body) == (404, {"message": f"DeploymentPlan {first} does not exist"})


@pytest.mark.parametrize("settings", [Settings(purges=False)])
async def test_a_deployment_that_is_stopped_may_leave_what_waits(client: Client) -> None:
    await client.running("/web", 4)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 6})
    await asyncio.sleep(10)
    await client.ask("DELETE", f"/v2/deployments/{first}?force=true")
    assert [each["count"] for each in (await client.get("/v2/queue"))["queue"]] == [2]


async def test_a_stopped_deployment_is_taken_up_by_the_next_scale_check(client: Client) -> None:
    await client.running("/web", 4)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 6})
    await client.ask("DELETE", f"/v2/deployments/{first}?force=true")
    await asyncio.sleep(300)
    assert [each["count"] for each in (await client.get("/v2/queue"))["queue"]] == [2]


async def test_another_launch_restarts_the_tasks_one_by_one(client: Client, memory: Memory) -> None:
    before = await client.running("/web", 2)
    few = {"upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0}}
    await client.made("PUT", "/v2/apps/web", {"cmd": "sleep 2000", **few})
    (deployment,) = await client.get("/v2/deployments")
    assert deployment["currentActions"][0]["action"] == "RestartApplication"
    await asyncio.sleep(1.1)
    assert len({task.id for task in memory.tasks()} & set(before)) == 1
    await client.settled()
    assert memory.peak["/web"] == 2
    assert {task.app.spec["cmd"] for task in memory.tasks()} == {"sleep 2000"}


async def test_a_restart_is_a_new_configuration(client: Client, memory: Memory) -> None:
    before = await client.running("/web", 2)
    assert (await client.ask("POST", "/v2/apps/other/restart")).status == 404
    await client.made("POST", "/v2/apps/web/restart")
    await client.settled()
    assert not {task.id for task in memory.tasks()} & set(before)
    assert memory.peak["/web"] == 4


async def test_another_launch_of_nothing_ends_its_tasks_with_the_next_scale_check(
    client: Client, memory: Memory
) -> None:
    await client.running("/web", 1)
    await client.made("PUT", "/v2/apps/web", {"instances": 0, "cmd": "true"})
    await client.settled()
    assert len(memory.tasks()) == 1
    await asyncio.sleep(300)
    assert memory.tasks() == []


async def test_the_rollback_of_a_new_app_removes_it(client: Client, memory: Memory) -> None:
    id_ = await client.made("PUT", "/v2/apps", [{**SMALL, "id": "/web", "instances": 5}])
    await asyncio.sleep(10)
    await client.made("DELETE", f"/v2/deployments/{id_}")
    assert (await client.ask("GET", "/v2/apps/web")).status == 404
    await client.settled()
    assert memory.tasks() == []


async def test_what_others_depend_on_comes_first(client: Client) -> None:
    await client.made("PUT", "/v2/apps", [{**SMALL, "id": "/a", "dependencies": ["/b"]}, {**SMALL, "id": "/b"}])
    (deployment,) = await client.get("/v2/deployments")
    assert [action["app"] for step in deployment["steps"] for action in step["actions"]] == ["/a", "/b", "/b", "/a"]
