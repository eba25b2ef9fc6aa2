"""The Mesos driver: a framework of its own, which takes offers for the tasks that it runs."""

from __future__ import annotations

import asyncio
import getpass
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from beaufort.model import NO_STANDBY, NOWHERE, Cluster, Service, Standby
from beaufort.protocols import NoRoom, Rejected, Unreachable
from beaufort.quantity import Seconds, Secret
from beaufort.reach import Reaches
from beaufort.schedulers.background import background
from beaufort.schedulers.directory import state_home
from beaufort.schedulers.framework.agents import Agents
from beaufort.schedulers.framework.dealer import Dealer, Order
from beaufort.schedulers.framework.identity import Identity
from beaufort.schedulers.framework.launch import MesosLaunch, check, constraints
from beaufort.schedulers.framework.leader import whereabouts
from beaufort.schedulers.framework.link import Link
from beaufort.schedulers.framework.master import Door, Master
from beaufort.schedulers.framework.tasks import Phase, Task, Tasks
from beaufort.victims import victims

__all__ = ["Mesos"]

PATIENCE = 1.5
"""Seconds to wait for offers: more than the interval at which a master makes them unasked, by default."""

ACCEPTED = 10.0
"""Seconds after which launches are taken to be accepted, though no task has been seen to start."""

CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE", "RESERVATION_REFINEMENT")


class Mesos:
    """Runs each container as a task of Apache Mesos (1.4 or newer), as a framework of its own.

    It needs the extra ``beaufort[mesos]``. A task is made from the service's ``command``, ``image``, ``env``,
    ``resources`` (at least cpu or memory; other names are Mesos's own, in its units) and ``grace``, and from more that
    the service may say (see ``MesosLaunch``). Which agent takes it is chosen here: few agents, within the service's
    constraints. Offers are asked for when a task waits, and what is not needed is given back at once. The capacity is
    that of the agents for the role, less what other frameworks use. Tasks outlive Beaufort, and the next one of the same
    ``deployment`` and ``state`` is the same framework to Mesos, and adopts them. It reads the operator's API of the
    master (GET_AGENTS and the tasks of the framework).

    ``master``: host:port, a list of these, or where masters register in ZooKeeper, zk://host:2181,other:2181/mesos.
    ``role``: whose resources are used, beside those that nobody has reserved. ``framework``: the name that Mesos shows.
    ``user``: whom tasks run as, by default who Beaufort runs as. ``principal`` and ``secret``: for HTTP authentication.
    ``tls``: whether masters speak TLS; ``tls_ca``: the certificate that vouches for them; ``tls_cert`` and ``tls_key``:
    those that are shown to them. ``state``: the directory for the framework's id, by default
    $XDG_STATE_HOME/beaufort/mesos, or ~/.local/state/beaufort/mesos. ``failover``: how long the tasks live on while no
    Beaufort is connected.
    """

    launch_options: ClassVar[type] = MesosLaunch
    chooses: ClassVar[bool] = True

    def __init__(  # noqa: PLR0913 - each keyword is an option of the configuration
        self,
        *,
        master: tuple[str, ...] | str,
        deployment: str = "default",
        role: str = "*",
        framework: str = "beaufort",
        user: str | None = None,
        principal: str | None = None,
        secret: Secret | None = None,
        tls: bool = False,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        state: Path | None = None,
        failover: Seconds = 21 * 86400.0,
    ) -> None:
        if not deployment or "/" in deployment or deployment in {".", ".."}:
            raise ValueError(f"deployment: expected a name without a slash, got {deployment!r}")
        if (principal is None) != (secret is None):
            raise ValueError("principal: expected it together with secret")
        self._deployment, self._role = deployment, role
        secure = tls or any((tls_ca, tls_cert, tls_key))
        self._where = whereabouts(master, secure=secure)
        self._door = Door(principal, secret.reveal() if secret else "", tls_ca, tls_cert, tls_key)
        self._identity = Identity((state or state_home() / "mesos") / deployment)
        self._framework = {
            "user": user or getpass.getuser(),
            "name": framework,
            "roles": [role],
            "failover_timeout": failover,
            "checkpoint": True,
            "capabilities": [{"type": each} for each in CAPABILITIES],
            "labels": {"labels": [{"key": "beaufort.deployment", "value": deployment}]},
            **({} if principal is None else {"principal": principal}),
        }
        self._wanted: dict[str, int] = {}
        self._proven: dict[str, Service] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            master = await stack.enter_async_context(Master(self._where, self._door))
            self._group = await stack.enter_async_context(background())
            self._tasks = Tasks(self._deployment)
            self._agents = Agents(self._role, self._tasks)
            group = self._group
            self._link = Link(master, self._framework, self._identity, self._tasks, self._agents, group=group)
            self._dealer = Dealer(master, self._tasks, self._agents, self._link.run)
            self._link.on_offers = self._dealer.offered
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._link.finish()
        finally:
            await self._stack.aclose()

    def check(self, service: Service) -> Sequence[str]:
        return check(service)

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        await self._link.ready()
        names = [service.name for service in services]
        before = Counter(self._tasks.failed)
        reaches = Reaches({service.name: constraints(service) for service in services if not check(service)})
        while True:
            touched, now = self._tasks.touched, time.time()
            nodes = self._agents.nodes(now)
            yield Cluster(now, self._tasks.counts(names, before), nodes, reaches.of(nodes, self._tasks.on()))
            await touched.wait()
            if self._link.error is not None:
                raise Unreachable(str(self._link.error))

    async def scale(
        self, service: Service, count: int, standby: Standby = NO_STANDBY, off: Mapping[str, int] = NOWHERE
    ) -> None:
        del standby  # Mesos holds none
        try:
            await self._scale(service, count, off)
        finally:
            self._tasks.touch()  # what was accepted is in a snapshot that comes after it was

    async def _scale(self, service: Service, count: int, off: Mapping[str, int]) -> None:
        self._wanted[service.name] = count
        await self._link.ready()
        # From here until all is begun nothing is awaited: what is counted is what is acted on. Of several requests the
        # latest holds.
        count = self._wanted[service.name]
        current = self._tasks.current(service.name)
        for victim in victims(current, len(current) - count, off):
            self._tasks.stop(victim)
        kills = self._link.attend()
        if len(current) < count:
            if faults := check(service):
                raise Rejected(f"{service.name}: {'; '.join(faults)}")
            order = Order.of(service)
            self._dealer.begin(order, count - len(current))
            await self._see_through(order)
        if kills:
            await asyncio.wait(kills)
        if self._link.error is not None:
            raise Unreachable(str(self._link.error))

    async def _see_through(self, order: Order) -> None:
        """Returns when all have an agent, and one of the kind is known to start. Raises when none can."""
        name = order.service.name
        if not await self._until(lambda: order.is_sent, PATIENCE):
            self._dealer.give_up(order)
            raise NoRoom(f"{name}: {order.reason}")
        if self._proven.get(name) != order.service:
            await self._until(lambda: any(map(_is_decided, order.begun)), ACCEPTED)
            if refused := [task.refused for task in order.begun if task.refused]:
                raise Rejected(f"{name}: {refused[0]}")
            self._proven[name] = order.service

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it holds in time. Raises Unreachable if the master is lost meanwhile."""
        try:
            async with asyncio.timeout(seconds):
                while self._link.error is not None or not holds():
                    if self._link.error is not None:
                        raise Unreachable(str(self._link.error))
                    await self._tasks.touched.wait()
        except TimeoutError:
            return False
        return True


def _is_decided(task: Task) -> bool:
    return task.phase not in {Phase.WAITING, Phase.STARTING} or task.told
