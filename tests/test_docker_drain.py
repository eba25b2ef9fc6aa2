"""What a busy container of a Docker Engine is given to end: in the hands of one Beaufort, the next, and the engine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from beaufort.model import Service
from beaufort.protocols import Unreachable
from beaufort.schedulers.engine.crew import STOP, stop_within
from beaufort.schedulers.engine.held import Held, Phase
from docker_stage import DockerStage
from engine import Engine, engine
from scheduler_contract import all_run, bring, until, watching

BUSY = "touch /tmp/busy"
DRAINS: dict[str, Any] = {"busy_file": "/tmp/busy", "drain_timeout": 60.0}


@pytest.fixture
def stage(shared_engine: Engine, tmp_path: Path) -> Iterator[DockerStage]:
    stage = DockerStage(shared_engine, tmp_path)
    yield stage
    stage.close()


def worker(stage: DockerStage, then: str, *, first: str = BUSY, **options: Any) -> Service:
    """It has no grace at all. It says when it is ready to be asked to stop, and again when it is, and ``then`` ..."""
    script = f"{first}; trap '$SAY; {then}' TERM; $SAY; while :; do sleep 0.05; done"
    return stage.shell("web", script, grace=0.0, **options)


FINISHES = "until test -e /stage/finish; do sleep 0.05; done; exit 7"
"""... when the test lets it."""


@dataclass(frozen=True)
class End:
    after: float
    code: str


def ends(stage: DockerStage, since: float) -> list[End]:
    """How containers have ended, in seconds from the first signal, by the engine's own event log."""
    asked: dict[str, int] = {}
    found = []
    for each in stage.engine.happened(since, "web"):
        id_, at = each["Actor"]["ID"], each["timeNano"]
        if each["Action"] == "kill":
            asked.setdefault(id_, at)
        elif each["Action"] == "die":
            found.append(End((at - asked[id_]) / 1e9, each["Actor"]["Attributes"]["exitCode"]))
    return found


async def test_a_busy_one_may_end_its_work(stage: DockerStage) -> None:
    web, since = worker(stage, FINISHES, **DRAINS), stage.engine.now
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await bring(scheduler, web, 2)
        await stage.settled(web, 2)
        await scheduler.scale(web, 0)
        await stage.settled(web, 2)
        assert (await anext(snapshots)).counts["web"].stopping == 2
        (stage.root / "finish").touch()
        assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 0
    assert [end.code for end in ends(stage, since)] == ["7", "7"]


@pytest.mark.parametrize(
    ("first", "options", "least", "most"),
    [
        pytest.param(BUSY, {**DRAINS, "drain_timeout": 1.0}, 1.0, 5.0, id="busy: after its time"),
        pytest.param("true", DRAINS, 0.0, 5.0, id="idle: after its grace"),
        pytest.param(
            "touch /tmp/file", {**DRAINS, "busy_file": "/tmp/file/busy"}, 0.0, 5.0, id="not known: after its grace"
        ),
        pytest.param(BUSY, {"busy_file": "/tmp/busy"}, 0.0, 5.0, id="busy, with no time of its own: after its grace"),
    ],
)
async def test_one_that_does_not_end_is_killed(
    stage: DockerStage, first: str, options: dict[str, Any], least: float, most: float
) -> None:
    web, since = worker(stage, "", first=first, **options), stage.engine.now
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        await stage.settled(web, 1)
        await bring(scheduler, web, 0)
    (end,) = ends(stage, since)
    assert end.code == "137"
    assert least <= end.after < most


async def test_the_next_beaufort_lets_a_busy_one_end_its_work(stage: DockerStage) -> None:
    web, since = worker(stage, FINISHES, **DRAINS), stage.engine.now
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        await stage.settled(web, 2)
        await scheduler.scale(web, 1)
        await stage.settled(web, 1)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        counts = (await anext(snapshots)).counts["web"]
        assert (counts.running, counts.stopping) == (1, 1)
        (stage.root / "finish").touch()
        await until(snapshots, web, all_run(1))
    assert [end.code for end in ends(stage, since)] == ["7"]
    assert stage.unsaid() == 0, "it was asked once"


async def test_the_next_beaufort_kills_it_when_its_time_is_over(stage: DockerStage) -> None:
    """Where the engine does not: it was told to send the signal, and no more."""
    web, since = worker(stage, "", **{**DRAINS, "drain_timeout": 1.0}), stage.engine.now
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        await stage.settled(web, 1)
    (drained,) = stage.containers("web")
    stage.engine.ask("POST", f"/containers/{drained['Id']}/kill?signal=TERM")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        assert (await anext(snapshots)).counts["web"].stopping == 1
        await scheduler.scale(web, 0)
        await until(snapshots, web, lambda counts: counts.held == 0)
    (end,) = ends(stage, since)
    assert end.code == "137"
    assert 1.0 <= end.after < 5.0


async def test_an_engine_that_is_started_again_goes_on_with_it(tmp_path: Path) -> None:
    with engine("--live-restore") as private:
        stage = DockerStage(private, tmp_path)
        web = worker(stage, FINISHES, **DRAINS)
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 2)
            await stage.settled(web, 2)
            await scheduler.scale(web, 1)
            await stage.settled(web, 1)
            private.kill()
            async with watching(scheduler, web) as snapshots:
                with pytest.raises(Unreachable):
                    await until(snapshots, web, lambda counts: counts.stopping == 0)
            private.start()
            since = private.now
            async with watching(scheduler, web) as snapshots:
                counts = (await anext(snapshots)).counts["web"]
                assert (counts.running, counts.stopping) == (1, 1)
                await scheduler.scale(web, 1)
                (stage.root / "finish").touch()
                await until(snapshots, web, all_run(1))
        assert [end.code for end in ends(stage, since)] == ["7"]
        stage.close()


@pytest.mark.parametrize(
    ("left", "asked"),
    [
        pytest.param(None, {"within": STOP}, id="as its container says"),
        pytest.param(3.5, {"within": STOP + 4, "query": {"t": "4"}}, id="what is left, in whole seconds"),
        pytest.param(-1.0, {"within": STOP, "query": {"t": "0"}}, id="nothing is left"),
    ],
)
def test_a_stop_that_is_asked_for_again(left: float | None, asked: dict[str, Any]) -> None:
    held = Held("a", "web", Phase.STOPPING, drain_until=None if left is None else time.time() + left)
    assert stop_within(held) == asked
