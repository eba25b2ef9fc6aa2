"""What a program asks of a running controller: pushes, pauses, another configuration, a journal. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

import beaufort
from beaufort import clock
from beaufort.controller import Controller
from beaufort.journal import Journal
from beaufort.model import NO_STANDBY, Counts, Direction, Event, Service, Standby
from beaufort.policies.constant import Constant
from beaufort.replay import replay
from beaufort.scaler import Scope
from beaufort.schedulers.simulated import Simulated
from live import Setup, Voice

pytestmark = pytest.mark.looptime(start=0)


def config(**services: dict[str, Any]) -> beaufort.Config:
    return beaufort.load(
        {
            "scheduler": {"type": "simulated", "start_delay": 0.1, "stop_delay": 0.1},
            "capacity": {"containers": 10},
            "services": services,
        }
    )


def pushed(priority: int = 1, **keys: Any) -> dict[str, Any]:
    settle = {"window": {"down": 0}, "tolerance": 0, "idle": 0}
    return {"priority": priority, "policy": {"type": "per-container", "target": 1}, "settle": settle, **keys}


@asynccontextmanager
async def running(setup: beaufort.Config | Setup, journal: Journal | None = None) -> AsyncIterator[Controller]:
    controller = Controller(setup, journal=journal)
    async with asyncio.timeout(600), asyncio.TaskGroup() as tasks:
        tasks.create_task(controller.run())
        await until(controller, lambda: controller.cluster is not None)
        yield controller
        controller.stop()


async def until(controller: Controller, so: Callable[[], bool]) -> None:
    """Returns at the first event of the controller, or second of its time, at which it is so."""
    happened = asyncio.Event()

    def note(_: Event) -> None:
        happened.set()

    controller.journal.listen(note)
    while not so():
        happened.clear()
        async with asyncio.timeout(300):
            await asyncio.wait([asyncio.ensure_future(happened.wait())], timeout=1)


def count(controller: Controller, service: str) -> int:
    assert controller.cluster is not None
    return controller.cluster.counts[service].running if service in controller.cluster.counts else 0


async def test_a_push_is_answered_by_containers() -> None:
    async with running(config(web=pushed())) as controller:
        controller.push("web", 3)
        await until(controller, lambda: count(controller, "web") == 3)
        controller.push("web", 9, at=clock.now() - 100)  # Older than what is known: dropped.
        controller.push("web", 1)
        await until(controller, lambda: count(controller, "web") == 1)


async def test_a_push_that_cannot_be_meant_is_refused() -> None:
    measured = pushed(demand={"type": "random"})
    async with running(config(web=pushed(), measured=measured)) as controller:
        with pytest.raises(beaufort.BeaufortError, match="wbe: there is no such service; there are web, measured"):
            controller.push("wbe", 1)
        with pytest.raises(beaufort.BeaufortError, match="measured by random, not pushed"):
            controller.push("measured", 1)
        with pytest.raises(ValueError, match="finite"):
            controller.push("web", float("nan"))
        with pytest.raises(beaufort.BeaufortError, match="no such service"):
            controller.pause("wbe")


@pytest.mark.parametrize(
    ("direction", "held", "free"),
    [
        pytest.param(Direction.OUT, 5, 1, id="not larger"),
        pytest.param(Direction.IN, 1, 5, id="not smaller"),
    ],
)
async def test_a_pause_holds_one_way_until_it_is_resumed(direction: Direction, held: int, free: int) -> None:
    async with running(config(web=pushed())) as controller:
        controller.push("web", 3)
        await until(controller, lambda: count(controller, "web") == 3)
        controller.pause("web", direction)
        controller.push("web", held)
        await asyncio.sleep(5)
        assert count(controller, "web") == 3
        controller.push("web", free)
        await until(controller, lambda: count(controller, "web") == free)
        await asyncio.sleep(1)
        controller.push("web", held)
        await asyncio.sleep(5)
        assert count(controller, "web") == free
        controller.resume("web")
        await until(controller, lambda: count(controller, "web") == held)


async def test_a_pause_ends_at_its_time() -> None:
    async with running(config(web=pushed())) as controller:
        controller.pause("web", until=clock.now() + 20)
        controller.push("web", 3)
        await asyncio.sleep(19)
        assert count(controller, "web") == 0
        await asyncio.sleep(2)
        assert count(controller, "web") == 3
        assert [event.kind for event in controller.journal.events if event.service == "web"].count("resumed") == 1


async def test_another_configuration_keeps_what_is_known_and_stops_what_has_left(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    before, after = config(web=pushed(), old=pushed(2)), config(web=pushed(max=2), new=pushed(2, min=1))
    async with running(before, Journal(journal)) as controller:
        controller.push("web", 3)
        controller.push("old", 4)
        await until(controller, lambda: (count(controller, "web"), count(controller, "old")) == (3, 4))
        controller.reconfigure(after)
        await until(controller, lambda: [count(controller, name) for name in ("web", "old", "new")] == [2, 0, 1])
        assert set(controller.services) == {"web", "new"}
    steps = list(replay(journal))
    assert steps
    assert all(step.same for step in steps)


async def test_standby_is_held_and_a_replay_knows_of_it(tmp_path: Path) -> None:
    def ready(controller: Controller) -> Standby:
        assert controller.cluster is not None
        return controller.cluster.counts["web"].standby

    journal = tmp_path / "journal"
    async with running(config(web=pushed(standby={"created": 1, "frozen": 2})), Journal(journal)) as controller:
        controller.push("web", 3)
        await until(controller, lambda: (count(controller, "web"), ready(controller)) == (3, Standby(1, 2)))
        controller.push("web", 9)
        await until(controller, lambda: (count(controller, "web"), ready(controller)) == (9, Standby(1, 2)))
        controller.reconfigure(config(web=pushed()))
        await until(controller, lambda: ready(controller) == NO_STANDBY)
        assert not [event for event in controller.journal.events if event.kind == "standby-ignored"]
    steps = list(replay(journal))
    assert {action.standby for step in steps for action in step.actions} >= {Standby(1, 2), NO_STANDBY}
    assert all(step.same for step in steps)


class HoldsNothing(Simulated):
    holds: ClassVar[frozenset[str]] = frozenset()


class Makes(Simulated):
    holds: ClassVar[frozenset[str]] = frozenset({"created"})


@pytest.mark.parametrize(
    ("scheduler", "standby", "detail"),
    [
        pytest.param(
            HoldsNothing,
            Standby(1, 2),
            "3 were to be held ready; the scheduler can hold nothing",
            id="holds nothing",
        ),
        pytest.param(
            Makes, Standby(1, 2), "3 were to be held ready; the scheduler can hold only created", id="can't pause"
        ),
        pytest.param(Makes, Standby(1), None, id="holds all of it"),
        pytest.param(HoldsNothing, NO_STANDBY, None, id="nothing is wanted"),
    ],
)
async def test_standby_that_the_scheduler_can_not_hold_is_told(
    scheduler: type[Simulated], standby: Standby, detail: str | None
) -> None:
    web = Service("web", 1, standby=standby)
    scope = Scope((web,), {"web": Constant(count=1)}, holds=scheduler.holds)
    async with running(Setup(scope, {"web": Voice()}, scheduler())) as controller:
        told = [event for event in controller.journal.events if event.kind == "standby-ignored"]
        assert [(event.service, event.detail) for event in told] == ([("web", detail)] if detail else [])


async def test_a_journal_that_cannot_be_written_is_told_and_stops_nothing() -> None:
    async with running(config(web=pushed()), Journal(Path("/dev/full"))) as controller:
        controller.push("web", 2)
        await until(controller, lambda: count(controller, "web") == 2)
        lost = [event.detail for event in controller.journal.events if event.kind == "journal-lost"]
        assert lost == ["/dev/full: No space left on device; the journal goes on in memory only"]


async def test_a_journal_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(beaufort.BeaufortError, match="can't be written"):
        await Controller(config(web=pushed()), journal=Journal(tmp_path / "no" / "folder")).run()


def counts(controller: Controller, service: str) -> Counts:
    assert controller.cluster is not None
    return controller.cluster.counts.get(service, Counts())


async def test_on_nodes_who_gives_way_goes_from_where_it_helps() -> None:
    """``web`` may be on two of four nodes only, has no max, and takes these and no more."""
    keys = {"constraints": ["zone LIKE a"], "resources": {"cpu": 1}}
    setup = beaufort.load(
        {
            "scheduler": {"type": "simulated", "nodes": 4, "cpu": 1, "labels": {"zone": ["a", "b"]}},
            "services": {
                "web": pushed(priority=1, **keys),
                "batch": {"priority": 2, "resources": {"cpu": 1}, "policy": {"type": "remainder"}},
            },
        }
    )
    async with running(setup) as controller:
        await until(controller, lambda: counts(controller, "batch").running == 4)
        controller.push("web", 9)
        await until(controller, lambda: counts(controller, "web").running == 2)
        assert set(counts(controller, "web").on) == {"node-1", "node-3"}
        assert counts(controller, "batch").on == {"node-2": 1, "node-4": 1}
        grant = controller.decision.grants["web"]
        assert grant.reason.endswith("gets 2: no room on the 2 nodes with zone LIKE a")
        assert controller.decision.shortfall == {"web": 7}
        assert not [event for event in controller.journal.events if event.kind == "action-failed"]
