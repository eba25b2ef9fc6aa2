"""What every demand source has to do, whatever it measures: a test class to inherit, with a ``stage`` fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from beaufort.model import Sample
from beaufort.protocols import HEARTBEAT, DemandSource

__all__ = ["SourceContract", "Stage", "opened"]


class Stage(Protocol):
    """A source, and the world that it measures."""

    @property
    def source(self) -> DemandSource: ...

    async def change(self) -> None:
        """Make the demand another than it is; where it changes by itself, nothing."""

    async def repeat(self) -> None:
        """Say the same demand again; where the source asks by itself, nothing."""


@asynccontextmanager
async def opened(source: DemandSource) -> AsyncIterator[AsyncGenerator[Sample, None]]:
    """The samples of the source, closed at the end. Nothing is waited for longer than a minute."""
    samples = source.samples()
    try:
        async with asyncio.timeout(60):
            yield samples
    finally:
        await samples.aclose()


class SourceContract:
    @pytest.fixture
    def stage(self) -> Stage:
        raise NotImplementedError

    async def test_it_is_a_demand_source(self, stage: Stage) -> None:
        assert isinstance(stage.source, DemandSource)

    async def test_the_first_sample_comes_soon(self, stage: Stage) -> None:
        async with opened(stage.source) as samples, asyncio.timeout(HEARTBEAT):
            assert isinstance(await anext(samples), Sample)

    async def test_a_change_is_seen(self, stage: Stage) -> None:
        async with opened(stage.source) as samples:
            first = await anext(samples)
            await stage.change()
            while (await anext(samples)).value == first.value:
                pass

    async def test_an_unchanged_value_is_said_again(self, stage: Stage) -> None:
        async with opened(stage.source) as samples:
            first = await anext(samples)
            await stage.repeat()
            async with asyncio.timeout(HEARTBEAT):
                again = await anext(samples)
        assert again.value == first.value
        assert again.at > first.at

    async def test_times_are_in_order(self, stage: Stage) -> None:
        async with opened(stage.source) as samples:
            seen = [await anext(samples)]
            for disturb in (stage.change, stage.repeat, stage.change):
                await disturb()
                seen.append(await anext(samples))
        assert [sample.at for sample in seen] == sorted(sample.at for sample in seen)

    async def test_closing_it_leaves_nothing_behind(self, stage: Stage) -> None:
        before = _held()
        async with opened(stage.source) as samples:
            await anext(samples)
        assert _held() == before

    async def test_cancelling_it_while_it_waits_leaves_nothing_behind(self, stage: Stage) -> None:
        before = _held()
        seen = asyncio.Event()

        async def watch() -> None:
            async with opened(stage.source) as samples:
                async for _ in samples:
                    seen.set()

        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch())
            await seen.wait()
            watching.cancel()
        assert _held() == before

    async def test_it_can_be_opened_again(self, stage: Stage) -> None:
        async with opened(stage.source) as samples:
            first = await anext(samples)
        async with opened(stage.source) as samples:
            assert (await anext(samples)).at >= first.at


def _held() -> tuple[set[asyncio.Task[object]], set[str]]:
    """The tasks that run, and the files and sockets that are open."""
    return asyncio.all_tasks(), {str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()}
