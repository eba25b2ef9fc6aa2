"""The local scheduler after a kill, at any instant: what runs is adopted, nothing is run twice, lost or mistaken."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from random import Random

import msgspec
import pytest

from beaufort.model import Counts, Service, Standby
from local_jump import BATCH, MOST, WEB
from local_stage import LocalStage, Marked
from local_standby_steps import IN_THE_END
from scheduler_contract import all_run, bring, ready, until, watching


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[LocalStage]:
    stage = LocalStage(tmp_path)
    yield stage
    stage.close()


async def leave_running(stage: LocalStage, service: Service) -> Path:
    """Starts a container, waits until it has said so, and leaves it; its directory."""
    async with stage.scheduler() as scheduler:
        await bring(scheduler, service, 1)
        await stage.settled(service, 1)
    (home,) = (stage.root / "one" / "containers").iterdir()
    return home


def journal(home: Path) -> list[bytes]:
    return (home / "journal").read_bytes().splitlines(keepends=True)


def rewrite(home: Path, *lines: bytes) -> None:
    (home / "journal").write_bytes(b"".join(lines))


# By what it is known.

FORGETS_ITSELF = """
import ctypes, os, signal
signal.alarm(60)
fields = open("/proc/self/stat").read().rpartition(")")[2].split()
begin, end = int(fields[47]), int(fields[48])  # env_start and env_end of proc_pid_stat(5)
ctypes.memset(begin, 0, end - begin)
open(FIFO, "w").write("x")
signal.pause()
"""


def keep(home: Path) -> None:
    del home


def lose_record(home: Path) -> None:
    rewrite(home)


def tear_record(home: Path) -> None:
    rewrite(home, journal(home)[0][:-9])


@pytest.mark.parametrize("damage", [keep, lose_record, tear_record])
@pytest.mark.parametrize("forgetful", [False, True], ids=["marked", "mark overwritten"])
async def test_it_is_known_by_any_of_its_traces(
    stage: LocalStage,
    damage: Callable[[Path], None],
    forgetful: bool,
) -> None:
    program = FORGETS_ITSELF.replace("FIFO", repr(str(stage.root / "fifo")))
    web = stage.running("web", sys.executable, "-c", program) if forgetful else stage.stubborn("web")
    home = await leave_running(stage, web)
    (pid,) = working_in(home / "work")
    assert bool(stage.marked()) is not forgetful
    damage(home)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        assert all_run(1)((await anext(snapshots)).counts["web"])
        await scheduler.scale(web, 1)
        assert [path.name for path in (stage.root / "one/containers").iterdir()] == [home.name]
        os.kill(pid, signal.SIGKILL)
        counts = await until(snapshots, web, lambda counts: counts.held == 0)
        assert (counts.failed, counts.failure.split(" after")[0]) == (1, "killed by SIGKILL")


def working_in(directory: Path) -> list[int]:
    found = []
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):
            if link.readlink() == directory:
                found.append(int(link.parent.name))
    return found


def ticks(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def record(pid: int, *, boot: str, late: int) -> bytes:
    """A journal's line for the process, which began ``late`` ticks after the container that had its number before."""
    start = ticks(pid) - late
    return msgspec.json.encode({"boot": boot, "process": {"pid": pid, "earliest": start, "latest": start}}) + b"\n"


@contextmanager
def innocent_process(mark: str) -> Iterator[subprocess.Popen[bytes]]:
    env = {"PATH": os.environ["PATH"], "BEAUFORT_SERVICE": "web", "BEAUFORT_CONTAINER": mark}
    with subprocess.Popen(["sleep", "1000"], env=env, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("mark", "write"),
    [
        pytest.param("/", lambda pid: record(pid, boot=boot_id(), late=2), id="its number was a container's before"),
        pytest.param("/", lambda pid: record(pid, boot="another", late=0), id="its number was so before the last boot"),
        pytest.param("/", lambda pid: f'{{"pid": {pid}}}\n'.encode(), id="a journal of another kind"),
        pytest.param("/", lambda pid: b"\0" * 100 + b"%d\n" % pid, id="a journal of no kind"),
        pytest.param("/elsewhere/one/containers/web.abc", lambda _: b"", id="its mark is of another directory"),
        pytest.param("{root}/two/containers/web.abc", lambda _: b"", id="its mark is of another deployment"),
    ],
)
async def test_another_process_is_never_mistaken_for_it(
    stage: LocalStage,
    mark: str,
    write: Callable[[int], bytes],
) -> None:
    web = stage.service("web")
    with innocent_process(mark.replace("{root}", str(stage.root))) as innocent:
        home = stage.root / "one/containers/web.abc"
        (home / "work").mkdir(parents=True)
        (home / "log").touch()
        rewrite(home, write(innocent.pid))
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            assert (await anext(snapshots)).counts["web"].held == 0
            await bring(scheduler, web, 1)
            await bring(scheduler, web, 0)
        assert innocent.poll() is None


