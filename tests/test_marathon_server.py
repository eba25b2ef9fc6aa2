"""The stand-in for Marathon is as strict as Marathon: each of its rules, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from marathon_client import Client
from marathon_memory import Memory, Node
from marathon_server import MarathonServer

pytestmark = pytest.mark.looptime

SMALL: dict[str, Any] = {"cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "portDefinitions": []}


@pytest.fixture
def memory() -> Memory:
    """Room for four."""
    return Memory(Node(name="one", cpus=0.2, mem=1000), Node(name="two", cpus=0.2, mem=1000))


@pytest.fixture
async def server(memory: Memory) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(memory) as server:
        yield server


@pytest.fixture
async def client(server: MarathonServer) -> AsyncIterator[Client]:
    async with Client(server.url) as client:
        yield client


async def settled(client: Client) -> None:
    """No deployment runs any more, after all the time that one needs."""
    await asyncio.sleep(30)
    assert await client.get("/v2/deployments") == []


async def test_a_new_app_is_started_and_then_scaled(client: Client) -> None:
    answer = await client.ask("POST", "/v2/apps", {**SMALL, "id": "/a/web", "instances": 2})
    assert (answer.status, answer.body["deployments"]) == (201, [{"id": answer.headers["Marathon-Deployment-Id"]}])
    (deployment,) = await client.get("/v2/deployments")
    actions = [action["action"] for step in deployment["steps"] for action in step["actions"]]
    assert actions == ["StartApplication", "ScaleApplication"]
    await settled(client)
    told = (await client.get("/v2/apps/a/web"))["app"]
    assert {key: told[key] for key in ("tasksStaged", "tasksRunning", "deployments")} == {
        "tasksStaged": 0,
        "tasksRunning": 2,
        "deployments": [],
    }


async def test_a_scale_up_that_finds_no_offers_holds_its_lock(client: Client) -> None:
    await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 4})
    await settled(client)
    first = await client.made("PATCH", "/v2/apps/web", {"instances": 5})
    await asyncio.sleep(1000)
    answer = await client.ask("PUT", "/v2/apps/web", {"instances": 4})
    assert (answer.status, answer.body["deployments"]) == (409, [{"id": first}])
