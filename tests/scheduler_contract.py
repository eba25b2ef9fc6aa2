"""What every scheduler driver has to do, whatever it drives: a test class to inherit, with a ``stage`` fixture.

It runs in real time against real engines, and in virtual time against models: it asks the loop for the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import ClassVar, Protocol

import pytest

from beaufort.model import Cluster, Counts, Service, Standby
from beaufort.protocols import HEARTBEAT, Choosing, ContainerScheduler, Rejected

__all__ = [
    "ChoosingContract",
    "ChoosingStage",
    "SchedulerContract",
    "Stage",
    "StandbyContract",
    "StandbyStage",
    "ready",
    "until",
    "watching",
]

Snapshots = AsyncGenerator[Cluster, None]


class Stage(Protocol):
    """An engine that runs containers, and what others can do to it. What is left on it at the end is the fixture's."""

    def scheduler(self, deployment: str = "one") -> ContainerScheduler:
        """A new driver over the engine, not entered yet. It finds what an earlier one of the deployment has left."""

    def service(self, name: str) -> Service:
        """One whose containers run until they are stopped, and then stop soon."""

    def stubborn(self, name: str) -> Service:
        """One whose containers take half a second or more to stop."""

    def broken(self, name: str) -> Service:
        """One whose containers can't be started, as the request is wrong."""

    async def settled(self, service: Service, count: int) -> None:
        """Returns when ``count`` more containers of a stubborn service have come so far as to be stubborn."""

    async def kill(self, service: str) -> None:
        """End one container of ``service`` behind the driver's back."""


class StandbyStage(Stage, Protocol):
    """An engine whose driver holds containers ready."""

    def made_from(self, service: Service) -> int:
        """How many containers there are that were made from that very service, its environment above all, and not from
        another of its name; those that are held ready are among them.
        """


class ChoosingStage(Stage, Protocol):
    """An engine with two nodes or more, whose driver chooses which containers stop."""

    def scheduler(self, deployment: str = "one") -> Choosing: ...

    def apart(self, name: str) -> Service:
        """One of which there may be no more than one container on a node."""


@asynccontextmanager
async def watching(scheduler: ContainerScheduler, *services: Service) -> AsyncIterator[Snapshots]:
    """The snapshots, closed at the end. Nothing is waited for longer than a minute."""
    snapshots = scheduler.watch(services)
    try:
        async with asyncio.timeout(60):
            yield snapshots
    finally:
        await snapshots.aclose()


async def until(
    snapshots: Snapshots, service: Service, holds: Callable[[Counts], bool], seen: Counts | None = None
) -> Counts:
    """The next counts of the service of which it holds; those that have been ``seen`` last, if it holds of them."""
    if seen is not None and holds(seen):
        return seen
    async for cluster in snapshots:
        if holds(cluster.counts[service.name]):
            return cluster.counts[service.name]
    raise AssertionError("a watch never ends by itself")


def all_run(count: int) -> Callable[[Counts], bool]:
    return lambda counts: counts.running == counts.held == count


async def bring(scheduler: ContainerScheduler, service: Service, count: int) -> None:
    """Makes it ``count`` that run, and waits for them."""
    await scheduler.scale(service, count)
    async with watching(scheduler, service) as snapshots:
        await until(snapshots, service, all_run(count))


