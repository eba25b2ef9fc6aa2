"""Which containers of a Docker Engine go, where some may stay: those that say that they are idle, before all others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from beaufort.model import Service
from beaufort.protocols import Unreachable
from beaufort.schedulers.docker import Docker
from beaufort.schedulers.engine.answers import Listed, Network, Networks, Placed, Published
from beaufort.schedulers.engine.busy import Door, address, door, matters
from beaufort.schedulers.engine.client import Address, Client
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.occupation import PATIENCE, Occupation
from docker_stage import DockerStage
from engine import Engine, engine
from scheduler_contract import all_run, bring, until, watching
from servers import free_port

LABELS = {"beaufort.deployment": "one", "beaufort.service": "web"}


@pytest.fixture
def stage(shared_engine: Engine, tmp_path: Path) -> Iterator[DockerStage]:
    stage = DockerStage(shared_engine, tmp_path)
    yield stage
    stage.close()


# What is asked, and where.


@pytest.mark.parametrize(
    ("written", "found"),
    [
        pytest.param("8080/busy", Door(8080, "/busy"), id="port and path"),
        pytest.param("80/", Door(80, "/"), id="the root"),
        pytest.param("80/a/b?c=d", Door(80, "/a/b?c=d"), id="query"),
        pytest.param("80", None, id="no path"),
        pytest.param("0/busy", None, id="port 0"),
        pytest.param("70000/busy", None, id="port too large"),
        pytest.param("80/a b", None, id="a space"),
        pytest.param("http://a:80/busy", None, id="a whole address"),
        pytest.param("٨/busy", None, id="digits of others"),
    ],
)
def test_a_door(written: str, found: Door | None) -> None:
    assert door(written) == found


OWN = {"front": Network("172.18.0.2"), "back": Network("172.19.0.2")}


@pytest.mark.parametrize(
    ("networks", "ports", "remote", "reached"),
    [
        pytest.param(OWN, [Published(80)], None, "172.18.0.2:80", id="at its own address"),
        pytest.param(OWN, [Published(80, 32768, "0.0.0.0")], None, "172.18.0.2:80", id="though published"),
        pytest.param(OWN, [Published(80, 32768, "0.0.0.0")], "far", "far:32768", id="of another machine"),
        pytest.param(OWN, [Published(80, 32768, "::")], "fd00::1", "[fd00::1]:32768", id="by IPv6"),
        pytest.param(OWN, [Published(80, 80, "10.0.0.9")], "far", "10.0.0.9:80", id="at one address"),
        pytest.param(OWN, [Published(80, 80, "127.0.0.1")], "far", "172.18.0.2:80", id="for that machine alone"),
        pytest.param(OWN, [Published(80, 81, "0.0.0.0", "udp")], "far", "172.18.0.2:80", id="published for UDP"),
        pytest.param(OWN, [Published(81, 81, "0.0.0.0")], "far", "172.18.0.2:80", id="another port"),
        pytest.param({"bridge": Network()}, [Published(80, 81)], None, "127.0.0.1:81", id="published alone"),
        pytest.param({"host": Network()}, None, None, "127.0.0.1:80", id="the machine's network"),
        pytest.param({"host": Network()}, None, "far", "far:80", id="another machine's network"),
        pytest.param({"none": Network()}, None, None, None, id="nowhere"),
    ],
)
def test_where_a_container_is_reached(
    networks: dict[str, Network], ports: list[Published] | None, remote: str | None, reached: str | None
) -> None:
    assert address(Placed("a", ports, Networks(networks)), 80, remote) == reached


@pytest.mark.parametrize(
    ("surplus", "starting", "serving", "drains", "does"),
    [
        pytest.param(-1, 0, 3, True, False, id="it grows"),
        pytest.param(0, 0, 3, True, False, id="it stays"),
        pytest.param(1, 0, 3, False, True, id="one of three"),
        pytest.param(3, 0, 3, False, False, id="all"),
        pytest.param(3, 0, 3, True, True, id="all, each with its time"),
        pytest.param(2, 2, 3, True, False, id="those that start go first"),
        pytest.param(3, 2, 3, False, True, id="and one that serves"),
    ],
)
def test_whether_it_matters(*, surplus: int, starting: int, serving: int, drains: bool, does: bool) -> None:
    assert matters(surplus, starting, serving, drains=drains) is does


# Who goes.


@pytest.mark.parametrize(
    "way", [pytest.param({"busy_file": "/tmp/busy/now"}, id="file"), pytest.param({}, id="nobody asks")]
)
async def test_idle_ones_go_first_then_who_says_nothing(stage: DockerStage, way: dict[str, Any]) -> None:
    web = stage.running("web", "sleep", "1000", init=True, **way)
    async with stage.scheduler() as scheduler:
        idle, unknown, *busy = await one_by_one(stage, scheduler, web, 4)
        stage.engine.put(unknown, "/tmp/busy")  # a file in place of the folder: the engine can't say
        for each in busy:
            stage.engine.put(each, "/tmp/busy/now")
        left = [idle, unknown, *busy]
        for gone in [idle, unknown, busy[1]] if way else [busy[1], busy[0], unknown]:
            await bring(scheduler, web, len(left) - 1)
            left.remove(gone)
            await stage.engine.removed(gone)  # until then it may be listed as running
            assert serving(stage) == set(left)


@pytest.fixture(scope="module")
def bridged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerStage]:
    """On an engine whose containers have addresses, and which can be reached over TCP as well, at port 2375."""
    with engine("--host", "tcp://127.0.0.1:2375", "--tls=false", apart=True) as private:
        stage = DockerStage(private, tmp_path_factory.mktemp("bridged"))
        yield stage
        stage.close()


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        pytest.param(None, (), id="at their own addresses"),
        pytest.param("tcp://127.0.0.1:2375", (8080,), id="at published ports"),
    ],
)
def test_they_are_asked_over_http(bridged: DockerStage, url: str | None, ports: tuple[int, ...]) -> None:
    bridged.engine.within(asked_over_http(bridged, url or bridged.engine.url, ports))


async def asked_over_http(stage: DockerStage, url: str, ports: tuple[int, ...]) -> None:
    script = "httpd -p 8080 -h /tmp; $SAY; exec sleep 1000"
    web = stage.shell("web", script, init=True, ports=ports, busy_http="8080/busy")
    async with Docker(deployment="one", url=url) as scheduler:
        hung, idle, unknown, busy = await one_by_one(stage, scheduler, web, 4)
        await stage.settled(web, 4)
        stage.engine.put(busy, "/tmp/busy")
        stage.engine.put(unknown, "/tmp/busy", folder=True)  # of which httpd says that it has moved
        stage.engine.ask("POST", f"/containers/{hung}/pause")
        for gone, left in ((idle, {hung, unknown, busy}), (unknown, {hung, busy})):
            begun = time.monotonic()
            await scheduler.scale(web, len(left))
            assert time.monotonic() - begun < PATIENCE + 1.0, "who does not answer delays nothing for long"
            async with watching(scheduler, web) as snapshots:
                await until(snapshots, web, all_run(len(left)))
            await stage.engine.removed(gone)
            assert serving(stage) == left
        stage.engine.ask("POST", f"/containers/{hung}/unpause")
        await bring(scheduler, web, 0)
        for each in (hung, busy):
            await stage.engine.removed(each)


async def one_by_one(stage: DockerStage, scheduler: Docker, service: Service, count: int) -> list[str]:
    """The containers' ids, from the oldest to the youngest."""
    ids: list[str] = []
    for so_many in range(1, count + 1):
        await bring(scheduler, service, so_many)
        ids += serving(stage) - set(ids)
    return ids


