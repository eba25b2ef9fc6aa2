"""The controller and the Docker driver on a real engine while things go wrong.

After each fault the counts are right again, nothing of ours is left behind, and by the engine's own event log there
never ran more than there is room for.
"""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from docker_meter import Meter
from docker_run import ROOM, Run, configuration, running
from docker_stage import DockerStage
from engine import Engine, engine


@pytest.fixture
def clean_engine(shared_engine: Engine) -> Iterator[Engine]:
    yield shared_engine
    shared_engine.clear()


def states(engine: Engine) -> dict[str, int]:
    """How many containers of ours there are in each state, by the engine's own list."""
    found: dict[str, int] = {}
    for each in engine.containers(beaufort_deployment="one"):
        found[each["State"]] = found.get(each["State"], 0) + 1
    return found


async def test_room_is_taken_and_handed_back(clean_engine: Engine) -> None:
    async with running(clean_engine) as run:
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(4)
        await run.reaches(4, 2)
        run.want(0)
        await run.reaches(0, ROOM)
    assert run.meter.peak == ROOM
    assert states(clean_engine) == {"running": ROOM}


@pytest.mark.parametrize(
    "live_restore", [pytest.param(True, id="containers survive"), pytest.param(False, id="none survives")]
)
async def test_the_daemon_is_killed_in_a_jump_and_started_again(*, live_restore: bool) -> None:
    with engine(*(["--live-restore"] if live_restore else [])) as private:
        async with running(private) as run:
            run.want(0)
            await run.reaches(0, ROOM)
            run.want(5)
            await run.until(lambda: (web := run.counts("web")) is not None and web.starting > 0)
            private.kill()
            run.meter.close()
            await run.until(lambda: run.counts("web") is None)
            private.start()
            run.meter.follow()
            await run.reaches(5, 1)
        assert run.meter.peak == ROOM
        assert states(private) == {"running": ROOM}


async def test_a_daemon_that_hangs_for_ten_seconds_is_noticed_and_nothing_is_done_until_it_goes_on() -> None:
    with engine() as private:
        async with running(private) as run:
            run.want(0)
            await run.reaches(0, ROOM)
            run.want(3)
            await run.until(lambda: (web := run.counts("web")) is not None and web.starting > 0)
            private.hang()
            over = time.monotonic() + 10
            await run.until(lambda: run.counts("web") is None)
            actions = len(run.said("action", "web"))
            run.want(5)
            await run.until(lambda: len(run.said("blind")) > 0 and time.monotonic() > over)
            assert len(run.said("action", "web")) == actions, "blind means still"
            private.go_on()
            await run.reaches(5, 1)
        assert run.meter.peak == ROOM
        assert states(private) == {"running": ROOM}


async def test_containers_that_others_kill_are_replaced(clean_engine: Engine) -> None:
    async with running(clean_engine) as run:
        run.want(3)
        await run.reaches(3, 3)
        victims = [each["Id"] for each in clean_engine.containers(beaufort_service="web")]
        clean_engine.ask("POST", f"/containers/{victims[0]}/kill")
        clean_engine.ask("DELETE", f"/containers/{victims[1]}?force=1")
        await run.until(lambda: (web := run.counts("web")) is not None and web.failed == 2)
        await run.reaches(3, 3)
    assert run.meter.peak == ROOM
    assert states(clean_engine) == {"running": ROOM}


async def test_an_image_that_exits_at_once_backs_off_and_holds_nobody_else(clean_engine: Engine) -> None:
    web = {"command": ["sh", "-c", "echo no licence found; exit 3"], "init": False}
    async with running(clean_engine, web=web) as run:
        run.want(3)
        await run.until(lambda: "failures: exited with 3" in run.reason("web"))
        await run.until(lambda: (batch := run.counts("batch")) is not None and batch.running >= 3)
        counts = run.counts("web")
        assert counts is not None
        assert counts.failure.startswith("exited with 3 after 0."), counts.failure
        assert counts.failure.endswith("; it said at last: no licence found")
        run.want(0)
        await run.reaches(0, ROOM)
    assert run.meter.peak <= ROOM
    assert states(clean_engine) == {"running": ROOM}


