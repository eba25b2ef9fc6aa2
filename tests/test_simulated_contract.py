"""The simulated scheduler keeps the contract, in virtual time."""

from __future__ import annotations

import pytest

from beaufort.behaviour import Behaviour, Delay
from beaufort.machines import SimulatedLaunch
from beaufort.model import Launch, Node, Resources, Service
from beaufort.schedulers.simulated import Simulated
from beaufort.world import World
from scheduler_contract import ChoosingContract, ChoosingStage, SchedulerContract, Stage, StandbyContract


class Worlds:
    """Each deployment has a model world of its own."""

    def __init__(self, nodes: int = 0) -> None:
        self._nodes = [Node(f"n{n}", Resources(containers=2), {"@hostname": f"n{n}"}) for n in range(nodes)]
        self._worlds: dict[str, World] = {}
        self._last: Simulated | None = None

    def scheduler(self, deployment: str = "one") -> Simulated:
        world = self._worlds.setdefault(deployment, World(self._nodes, Behaviour(Delay(0.2), Delay(0.2))))
        world.behaviours["slow"] = Behaviour(Delay(0.2), Delay(2.0))
        world.behaviours["broken"] = Behaviour(rejected="no such image")
        self._last = Simulated.of(world)
        return self._last

    def service(self, name: str) -> Service:
        return Service(name, priority=1)

    stubborn = broken = service

    def apart(self, name: str) -> Service:
        return Service(name, 1, launch=Launch(options=SimulatedLaunch(constraints=("@hostname UNIQUE",))))

    async def settled(self, service: Service, count: int) -> None:
        """They are stubborn from the beginning."""

    async def kill(self, service: str) -> None:
        assert self._last is not None
        with self._last.meddle() as world:
            assert world.kill(service) == 1

    def made_from(self, service: Service) -> int:
        return sum(world.made_from(service) for world in self._worlds.values())


@pytest.mark.looptime
class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self) -> Stage:
        return Worlds()


@pytest.mark.looptime
class TestStandby(StandbyContract):
    driver = Simulated

    @pytest.fixture
    def stage(self) -> Stage:
        return Worlds()


@pytest.mark.looptime
class TestChoosing(ChoosingContract):
    @pytest.fixture
    def stage(self) -> ChoosingStage:
        return Worlds(nodes=2)
