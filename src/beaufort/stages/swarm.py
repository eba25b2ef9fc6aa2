"""A demo on a Docker Swarm."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime

import msgspec
from msgspec import Struct

from beaufort.protocols import SchedulerError
from beaufort.schedulers.cluster.answers import Created, Service, Task, Version
from beaufort.schedulers.cluster.managers import Managers
from beaufort.schedulers.docker import HERE
from beaufort.schedulers.engine.client import Address, Refusal
from beaufort.schedulers.engine.held import DEPLOYMENT
from beaufort.stages.stage import Ground

__all__ = ["SwarmStage", "Tasks"]

LEASE, UNTIL = "beaufort.demo", "beaufort.until"
"""The labels of the config that says that a demo lives: which one, and until when (seconds, by the managers' clock)."""

RENEWED, LIVES = 10.0, 60.0
"""Seconds from one renewal of the lease to the next, and for how long it is good."""

LOOK = 0.1
"""Seconds between two lists of the witness."""


NO_IMAGE = "o such image"
"""What an engine says, whichever way it begins, where an image is not there and can't be pulled."""

ADVICE = (
    "every node needs the image {0}, or has to be able to pull it: run docker pull {0} or docker load on each node, "
    "or name with --image one with sleep in it that they have or can pull, such as one in a registry of yours"
)


class _Info(Struct, rename="pascal"):
    system_time: datetime


class _Spec(Struct, rename="pascal"):
    name: str
    labels: dict[str, str]


class _Lease(Struct, rename="pascal"):
    spec: _Spec
    version: Version
    id: str = msgspec.field(name="ID")


class SwarmStage:
    """The containers are those of a Docker Swarm, on whichever of its nodes it chooses.

    ``url``: a manager's address, unix:///path or tcp://host:port; by default $DOCKER_HOST, or Docker's own socket.
    ``image``: one in which there is sleep, and which every node has or can pull.
    """

    def __init__(self, *, url: str | None = None, image: str = "busybox:1") -> None:
        self._address = Address(url or os.environ.get("DOCKER_HOST") or HERE)
        self._image = image

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ground]:
        name = f"demo-{secrets.token_hex(4)}"
        scheduler = {"type": "swarm", "url": self._address.url}
        launch = {"image": self._image, "entrypoint": "sleep", "command": ["86400"], "init": True, "grace": 1}
        async with Managers([self._address]) as managers:
            await managers.open()
            await _sweep(managers)
            async with _leased(managers, name), asyncio.TaskGroup() as tasks:
                witness = Tasks(managers, name)
                watching = tasks.create_task(witness.read(), name="witness")
                with _advised(self._image):
                    yield Ground(name, scheduler, launch, witness)
                watching.cancel()


@contextmanager
def _advised(image: str) -> Iterator[None]:
    """The image is not made here, as it would have to be on every node, and only one manager is spoken to."""
    try:
        yield
    except SchedulerError as error:
        if NO_IMAGE not in str(error):
            raise
        raise SchedulerError(f"{error}; {ADVICE.format(image)}") from error


@asynccontextmanager
async def _leased(managers: Managers, name: str) -> AsyncIterator[None]:
    """While it is entered, other demos see that this one lives. There is nothing of it afterwards."""
    labels = {LEASE: name, UNTIL: f"{await _now(managers) + LIVES:.0f}"}
    body = {"Name": f"beaufort-{name}", "Labels": labels, "Data": base64.b64encode(name.encode()).decode()}
    lease = await managers.ask("POST", "/configs/create", Created, body=body)
    try:
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(_renew(managers, lease.id), name="lease")
            yield
            renewing.cancel()
    finally:
        await _clear(managers, name, lease.id)


async def _renew(managers: Managers, id_: str) -> None:
    """A renewal that fails is no fault of the demo's: the next one comes before the lease has ended."""
    while True:
        await asyncio.sleep(RENEWED)
        with suppress(SchedulerError):
            lease = await managers.ask("GET", f"/configs/{id_}", _Lease)
            labels = {**lease.spec.labels, UNTIL: f"{await _now(managers) + LIVES:.0f}"}
            query = {"version": str(lease.version.index)}
            body = {"Name": lease.spec.name, "Labels": labels}
            await managers.tell("POST", f"/configs/{id_}/update", query=query, body=body)


async def _sweep(managers: Managers) -> None:
    """Removes what there is of demos the leases of which have ended."""
    now = await _now(managers)
    for lease in await managers.ask("GET", "/configs", list[_Lease], query=_having(LEASE)):
        if float(lease.spec.labels[UNTIL]) < now:
            await _clear(managers, lease.spec.labels[LEASE], lease.id)


async def _clear(managers: Managers, name: str, lease: str) -> None:
    """The lease goes last: without it nobody would know of the rest."""
    services = await managers.ask("GET", "/services", list[Service], query=_having(f"{DEPLOYMENT}={name}"))
    for path in [*(f"/services/{service.id}" for service in services), f"/configs/{lease}"]:
        with suppress(Refusal):  # somebody else has removed it
            await managers.tell("DELETE", path)


async def _now(managers: Managers) -> float:
    return (await managers.ask("GET", "/info", _Info)).system_time.timestamp()


def _having(label: str) -> dict[str, str]:
    return {"filters": msgspec.json.encode({"label": [label]}).decode()}


class Tasks:
    """The witness of a Swarm's containers: who runs by the word of its managers, looked at ten times a second.

    ``most`` is None once a look has failed.
    """

    def __init__(self, managers: Managers, deployment: str) -> None:
        self.most: int | None = 0
        self._managers = managers
        self._query = _having(f"{DEPLOYMENT}={deployment}")
        self._seen: set[str] = set()
        self._living: set[str] = set()

    @property
    def started(self) -> int:
        return len(self._seen)

    @property
    def ended(self) -> int:
        return len(self._seen) - len(self._living)

    def saw(self, tasks: list[Task]) -> None:
        self._living = {task.id for task in tasks if task.status.state == "running"}
        self._seen |= self._living
        if self.most is not None:
            self.most = max(self.most, len(self._living))

    async def read(self) -> None:
        """For ever."""
        while True:
            try:
                self.saw(await self._managers.ask("GET", "/tasks", list[Task], query=self._query))
            except SchedulerError:
                self.most = None
            await asyncio.sleep(LOOK)
