"""The demonstration on a real engine, as a person runs it; and nothing of it left behind, nor anything of others touched."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from beaufort.protocols import ConfigError
from beaufort.schedulers.engine.answers import Actor, Event, Listed
from beaufort.stages.busybox import archive, static
from beaufort.stages.events import Events
from beaufort.stages.remains import BEGINNING, Remains, _Image
from beaufort.stages.stage import choose
from demo_run import begun, told
from docker_meter import Meter
from engine import IMAGE, Engine, engine
from servers import require

ON = ("--scheduler", "docker", "--url")


def there(engine: Engine) -> list[str]:
    """All that there is on the engine."""
    return sorted([*(each["Id"] for each in engine.containers()), *engine.images()])


@asynccontextmanager
async def demo(engine: Engine, *options: str, path: str = os.environ["PATH"]) -> AsyncIterator[Process]:
    """Nothing of it may be left, and everything else has to be as it was."""
    before = there(engine)
    async with begun(*ON, engine.url, *options, PATH=path) as process:
        yield process
    assert there(engine) == before


async def result(engine: Engine, *options: str, path: str = os.environ["PATH"]) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a whole demo."""
    async with demo(engine, *options, path=path) as process:
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@pytest.fixture
def meter(shared_engine: Engine) -> Iterator[Meter]:
    meter = Meter(shared_engine, "beaufort.service")
    meter.follow()
    yield meter
    meter.close()


async def test_json_is_the_same_object_and_says_what_really_ran(shared_engine: Engine, meter: Meter) -> None:
    code, out, err = await result(shared_engine, "--duration", "4", "--containers", "6", "--json")
    summary = json.loads(out)
    assert (code, out.count("\n")) == (0, 1)
    assert list(summary) == [
        "duration_s", "capacity", "max_held", "decisions", "starts", "stops", "reaction_ms", "utilisation", "services",
    ]  # fmt: skip
    assert summary["max_held"] == meter.peak == summary["capacity"] == 6
    assert summary["starts"] == [action for action, _ in meter.log].count("start") > 6
    assert 0 < summary["starts"] - summary["stops"] <= 6
    assert summary["reaction_ms"]["p50"] > 0
    assert "checkout  0 -> 1: wants 1: demand" in err


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGINT], id="Ctrl-C"),
        pytest.param([signal.SIGINT, signal.SIGINT], id="Ctrl-C twice"),
        pytest.param([signal.SIGTERM], id="SIGTERM"),
    ],
)
async def test_a_signal_ends_it_with_the_summary(
    shared_engine: Engine, meter: Meter, signals: list[signal.Signals]
) -> None:
    async with demo(shared_engine) as process:
        await told(process.stdout, "demand")
        for number in signals:
            process.send_signal(number)
        out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert out.decode().endswith("Everything of it is stopped and removed.\n")
    assert meter.peak <= 10


async def test_a_signal_before_it_has_begun_ends_it_too(tmp_path: Path) -> None:
    connected = asyncio.Event()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(mute, tmp_path / "mute")
    async with server, begun(*ON, f"unix://{tmp_path}/mute") as process:
        await connected.wait()
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert err == b"beaufort: the demo was ended before it began; nothing of it is left\n"


@pytest.mark.parametrize(
    "moment", [pytest.param("0 -> 8", id="while it starts"), pytest.param("8 -> ", id="while it runs")]
)
async def test_a_killed_demo_ends_and_the_next_one_clears_it_away(shared_engine: Engine, moment: str) -> None:
    before = there(shared_engine)
    async with begun(*ON, shared_engine.url) as process:
        await told(process.stdout, moment)
        process.kill()
    for each in shared_engine.containers(beaufort_demo=name_of(shared_engine)):
        if each["State"] == "running":
            await asyncio.to_thread(shared_engine.ask, "POST", f"/containers/{each['Id']}/wait")
    assert there(shared_engine) != before
    async with begun(*ON, shared_engine.url, "--duration", "0.5", "--containers", "2") as process:
        await process.communicate()
    assert process.returncode == 0
    assert there(shared_engine) == before


