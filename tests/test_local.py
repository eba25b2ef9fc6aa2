"""The local scheduler with real processes: the contract, what a container gets, how it ends, what can go wrong."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from beaufort.model import Launch, Service
from beaufort.protocols import NoRoom, Rejected, SchedulerError
from beaufort.schedulers.local import Local
from local_stage import LocalStage
from scheduler_contract import SchedulerContract, Stage, StandbyContract, all_run, bring, until, watching


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[LocalStage]:
    stage = LocalStage(tmp_path)
    yield stage
    stage.close()


class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        stage = LocalStage(tmp_path)
        yield stage
        stage.close()


class TestStandby(StandbyContract):
    driver = Local

    @pytest.fixture
    def stage(self, tmp_path: Path) -> Iterator[Stage]:
        stage = LocalStage(tmp_path)
        yield stage
        stage.close()


def text(path: Path) -> str:
    return path.read_text()


def open_descriptors(pid: int | str = "self") -> list[int]:
    return sorted(int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir())


# What a container gets.


async def test_it_has_its_own_environment_directory_group_and_log(stage: LocalStage) -> None:
    launch = Launch(command=("sh", "-c", "echo said; echo cried >&2; (printf x > $FIFO); exec sleep 1000"))
    web = Service(
        "my web/1", 1, launch=Launch(command=launch.command, env={"FIFO": str(stage.root / "fifo"), "A": "=b"})
    )
    async with stage.scheduler() as scheduler:
        await scheduler.scale(web, 1)
        await stage.settled(web, 1)
        (container,) = [each for each in stage.marked() if each.leads]
        process = Path(f"/proc/{container.pid}")
        environment = dict(line.split("=", 1) for line in (process / "environ").read_text().split("\0") if line)
        assert {name: value for name, value in environment.items() if name not in {"PWD", "OLDPWD", "_", "SHLVL"}} == {
            "PATH": os.environ["PATH"],
            "FIFO": str(stage.root / "fifo"),
            "A": "=b",
            "BEAUFORT_DEPLOYMENT": "one",
            "BEAUFORT_SERVICE": "my web/1",
            "BEAUFORT_CONTAINER": str(container.home),
        }
        assert (process / "cwd").readlink() == container.home / "work"
        assert not list((container.home / "work").iterdir())
        assert container.group != os.getpgid(0)
        assert (process / "fd/0").readlink() == Path("/dev/null")
        assert open_descriptors(container.pid) == [0, 1, 2], "nothing of ours is inherited, the lock least of all"
        assert text(container.home / "log") == "said\ncried\n"


async def test_path_may_be_given(stage: LocalStage) -> None:
    program = stage.root / "my-program"
    program.write_text("#!/bin/sh\nexec /bin/sleep 1000\n")
    program.chmod(0o755)
    web = Service("web", 1, launch=Launch(command=("my-program",), env={"PATH": str(stage.root)}))
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)


async def test_capacity_is_this_machine(stage: LocalStage) -> None:
    async with stage.scheduler() as scheduler, watching(scheduler) as snapshots:
        (node,) = (await anext(snapshots)).nodes
        assert node.name == os.uname().nodename
        assert 0 < node.capacity["cpu"] <= (os.cpu_count() or 0)
        assert 0 < node.capacity["memory"] <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        web = stage.service("web")
        await scheduler.scale(web, 2)
        assert (await anext(snapshots)).counts["web"].on == {node.name: 2}


async def test_fifty_at_once_while_others_run(stage: LocalStage) -> None:
    web = stage.service("web")
    turns = 0

    async def live() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with stage.scheduler() as scheduler:
        async with asyncio.TaskGroup() as tasks:
            living = tasks.create_task(live())
            await scheduler.scale(web, 50)
            living.cancel()
        assert len(stage.leaders("web")) == 50
        assert turns >= 49, "others have their turn between two starts"
        async with watching(scheduler, web) as snapshots:
            assert all_run(50)((await anext(snapshots)).counts["web"])
        await bring(scheduler, web, 0)
    assert not stage.marked()


async def test_what_is_about_to_be_started_is_counted(stage: LocalStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots, asyncio.TaskGroup() as tasks:
        assert (await anext(snapshots)).counts["web"].held == 0
        scaling = tasks.create_task(scheduler.scale(web, 20))
        await asyncio.sleep(0)
        assert stage.marked(), "it has begun"
        async with watching(scheduler, web) as others:
            counts = (await anext(others)).counts["web"]
        assert not scaling.done()
        assert counts.running + counts.starting == sum(counts.on.values()) == 20
        assert (await until(snapshots, web, all_run(20))).starting == 0


async def test_the_youngest_goes_first(stage: LocalStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        for count in (1, 2, 3):
            await scheduler.scale(web, count)
            if count == 1:
                (oldest,) = stage.leaders("web")
        await bring(scheduler, web, 1)
        assert stage.leaders("web") == [oldest]


# How it ends.


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("exit 3", "exited with 3 after 0.", id="exit status"),
        pytest.param("exit 0", "exited with 0 after 0.", id="success is not asked for either"),
        pytest.param("kill -SEGV $$", "killed by SIGSEGV after 0.", id="signal"),
        pytest.param("kill -40 $$", "killed by signal 40 after 0.", id="signal without a name"),
    ],
)
async def test_an_end_unasked_is_told_with_its_cause(stage: LocalStage, script: str, words: str) -> None:
    web = stage.shell("web", f"echo last words; {script}")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        for failed in (1, 2):
            await scheduler.scale(web, 1)
            counts = await until(snapshots, web, lambda counts: counts.held == 0)
            assert counts.failed == failed
            assert counts.failure.startswith(words)
            assert text(Path(counts.failure.rpartition(" ")[2])) == "last words\n"


async def test_a_child_is_reaped(stage: LocalStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        leaders = stage.leaders("web")
        await bring(scheduler, web, 0)
    for pid in leaders:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_it_may_end_in_its_own_way_within_its_grace(stage: LocalStage) -> None:
    web = stage.shell("web", "trap 'echo bye; exit 0' TERM; $SAY; while :; do sleep 1000 & wait; done", grace=60.0)
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        await stage.settled(web, 1)
        (container,) = [each for each in stage.marked() if each.leads]
        await bring(scheduler, web, 0)
        assert text(container.home / "log") == "bye\n"


async def test_it_is_killed_when_its_grace_is_over(stage: LocalStage) -> None:
    web = stage.stubborn("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 3)
        await stage.settled(web, 3)
        began = time.monotonic()
        await bring(scheduler, web, 0)
        assert 0.7 <= time.monotonic() - began < 5
    assert not stage.marked()


LEAVES_A_CHILD = "(trap '' TERM; $SAY; exec sleep 1000) & "


@pytest.mark.parametrize(
    ("script", "signalled"),
    [
        pytest.param(LEAVES_A_CHILD + "wait", signal.SIGKILL, id="killed"),
        pytest.param(LEAVES_A_CHILD + "trap 'exit 0' TERM; wait", signal.SIGTERM, id="ended by itself"),
    ],
)
async def test_what_is_left_of_its_group_is_killed(stage: LocalStage, script: str, signalled: signal.Signals) -> None:
    web = stage.shell("web", script)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        await scheduler.scale(web, 1)
        await stage.settled(web, 1)
        assert len(stage.marked()) == 2
        (leader,) = stage.leaders("web")
        os.kill(leader, signalled)
        assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 1
        assert not stage.marked(), "it is held until all of it has gone"


ESCAPES = "mkfifo gone; setsid sh -c '$SAY; echo > gone; sleep 1000' & read nothing < gone; "


async def test_what_has_left_its_group_is_killed_when_its_container_has_ended(stage: LocalStage) -> None:
    web, batch = stage.shell("web", ESCAPES), stage.shell("batch", ESCAPES + "wait")
    async with stage.scheduler() as scheduler, watching(scheduler, web, batch) as snapshots:
        await anext(snapshots)
        await scheduler.scale(batch, 1)
        await scheduler.scale(web, 1)
        await stage.settled(web, 2)
        await until(snapshots, web, lambda counts: counts.failed == 1 and counts.held == 0)
        await until(snapshots, web, lambda counts: counts.stopping == 1)
        assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 1
        assert not stage.leaders("web")
        assert len(stage.leaders("batch")) == 2, "a container that runs may do as it likes"
    async with stage.scheduler() as scheduler, watching(scheduler, batch) as snapshots:
        assert all_run(1)((await anext(snapshots)).counts["batch"])
        assert len(stage.leaders("batch")) == 2, "to the next Beaufort too"


async def test_few_directories_are_kept(stage: LocalStage) -> None:
    web = stage.running("web", "true")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        await scheduler.scale(web, 9)
        await until(snapshots, web, lambda counts: counts.failed == 9)
    containers = stage.root / "one" / "containers"
    assert len(list(containers.iterdir())) == 5
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        await scheduler.scale(web, 2)
        await until(snapshots, web, lambda counts: counts.failed == 2)
    assert len(list(containers.iterdir())) == 5


async def test_a_directory_that_was_not_made_to_its_end_is_not_used(stage: LocalStage) -> None:
    (stage.root / "one/spare/begun/work").mkdir(parents=True)
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 70)
        assert len(stage.marked()) == 70
        assert not (stage.root / "one/spare/begun").exists()
        await bring(scheduler, web, 0)


# What can go wrong.


@pytest.mark.parametrize(
    ("launch", "faults"),
    [
        pytest.param(Launch(command=("sleep", "1")), [], id="a name"),
        pytest.param(Launch(command=("/bin/sleep", "1")), [], id="an absolute path"),
        pytest.param(Launch(), ["command: expected the command to run"], id="nothing"),
        pytest.param(Launch(command=("",)), ["command: expected the command to run"], id="empty"),
        pytest.param(Launch(command=("./run",)), ["command: expected a program by its name"], id="relative"),
        pytest.param(
            Launch(image="shop/web:1"),
            ["image: expected none", "command: expected the command to run"],
            id="an image",
        ),
    ],
)
async def test_faults_of_a_launch(stage: LocalStage, launch: Launch, faults: list[str]) -> None:
    service = Service("web", 1, launch=launch)
    async with stage.scheduler() as scheduler:
        found = scheduler.check(service)
        assert len(found) == len(faults)
        for fault, expected in zip(found, faults, strict=True):
            assert fault.startswith(expected)
        if faults:
            with pytest.raises(Rejected, match=f"web: {faults[0]}"):
                await scheduler.scale(service, 1)
            await scheduler.scale(service, 0)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        pytest.param(("no-such-program",), "No such file or directory", id="not found"),
        pytest.param(("{root}/not-executable",), "Permission denied", id="may not be run"),
        pytest.param(("{root}/nonsense",), "Exec format error", id="no program"),
        pytest.param(("{root}",), "Permission denied", id="a directory"),
        pytest.param(("{root}/nonsense/below",), "Not a directory", id="below a file"),
        pytest.param(("sleep", "x" * 3_000_000), "Argument list too long", id="too long"),
        pytest.param(("sleep", "1\0"), "embedded null byte", id="null byte"),
    ],
)
async def test_what_cannot_start_is_rejected(stage: LocalStage, command: tuple[str, ...], words: str) -> None:
    (stage.root / "not-executable").write_text("#!/bin/sh\n")
    (stage.root / "nonsense").write_text("nonsense")
    (stage.root / "nonsense").chmod(0o755)
    web = stage.running("web", *(part.replace("{root}", str(stage.root)) for part in command))
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=f"web: can't start .*: {words}"):
            await scheduler.scale(web, 2)
        async with watching(scheduler, web) as snapshots:
            assert (await anext(snapshots)).counts["web"].held == 0
        assert not list((stage.root / "one" / "containers").iterdir())


async def test_an_environment_that_cannot_be_is_rejected(stage: LocalStage) -> None:
    web = Service("web", 1, launch=Launch(command=("sleep", "1"), env={"A=B": "c"}))
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match="illegal environment variable name"):
            await scheduler.scale(web, 1)


@contextmanager
def descriptors_left(how_many: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = open_descriptors()
    free = [number for number in range(limits[0]) if number not in taken]
    resource.setrlimit(resource.RLIMIT_NOFILE, (free[how_many], limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("how_many", range(1, 12))
async def test_without_descriptors_there_is_no_room_and_nothing_is_lost(stage: LocalStage, how_many: int) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        with pytest.raises(NoRoom, match=r"web: .*Too many open files"), descriptors_left(how_many):
            await scheduler.scale(web, 20)
        async with watching(scheduler, web) as snapshots:
            assert (await anext(snapshots)).counts["web"].held == len(stage.marked()) < 20
        await bring(scheduler, web, 20)
        assert len(stage.marked()) == 20


async def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SchedulerError, match=r"can't begin.*file/default.*Not a directory"):
        async with Local(directory=tmp_path / "file"):
            pass


async def test_a_directory_that_vanishes_is_told(stage: LocalStage) -> None:
    async with stage.scheduler() as scheduler:
        (stage.root / "one" / "containers").rmdir()
        with pytest.raises(SchedulerError, match=r"web: can't make a container's directory.*No such file") as raised:
            await scheduler.scale(stage.service("web"), 1)
        assert not isinstance(raised.value, Rejected), "the launch is not to blame"


@pytest.mark.parametrize("name", ["", "a/b", ".", ".."])
def test_a_deployment_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="deployment: expected a name without a slash"):
        Local(deployment=name)


async def test_state_is_kept_where_the_desktop_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    async with Local():
        assert (tmp_path / "beaufort/default/containers").is_dir()
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with Local(deployment="shop"):
        assert (tmp_path / ".local/state/beaufort/shop/containers").is_dir()


async def test_two_of_a_deployment_are_refused(stage: LocalStage) -> None:
    async with stage.scheduler() as scheduler:
        await bring(scheduler, stage.service("web"), 1)
        with pytest.raises(SchedulerError, match=rf"another Beaufort \(process {os.getpid()}\) runs this deployment"):
            async with stage.scheduler():
                pass
        assert len(stage.leaders("web")) == 1
    async with stage.scheduler():
        pass


async def test_nothing_stays_open(stage: LocalStage) -> None:
    async def live() -> None:
        async with stage.scheduler() as scheduler:
            await bring(scheduler, stage.service("web"), 3)
            await bring(scheduler, stage.service("web"), 1)
            with pytest.raises(Rejected):
                await scheduler.scale(stage.broken("broken"), 1)

    await live()
    before = len(open_descriptors())
    await live()
    assert len(open_descriptors()) == before


def test_it_needs_linux(tmp_path: Path) -> None:
    program = (
        "import sys, asyncio; sys.platform = 'win32'\n"
        "from beaufort.schedulers.local import Local\n"
        f"async def main():\n    async with Local(directory={str(tmp_path)!r}): pass\n"
        "import asyncio.runners, selectors; sys.platform = 'win32'; asyncio.run(main())"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert "SchedulerError: the local scheduler needs Linux" in result.stderr
    assert not list(tmp_path.iterdir())
