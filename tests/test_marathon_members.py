"""The stand-in for Marathon as a service: its events, who leads, who is let in, and what can be wrong with it."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from certificates import certificates
from marathon_client import SMALL, Client
from marathon_door import Door
from marathon_memory import Memory, Node
from marathon_server import MarathonServer
from marathon_settings import Settings

pytestmark = pytest.mark.looptime


@pytest.fixture
def settings() -> Settings:
    return Settings()


@pytest.fixture
async def server(settings: Settings) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(Memory(Node(name="one")), members=3, settings=settings) as server:
        yield server


@pytest.fixture
async def client(server: MarathonServer) -> AsyncIterator[Client]:
    async with Client(server.url) as client:
        yield client


def is_event(kind: str, **more: Any) -> Any:
    return lambda event: event["eventType"] == kind and more.items() <= event.items()


# Events.


async def test_the_first_event_says_that_one_listens(client: Client) -> None:
    async with client.events() as events:
        assert (await anext(events))["eventType"] == "event_stream_attached"
        id_ = await client.made("PUT", "/v2/apps/web", SMALL)
        success = await client.until(events, is_event("deployment_success", id=id_))
        assert success["plan"]["target"]["apps"][0]["id"] == "/web"


async def test_only_a_stream_is_asked_for(client: Client) -> None:
    assert (await client.ask("GET", "/v2/events")).status == 405


async def test_events_are_chosen_by_type_and_plans_made_light(client: Client) -> None:
    query = "?event_type=deployment_success&event_type=deployment_info&plan-format=light"
    async with client.events(query) as events:
        await client.made("PUT", "/v2/apps/web", SMALL)
        heard = [await anext(events) for _ in range(3)]
    assert Counter(event["eventType"] for event in heard) == {"deployment_info": 2, "deployment_success": 1}
    assert {"id", "steps", "version"} == heard[0]["plan"].keys()


@pytest.mark.parametrize(
    ("settings", "same"),
    [pytest.param(Settings(), False, id="as usual"), pytest.param(Settings(shuffle=0), True, id="kept")],
)
async def test_the_order_of_events_is_not_promised(client: Client, server: MarathonServer, same: bool) -> None:
    async with client.events() as events:
        await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 5})
        await asyncio.sleep(10)
        happened = [json.dumps(event) for event in server.scheduler.bus.published]
        heard = [json.dumps(await anext(events)) for _ in range(len(happened) + 1)][1:]
    assert sorted(heard) == sorted(happened)
    assert (heard == happened) is same


async def test_silence_is_kept_alive(client: Client) -> None:
    url = f"{client.url}/v2/events?event_type=none"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers={"Accept": "text/event-stream"}) as response,
    ):
        before = asyncio.get_running_loop().time()
        assert await response.content.readline() == b"\r\n"
        assert asyncio.get_running_loop().time() - before == 10


async def test_streams_can_be_cut(client: Client, server: MarathonServer) -> None:
    async with client.events() as events:
        await anext(events)
        server.cut_events()
        with pytest.raises(aiohttp.ClientError):
            await anext(events)


# Members.


async def test_whoever_does_not_lead_asks_the_leader(server: MarathonServer) -> None:
    async with Client(server.urls[2]) as client:
        answer = await client.ask("PUT", "/v2/apps/web", SMALL)
        leader, other = server.members[0], server.members[2]
        assert (answer.status, answer.headers["X-Marathon-Leader"]) == (201, leader.url)
        assert answer.headers["X-Marathon-Via"] == f"1.1 {other.address}"
        assert await client.get("/v2/leader") == {"leader": leader.address}
        assert (await client.get("/v2/info"))["leader"] == leader.address
        assert leader.calls[0] == other.calls[0] == "PUT /v2/apps/web"
        async with client.events() as events:
            assert (await anext(events))["eventType"] == "event_stream_attached"
            await client.until(events, is_event("deployment_success"))


async def test_a_request_does_not_go_in_circles(server: MarathonServer) -> None:
    other = server.members[1]
    async with Client(other.url, **{"X-Marathon-Via": f"1.1 {other.address}"}) as client:
        assert (await client.ask("GET", "/v2/apps")).status == 502


async def test_without_a_leader_only_the_ping_is_answered(client: Client, server: MarathonServer) -> None:
    async with client.events() as events:
        await anext(events)
        server.abdicate()
        with pytest.raises(aiohttp.ClientError):
            await anext(events)
    answer = await client.ask("GET", "/v2/apps")
    assert (answer.status, answer.body) == (503, "Could not determine the current leader")
    assert (await client.ask("GET", "/ping")).body == "pong"


async def test_a_request_waits_a_little_for_a_leader(client: Client, server: MarathonServer) -> None:
    server.abdicate()
    asyncio.get_running_loop().call_later(2, server.elect, 1)
    answer = await client.ask("GET", "/v2/apps")
    assert answer.headers["X-Marathon-Leader"] == server.urls[1]


async def test_the_next_leader_goes_on(client: Client, server: MarathonServer) -> None:
    id_ = await client.made("PUT", "/v2/apps/web", {**SMALL, "instances": 2})
    await server.kill(0)
    await asyncio.sleep(100)
    with pytest.raises(aiohttp.ClientError):
        await client.get("/v2/apps")
    server.elect(1)
    async with Client(server.urls[1]) as other:
        assert [each["id"] for each in await other.get("/v2/deployments")] == [id_]
        await other.settled()
        assert (await other.told("/web"))["tasksRunning"] == 2
    await server.revive(0)
    assert (await client.get("/v2/leader"))["leader"] == server.members[1].address


async def test_what_happens_without_a_leader_is_heard_by_the_next(client: Client, server: MarathonServer) -> None:
    (task,) = await client.running("/web", 1)
    assert (await client.ask("DELETE", "/v2/leader")).body == {"message": "Leadership abdicated"}
    memory = server.backend
    assert isinstance(memory, Memory)
    memory.end(task, "TASK_FAILED")
    await asyncio.sleep(100)
    assert memory.tasks() == []
    server.elect(2)
    await client.settled()
    assert [each.id for each in memory.tasks()] == [task.replace("_app.1", "_app.2")]


async def test_a_leader_that_hangs_is_given_up_by_the_others(server: MarathonServer) -> None:
    server.members[0].faults.hang()
    async with Client(server.urls[1]) as client:
        answer = await client.ask("GET", "/v2/apps")
        assert (answer.status, answer.body) == (504, "Connection to leader timed out.")
        server.members[0].faults.go_on()
        assert await client.get("/v2/apps") == {"apps": []}


async def test_a_leader_that_is_gone_is_not_reached(server: MarathonServer) -> None:
    await server.members[0].stop()
    async with Client(server.urls[1]) as client:
        assert (await client.ask("GET", "/v2/apps")).status == 502


async def test_faults(client: Client, server: MarathonServer) -> None:
    faults = server.members[0].faults
    faults.garbage = b"<html>"
    assert (await client.ask("GET", "/v2/apps")).body == "<html>"
    faults.garbage, faults.slow = None, 3.0
    before = asyncio.get_running_loop().time()
    assert await client.get("/v2/apps") == {"apps": []}
    assert asyncio.get_running_loop().time() - before == pytest.approx(3)


async def test_an_answer_may_be_lost_and_the_change_done(client: Client, server: MarathonServer) -> None:
    server.members[0].faults.lost = True
    with pytest.raises(aiohttp.ClientError):
        await client.ask("PUT", "/v2/apps/web", SMALL)
    server.members[0].faults.lost = False
    assert (await client.told("/web"))["instances"] == 1


async def test_a_stream_stands_still_while_its_member_hangs(client: Client, server: MarathonServer) -> None:
    async with client.events("?event_type=deployment_success") as events, Client(server.urls[1]) as other:
        await other.made("PUT", "/v2/apps/web", SMALL)
        server.members[0].faults.hang()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1000):
                await anext(events)
        server.members[0].faults.go_on()
        await client.settled()


async def test_what_there_is_not(client: Client) -> None:
    answer = await client.ask("GET", "/v2/nothing")
    assert (answer.status, answer.body) == (404, {"message": "URI not found: /v2/nothing"})
    answer = await client.ask("PATCH", "/v2/deployments")
    assert (answer.status, answer.body) == (405, {"message": "Method Not Allowed"})
    answer = await client.ask("PUT", "/v2/apps/web", None)
    assert (answer.status, answer.body["message"]) == (400, "Invalid JSON")


# Who is let in.


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


DOOR = Door(users={"ann": "secret", "bob": "b"}, tokens=["t1"], readers=["bob"])


@pytest.mark.parametrize(
    ("authorization", "reading", "writing"),
    [
        pytest.param("", 401, 401, id="nobody"),
        pytest.param(basic("ann", "wrong"), 401, 401, id="wrong password"),
        pytest.param(basic("ann", "secret"), 200, 201, id="password"),
        pytest.param(basic("bob", "b"), 200, 403, id="reader"),
        pytest.param("token=t1", 200, 201, id="token"),
        pytest.param("Basic ???", 401, 401, id="no password at all"),
        pytest.param("token=t2", 401, 401, id="wrong token"),
        pytest.param("Bearer t1", 401, 401, id="not as DC/OS has it"),
    ],
)
async def test_the_door(authorization: str, reading: int, writing: int) -> None:
    async with MarathonServer(door=DOOR) as server, Client(server.url, Authorization=authorization) as client:
        assert (await client.ask("GET", "/v2/apps")).status == reading
        answer = await client.ask("PUT", "/v2/apps/web", SMALL)
        assert answer.status == writing
        assert ("WWW-Authenticate" in answer.headers) is (writing == 401)


async def test_tls(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.cert("server"), made.key("server"))
    async with MarathonServer(members=2, context=context) as server:
        trusting = ssl.create_default_context(cafile=made.ca)
        async with aiohttp.ClientSession() as session, session.get(f"{server.urls[1]}/v2/apps", ssl=trusting) as answer:
            assert await answer.json() == {"apps": []}
