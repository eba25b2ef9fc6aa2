"""The Marathon driver on the stand-in for Marathon, in virtual time: the contract, its calls, locks, and what it finds."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from marathon_memory import Memory
from marathon_server import MarathonServer
from marathon_stage import MarathonStage
from scheduler_contract import SchedulerContract, Stage

pytestmark = pytest.mark.looptime


@pytest.fixture
async def stage() -> AsyncIterator[MarathonStage]:
    memory = Memory()
    async with MarathonServer(memory) as server:
        yield MarathonStage(server, memory)


class TestContract(SchedulerContract):
    replaces = True

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        memory = Memory()
        async with MarathonServer(memory) as server:
            yield MarathonStage(server, memory)