def name_of(engine: Engine) -> str:
    """Of the one demo that there is."""
    (name,) = {each["Labels"]["beaufort.demo"] for each in engine.containers() if "beaufort.demo" in each["Labels"]}
    return str(name)


async def test_two_at_the_same_time_leave_each_other_and_others_alone(shared_engine: Engine) -> None:
    foreign = [
        shared_engine.run("sleep", "1000"),
        shared_engine.run("true", start=False, Labels={"beaufort.deployment": "shop", "beaufort.service": "checkout"}),
    ]
    shared_engine.send("POST", f"/images/{IMAGE}/tag?repo=beaufort-demo&tag=mine")
    async with demo(shared_engine, "--containers", "4", "--json") as first:
        await told(first.stderr, "demand")
        one = name_of(shared_engine)
        async with begun(*ON, shared_engine.url, "--duration", "1", "--containers", "3", "--json") as second:
            out, _ = await second.communicate()
        assert name_of(shared_engine) == one
        shared_engine.send("POST", f"/images/beaufort-demo:{one}/tag?repo=kept")
        assert sorted(name for name in shared_engine.images() if "-demo:" in name) == [
            f"beaufort-demo:{one}",
            "beaufort-demo:mine",
        ]
        assert first.returncode is None
        first.send_signal(signal.SIGINT)
        summary, _ = await first.communicate()
        shared_engine.send("DELETE", "/images/kept")
    assert [json.loads(text)["max_held"] for text in (out, summary)] == [3, 4]
    assert [first.returncode, second.returncode] == [0, 0]
    assert [shared_engine.inspect(each)["State"]["Status"] for each in foreign] == ["running", "created"]
    shared_engine.clear()
    shared_engine.forget_images()


async def test_any_image_serves_that_can_wait_and_it_stays(shared_engine: Engine) -> None:
    options = ("--duration", "1", "--containers", "2", "--json", "--image", IMAGE)
    code, out, _ = await result(shared_engine, *options, path="/nonexistent")
    assert (code, json.loads(out)["max_held"]) == (0, 2)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        pytest.param("localhost:1/no", "image localhost:1/no:latest can't be had: ", id="nowhere"),
        pytest.param("empty", "the demo needs an image with cat and sleep: empty: ", id="without programs"),
        pytest.param("restless", "the demo can't run its containers here: ", id="without sleep"),
        pytest.param("No", "invalid reference format", id="no name"),
    ],
)
async def test_an_image_that_cannot_be_used_is_told(shared_engine: Engine, image: str, words: str) -> None:
    add(shared_engine, "empty")
    add(shared_engine, "restless", "cat")
    code, out, err = await result(shared_engine, "--image", image, "--json")
    shared_engine.forget_images()
    *_, last = err.splitlines()
    assert (code, out) == (1, "")
    assert last.startswith("beaufort: ")
    assert words in last


def add(engine: Engine, image: str, *programs: str) -> None:
    tar = archive(Path(require("busybox")).read_bytes(), programs)
    engine.send("POST", f"/images/create?fromSrc=-&repo={image}", tar, {"Content-Type": "application/x-tar"})


async def test_without_a_busybox_it_says_what_to_do(shared_engine: Engine) -> None:
    code, out, err = await result(shared_engine, path="/nonexistent")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "install it (Debian and Ubuntu: busybox-static; " in err
    assert "or name an image with --image" in err


async def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/no.sock"
    async with begun(*ON, url) as named, begun("--scheduler", "docker", DOCKER_HOST=url) as found:
        for process in (named, found):
            out, err = await process.communicate()
            assert (process.returncode, out) == (1, b"")
            assert err.decode() == f"beaufort: the engine at {url} can't be reached: No such file or directory\n"


