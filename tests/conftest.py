"""Fixtures that more than one test file uses."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from engine import Engine, engine
from mesos_rig import Mesos, mesos
from scheduler_contract import StandbyContract
from servers import RedisServer, redis_server
from swarm_rig import Swarm, swarm


def pytest_configure() -> None:
    """What is begun in the background may be deaf to signals, and so would be the programs that the tests start."""
    for each in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(each) is signal.SIG_IGN:
            signal.signal(each, signal.SIG_DFL)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every driver keeps the contract for the kinds of standby that it holds."""
    if metafunc.cls is not None and issubclass(metafunc.cls, StandbyContract) and "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", sorted(metafunc.cls.driver.holds))


@pytest.fixture(scope="session", autouse=True)
def _loop() -> Iterator[None]:
    """The main thread's loop outside the tests: where there is none, pytest-asyncio makes one and leaves it open."""
    with asyncio.Runner() as runner:
        asyncio.set_event_loop(runner.get_loop())
        yield


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Redis server of the test's own."""
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
async def client(redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of that server, for the part that other programs play."""
    async with redis.client() as client:
        yield client


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[Engine]:
    """A Docker Engine for all tests that leave it as it was."""
    with engine() as private:
        yield private


@pytest.fixture(scope="session")
def shared_mesos() -> Iterator[Mesos]:
    """A Mesos for all tests that leave it as it was."""
    with mesos() as private:
        yield private


@pytest.fixture(scope="session")
def shared_swarm() -> Iterator[Swarm]:
    """A Swarm of three machines for all tests that leave it as it was."""
    with swarm() as private:
        yield private
