"""The demonstration on a Marathon, as a person runs it; and nothing of it left behind, however it ends."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from beaufort.protocols import ConfigError
from beaufort.stages import marathon
from beaufort.stages.marathon import MarathonStage
from beaufort.stages.stage import choose
from demo_run import begun
from marathon_client import Client
from marathon_memory import Memory
from marathon_server import MarathonServer
from marathon_settings import Settings

ON = ("--scheduler", "marathon", "--endpoint")
QUICK = Settings(min_revive=0.05)


@pytest.fixture
def memory() -> Memory:
    return Memory(allocation=0.05)


@pytest.fixture
async def server(memory: Memory) -> AsyncIterator[MarathonServer]:
    async with MarathonServer(memory, settings=QUICK) as server:
        yield server


def nothing_is_left(server: MarathonServer, memory: Memory) -> bool:
    """But the group that all demos share."""
    scheduler = server.scheduler
    return not memory.tasks() and not scheduler.apps and scheduler.groups <= {"/beaufort"}


async def test_it_says_what_really_ran(server: MarathonServer, memory: Memory) -> None:
    async with begun(*ON, server.url, "--duration", "4", "--containers", "6", "--json") as process:
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    summary = json.loads(out)
    assert nothing_is_left(server, memory)
    assert summary["max_held"] == memory.most == 6
    ran = {
        event["taskId"]
        for event in server.scheduler.bus.published
        if event["eventType"] == "status_update_event" and event["taskStatus"] == "TASK_RUNNING"
    }
    assert summary["starts"] == len(ran) > 6


async def test_what_a_killed_demo_leaves_the_next_one_removes(server: MarathonServer, memory: Memory) -> None:
    async with Client(server.url) as others, others.events() as events, begun(*ON, server.url) as process:
        await others.until(events, lambda _: len(memory.tasks()) == 10)
        process.kill()
        await process.wait()
    left = set(server.scheduler.apps)
    assert len(left) == 3, "two services and a lease"
    async with MarathonStage(url=server.url).opened():
        assert left <= set(server.scheduler.apps), "it may live yet"
    server.scheduler.clock.leap(marathon.LIVES)
    async with MarathonStage(url=server.url).opened():
        assert not left & set(server.scheduler.apps)
    assert nothing_is_left(server, memory)


async def test_one_that_lives_renews_its_lease(server: MarathonServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marathon, "RENEWED", 0.01)
    async with MarathonStage(url=server.url).opened() as ground, Client(server.url) as others:
        lease = f"/beaufort/{ground.deployment}/lease"
        first = server.scheduler.apps[lease].version
        async with asyncio.timeout(10), others.events() as events:
            await others.until(events, lambda _: server.scheduler.apps[lease].version > first)
        assert server.scheduler.apps[lease].instances == 0


async def test_the_demo_on_real_tasks_is_one_command() -> None:
    command = [sys.executable, str(Path(__file__).with_name("marathon_demo.py")), "--duration", "2", "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert json.loads(out)["max_held"] == 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({}, "url: missing; expected the address of a Marathon", id="none"),
        pytest.param({"url": "in the cloud"}, "url: expected http://host:8080", id="no address"),
        pytest.param({"url": "a", "image": "b"}, "image: expected none", id="an image"),
    ],
)
def test_where_it_is_has_to_be_said(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        choose("marathon", options)