async def test_an_engine_that_is_lost_is_told_once_and_the_next_demo_clears_up() -> None:
    with engine() as private:
        before = there(private)
        async with begun(*ON, private.url) as process:
            await told(process.stdout, "8 -> ")
            private.kill()
            await told(process.stdout, "blind")
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()
        assert (process.returncode, err.count(b"\n")) == (1, 1)
        assert err.startswith(f"beaufort: the engine at {private.url} can't be reached: ".encode())
        assert err.endswith(b"; what is left of the demo there, the next one removes\n")
        private.start()
        async with begun(*ON, private.url, "--duration", "0.5", "--containers", "2") as process:
            await process.communicate()
        assert process.returncode == 0
        assert there(private) == before


@pytest.mark.parametrize(
    ("scheduler", "options", "fault"),
    [
        pytest.param("dokcer", {}, 'scheduler: unknown scheduler "dokcer"; did you mean "docker"?', id="no scheduler"),
        pytest.param("local", {"image": "a"}, "image: expected none, as the scheduler local has none", id="no option"),
        pytest.param(
            "docker", {"url": "here"}, 'url: expected unix:///path or tcp://host:port, got "here"', id="no url"
        ),
    ],
)
def test_a_stage_that_cannot_be_is_refused(scheduler: str, options: dict[str, str], fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        choose(scheduler, {"url": None, "image": None, **options})
    assert error.value.faults == (fault,)


LEASH: dict[str, str] = {"beaufort.demo": "one"}
SERVED = {**LEASH, "beaufort.service": "checkout"}
OLD, YOUNG = 1000, int(1000 + BEGINNING)
NOW = OLD + BEGINNING + 1


@pytest.mark.parametrize(
    ("remains", "dead"),
    [
        pytest.param([Listed("a", "running", created=OLD, labels=LEASH)], False, id="its leash runs"),
        pytest.param([Listed("a", "paused", created=OLD, labels=LEASH)], False, id="somebody has paused it"),
        pytest.param([Listed("a", "exited", created=YOUNG, labels=LEASH)], True, id="its leash has ended"),
        pytest.param([Listed("a", "created", created=YOUNG, labels=LEASH)], False, id="its leash is about to start"),
        pytest.param([Listed("a", "created", created=OLD, labels=LEASH)], True, id="its leash has never been started"),
        pytest.param([Listed("a", "exited", created=YOUNG, labels=SERVED)], False, id="another may be removing it"),
        pytest.param([Listed("a", "running", created=OLD, labels=SERVED)], True, id="its leash is lost"),
        pytest.param([_Image("a", YOUNG)], False, id="it has only just made its image"),
        pytest.param([_Image("a", OLD)], True, id="it got no further than its image"),
    ],
)
def test_a_dead_demo_is_known_by_its_leash(remains: list[Listed | _Image], dead: bool) -> None:
    containers = [each for each in remains if isinstance(each, Listed)]
    images = [each for each in remains if isinstance(each, _Image)]
    assert Remains(containers, images).is_dead(NOW) is dead


def test_the_witness_counts_the_most_that_lived_at_once() -> None:
    witness = Events()
    seen = []
    for action, id_ in [("start", "a"), ("start", "b"), ("die", "a"), ("die", "x"), ("start", "c"), ("start", "a")]:
        witness.saw(Event(action, Actor(id_)))
        seen.append((witness.started, witness.ended, witness.most))
    assert seen == [(1, 0, 1), (2, 0, 2), (2, 1, 2), (2, 1, 2), (3, 1, 2), (4, 1, 3)]


async def test_a_witness_that_may_have_missed_something_does_not_know_the_most() -> None:
    async def events() -> AsyncIterator[Event]:
        yield Event("start", Actor("a"))

    witness = Events()
    await witness.read(events())
    assert (witness.started, witness.most) == (1, None)


def test_a_busybox_has_to_be_statically_linked() -> None:
    assert static(Path(require("busybox")).read_bytes())
    assert not static(Path(require("sleep")).read_bytes())
    assert not static(b"#!/bin/sh\n")