async def test_what_has_lost_its_directory_is_not_forgotten(stage: LocalStage) -> None:
    web = stage.stubborn("web")
    home = await leave_running(stage, web)
    shutil.rmtree(home)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        assert (await anext(snapshots)).counts["web"].running == 1
        await bring(scheduler, web, 0)
    assert not stage.marked()


def kill_and_wait(child: int, *, reap: bool) -> None:
    os.kill(child, signal.SIGKILL)
    os.waitid(os.P_PID, child, os.WEXITED | (0 if reap else os.WNOWAIT))


@pytest.mark.parametrize("reaped", [True, False])
async def test_what_an_ended_container_left_behind_is_held_and_killed(stage: LocalStage, reaped: bool) -> None:
    web = stage.shell("web", "(trap '' TERM; $SAY; exec sleep 1000) & wait")
    await leave_running(stage, web)
    (leader,) = stage.leaders("web")
    kill_and_wait(leader, reap=reaped)
    assert stage.marked()
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        counts = (await anext(snapshots)).counts["web"]
        assert (counts.current, counts.held) == (0, 1)
        assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 0
    assert not stage.marked()


# While it was being stopped.


@pytest.mark.parametrize(
    ("lines_kept", "signals"),
    [
        pytest.param(3, 1, id="signalled"),
        pytest.param(2, 2, id="perhaps signalled"),
    ],
)
async def test_a_stop_goes_on_and_is_not_begun_again(stage: LocalStage, lines_kept: int, signals: int) -> None:
    web = stage.shell("web", "trap 'echo TERM; $SAY' TERM; $SAY; while :; do sleep 1000 & wait; done", grace=1.0)
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        await stage.settled(web, 1)
        began = time.monotonic()
        await scheduler.scale(web, 0)
        await stage.settled(web, 1)
    (home,) = (stage.root / "one/containers").iterdir()
    assert len(journal(home)) == 3
    rewrite(home, *journal(home)[:lines_kept])
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        counts = (await anext(snapshots)).counts["web"]
        assert (counts.current, counts.stopping) == (0, 1)
        assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 0
        assert time.monotonic() - began >= 1.0, "its grace is kept"
    assert (home / "log").read_text() == "TERM\n" * signals


async def test_a_stop_that_is_overdue_is_done_at_once(stage: LocalStage) -> None:
    web = stage.stubborn("web")
    home = await leave_running(stage, web)
    rewrite(home, *journal(home), b'{"stop_by":1.0}\n', b'{"signalled":true}\n')
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots, asyncio.timeout(3):
        await until(snapshots, web, lambda counts: counts.held == 0)


# The lock.


async def test_a_lock_that_is_about_to_go_is_waited_for(stage: LocalStage) -> None:
    async with stage.scheduler():
        pass
    held = os.open(stage.root / "one/lock", os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)
    asyncio.get_running_loop().call_later(0.2, os.close, held)
    async with stage.scheduler():
        pass


# Killed again and again.


def kill_at_random(stage: LocalStage, random: Random) -> None:
    """Lets the program jump, and kills it: a third of the times while it adopts, else while it jumps."""
    program = Path(__file__).with_name("local_jump.py")
    with subprocess.Popen([sys.executable, program, stage.root], stdout=subprocess.PIPE) as jumping:
        assert jumping.stdout is not None
        if random.random() < 1 / 3:
            time.sleep(random.uniform(0.2, 0.6))
        else:
            assert jumping.stdout.readline() == b"begun\n"
            time.sleep(random.uniform(0, 0.1))
        jumping.kill()


def finishes(stage: LocalStage, fatal_step: int, name: str = "local_steps.py") -> bool:
    """Lets the other program do its steps, up to a fatal one; whether it has done them all."""
    program = Path(__file__).with_name(name)
    code = subprocess.run([sys.executable, program, stage.root, str(fatal_step)], check=False, timeout=60).returncode
    assert code in {0, -signal.SIGKILL}
    return code == 0


def homes(stage: LocalStage, service: Service) -> dict[Path, int]:
    """The containers that run: directory -> pid of the first process, of which there must be one."""
    found: list[Marked] = [each for each in stage.marked() if each.service == service.name and each.leads]
    assert len({each.home for each in found}) == len(found), "one container has been started twice"
    return {each.home: each.pid for each in found}


