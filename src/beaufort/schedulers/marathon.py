"""The Marathon driver: apps of a Marathon, made or found."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from beaufort import clock
from beaufort.model import NO_STANDBY, NOWHERE, Cluster, Service, Standby
from beaufort.protocols import Unreachable
from beaufort.quantity import Secret
from beaufort.reach import Reaches
from beaufort.schedulers.apps.launch import MarathonLaunch, check, constraints
from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.apps.lookout import Lookout
from beaufort.schedulers.apps.marathons import Marathons, addresses
from beaufort.schedulers.apps.orders import Orders
from beaufort.schedulers.apps.survey import Survey
from beaufort.schedulers.background import background
from beaufort.schedulers.calls import Silent
from beaufort.schedulers.framework.leader import whereabouts
from beaufort.schedulers.framework.master import Door, Master

__all__ = ["Marathon"]


class Marathon:
    """Runs each service as an app of a Marathon (1.5 or newer), and each container as one of its tasks.

    It needs the extra ``beaufort[marathon]``. An app is found by its labels beaufort.deployment and beaufort.service, or by
    its id or a label if the configuration gives one, or is made from what the configuration says (see ``MarathonLaunch``). It
    is scaled by its number of instances, and which tasks go is said by their names. While Marathon has locked it for a change,
    that is waited for. What Beaufort has made is removed when it leaves the configuration. Tasks that end are replaced by
    Marathon. The capacity is that of the Mesos agents, less what others use, if ``master`` is given; else it has to be
    in the configuration.

    ``url``: of a Marathon, http://host:8080 or host:8080, or of several, of which the first that answers is spoken to.
    ``user`` and ``password``: for HTTP authentication. ``token``: of DC/OS, in their place. ``tls_ca``: the certificate that
    vouches for the Marathons. ``tls_cert``: the certificate that is shown to them. ``tls_key``: the key of tls_cert.
    ``master``: of the Mesos below: host:port, a list of these, or zk://host:2181,other:2181/mesos. ``role``: whose resources
    Marathon uses, beside those that nobody has reserved. ``force``: whether changes are made through the deployments of
    others, which ends them.
    """

    launch_options: ClassVar[type] = MarathonLaunch
    alone: ClassVar[tuple[str, ...]] = ("app", "label")
    chooses: ClassVar[bool] = True

    def __init__(  # noqa: PLR0913 - each keyword is an option of the configuration
        self,
        *,
        url: tuple[str, ...] | str,
        deployment: str = "default",
        user: str | None = None,
        password: Secret | None = None,
        token: Secret | None = None,
        tls_ca: Path | None = None,
        tls_cert: Path | None = None,
        tls_key: Path | None = None,
        master: tuple[str, ...] | str | None = None,
        role: str = "*",
        force: bool = False,
    ) -> None:
        if not deployment:
            raise ValueError("deployment: expected a name, got nothing")
        if (user is None) != (password is None):
            raise ValueError("user: expected it together with password")
        if user is not None and token is not None:
            raise ValueError("token: expected nothing here, as there is a user")
        self._deployment, self._role, self._force = deployment, role, force
        where = addresses((url,) if isinstance(url, str) else url, tls_ca, tls_cert, tls_key)
        self._marathons = Marathons(
            where, user, password.reveal() if password else "", token.reveal() if token else None
        )
        self._master = None if master is None else Master(whereabouts(master, secure=False), Door())

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._marathons)
            if self._master is not None:
                await stack.enter_async_context(self._master)
            self._tasks = await stack.enter_async_context(background())
            self._ledger = Ledger(self._deployment, by_agent=self._master is not None)
            survey = None if self._master is None else Survey(self._master, self._ledger, self._role)
            self._lookout = Lookout(self._marathons, self._ledger, self._tasks, self._attend, survey)
            self._orders = Orders(self._marathons, self._ledger, self._lookout, self._tasks, force=self._force)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lookout.error is None:
            await self._orders.sweep()
        await self._stack.aclose()

    def _attend(self) -> None:
        self._orders.attend()

    def check(self, service: Service) -> Sequence[str]:
        return check(service)

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        names = [service.name for service in services]
        self._orders.watched = set(names)
        self._ledger.adopt_only(services)
        await self._lookout.ready()
        await self._lookout.look()
        await self._orders.sweep()
        before = Counter(self._ledger.failed)
        ours = {service.name: constraints(service) for service in services if not check(service)}
        known, reaches = ours, Reaches(ours)
        while True:
            touched = self._ledger.touched
            now = ours | self._ledger.constraints()
            if now != known:
                known, reaches = now, Reaches(now)
            nodes, on = self._ledger.nodes, self._ledger.on()
            yield Cluster(clock.now(), self._ledger.counts(names, before), nodes, reaches.of(nodes, on))
            await touched.wait()
            if isinstance(self._lookout.error, Silent) and not self._marathons.several:
                raise Unreachable(str(self._lookout.error))  # to try again at once would take as long again
            await self._lookout.ready()

    async def scale(
        self, service: Service, count: int, standby: Standby = NO_STANDBY, off: Mapping[str, int] = NOWHERE
    ) -> None:
        del standby  # Marathon holds none
        try:
            await self._orders.bring(service, count, off)
        finally:
            self._ledger.touch()  # what was accepted is in a snapshot that comes after it was
