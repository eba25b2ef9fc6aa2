"""A scheduler without containers: a model world that lives in the event loop's time, real or virtual."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType, TracebackType
from typing import Annotated, ClassVar, Self

from beaufort import clock
from beaufort.behaviour import Behaviour, Delay
from beaufort.constraints import faults
from beaufort.machines import SimulatedLaunch
from beaufort.model import NO_STANDBY, NOWHERE, Cluster, Node, Resources, Service, Standby
from beaufort.protocols import HEARTBEAT
from beaufort.quantity import AtLeast, Bytes, Cores, Seconds
from beaufort.world import Link, World

__all__ = ["Simulated"]


class Simulated:
    """A model cluster, to try a configuration without running anything. It forgets all when Beaufort ends.

    ``nodes`` machines of ``containers`` slots, ``cpu`` and ``memory`` each; with none of the three, the room has no
    end and the capacity is the configuration's. ``labels`` has for each label the values that the nodes get in turn, which
    the constraints of a service can ask for (see ``SimulatedLaunch``). A container takes ``start_delay`` to run and ``stop_delay`` to stop:
    medians, about which they vary log-normally by ``spread``. Running ones fail ``failure_rate`` times a second each.
    The same ``seed`` gives the same history.
    """

    holds: ClassVar[frozenset[str]] = frozenset({"created", "paused"})
    chooses: ClassVar[bool] = True
    launch_options: ClassVar[type] = SimulatedLaunch

    def __init__(  # noqa: PLR0913 - each keyword is an option of the configuration
        self,
        *,
        nodes: Annotated[int, AtLeast(1)] = 1,
        containers: Annotated[int, AtLeast(0)] | None = None,
        cpu: Cores | None = None,
        memory: Bytes | None = None,
        labels: Mapping[str, tuple[str, ...]] | None = None,
        start_delay: Seconds = 0.5,
        stop_delay: Seconds = 0.5,
        spread: Annotated[float, AtLeast(0)] = 0.0,
        failure_rate: Annotated[float, AtLeast(0)] = 0.0,
        seed: int = 0,
    ) -> None:
        amounts = {"containers": containers, "cpu": cpu, "memory": memory}
        capacity = Resources({name: amount for name, amount in amounts.items() if amount is not None})
        count = nodes if len(capacity) else 0
        behaviour = Behaviour(Delay(start_delay, spread), Delay(stop_delay, spread), failure_rate=failure_rate)
        self._world = World([_node(n, capacity, labels or {}) for n in range(count)], behaviour, seed)
        self._touched = asyncio.Event()
        self._began: float | None = None

    @classmethod
    def of(cls, world: World) -> Self:
        """A scheduler over a world that was made, and may be looked at, elsewhere. Its time goes on from where it is."""
        simulated = cls()
        simulated._world = world
        return simulated

    async def __aenter__(self) -> Self:
        if self._began is None:
            self._began = asyncio.get_running_loop().time() - self._world.now
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to close: the containers stay, for whoever enters next."""

    @contextmanager
    def meddle(self) -> Iterator[World]:
        """The world at the present time, to be broken or mended; every watch sees the result at once."""
        self._world.advance(self._now())
        try:
            yield self._world
        finally:
            self._touch()

    def check(self, service: Service) -> Sequence[str]:
        """Nothing is launched, so nothing but its constraints can be wrong with the launch."""
        options = service.launch.options
        if not isinstance(options, SimulatedLaunch):
            return ()
        return tuple(faults(constraints=options.constraints, prefer=options.prefer))

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        self._world.advance(self._now())
        before = {name: counts.failed for name, counts in self._world.cluster().counts.items() if counts.failed}
        while True:
            touched = self._touched
            if self._world.link is not Link.HUNG:
                yield self._snapshot(services, before)
            await self._next(touched)

    async def scale(
        self, service: Service, count: int, standby: Standby = NO_STANDBY, off: Mapping[str, int] = NOWHERE
    ) -> None:
        await self._answer(service.name)
        self._world.advance(self._now())
        try:
            self._world.scale(service, count, standby, off)
        finally:
            if self._world.changed:
                self._touch()

    def _now(self) -> float:
        if self._began is None:
            raise RuntimeError("the simulated scheduler is used before it was entered (async with)")
        return asyncio.get_running_loop().time() - self._began

    def _touch(self) -> None:
        touched, self._touched = self._touched, asyncio.Event()
        touched.set()

    def _snapshot(self, services: Sequence[Service], before: dict[str, int]) -> Cluster:
        """The cluster with times since the epoch, and failures counted from the beginning of the watch."""
        self._world.advance(self._now())
        cluster = self._world.cluster(services)
        counts = dict(cluster.counts)
        for name, failed in before.items():
            counts[name] = replace(counts[name], failed=counts[name].failed - failed)
        return replace(cluster, at=clock.now(), counts=MappingProxyType(counts))

    async def _next(self, touched: asyncio.Event) -> None:
        """Return when somebody touched the world, or it has changed by itself, or HEARTBEAT has passed."""
        change, beat = self._world.next_change(), self._now() + HEARTBEAT
        due = beat if change is None else min(change, beat)
        try:
            async with asyncio.timeout_at(due - self._now() + asyncio.get_running_loop().time()):
                await touched.wait()
        except TimeoutError:
            self._world.advance(due)  # the loop's clock may stand a hair before it

    async def _answer(self, name: str) -> None:
        """Wait as long as the scheduler takes to answer."""
        while self._world.link is Link.HUNG:
            await self._touched.wait()
        seconds = self._world.behaviour_of(name).answer
        if math.isinf(seconds):
            await asyncio.get_running_loop().create_future()
        elif seconds:
            await asyncio.sleep(seconds)


def _node(index: int, capacity: Resources, labels: Mapping[str, tuple[str, ...]]) -> Node:
    name = f"node-{index + 1}"
    dealt = {label: values[index % len(values)] for label, values in labels.items() if values}
    return Node(name, capacity, {**dealt, "@hostname": name})
