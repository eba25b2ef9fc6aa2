"""The stand-in for Marathon and its launch queue: offers, constraints, tokens, delays; in virtual time."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest

from marathon_client import SMALL, Client
from marathon_memory import Memory, Node, Program
from marathon_server import MarathonServer
from marathon_settings import Settings

pytestmark = pytest.mark.looptime


@pytest.fixture
def memory() -> Memory:
    """Three nodes in two racks, each with room for many."""
    racks = {"one": "a", "two": "a", "three": "b"}
    nodes = [Node(name=name, cpus=100, mem=10000, attributes={"rack": rack}) for name, rack in racks.items()]
    return Memory(*nodes)


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


async def queue(client: Client, query: str = "") -> dict[str, Any]:
    """The only app in it."""
    (item,) = (await client.get(f"/v2/queue{query}"))["queue"]
    assert isinstance(item, dict)
    return item


# Offers.


async def test_an_offer_takes_no_more_than_five_at_once(client: Client, memory: Memory) -> None:
    await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 100})
    await asyncio.sleep(1.5)
    assert Counter(task.node.name for task in memory.tasks()) == {"one": 5, "two": 5, "three": 5}
    await asyncio.sleep(1)
    assert len(memory.tasks()) == 30


async def test_offers_are_asked_for_no_more_often_than_allowed(client: Client, memory: Memory) -> None:
    await client.running("/web", 1)
    await client.made("PATCH", "/v2/apps/web", {"instances": 2})
    await asyncio.sleep(2.5)
    await client.made("PATCH", "/v2/apps/web", {"instances": 3})
    await asyncio.sleep(3)
    assert len(memory.tasks()) == 2
    await asyncio.sleep(1)
    assert len(memory.tasks()) == 3


async def test_what_was_declined_comes_back_when_a_task_ends_there(client: Client, memory: Memory) -> None:
    big = {"cpus": 60}
    await client.running("/a", 3, **big)
    await client.made("PUT", "/v2/apps/b", {**SMALL, **big})
    await asyncio.sleep(20)
    declined = memory.declined
    await asyncio.sleep(20)
    assert memory.declined == declined
    await client.made("PATCH", "/v2/apps/a", {"instances": 2})
    await client.settled()
    assert len(memory.tasks("/b")) == 1


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        pytest.param({"cpus": 101}, "InsufficientCpus", id="cpus"),
        pytest.param({"mem": 10001}, "InsufficientMemory", id="mem"),
        pytest.param({"gpus": 1}, "InsufficientGpus", id="gpus"),
        pytest.param({"constraints": [["rack", "LIKE", "c"]], "cpus": 101}, "UnfulfilledConstraint", id="first reason"),
        pytest.param({"acceptedResourceRoles": ["x"]}, "UnfulfilledRole", id="role"),
        pytest.param({"portDefinitions": [{"port": 80}], "requirePorts": True}, "InsufficientPorts", id="ports"),
    ],
)
async def test_the_queue_says_why_offers_are_not_used(client: Client, app: dict[str, Any], reason: str) -> None:
    await client.made("PUT", "/v2/apps/web", {**SMALL, **app, "instances": 2})
    await asyncio.sleep(10)
    item = await queue(client)
    summary = item["processedOffersSummary"]
    declined = {step["reason"]: step["declined"] for step in summary["rejectSummaryLastOffers"] if step["declined"]}
    assert (item["count"], item["delay"]) == (2, {"timeLeftSeconds": 0, "overdue": False})
    assert (declined, summary["unusedOffersCount"]) == ({reason: 3}, 3)
    assert "lastUnusedOffers" not in item
    unused = (await queue(client, "?embed=lastUnusedOffers"))["lastUnusedOffers"]
    assert [each["reason"] for each in unused] == [[reason]] * 3


@pytest.mark.parametrize(
    ("constraint", "placed"),
    [
        pytest.param(["hostname", "UNIQUE"], {"one": 1, "two": 1, "three": 1}, id="unique"),
        pytest.param(["rack", "CLUSTER", "b"], {"three": 4}, id="cluster"),
        pytest.param(["rack", "GROUP_BY", "2"], {"one": 2, "three": 2}, id="group by"),
        pytest.param(["rack", "GROUP_BY"], {"one": 4}, id="group by what is known"),
        pytest.param(["hostname", "LIKE", "t.*"], {"two": 4}, id="like"),
        pytest.param(["hostname", "UNLIKE", "t.*"], {"one": 4}, id="unlike"),
        pytest.param(["rack", "MAX_PER", "1"], {"one": 1, "three": 1}, id="max per"),
        pytest.param(["rack", "IS", "b"], {"three": 4}, id="is"),
        pytest.param(["shelf", "LIKE", "x"], {}, id="no such attribute"),
    ],
)
async def test_constraints_say_where(
    client: Client, memory: Memory, constraint: list[str], placed: dict[str, int]
) -> None:
    await client.made("PUT", "/v2/apps/web", {**SMALL, "constraints": [constraint], "instances": 4})
    await asyncio.sleep(300)
    assert Counter(task.node.name for task in memory.tasks()) == placed


# Tokens.


@pytest.mark.parametrize("settings", [Settings(launch_tokens=10)])
async def test_launches_are_counted(client: Client, memory: Memory) -> None:
    memory.programs["/web"] = Program(start=math.inf)
    await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 40})
    await asyncio.sleep(29)
    assert len(memory.tasks()) == 10
    await asyncio.sleep(10)
    assert len(memory.tasks()) == 20


@pytest.mark.parametrize("settings", [Settings(launch_tokens=10)])
async def test_each_task_that_comes_up_allows_one_more(client: Client, memory: Memory) -> None:
    await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 25})
    await asyncio.sleep(29)
    assert len(memory.tasks()) == 25


# Failures.


async def test_each_failure_makes_the_next_start_later(client: Client, memory: Memory, server: MarathonServer) -> None:
    memory.programs["/web"] = Program(lives=0.5)
    await client.made(
        "PUT", "/v2/apps/web", {**SMALL, "backoffSeconds": 10, "backoffFactor": 2, "maxLaunchDelaySeconds": 30}
    )
    await asyncio.sleep(200)
    ends = [event for event in server.scheduler.bus.published if event.get("taskStatus") == "TASK_FAILED"]
    at = [datetime.fromisoformat(event["timestamp"]).timestamp() for event in ends]
    apart = [after - before for before, after in pairwise(at)]
    assert apart[:4] == [pytest.approx(seconds, abs=2) for seconds in (11.5, 21.5, 31.5, 31.5)]
    assert 0 < (await queue(client))["delay"]["timeLeftSeconds"] <= 30
    failure = (await client.told("/web"))["lastTaskFailure"]
    assert (failure["state"], failure["message"]) == ("TASK_FAILED", "Command exited with status 1")


async def test_a_delay_is_forgotten_on_demand(client: Client, memory: Memory) -> None:
    memory.programs["/web"] = Program(lives=0.5)
    await client.made("PUT", "/v2/apps/web", {**SMALL, "backoffSeconds": 1000, "maxLaunchDelaySeconds": 1000})
    await asyncio.sleep(50)
    assert (await queue(client))["delay"]["timeLeftSeconds"] > 900
    assert (await client.ask("DELETE", "/v2/queue/web/delay")).status == 204
    memory.programs.clear()
    await client.settled()
    answer = await client.ask("DELETE", "/v2/queue/web/delay")
    assert (answer.status, answer.body) == (404, {"message": "Application /web not found in tasks queue."})


async def test_another_launch_has_no_delay_yet(client: Client, memory: Memory) -> None:
    memory.programs["/web"] = Program(lives=0.5)
    await client.made("PUT", "/v2/apps/web", {**SMALL, "backoffSeconds": 1000, "maxLaunchDelaySeconds": 1000})
    await asyncio.sleep(50)
    memory.programs.clear()
    await client.made("PUT", "/v2/apps/web?force=true", {"cmd": "true"})
    await client.settled()
    assert len(memory.tasks()) == 1


async def test_a_task_that_was_killed_makes_no_delay(client: Client, memory: Memory) -> None:
    (task,) = await client.running("/web", 1, backoffSeconds=1000, maxLaunchDelaySeconds=1000)
    await client.ask("POST", "/v2/tasks/delete", {"ids": [task]})
    await client.settled()
    assert len(memory.tasks()) == 1


async def test_a_task_that_dies_is_replaced_after_the_delay(client: Client, memory: Memory) -> None:
    (task,) = await client.running("/web", 1, backoffSeconds=20)
    memory.end(task, "TASK_FAILED", "out of memory")
    await asyncio.sleep(19)
    assert memory.tasks() == []
    await asyncio.sleep(10)
    assert len(memory.tasks()) == 1


async def test_a_launch_that_takes_too_long_is_given_up(client: Client, memory: Memory) -> None:
    memory.programs["/web"] = Program(start=math.inf)
    await client.made("PUT", "/v2/apps/web", SMALL)
    await asyncio.sleep(299)
    (first,) = memory.tasks()
    memory.programs.clear()
    await client.settled()
    (second,) = memory.tasks()
    assert first is not second


async def test_a_task_that_is_unhealthy_for_too_long_is_killed(
    client: Client, memory: Memory, server: MarathonServer
) -> None:
    check = {"protocol": "COMMAND", "command": {"value": "x"}, "maxConsecutiveFailures": 2}
    (task,) = await client.running("/web", 1, healthChecks=[check])
    memory.health(task, alive=False)
    app = await client.told("/web")
    assert (app["tasksUnhealthy"], app["tasks"][0]["healthCheckResults"][0]["consecutiveFailures"]) == (1, 1)
    memory.health(task, alive=False)
    await asyncio.sleep(30)
    (after,) = (await client.told("/web"))["tasks"]
    assert after["id"] != task
    assert "unhealthy_instance_kill_event" in {event["eventType"] for event in server.scheduler.bus.published}
