"""The demonstration on a real Mesos, as a person runs it; and nothing of it left behind, however it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from beaufort.protocols import ConfigError
from beaufort.stages.stage import choose
from demo_run import begun, told
from mesos_rig import Mesos
from mesos_run import peak

ON = ("--scheduler", "mesos", "--url")


@pytest.fixture
def clean_mesos(shared_mesos: Mesos) -> Iterator[Mesos]:
    yield shared_mesos
    shared_mesos.clear()


async def test_it_says_what_really_ran(clean_mesos: Mesos) -> None:
    before = len(clean_mesos.completed())
    async with begun(*ON, clean_mesos.address, "--duration", "4", "--containers", "6", "--json") as process:
        out, err = await process.communicate()
    summary = json.loads(out)
    assert process.returncode == 0, err.decode()
    clean_mesos.until(lambda: len(clean_mesos.completed()) == before + 1)
    assert not clean_mesos.frameworks(), "it has ended with the demo"
    ran = [task for task in clean_mesos.completed()[-1]["completed_tasks"] if len(task["statuses"]) > 0]
    assert summary["starts"] == sum(any(each["state"] == "TASK_RUNNING" for each in task["statuses"]) for task in ran)
    assert summary["starts"] > 6
    assert summary["max_held"] == peak(clean_mesos) == 6
    assert not clean_mesos.processes()


async def test_a_killed_demo_ends_with_all_its_tasks(clean_mesos: Mesos) -> None:
    async with begun(*ON, clean_mesos.address) as process:
        await told(process.stdout, "0 -> 8")
        clean_mesos.until(lambda: len(clean_mesos.processes()) > 0)
        process.kill()
        await process.wait()
    clean_mesos.until(lambda: not clean_mesos.frameworks() and not clean_mesos.processes())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({}, "url: missing; expected host:port of a Mesos master", id="none"),
        pytest.param({"url": "in the cloud"}, "master: expected host:port", id="no address"),
        pytest.param({"url": "a", "image": "b"}, "image: expected none", id="an image"),
    ],
)
def test_where_it_is_has_to_be_said(options: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        choose("mesos", options)
