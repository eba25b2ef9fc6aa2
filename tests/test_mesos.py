"""The Mesos driver on a real Mesos: the contract, what a task gets, how it ends, what is found and left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesos_rig import Mesos
from mesos_stage import MesosStage
from scheduler_contract import SchedulerContract, Stage


@pytest.fixture
def stage(shared_mesos: Mesos, tmp_path: Path) -> Iterator[MesosStage]:
    stage = MesosStage(shared_mesos, tmp_path)
    yield stage
    stage.close()


class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self, shared_mesos: Mesos, tmp_path: Path) -> Iterator[Stage]:
        stage = MesosStage(shared_mesos, tmp_path)
        yield stage
        stage.close()