class SchedulerContract:
    """``replaces``: whether the engine itself puts another in the place of a container that ends."""

    replaces: ClassVar[bool] = False

    @pytest.fixture
    def stage(self) -> Stage:
        raise NotImplementedError

    async def test_it_is_a_scheduler(self, stage: Stage) -> None:
        async with stage.scheduler() as scheduler:
            assert isinstance(scheduler, ContainerScheduler)

    async def test_a_right_launch_has_no_faults(self, stage: Stage) -> None:
        async with stage.scheduler() as scheduler:
            assert not scheduler.check(stage.service("web"))

    async def test_first_snapshot_is_full_and_comes_at_once(self, stage: Stage) -> None:
        web, batch = stage.service("web"), stage.service("batch")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 2)
            async with watching(scheduler, web, batch) as snapshots, asyncio.timeout(HEARTBEAT):
                first = await anext(snapshots)
            assert first.counts["web"].running == 2
            assert first.counts["batch"] == Counts(), "of which nothing exists, there is zero"
            assert first.at > 0

    async def test_what_is_not_watched_is_counted_under_its_name(self, stage: Stage) -> None:
        async with stage.scheduler() as scheduler:
            await bring(scheduler, stage.service("forgotten"), 2)
            async with watching(scheduler) as snapshots:
                assert (await anext(snapshots)).counts["forgotten"].running == 2

    async def test_it_grows_and_shrinks_to_zero(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler:
            async with watching(scheduler, web) as snapshots:
                for count in (1, 4, 2, 0):
                    await scheduler.scale(web, count)
                    counts = await until(snapshots, web, all_run(count))
                    assert sum(counts.on.values()) in {0, count}, "where they are is told of all, if it is told"
            assert counts.failed == 0, "a container that was asked to stop has not failed"

    async def test_asking_twice_is_asking_once(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(3):
                    tasks.create_task(scheduler.scale(web, 3))
            await scheduler.scale(web, 3)
            assert (await anext(snapshots)).counts["web"].held == 3
            await bring(scheduler, web, 3)

    async def test_services_are_scaled_at_the_same_time(self, stage: Stage) -> None:
        web, batch = stage.service("web"), stage.service("batch")
        async with stage.scheduler() as scheduler:
            async with watching(scheduler, web, batch) as snapshots:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(scheduler.scale(web, 2))
                    tasks.create_task(scheduler.scale(batch, 3))
                await until(snapshots, web, all_run(2))
            async with watching(scheduler, web, batch) as snapshots:
                await until(snapshots, batch, all_run(3))

    async def test_next_snapshot_counts_what_was_accepted(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await anext(snapshots)
            for count in (3, 1, 2):
                await scheduler.scale(web, count)
                assert (await anext(snapshots)).counts["web"].current == count

    async def test_a_late_reader_sees_what_is(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await anext(snapshots)
            for count in (1, 2, 3, 1):
                await scheduler.scale(web, count)
            assert (await anext(snapshots)).counts["web"].current == 1

    async def test_what_stops_is_held_until_it_is_gone(self, stage: Stage) -> None:
        slow = stage.stubborn("slow")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, slow, 2)
            await stage.settled(slow, 2)
            async with watching(scheduler, slow) as snapshots:
                await scheduler.scale(slow, 0)
                counts = (await anext(snapshots)).counts["slow"]
                assert (counts.current, counts.stopping, counts.held) == (0, 2, 2)
                await scheduler.scale(slow, 0)
                await scheduler.scale(slow, 1)
                counts = (await anext(snapshots)).counts["slow"]
                assert (counts.current, counts.held) == (1, 3), "what stops is not counted, and is left to stop"
                counts = await until(snapshots, slow, all_run(1))
                assert counts.failed == 0

    async def test_a_container_that_ends_is_seen_and_replaced_by_the_engine_alone(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 3)
            async with watching(scheduler, web) as snapshots:
                assert (await anext(snapshots)).counts["web"].failed == 0
                await stage.kill("web")
                left = 3 if self.replaces else 2
                counts = await until(snapshots, web, lambda counts: counts.failed > 0 and counts.held == left)
                assert (counts.failed, counts.current) == (1, left)
                assert counts.failure, "its cause is told"
                if self.replaces:
                    assert (await until(snapshots, web, all_run(3), counts)).failed == 1
                    return
                assert counts.running == 2
                assert (await anext(snapshots)).counts["web"].held == 2, "not a heartbeat later either"
                await scheduler.scale(web, 3)
                assert (await until(snapshots, web, all_run(3))).failed == 1

    async def test_watch_can_be_opened_again_for_others(self, stage: Stage) -> None:
        web, batch = stage.service("web"), stage.service("batch")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 2)
            async with watching(scheduler, web) as snapshots:
                await anext(snapshots)
                await stage.kill("web")
                await until(snapshots, web, lambda counts: counts.failed == 1)
            async with watching(scheduler, batch, web) as snapshots:
                first = await anext(snapshots)
                assert first.counts["batch"] == Counts()
                assert first.counts["web"].failed == 0, "failures are counted from the beginning of the watch"
                await scheduler.scale(batch, 1)
                await until(snapshots, batch, all_run(1))

    async def test_it_is_never_silent(self, stage: Stage) -> None:
        async with stage.scheduler() as scheduler, watching(scheduler, stage.service("web")) as snapshots:
            await anext(snapshots)
            async with asyncio.timeout(HEARTBEAT * 1.5):
                await anext(snapshots)

    async def test_what_never_was_may_be_scaled_to_zero(self, stage: Stage) -> None:
        async with stage.scheduler() as scheduler:
            await scheduler.scale(stage.service("never"), 0)
            await scheduler.scale(stage.broken("broken"), 0)

    async def test_a_wrong_launch_is_rejected(self, stage: Stage) -> None:
        web, broken = stage.service("web"), stage.broken("broken")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 1)
            for _ in range(2):
                with pytest.raises(Rejected, match="broken"):
                    await scheduler.scale(broken, 2)
            async with watching(scheduler, web, broken) as snapshots:
                first = await anext(snapshots)
            assert (first.counts["web"].running, first.counts["broken"].held) == (1, 0)

    async def test_containers_outlive_the_driver_and_are_adopted(self, stage: Stage) -> None:
        web, slow = stage.service("web"), stage.stubborn("slow")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 3)
            await bring(scheduler, slow, 1)
            await stage.settled(slow, 1)
            await scheduler.scale(slow, 0)
        async with stage.scheduler() as scheduler, watching(scheduler, web, slow) as snapshots:
            counts = (await anext(snapshots)).counts["web"]
            assert (counts.running, counts.held, counts.failed) == (3, 3, 0)
            await scheduler.scale(web, 3)
            await until(snapshots, web, all_run(3))
            await until(snapshots, slow, lambda counts: counts.held == 0)
            await scheduler.scale(web, 1)
            await until(snapshots, web, all_run(1))
            await stage.kill("web")
            left = 1 if self.replaces else 0
            assert (await until(snapshots, web, lambda counts: counts.failed > 0 and counts.held == left)).failed == 1

    async def test_other_deployments_are_left_alone(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler("one") as one, stage.scheduler("two") as two:
            await bring(one, web, 2)
            async with watching(two, web) as snapshots:
                assert (await anext(snapshots)).counts["web"] == Counts()
            await bring(two, web, 1)
            await bring(two, web, 0)
            async with watching(one, web) as snapshots:
                counts = (await anext(snapshots)).counts["web"]
                assert (counts.running, counts.failed) == (2, 0)


def ready(kind: str, count: int, running: int) -> Callable[[Counts], bool]:
    """So many run and so many are ready, and nothing is on its way. One kind of paused container will do for the other."""

    def holds(counts: Counts) -> bool:
        there = counts.standby.created if kind == "created" else counts.standby.kept
        return counts.running == counts.held == running and counts.standby.total == there == count

    return holds


def nothing(counts: Counts) -> bool:
    return counts.present + counts.stopping == 0


def changed(service: Service) -> Service:
    """The same service, with another environment."""
    return replace(service, launch=replace(service.launch, env={**service.launch.env, "CHANGED": "yes"}))


class StandbyContract:
    """For drivers that can hold containers ready: each test once for each ``kind`` that the ``driver`` holds."""

    driver: ClassVar[type]

    @pytest.fixture
    def stage(self) -> StandbyStage:
        raise NotImplementedError

    async def test_standby_is_counted_apart_from_what_serves(self, stage: StandbyStage, kind: str) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 1, Standby(**{kind: 2}))
            assert (await anext(snapshots)).counts["web"].current == 1, "what warms is never taken for what serves"
            counts = await until(snapshots, web, ready(kind, 2, running=1))
            assert sum(counts.on.values()) in {0, 1}, "standby takes no slot of a node"
            assert counts.failed == 0

    async def test_asking_twice_for_standby_is_asking_once(self, stage: StandbyStage, kind: str) -> None:
        web, two = stage.service("web"), Standby(**{kind: 2})
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(3):
                    tasks.create_task(scheduler.scale(web, 1, two))
            await until(snapshots, web, ready(kind, 2, running=1))
            await scheduler.scale(web, 1, two)
            assert ready(kind, 2, running=1)((await anext(snapshots)).counts["web"])
            assert stage.made_from(web) == 3

    async def test_growth_takes_standby_first(self, stage: StandbyStage, kind: str) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 0, Standby(**{kind: 3}))
            await until(snapshots, web, ready(kind, 3, running=0))
            await scheduler.scale(web, 2, Standby(**{kind: 1}))
            counts = (await anext(snapshots)).counts["web"]
            assert (counts.current, counts.present) == (2, 3), "what was ready is all that there is"
            assert (await until(snapshots, web, ready(kind, 1, running=2), counts)).failed == 0
            await scheduler.scale(web, 4)
            assert (await until(snapshots, web, all_run(4))).standby.total == 0

    async def test_standby_refills_beside_what_has_taken_it(self, stage: StandbyStage, kind: str) -> None:
        web, one = stage.service("web"), Standby(**{kind: 1})
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 0, one)
            await until(snapshots, web, ready(kind, 1, running=0))
            await scheduler.scale(web, 2, one)
            await until(snapshots, web, ready(kind, 1, running=2))

    async def test_standby_that_is_not_wanted_goes(self, stage: StandbyStage, kind: str) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 1, Standby(**{kind: 3}))
            await until(snapshots, web, ready(kind, 3, running=1))
            for count in (1, 0):
                await scheduler.scale(web, 1, Standby(**{kind: count}))
                await until(snapshots, web, ready(kind, count, running=1))
            await scheduler.scale(web, 1, Standby(**{kind: 2}))
            await scheduler.scale(web, 0)  # whatever has been made of it until now
            assert (await until(snapshots, web, nothing)).failed == 0
        assert stage.made_from(web) == 0

    async def test_standby_outlives_the_driver_and_is_adopted(self, stage: StandbyStage, kind: str) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 1, Standby(**{kind: 2}))
            await until(snapshots, web, ready(kind, 2, running=1))
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            assert ready(kind, 2, running=1)((await anext(snapshots)).counts["web"])
            await scheduler.scale(web, 2, Standby(**{kind: 1}))
            counts = (await anext(snapshots)).counts["web"]
            assert (counts.current, counts.present) == (2, 3), "it knows what they were made from"
            await until(snapshots, web, ready(kind, 1, running=2), counts)
            await scheduler.scale(web, 0)
            assert (await until(snapshots, web, nothing)).failed == 0

    async def test_a_changed_service_gets_nothing_old(self, stage: StandbyStage, kind: str) -> None:
        web, two = stage.service("web"), Standby(**{kind: 2})
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 1, two)
            await until(snapshots, web, ready(kind, 2, running=1))
            await scheduler.scale(changed(web), 2, two)
            await until(snapshots, web, lambda counts: ready(kind, 2, running=2)(counts) and stage.made_from(web) == 1)
            assert stage.made_from(changed(web)) == 3, "what serves is left alone, what was ready is made anew"
            await scheduler.scale(changed(web), 0)
            await until(snapshots, web, nothing)

    async def test_standby_that_can_not_be_made_counts_as_failed(self, stage: StandbyStage, kind: str) -> None:
        broken = stage.broken("broken")
        async with stage.scheduler() as scheduler, watching(scheduler, broken) as snapshots:
            await anext(snapshots)
            await scheduler.scale(broken, 0, Standby(**{kind: 1}))
            if kind != "created":  # which may be made, and fails when it is started
                counts = await until(snapshots, broken, lambda counts: counts.failed > 0 and nothing(counts))
                assert counts.failure
            await scheduler.scale(broken, 0)
            await until(snapshots, broken, nothing)