def serving(stage: DockerStage) -> set[str]:
    return {each["Id"] for each in stage.containers("web") if each["State"] in {"running", "paused"}}


@pytest.mark.parametrize(
    ("answer", "known"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes", [True], id="busy"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\nand so on, without an end", [True], id="busy, and it goes on"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", [False], id="idle"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", [False], id="no such page: idle"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n", [], id="elsewhere"),
        pytest.param(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", [], id="its own fault"),
        pytest.param(b"220 mail.example.com ESMTP\r\n", [], id="no HTTP"),
        pytest.param(b"\xff\x00" * 9000, [], id="noise"),
        pytest.param(b"HTTP/1.1 204", [], id="half an answer"),
        pytest.param(b"", [], id="no answer"),
        pytest.param(None, [], id="nobody there"),
    ],
)
async def test_what_it_may_answer(stage: DockerStage, answer: bytes | None, known: list[bool]) -> None:
    """The container is in the machine's network, where the test answers for it, and then hangs."""
    port = free_port()
    web = stage.running("web", "sleep", "1000", networks=("host",), busy_http=f"{port}/busy?by=us", drain_timeout=10.0)
    stage.engine.run(*web.launch.command, HostConfig={"NetworkMode": "host"}, Labels=LABELS)
    async with Client(Address(stage.engine.url)) as client, answering(port, answer) as asked:
        await client.open()
        fleet = Fleet("one")
        fleet.listed(await client.ask("GET", "/containers/json", list[Listed]), fleet.mark(), {})
        begun = time.monotonic()
        assert list((await Occupation(client, fleet).ask(web, 0)).values()) == known
        assert time.monotonic() - begun < PATIENCE + 1.0
    assert asked == ([] if answer is None else [b"GET /busy?by=us HTTP/1.1"])


@asynccontextmanager
async def answering(port: int, answer: bytes | None) -> AsyncIterator[list[bytes]]:
    """What it was asked. It closes no connection; without an answer it is not there at all."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).splitlines()[0])
        assert answer is not None
        writer.write(answer)
        await reader.read()
        writer.close()

    if answer is None:
        yield asked
        return
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield asked


async def test_an_engine_that_dies_while_they_are_asked(tmp_path: Path) -> None:
    with engine() as private:
        stage, port = DockerStage(private, tmp_path), free_port()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            private.kill()
            await reader.read()
            writer.close()

        door_of: dict[str, Any] = {"busy_http": f"{port}/busy", "drain_timeout": 10.0}
        web = stage.running("web", "sleep", "1000", networks=("host",), init=True, **door_of)
        async with await asyncio.start_server(serve, "127.0.0.1", port), stage.scheduler() as scheduler:
            await bring(scheduler, web, 1)
            with pytest.raises(Unreachable, match="can't be reached"):
                await scheduler.scale(web, 0)
        private.start()
        stage.close()
