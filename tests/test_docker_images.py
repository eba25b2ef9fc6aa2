"""Images of the Docker driver, from a real registry: there before they are needed, or held back with its own words."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from beaufort.model import Service
from beaufort.protocols import NoRoom, Rejected, SchedulerError
from beaufort.quantity import Secret
from beaufort.schedulers.docker import Docker
from beaufort.schedulers.engine.client import Address, Client
from beaufort.schedulers.engine.images import HUB, Images, Registries, full
from docker_run import ROOM, running
from docker_stage import DockerStage
from engine import Engine
from registry_server import ImageRegistry, gate, image_registry
from scheduler_contract import all_run, bring, until, watching


@pytest.fixture
def stage(shared_engine: Engine, tmp_path: Path) -> Iterator[DockerStage]:
    stage = DockerStage(shared_engine, tmp_path)
    yield stage
    stage.close()
    shared_engine.forget_images()


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with image_registry(tmp_path_factory.mktemp("registry")) as server:
        yield server


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImageRegistry]:
    with image_registry(tmp_path_factory.mktemp("private"), password=True) as server:
        yield server


def of(stage: DockerStage, image: str) -> Service:
    return stage.running("web", "sleep", "1000", image=image, init=True)


async def test_an_image_is_pulled_when_its_service_appears(stage: DockerStage, registry: ImageRegistry) -> None:
    registry.push(stage.engine, "shop/checkout:1.4")
    web = of(stage, f"{registry.host}/shop/checkout:1.4")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        async with asyncio.timeout(30):
            while web.launch.image not in stage.engine.images():
                await anext(snapshots)
        await bring(scheduler, web, 1)


@pytest.mark.parametrize("by", ["tag", "no tag", "digest"])
async def test_it_is_pulled_for_a_start_at_the_latest(stage: DockerStage, registry: ImageRegistry, by: str) -> None:
    digest = registry.push(stage.engine, "shop/reports")
    registry.push(stage.engine, "shop/reports:other", Labels={"newer": "yes"})
    registry.push(stage.engine, "shop/reports", Labels={"newer": "yes"})
    image = f"{registry.host}/shop/reports" + {"tag": ":latest", "no tag": "", "digest": f"@{digest}"}[by]
    async with stage.scheduler() as scheduler:
        await bring(scheduler, of(stage, image), 1)
    (container,) = stage.containers("web")
    assert container["Image"] == image
    assert container["Labels"].get("newer") == (None if by == "digest" else "yes"), "a tag moves, a digest does not"
    assert not any(name.endswith(":other") for name in stage.engine.images()), "no other tag has been pulled"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("shop/nothing:1", "manifest unknown", id="no such image"),
        pytest.param("shop/checkout:9", "manifest unknown", id="no such tag"),
        pytest.param(f"shop/checkout@sha256:{'0' * 64}", "not found", id="no such digest"),
    ],
)
async def test_a_missing_image_is_rejected_in_the_registry_s_words(
    stage: DockerStage, registry: ImageRegistry, name: str, words: str
) -> None:
    registry.push(stage.engine, "shop/checkout:1.4")
    web, other = of(stage, f"{registry.host}/{name}"), replace(stage.service("other"), priority=2)
    async with stage.scheduler() as scheduler:
        for _ in range(2):
            with pytest.raises(Rejected, match=rf"^web: image {registry.host}/{name} can't be had: .*{words}"):
                await scheduler.scale(web, 1)
        await bring(scheduler, other, 1)
        await scheduler.scale(web, 0)


async def test_a_missing_image_holds_that_service_alone(stage: DockerStage, registry: ImageRegistry) -> None:
    async with running(stage.engine, web={"image": f"{registry.host}/nothing"}) as run:
        run.want(3)
        await run.until(lambda: len(run.said("action-failed", "web")) > 0)
        await run.until(lambda: (batch := run.counts("batch")) is not None and batch.running == 6)
        assert "rejected, until the configuration changes" in run.reason("web")


async def test_a_registry_that_is_away_is_tried_again(stage: DockerStage, tmp_path: Path) -> None:
    with image_registry(tmp_path) as registry:
        registry.push(stage.engine, "shop/checkout:1")
    web = of(stage, f"{registry.host}/shop/checkout:1")
    async with stage.scheduler() as scheduler:
        with pytest.raises(SchedulerError, match="connection refused") as caught:
            await scheduler.scale(web, 1)
        assert type(caught.value) is SchedulerError
        with image_registry(tmp_path, port=registry.port):
            await bring(scheduler, web, 1)


async def test_a_slow_pull_is_told_and_waited_for(stage: DockerStage, registry: ImageRegistry) -> None:
    registry.push(stage.engine, "shop/slow:1")
    opened = asyncio.Event()
    async with gate(registry.port, opened) as port, stage.scheduler() as scheduler:
        web, other = of(stage, f"127.0.0.1:{port}/shop/slow:1"), replace(stage.service("other"), priority=2)
        async with watching(scheduler, web, other) as snapshots, asyncio.TaskGroup() as tasks:
            slow = tasks.create_task(scheduler.scale(web, 2))
            await scheduler.scale(other, 1)
            await until(snapshots, other, all_run(1))
            assert not slow.done()
            opened.set()
            await until(snapshots, web, all_run(2))


async def test_room_is_kept_for_what_is_pulled_slowly(stage: DockerStage, registry: ImageRegistry) -> None:
    registry.push(stage.engine, "shop/slow:2")
    opened = asyncio.Event()
    async with (
        gate(registry.port, opened) as port,
        running(stage.engine, web={"image": f"127.0.0.1:{port}/shop/slow:2"}) as run,
    ):
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(2)
        await run.until(lambda: (batch := run.counts("batch")) is not None and batch.running == batch.held == 4)
        steps = len(run.journal.steps)
        await run.until(lambda: len(run.journal.steps) > steps + 1)
        counts = run.counts("batch"), run.counts("web")
        assert [each and (each.running, each.held) for each in counts] == [(4, 4), (0, 0)]
        opened.set()
        await run.reaches(2, 4)
    assert run.meter.peak == ROOM
    assert [each["State"] for each in stage.engine.containers(beaufort_deployment="one")] == ["running"] * ROOM


async def test_with_a_password(stage: DockerStage, private: ImageRegistry) -> None:
    private.push(stage.engine, "shop/secret:1")
    web = of(stage, f"{private.host}/shop/secret:1")
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=r"no basic auth credentials|unauthorized"):
            await scheduler.scale(web, 1)
    wrong = Secret(private.config("guessed"))
    async with Docker(deployment="one", url=stage.engine.url, registries=wrong) as scheduler:
        with pytest.raises(Rejected, match="unauthorized"):
            await scheduler.scale(web, 1)
    async with Docker(deployment="one", url=stage.engine.url, registries=Secret(private.config())) as scheduler:
        await bring(scheduler, web, 1)


async def test_an_image_that_was_removed_is_pulled_again(stage: DockerStage, registry: ImageRegistry) -> None:
    registry.push(stage.engine, "shop/checkout:2")
    web = of(stage, f"{registry.host}/shop/checkout:2")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        (container,) = stage.containers("web")
        await scheduler.scale(web, 0)
        await stage.engine.removed(container["Id"])
        stage.engine.forget_images()
        async with watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 1)
            assert (await until(snapshots, web, lambda counts: counts.failed > 0)).failure.startswith(
                "could not be started: No such image"
            )
        await bring(scheduler, web, 1)


async def test_a_start_waits_so_long_and_then_hears_how_far_the_pull_is(
    stage: DockerStage, registry: ImageRegistry
) -> None:
    registry.push(stage.engine, "shop/large:1", megabytes=2)
    opened = asyncio.Event()
    async with (
        gate(registry.port, opened, after=300_000) as port,
        Client(Address(stage.engine.url)) as client,
        asyncio.TaskGroup() as tasks,
    ):
        await client.open()
        pulls, image = Images(client, tasks, patience=0.1), f"127.0.0.1:{port}/shop/large:1"
        said = ""
        async with asyncio.timeout(30):
            while "%" not in said:
                with pytest.raises(NoRoom, match=f"^image {image} is being pulled: ") as caught:
                    await pulls.ready(image)
                said = str(caught.value)
        assert re.search(r": [1-9][0-9]?% of [0-9.]+ MB so far$", said), said
        opened.set()
        assert (await Images(client, tasks).ready(image)).id.startswith("sha256:")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("user:password", id="no JSON"),
        pytest.param("{}", id="no registries"),
        pytest.param('{"auths": {"a": {"auth": "not base64!"}}}', id="no base64"),
        pytest.param('{"auths": {"a": {"auth": "/w=="}}}', id="no text"),
    ],
)
def test_what_docker_login_would_not_write(text: str) -> None:
    with pytest.raises(ValueError, match=r'^registries: expected what "docker login" keeps .*not shown\)$'):
        Docker(registries=Secret(text))


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        pytest.param("shop/web:1", {"username": "ann", "password": "a:b", "serveraddress": HUB}, id="Docker's own"),
        pytest.param("r.io/web", {"identitytoken": "t", "serveraddress": "r.io"}, id="token"),
        pytest.param("localhost/web", {"registrytoken": "u", "serveraddress": "localhost"}, id="localhost"),
        pytest.param("other.io/web", None, id="unknown"),
    ],
)
def test_who_is_told_what(reference: str, words: dict[str, str] | None) -> None:
    auths = {HUB: {"auth": "YW5uOmE6Yg=="}, "r.io": {"identitytoken": "t"}, "localhost": {"registrytoken": "u"}}
    headers = Registries(json.dumps({"auths": auths})).header(reference)
    assert headers.keys() == (set() if words is None else {"X-Registry-Auth"})
    assert words is None or json.loads(base64.urlsafe_b64decode(headers["X-Registry-Auth"])) == words


@pytest.mark.parametrize(
    ("reference", "meant"),
    [
        pytest.param("busybox", "busybox:latest", id="bare"),
        pytest.param("127.0.0.1:5000/a/b", "127.0.0.1:5000/a/b:latest", id="a port is no tag"),
        pytest.param("a/b:1", "a/b:1", id="tag"),
        pytest.param("a/b@sha256:00", "a/b@sha256:00", id="digest"),
    ],
)
def test_the_tag_that_is_meant(reference: str, meant: str) -> None:
    assert full(reference) == meant
