"""The Docker Swarm driver: services of a Swarm of engines, through any of its managers."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from beaufort.model import NO_STANDBY, Cluster, Service, Standby
from beaufort.protocols import Unreachable
from beaufort.quantity import Secret
from beaufort.schedulers.background import background
from beaufort.schedulers.cluster.launch import SwarmLaunch, check, said, spec
from beaufort.schedulers.cluster.ledger import Ledger
from beaufort.schedulers.cluster.lookout import Lookout
from beaufort.schedulers.cluster.managers import Managers
from beaufort.schedulers.cluster.replicas import Replicas
from beaufort.schedulers.docker import HERE, registries_of
from beaufort.schedulers.engine.client import Address, Silent

__all__ = ["Swarm"]


class Swarm:
    """Runs each service as a replicated service of a Docker Swarm (20.10 or newer, API 1.41), and each container as one of
    its tasks, on whichever node Swarm chooses.

    It needs the extra ``beaufort[swarm]``. A service is found by its labels beaufort.deployment and beaufort.service, or
    by its name if the configuration gives one, or is made from what the configuration says (see ``SwarmLaunch``). It is
    scaled by its number of replicas, under the lock of its version; an update by others is waited for. What Beaufort has
    made is removed when it leaves the configuration. Of what it makes nothing is restarted by Swarm: that is left to
    back-off. Which containers go, Swarm chooses: those that don't run, then those of the fullest nodes. The capacity is
    that of the nodes that are up and active, less what the services of others reserve there.

    ``url``: a manager's address, unix:///path or tcp://host:port, or several, of which the first that answers is spoken to; by
    default $DOCKER_HOST, or Docker's own socket. ``tls_ca``: the certificate that vouches for the managers. ``tls_cert``: the
    certificate that is shown to them. ``tls_key``: the key of tls_cert. ``registries``: passwords of registries, as
    "docker login" keeps them: by reference, such as file:/root/.docker/config.json or env:DOCKER_AUTH_CONFIG.
    """

    launch_options: ClassVar[type] = SwarmLaunch
    alone: ClassVar[tuple[str, ...]] = ("service",)

    def __init__(  # noqa: PLR0913 - each keyword is an option of the configuration
        self,
        *,
        deployment: str = "default",
        url: tuple[str, ...] | str | None = None,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        registries: Secret | None = None,
    ) -> None:
        if not deployment:
            raise ValueError("deployment: expected a name, got nothing")
        urls = (url,) if isinstance(url, str) else url or (os.environ.get("DOCKER_HOST") or HERE,)
        self._deployment = deployment
        self._managers = Managers([Address(each, tls_ca, tls_cert, tls_key) for each in urls])
        self._registries = registries_of(registries)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._managers)
            self._tasks = await stack.enter_async_context(background())
            self._ledger = Ledger(self._deployment)
            self._lookout = Lookout(self._managers, self._ledger, self._tasks, self._attend)
            self._replicas = Replicas(self._managers, self._ledger, self._lookout, self._tasks, self._registries)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    def _attend(self) -> None:
        self._replicas.attend()

    def check(self, service: Service) -> Sequence[str]:
        return check(service)

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        names = [service.name for service in services]
        self._replicas.watched = set(names)
        self._ledger.planned = [
            spec(each, self._deployment) for each in services if not check(each) and not said(each).service
        ]
        self._ledger.adopted = {name: each.name for each in services if (name := said(each).service) is not None}
        await self._lookout.ready()
        await self._lookout.look(whole=True)
        await self._replicas.sweep()
        before = Counter(self._ledger.failed)
        while True:
            touched = self._ledger.touched
            counts = self._ledger.counts(names, before)
            yield Cluster(time.time(), counts, self._ledger.nodes, self._ledger.reach)
            await touched.wait()
            if isinstance(self._lookout.error, Silent) and not self._managers.several:
                raise Unreachable(str(self._lookout.error))  # to try again at once would take as long again
            await self._lookout.ready()

    async def scale(self, service: Service, count: int, standby: Standby = NO_STANDBY) -> None:  # noqa: ARG002 - none held
        try:
            await self._replicas.bring(service, count)
        finally:
            self._ledger.touch()  # what was accepted is in a snapshot that comes after it was
