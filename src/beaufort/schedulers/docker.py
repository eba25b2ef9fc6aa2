"""The Docker driver: containers of a Docker Engine, here or elsewhere, or of whatever else speaks its API."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from beaufort.model import NO_STANDBY, Cluster, Service, Standby
from beaufort.protocols import NoRoom, Rejected, SchedulerError, Unreachable
from beaufort.quantity import Secret
from beaufort.schedulers.background import background
from beaufort.schedulers.engine.client import Address, Client, Silent
from beaufort.schedulers.engine.crew import Crew, Order
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.freezer import Freezer
from beaufort.schedulers.engine.images import Images, Registries
from beaufort.schedulers.engine.keeper import Keeper
from beaufort.schedulers.engine.launch import DockerLaunch, body, check, has_check, marked, said
from beaufort.schedulers.engine.link import Link
from beaufort.schedulers.engine.occupation import Occupation
from beaufort.victims import victims

__all__ = ["HERE", "Docker", "registries_of"]

HERE = "unix:///var/run/docker.sock"

ACCEPTED = 10.0
"""Seconds after which starts are taken to be accepted, though none has been seen to go well."""


class Docker:
    """Runs each container on a Docker Engine (20.10 or newer, API 1.41), or on whatever else speaks its API.

    It needs the extra ``beaufort[docker]``. A container is made from the service's ``image``, ``command``, ``env``,
    ``resources`` (its limits of cpu and memory) and ``grace`` (in whole seconds, rounded up), and from more that the
    service may say (see ``DockerLaunch``). It has the labels beaufort.deployment and beaufort.service, is adopted by
    the next Beaufort of the same ``deployment``, and is removed when it has ended: why it ended unasked, and what it
    printed at last, is told before. Containers without these labels are never touched. The images of all services
    are pulled when the services appear. The capacity is the engine's cores and memory, less the limits of all
    containers that are not ours.

    ``url``: the engine's address, unix:///path or tcp://host:port; by default $DOCKER_HOST, or Docker's own socket.
    ``tls_ca``: the certificate that vouches for the engine. ``tls_cert``: the certificate that is shown to the engine.
    ``tls_key``: the key of tls_cert. ``registries``: passwords of registries, as "docker login" keeps them: by
    reference, such as file:/root/.docker/config.json or env:DOCKER_AUTH_CONFIG.
    """

    launch_options: ClassVar[type] = DockerLaunch
    holds: ClassVar[frozenset[str]] = frozenset({"created", "paused", "frozen"})

    def __init__(  # noqa: PLR0913 - each keyword is an option of the configuration
        self,
        *,
        deployment: str = "default",
        url: str | None = None,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        registries: Secret | None = None,
    ) -> None:
        if not deployment:
            raise ValueError("deployment: expected a name, got nothing")
        self._deployment = deployment
        self._client = Client(Address(url or os.environ.get("DOCKER_HOST") or HERE, tls_ca, tls_cert, tls_key))
        self._registries = registries_of(registries)
        self._wanted: dict[str, tuple[int, Standby]] = {}
        self._proven: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._client)
            self._tasks = await stack.enter_async_context(background())
            self._fleet = Fleet(self._deployment)
            self._images = Images(self._client, self._tasks, self._registries)
            keeper = Keeper(self._client, self._fleet, Freezer())
            self._crew = Crew(self._client, self._fleet, self._images, keeper, self._tasks)
            self._occupation = Occupation(self._client, self._fleet)
            self._link = Link(self._client, self._fleet, self._deployment, self._tasks, self._crew.attend)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._crew.finish()
        await self._stack.aclose()

    def check(self, service: Service) -> Sequence[str]:
        return check(service)

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        await self._ready()
        names = [service.name for service in services]
        self._images.want(service.launch.image for service in services if service.launch.image and not check(service))
        before = Counter(self._fleet.failed)
        while True:
            touched, node = self._fleet.touched, self._link.node
            yield Cluster(time.time(), self._fleet.counts(names, node.name, before), (node,))
            await touched.wait()
            if isinstance(self._link.error, Silent):
                raise Unreachable(str(self._link.error))  # to try again at once would take as long again
            await self._ready()

    async def scale(self, service: Service, count: int, standby: Standby = NO_STANDBY) -> None:
        try:
            await self._scale(service, count, standby)
        finally:
            self._fleet.touch()  # what was accepted is in a snapshot that comes after it was

    async def _scale(self, service: Service, count: int, standby: Standby) -> None:
        self._wanted[service.name] = count, standby
        await self._ready()
        grows = len(self._fleet.current(service.name)) < count
        order = await self._order(service) if grows else None
        busy = await self._occupation.ask(service, self._wanted[service.name][0])
        await self._ready()  # which may not have lasted
        # From here until all is begun nothing is awaited: what is counted is what is acted on. Of several requests the
        # latest holds.
        count, standby = self._wanted[service.name]
        current = [replace(each, busy=busy.get(each.id)) for each in self._fleet.current(service.name)]
        self._crew.acting = True
        drain = said(service).drain_timeout
        for victim in victims(current, len(current) - count):
            self._fleet.stop(victim, time.time() + drain if victim.busy and drain is not None else None)
        missing = count - len(current)
        begun = [] if order is None else [self._crew.start(order) for _ in range(missing)]
        self._crew.hold(service.name, standby, order)
        if order is None and standby.total:
            order = await self._order(service)
            await self._ready()
            self._crew.hold(service.name, self._wanted[service.name][1], order)
        if order is not None and begun and self._proven.get(service.name) != order.spec:
            await self._prove(order, begun)

    async def _ready(self) -> None:
        await self._link.ready()
        self._crew.adapt(self._link.info.cores)

    async def _order(self, service: Service) -> Order:
        """What is needed to start containers of the service. Raises SchedulerError if there can't be any now."""
        if faults := check(service):
            raise Rejected(f"{service.name}: {'; '.join(faults)}")
        assert service.launch.image is not None
        try:
            image = await self._images.ready(service.launch.image)
        except SchedulerError as error:
            raise type(error)(f"{service.name}: {error}") from error
        networks = said(service).networks[1:]
        made_of, spec = marked(body(service, self._deployment), image, networks)
        return Order(service.name, service.priority, made_of, spec, networks, checked=has_check(made_of, image))

    async def _prove(self, order: Order, begun: Sequence[asyncio.Task[SchedulerError | None]]) -> None:
        """Returns when one has started: then others of the kind can start too. Raises when none can."""
        order.awaited = True
        try:
            done, _ = await asyncio.wait(begun, timeout=ACCEPTED, return_when=asyncio.FIRST_COMPLETED)
            if self._link.error is not None:
                raise Unreachable(str(self._link.error))
            if not all(task.result() for task in done):
                self._proven[order.service] = order.spec
                return
            self._crew.withdraw(order)
            done, _ = await asyncio.wait(begun)
        finally:
            order.awaited = False
        errors = [error for task in done if (error := task.result()) is not None]
        for kind in (Unreachable, Rejected, NoRoom, SchedulerError):  # what says most of what is to be done next
            for error in errors:
                if isinstance(error, kind):
                    raise error


def registries_of(secret: Secret | None) -> Registries | None:
    if secret is None:
        return None
    try:
        return Registries(secret.reveal())
    except ValueError as error:
        raise ValueError(f"registries: {error}") from None
