"""Containers that the Docker driver holds ready, on real engines: made, paused by the engine, frozen by the kernel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from beaufort.model import Counts, Service, Standby
from beaufort.protocols import ContainerScheduler
from beaufort.schedulers.engine.freezer import Freezer
from docker_run import ROOM, running
from docker_stage import DockerStage
from engine import Engine, engine
from scheduler_contract import Snapshots, all_run, until, watching

CGROUPS = Path("/sys/fs/cgroup")
WITH_STANDBY: dict[str, Any] = {"web": {"standby": {"created": 1, "paused": 2}}}


@pytest.fixture
def stage(shared_engine: Engine, tmp_path: Path) -> Iterator[DockerStage]:
    made = DockerStage(shared_engine, tmp_path)
    yield made
    made.close()


@pytest.fixture
def clean_engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    shared_engine.clear()


def ready(standby: Standby, serving: int) -> Callable[[Counts], bool]:
    return lambda counts: counts.standby == standby and counts.running == counts.held == serving


async def prepare(
    scheduler: ContainerScheduler, snapshots: Snapshots, service: Service, serving: int, standby: Standby
) -> None:
    await scheduler.scale(service, serving, standby)
    await until(snapshots, service, ready(standby, serving))


def states(stage: DockerStage, service: str = "web") -> dict[str, str]:
    """Of each container by its id: as the engine says, but for what the kernel has frozen."""
    return {
        each["Id"]: "frozen" if each["State"] == "running" and is_frozen(each["Id"]) else each["State"]
        for each in stage.containers(service)
    }


def is_frozen(id_: str) -> bool:
    """By the control groups themselves. What the kernel has yet to freeze, it is waited for."""
    for _ in range(500):
        asked, done = told(id_, "freezer.state", "cgroup.freeze"), told(id_, "freezer.state", "cgroup.events")
        if done & {"FROZEN", "frozen 1"}:
            return True
        if not asked & {"FREEZING", "1"}:
            return False
        time.sleep(0.01)
    return False


def told(id_: str, *files: str) -> set[str]:
    found = (path for file in files for path in CGROUPS.glob(f"*/*/{id_}/{file}"))
    return {line for path in found for line in path.read_text().splitlines()}


def chosen(found: dict[str, str], state: str) -> set[str]:
    return {id_ for id_, each in found.items() if each == state}


async def test_each_kind_is_what_its_name_says(stage: DockerStage) -> None:
    web, wanted = stage.service("web"), Standby(1, 2, 3)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 1, wanted)
        assert sorted(states(stage).values()) == ["created", *["frozen"] * 3, *["paused"] * 2, "running"]


async def test_what_is_quickest_to_start_serves_first(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 0, Standby(1, 1, 1))
        found, serving = states(stage), set[str]()
        for count, state in ((1, "frozen"), (2, "paused"), (3, "created")):
            await scheduler.scale(web, count, Standby(int(count < 3), int(count < 2), 0))
            counts = await until(snapshots, web, all_run(count))
            serving |= chosen(found, state)
            assert chosen(states(stage), "running") == serving
        await scheduler.scale(web, 4)
        counts = await until(snapshots, web, all_run(4))
        assert (len(states(stage)), counts.failed) == (4, 0), "what there is none ready of is made"
        learnt = {"new", "created", "paused", "frozen"}
        await until(snapshots, web, lambda counts: counts.start_seconds.keys() == learnt)


async def test_what_is_woken_goes_on(stage: DockerStage) -> None:
    """It stands still while it is held ready, and does what it does once it serves."""
    web = stage.shell("web", "while true; do $SAY; sleep 0.01; done")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 0, Standby(frozen=1))
        (id_,) = states(stage)
        while stage.unsaid():
            pass
        assert [stage.unsaid() for _ in range(20) if is_frozen(id_)] == [0] * 20
        await scheduler.scale(web, 1)
        await stage.settled(web, 3)


async def test_what_is_too_much_goes_and_what_is_too_little_is_made(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        for wanted in (Standby(2, 2, 1), Standby(0, 1, 1), Standby(1, 0, 1), Standby()):
            await prepare(scheduler, snapshots, web, 1, wanted)
        for id_ in states(stage).keys() - chosen(states(stage), "running"):
            await stage.engine.removed(id_)
        counts = (await anext(snapshots)).counts["web"]
        assert (counts.running, counts.failed) == (1, 0), "what was held ready and was given up has not failed"


async def test_it_is_adopted_as_what_it_is(stage: DockerStage) -> None:
    web, wanted = stage.service("web"), Standby(1, 1, 1)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 1, wanted)
        before = states(stage)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        assert ready(wanted, 1)((await anext(snapshots)).counts["web"])
        await scheduler.scale(web, 3, Standby(1))
        await until(snapshots, web, ready(Standby(1), 3))
        assert states(stage).keys() == before.keys()


async def test_what_was_made_of_something_else_is_of_no_use(stage: DockerStage) -> None:
    old, new = stage.service("web"), stage.running("web", "sleep", "1001", init=True)
    async with stage.scheduler() as scheduler, watching(scheduler, old) as snapshots:
        await prepare(scheduler, snapshots, old, 0, Standby(1, 1))
        before = states(stage)
        await scheduler.scale(new, 1, Standby(1, 1))
        await until(snapshots, new, ready(Standby(1, 1), 1))
        await stage.gone("web", but=3)
        assert not before.keys() & states(stage).keys()


async def test_one_with_a_health_check_is_paused_when_it_is_healthy(stage: DockerStage) -> None:
    checked = {"health_command": ("test", "-e", "/tmp/up"), "health_interval": 0.1, "health_retries": 1}
    web = stage.shell("web", "sleep 0.3; touch /tmp/up; exec sleep 1000", init=True, **checked)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 0, Standby(frozen=1))
        await until(snapshots, web, lambda counts: counts.warming == counts.held == 1)
        await until(snapshots, web, ready(Standby(paused=1), 0))  # which the engine must know of: it asks no more
        await scheduler.scale(web, 1)
        await until(snapshots, web, all_run(1))


async def test_one_that_ends_while_it_is_held_ready_is_told_and_made_again(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 0, Standby(paused=1))
        (id_,) = states(stage)
        stage.engine.ask("DELETE", f"/containers/{id_}?force=1")
        counts = await until(snapshots, web, lambda counts: counts.failed == 1)
        assert counts.standby == Standby()
        await prepare(scheduler, snapshots, web, 0, Standby(paused=1))


async def test_one_that_somebody_else_has_woken_serves_all_the_same(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 0, Standby(paused=1))
        (id_,) = states(stage)
        stage.engine.ask("POST", f"/containers/{id_}/unpause")
        await scheduler.scale(web, 1)
        counts = await until(snapshots, web, all_run(1))
        assert (counts.failed, states(stage)) == (0, {id_: "running"})


async def test_a_program_that_ends_at_once_is_not_held_ready(stage: DockerStage) -> None:
    web = stage.shell("web", "exit 3")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 0, Standby(created=1))
        await until(snapshots, web, ready(Standby(1), 0))
        await scheduler.scale(web, 1, Standby())
        counts = await until(snapshots, web, lambda counts: counts.failed == 1 and not counts.present)
        assert "exited with 3" in counts.failure


async def test_a_shrink_does_not_wait_for_an_image_that_is_not_there(stage: DockerStage) -> None:
    web, gone = stage.service("web"), stage.running("web", "sleep", "1", image="localhost:1/gone:1")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await prepare(scheduler, snapshots, web, 2, Standby())
        with pytest.raises(Exception, match="gone"):
            await scheduler.scale(gone, 1, Standby(1))
        await until(snapshots, web, all_run(1))


async def test_where_groups_are_of_version_2_they_are_frozen_too(tmp_path: Path) -> None:
    with engine(unified=True) as private:
        stage = DockerStage(private, tmp_path)
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            assert private.ask("GET", "/info")["CgroupVersion"] == "2"
            await prepare(scheduler, snapshots, web, 0, Standby(paused=1, frozen=2))
            assert sorted(states(stage).values()) == ["frozen", "frozen", "paused"]
            await scheduler.scale(web, 2, Standby(paused=1))
            await until(snapshots, web, ready(Standby(paused=1), 2))
            await scheduler.scale(web, 1)
            await until(snapshots, web, ready(Standby(), 1))
        stage.close()


# With the controller.


async def test_what_starts_take_is_told(clean_engine: Engine) -> None:
    async with running(clean_engine, **WITH_STANDBY) as run:
        run.want(1)
        await run.until(lambda: (counts := run.counts("web")) is not None and counts.standby == Standby(1, 2))
        run.want(2)
        await run.until(lambda: any("paused" in told for told in run.said("start-time", "web")))
    assert run.said("start-time", "web")[-1].endswith(" new")


async def test_what_waits_for_room_is_made_while_the_room_is_cleared(clean_engine: Engine) -> None:
    """The victims take a second to stop: by then the replacements are there."""
    deaf = {"command": ["sh", "-c", "trap '' TERM; sleep 1000"], "init": False}
    begun = clean_engine.now
    async with running(clean_engine, batch=deaf) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(3)
        await run.reaches(3, ROOM - 3)
    made = [each["timeNano"] for each in clean_engine.happened(begun, "web") if each["Action"] == "create"]
    died = [each["timeNano"] for each in clean_engine.happened(begun, "batch") if each["Action"] == "die"]
    assert len(made) == len(died) == 3
    assert max(made) < min(died)
    assert run.meter.peak == ROOM


async def test_room_is_taken_through_what_is_ready_and_never_too_much(clean_engine: Engine) -> None:
    async with running(clean_engine, **WITH_STANDBY) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(2)
        await run.reaches(2, ROOM - 2)
        run.want(5)
        await run.reaches(5, ROOM - 5)
        run.want(1)
        await run.until(lambda: (counts := run.counts("web")) is not None and counts.standby == Standby(1, 2))
        await run.reaches(1, ROOM - 1)
        run.want(0)
        await run.reaches(0, ROOM)
    assert run.meter.peak == ROOM


async def test_an_engine_that_is_killed_with_some_held_ready() -> None:
    with engine("--live-restore") as private:
        async with running(private, **WITH_STANDBY) as run:
            run.want(1)
            await run.until(lambda: (counts := run.counts("web")) is not None and counts.standby == Standby(1, 2))
            private.kill()
            await run.until(lambda: run.counts("web") is None)
            private.start()
            run.meter.follow()
            await run.until(lambda: run.counts("web") is not None)
            run.want(4)
            await run.reaches(4, ROOM - 4)
        assert run.meter.peak == ROOM


# The freezer alone.


@pytest.mark.parametrize(
    ("place", "switch", "words"),
    [
        pytest.param("docker/ID", "cgroup.freeze", ("1", "0"), id="version 2, cgroupfs"),
        pytest.param("system.slice/docker-ID.scope", "cgroup.freeze", ("1", "0"), id="version 2, systemd"),
        pytest.param("freezer/docker/ID", "freezer.state", ("FROZEN", "THAWED"), id="version 1"),
    ],
)
def test_a_group_is_found_by_its_name_and_switched(
    tmp_path: Path, place: str, switch: str, words: tuple[str, str]
) -> None:
    one, other = (tmp_path / place.replace("ID", id_) for id_ in ("abc", "def"))
    for group in (one, other):
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text("1\n")
        (group / switch).write_text(words[1])
    freezer = Freezer(tmp_path)
    assert not freezer.is_frozen("abc")
    assert freezer.freeze("abc")
    assert ((one / switch).read_text(), freezer.is_frozen("abc"), freezer.is_frozen("def")) == (words[0], True, False)
    assert freezer.thaw("abc")
    assert (one / switch).read_text() == words[1]
    assert freezer.freeze("def"), "the second is found beside the first"


def test_of_two_groups_the_one_in_use_is_switched(tmp_path: Path) -> None:
    for place, procs in (("unified/docker/abc", ""), ("freezer/docker/abc", "1\n")):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "cgroup.procs").write_text(procs)
    (tmp_path / "unified/docker/abc/cgroup.freeze").write_text("0")
    (tmp_path / "freezer/docker/abc/freezer.state").write_text("THAWED")
    assert Freezer(tmp_path).freeze("abc")
    assert (tmp_path / "freezer/docker/abc/freezer.state").read_text() == "FROZEN"


def test_what_is_on_another_machine_is_looked_for_a_few_times_only(tmp_path: Path) -> None:
    freezer = Freezer(tmp_path)
    assert not any(freezer.freeze(id_) for id_ in "abc")
    group = tmp_path / "docker/late"
    group.mkdir(parents=True)
    (group / "cgroup.procs").write_text("1\n")
    (group / "cgroup.freeze").write_text("0")
    assert not freezer.freeze("late")