async def check_adoption(stage: LocalStage) -> None:
    """Nothing is run twice, nothing that ran is started anew, and nothing is left when all is stopped."""
    async with stage.scheduler() as scheduler, watching(scheduler, WEB, BATCH) as snapshots:
        first = (await anext(snapshots)).counts
        for service in (WEB, BATCH):
            before = homes(stage, service)
            assert first[service.name].running <= len(before) <= first[service.name].held
            await bring(scheduler, service, MOST)
            after = homes(stage, service)
            assert len(after) == MOST
            assert len(before.items() & after.items()) == first[service.name].running


async def clear(stage: LocalStage) -> None:
    async with stage.scheduler() as scheduler:
        await bring(scheduler, BATCH, 0)
        await bring(scheduler, WEB, 0)
    assert not stage.marked()


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_random_it_loses_nothing_and_starts_nothing_twice(stage: LocalStage, seed: int) -> None:
    random = Random(seed)
    for _ in range(8):
        kill_at_random(stage, random)
        await check_adoption(stage)
    await clear(stage)


async def test_killed_at_every_step_it_loses_nothing_and_starts_nothing_twice(stage: LocalStage) -> None:
    for step in count(1):
        if finishes(stage, step):
            break
        await check_adoption(stage)
        await clear(stage)
    assert step > 15, "each start and each stop has several steps"


async def test_how_an_adopted_container_ended_is_not_known(stage: LocalStage) -> None:
    assert finishes(stage, sys.maxsize)
    async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
        assert (await anext(snapshots)).counts["web"].running == 1
        await stage.kill("web")
        counts = await until(snapshots, WEB, lambda counts: counts.held == 0)
        assert counts.failed == 1
        assert re.match(r"ended after \d\.\d s \(how is not known: it was adopted\); its log is /", counts.failure)


# Standby.


def at_ease(counts: Counts) -> bool:
    return counts.warming == counts.stopping == 0


async def test_killed_at_every_step_standby_is_standby_or_serves(stage: LocalStage) -> None:
    seen = set()
    for step in count(1):
        if finishes(stage, step, "local_standby_steps.py"):
            break
        async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
            counts = await until(snapshots, WEB, at_ease)
            stage.stopped("web", counts.standby.kept)
            assert len(homes(stage, WEB)) == counts.running + counts.standby.kept, "and what serves is not stopped"
            assert counts.failed == 0
            seen.add((counts.running, counts.standby.kept))
            await scheduler.scale(WEB, 2)
            await until(snapshots, WEB, all_run(2))
            stage.stopped("web", 0)
            assert len(homes(stage, WEB)) == 2, "what was ready has been used"
        await clear(stage)
    assert step > 10, "each start, stop and waking has several steps"
    assert seen >= {(0, 0), (0, 1), (0, 2), (1, 1)}


async def test_standby_outlives_a_kill_of_its_parent(stage: LocalStage) -> None:
    """The kernel wakes a stopped group that loses its parent, and sends it SIGHUP, if the parent was in its session."""
    assert not finishes(stage, IN_THE_END, "local_standby_steps.py")
    before = stage.stopped("web", 2)
    async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
        assert ready("frozen", 2, running=1)((await anext(snapshots)).counts["web"])
        assert stage.stopped("web", 2) == before
        await scheduler.scale(WEB, 3)
        await until(snapshots, WEB, all_run(3))
        assert set(before) < set(stage.leaders("web"))
    await clear(stage)


async def test_standby_whose_journal_is_lost_serves(stage: LocalStage) -> None:
    """What nobody knows to be standby is counted as what runs, and so it goes on."""
    async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
        await scheduler.scale(WEB, 0, Standby(frozen=1))
        await until(snapshots, WEB, ready("frozen", 1, running=0))
    (home,) = (stage.root / "one/containers").iterdir()
    rewrite(home)
    async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
        assert (await anext(snapshots)).counts["web"].running == 1
        stage.stopped("web", 0)


async def test_standby_that_is_killed_has_failed(stage: LocalStage) -> None:
    async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
        await scheduler.scale(WEB, 0, Standby(frozen=1))
        await until(snapshots, WEB, ready("frozen", 1, running=0))
        await stage.kill("web")
        counts = await until(snapshots, WEB, lambda counts: counts.present + counts.stopping == 0)
        assert (counts.failed, counts.failure.split(" after")[0]) == (1, "killed by SIGKILL")


async def test_starts_are_timed_by_what_they_begin_from(stage: LocalStage) -> None:
    async with stage.scheduler() as scheduler, watching(scheduler, WEB) as snapshots:
        await scheduler.scale(WEB, 1, Standby(frozen=1))
        await until(snapshots, WEB, ready("frozen", 1, running=1))
        await scheduler.scale(WEB, 2)
        seconds = (await until(snapshots, WEB, all_run(2))).start_seconds
        assert set(seconds) == {"new", "frozen"}
        assert 0 < seconds["frozen"] < seconds["new"] < 1
    await clear(stage)
