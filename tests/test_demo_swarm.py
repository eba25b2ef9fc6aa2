"""The demonstration on a real Swarm, as a person runs it; and nothing of it left behind, nor anything of others touched."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator

import msgspec
import pytest

from beaufort.schedulers.cluster.answers import Task
from beaufort.schedulers.cluster.managers import Managers
from beaufort.schedulers.engine.client import Address
from beaufort.stages.swarm import Tasks
from demo_run import begun, told
from docker_meter import Meter
from engine import IMAGE
from swarm_rig import Swarm


@pytest.fixture
def clean_swarm(shared_swarm: Swarm) -> Iterator[Swarm]:
    yield shared_swarm
    shared_swarm.clear()


def options(swarm: Swarm) -> tuple[str, ...]:
    return "--scheduler", "swarm", "--url", swarm.first.url, "--image", IMAGE


def there(swarm: Swarm) -> list[str]:
    """All that a demo could leave on a Swarm."""
    return [each["ID"] for kind in ("/services", "/configs") for each in swarm.first.ask("GET", kind)]


async def test_json_is_the_same_object_and_says_what_really_ran(clean_swarm: Swarm) -> None:
    theirs = clean_swarm.make("theirs", 1)
    meters = [Meter(engine, "beaufort.service") for engine in clean_swarm.up]
    for meter in meters:
        meter.follow()
    async with begun(*options(clean_swarm), "--duration", "5", "--containers", "6", "--json") as process:
        out, err = await process.communicate()
    for meter in meters:
        meter.close()
    summary = json.loads(out)
    starts = sum(action == "start" for meter in meters for action, _ in meter.log)
    assert process.returncode == 0, err
    assert summary["max_held"] <= summary["capacity"] == 6
    assert 6 <= summary["starts"] <= starts
    assert there(clean_swarm) == [theirs]


async def test_a_signal_ends_it_and_a_killed_one_is_cleared_away_by_the_next_when_its_lease_has_ended(
    clean_swarm: Swarm,
) -> None:
    async with begun(*options(clean_swarm)) as killed:
        await told(killed.stdout, "demand")
        killed.kill()
        await killed.wait()
    left = there(clean_swarm)
    async with begun(*options(clean_swarm)) as process:
        await told(process.stdout, "demand")
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
    assert out.decode().endswith("Everything of it is stopped and removed.\n")
    assert there(clean_swarm) == left, "it may live, for all that the next one knows"
    (lease,) = clean_swarm.first.ask("GET", "/configs")
    labels = {**lease["Spec"]["Labels"], "beaufort.until": "0"}
    path = f"/configs/{lease['ID']}/update?version={lease['Version']['Index']}"
    clean_swarm.first.ask("POST", path, {**lease["Spec"], "Labels": labels})
    async with begun(*options(clean_swarm), "--duration", "1") as process:
        await process.communicate()
    assert there(clean_swarm) == []


async def test_an_image_that_no_node_has_is_told_with_what_to_do(clean_swarm: Swarm) -> None:
    async with begun(*options(clean_swarm), "--image", "no-such-image:here") as process:
        _, err = await process.communicate()
    assert process.returncode == 1
    assert b"beaufort: the demo can't run its containers here: " in err
    assert b"o such image: no-such-image:here" in err
    assert b"run docker pull no-such-image:here or docker load on each node, or name with --image" in err
    assert there(clean_swarm) == []


def test_the_witness_counts_the_most_that_ran_at_once() -> None:
    witness = Tasks(Managers([Address("unix:///nowhere")]), "one")

    def task(id_: str, state: str) -> Task:
        told = {"ID": id_, "CreatedAt": "2026-01-01T00:00:00Z", "Status": {"State": state}}
        return msgspec.convert(told, Task)

    witness.saw([task("a", "running"), task("b", "running"), task("c", "pending")])
    witness.saw([task("b", "shutdown"), task("c", "running")])
    assert (witness.started, witness.ended, witness.most) == (3, 2, 2)