class ChoosingContract:
    """For drivers that choose which containers of a service stop, on several nodes."""

    @pytest.fixture
    def stage(self) -> ChoosingStage:
        raise NotImplementedError

    async def test_it_says_that_it_chooses(self, stage: ChoosingStage) -> None:
        async with stage.scheduler() as scheduler:
            assert isinstance(scheduler, Choosing)
            assert scheduler.chooses

    async def test_it_tells_the_ages_of_what_could_go(self, stage: ChoosingStage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 3)
            async with watching(scheduler, web) as snapshots:
                counts = (await anext(snapshots)).counts["web"]
                assert {node: len(times) for node, times in counts.since.items()} == counts.on
                await scheduler.scale(web, 1)
                counts = (await anext(snapshots)).counts["web"]
                assert sum(map(len, counts.since.values())) == 1, "what stops is not among them"

    async def test_what_goes_first_is_on_the_node_that_is_named(self, stage: ChoosingStage) -> None:
        """Whichever that is: also the oldest."""
        web = stage.apart("web")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 1)
            await bring(scheduler, web, 2)
            async with watching(scheduler, web) as snapshots:
                counts = (await anext(snapshots)).counts["web"]
                oldest, youngest = sorted(counts.since, key=counts.since.__getitem__)
                for _ in range(2):
                    await scheduler.scale(web, 1, off={oldest: 1})
                counts = await until(snapshots, web, all_run(1))
                assert set(counts.on) == {youngest}

    async def test_it_tells_where_a_service_may_be(self, stage: ChoosingStage) -> None:
        web, batch = stage.apart("web"), stage.service("batch")
        async with stage.scheduler() as scheduler, watching(scheduler, web, batch) as snapshots:
            cluster = await anext(snapshots)
            assert set(cluster.reach) == {"web"}
            assert cluster.reach["web"].nodes == {node.name for node in cluster.nodes}
            assert set(cluster.reach["web"].most.values()) == {1}
