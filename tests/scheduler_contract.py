"""What every scheduler driver has to do, whatever it drives: a test class to inherit, with a ``stage`` fixture.

It runs in real time against real engines, and in virtual time against models: it asks the loop for the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import pytest

from beaufort.model import Cluster, Counts, Service
from beaufort.protocols import HEARTBEAT, ContainerScheduler, Rejected

__all__ = ["SchedulerContract", "Stage", "until", "watching"]

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


@asynccontextmanager
async def watching(scheduler: ContainerScheduler, *services: Service) -> AsyncIterator[Snapshots]:
    """The snapshots, closed at the end. Nothing is waited for longer than a minute."""
    snapshots = scheduler.watch(services)
    try:
        async with asyncio.timeout(60):
            yield snapshots
    finally:
        await snapshots.aclose()


async def until(snapshots: Snapshots, service: Service, holds: Callable[[Counts], bool]) -> Counts:
    """The next counts of the service of which it holds."""
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

    async def test_a_container_that_ends_is_seen_and_not_restarted(self, stage: Stage) -> None:
        web = stage.service("web")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 3)
            async with watching(scheduler, web) as snapshots:
                assert (await anext(snapshots)).counts["web"].failed == 0
                await stage.kill("web")
                counts = await until(snapshots, web, lambda counts: counts.failed > 0 and counts.held == 2)
                assert (counts.running, counts.failed) == (2, 1)
                assert counts.failure, "its cause is told"
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
            assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 1

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