async def test_an_image_that_ignores_sigterm_is_killed_after_its_grace(clean_engine: Engine) -> None:
    async with running(clean_engine, batch={"init": False}) as run:  # as first process, sleep ignores SIGTERM
        run.want(0)
        await run.reaches(0, ROOM)
        run.want(2)
        await run.until(lambda: (batch := run.counts("batch")) is not None and batch.stopping == 2)
        await run.reaches(2, 4)
    assert run.meter.peak == ROOM
    assert states(clean_engine) == {"running": ROOM}


async def test_busy_ones_end_their_work_before_their_room_is_taken(clean_engine: Engine, tmp_path: Path) -> None:
    """All are busy, have no grace at all, and need a second more than that."""
    stage = DockerStage(clean_engine, tmp_path)
    script = "trap 'sleep 1; exit 7' TERM; touch /tmp/busy; $SAY; while :; do sleep 0.1; done"
    launch = stage.shell("batch", script).launch
    batch = {"command": list(launch.command), "volumes": list(launch.options.volumes), "init": False}
    drains = {"grace": 0, "busy_file": "/tmp/busy", "drain_timeout": "30s"}
    since = clean_engine.now
    async with running(clean_engine, batch={**batch, **drains}) as run:
        run.want(0)
        await stage.settled(stage.service("batch"), ROOM)
        await run.reaches(0, ROOM)
        run.want(3)
        await run.reaches(3, 3)
    assert run.meter.peak == ROOM
    happened = clean_engine.happened(since, "batch")
    assert [each["Actor"]["Attributes"]["exitCode"] for each in happened if each["Action"] == "die"] == ["7"] * 3
    assert states(clean_engine) == {"running": ROOM}
    stage.close()


async def test_a_full_disk_is_no_room_and_passes() -> None:
    with engine() as private:
        async with running(private) as run:
            run.want(2)
            await run.reaches(2, 4)
            private.fill()
            run.want(4)
            await run.until(lambda: any("no space left on device" in said for said in told(run)))
            private.free()
            await run.reaches(4, 2)
        assert run.meter.peak == ROOM
        assert states(private) == {"running": ROOM}


def told(run: Run) -> list[str]:
    counts = run.counts("web")
    return [*run.said("action-failed", "web"), *([counts.failure] if counts is not None else [])]


@contextmanager
def jumping(config: dict[str, Any]) -> Iterator[subprocess.Popen[bytes]]:
    """Another Beaufort, whose demand jumps up and down. It is killed at the end."""
    program = [sys.executable, str(Path(__file__).with_name("docker_jump.py")), json.dumps(config), "0.4"]
    with subprocess.Popen(program, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    "standby", [pytest.param({}, id="nothing ready"), pytest.param({"created": 1, "paused": 1}, id="some ready")]
)
async def test_beaufort_is_killed_ten_times_in_a_jump(clean_engine: Engine, standby: dict[str, int]) -> None:
    """At random instants: whatever was under way is adopted, and nothing is started twice."""
    instants = random.Random(3)
    meter = Meter(clean_engine)
    meter.follow()
    for _ in range(10):
        with jumping(configuration(clean_engine, web={"standby": standby})) as process:
            assert process.stdout is not None
            select.select([process.stdout], [], [], instants.uniform(0.05, 0.8))  # it says nothing more: a time to live
    meter.close()
    assert 0 < meter.peak <= ROOM
    async with running(clean_engine) as run:
        run.want(3)
        await run.reaches(3, 3)
        run.want(2)
        await run.reaches(2, 4)
    assert run.meter.peak <= ROOM
    assert states(clean_engine) == {"running": ROOM}
