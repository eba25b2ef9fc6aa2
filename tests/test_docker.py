"""The Docker driver on a real engine: the contract, what a container gets, how it ends, what others do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from docker_stage import DockerStage
from engine import Engine
from scheduler_contract import SchedulerContract, Stage


@pytest.fixture
def stage(shared_engine: Engine, tmp_path: Path) -> Iterator[DockerStage]:
    stage = DockerStage(shared_engine, tmp_path)
    yield stage
    stage.close()


class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self, shared_engine: Engine, tmp_path: Path) -> Iterator[Stage]:
        stage = DockerStage(shared_engine, tmp_path)
        yield stage
        stage.close()
