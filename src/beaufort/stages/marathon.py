"""A demo on a Marathon."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from msgspec import Struct

from beaufort.protocols import SchedulerError
from beaufort.schedulers.apps.answers import Deployment, Result
from beaufort.schedulers.apps.answers import Event as News
from beaufort.schedulers.apps.marathons import Marathons, addresses
from beaufort.schedulers.apps.standing import ALIVE
from beaufort.schedulers.calls import WORK, Refusal
from beaufort.schedulers.engine.answers import Actor, Event
from beaufort.stages.events import Events
from beaufort.stages.stage import Ground

__all__ = ["MarathonStage"]

LAUNCH = {"command": ["sleep", "86400"], "resources": {"cpu": 0.1, "memory": "32MiB"}, "grace": 1}

LEASE, RENEWAL = "beaufort.demo", "beaufort.renewal"
"""The labels of the app that says that a demo lives: which one, and how often that has been renewed."""

RENEWED, LIVES = 10.0, 60.0
"""Seconds from one renewal of the lease to the next, and for how long it is good."""

PATIENCE, LOOK = 30.0, 0.1
"""Seconds within which all of a demo has to be gone, and from one look for it to the next."""


class _Lease(Struct):
    """``version``: when it was last renewed, by Marathon's clock."""

    id: str
    version: datetime
    labels: dict[str, str] = {}


class _Leases(Struct):
    apps: list[_Lease]


class MarathonStage:
    """The containers are tasks that a Marathon runs, and wait: each for a tenth of a core and 32 MiB.

    ``url``: of a Marathon, http://host:8080 or host:8080.
    """

    def __init__(self, *, url: str | None = None) -> None:
        if url is None:
            raise ValueError("url: missing; expected the address of a Marathon, such as http://host:8080")
        self._url = url
        self._where = addresses([url], None, None, None)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ground]:
        name = f"demo-{secrets.token_hex(4)}"
        async with Marathons(self._where) as marathons:
            await marathons.open()
            async with _leased(marathons, name), _witnessed(marathons, name) as witness:
                yield Ground(name, {"type": "marathon", "url": self._url}, LAUNCH, witness)


@asynccontextmanager
async def _leased(marathons: Marathons, name: str) -> AsyncIterator[None]:
    """While it is entered, other demos see that this one lives. There is nothing of it afterwards."""
    try:
        await _renew(marathons, name, 0)
        await _sweep(marathons, name)
        async with asyncio.TaskGroup() as tasks:
            renewing = tasks.create_task(_keep(marathons, name), name="lease")
            yield
            renewing.cancel()
    finally:
        await _clear(marathons, name)


async def _keep(marathons: Marathons, name: str) -> None:
    """A renewal that fails is no fault of the demo's: the next one comes before the lease has ended."""
    number = 0
    while True:
        await asyncio.sleep(RENEWED)
        number += 1
        with suppress(SchedulerError):
            await _renew(marathons, name, number)


async def _renew(marathons: Marathons, name: str, number: int) -> None:
    """The lease is an app of which nothing ever runs."""
    labels = {LEASE: name, RENEWAL: str(number)}
    app = {"id": f"{_group(name)}/lease", "cmd": "true", "instances": 0, "cpus": 0.1, "mem": 32, "labels": labels}
    await marathons.tell("PUT", f"/v2/apps{app['id']}", body=app)


async def _sweep(marathons: Marathons, name: str) -> None:
    """Removes what there is of demos the leases of which have ended. It is now when ours was made."""
    listed = (await marathons.ask("GET", "/v2/apps", _Leases, query={"label": LEASE})).apps
    leases = {each.labels[LEASE]: each.version.timestamp() for each in listed}
    for other, renewed in leases.items():
        if renewed < leases[name] - LIVES:
            await _clear(marathons, other)


async def _clear(marathons: Marathons, name: str) -> None:
    """Returns when there is nothing of it. All that it is goes at once, whatever deployments of it there still are."""
    try:
        query = {"force": "true"}
        removal = await marathons.ask("DELETE", f"/v2/groups{_group(name)}", Result, within=WORK, query=query)
    except Refusal:
        return  # somebody else has removed it
    looks = round(PATIENCE / LOOK)
    for _ in range(looks):
        under_way = await marathons.ask("GET", "/v2/deployments", list[Deployment])
        if removal.deployment_id not in {each.id for each in under_way}:
            return
        await asyncio.sleep(LOOK)
    raise SchedulerError(f"Marathon did not remove all of the demo {name} in {PATIENCE:g} s")


def _group(name: str) -> str:
    return f"/beaufort/{name}"


@asynccontextmanager
async def _witnessed(marathons: Marathons, name: str) -> AsyncIterator[Events]:
    """Counts while it is entered, by what Marathon tells of all tasks."""
    witness = Events()
    async with marathons.events() as news, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(witness.read(_lives(news, f"{_group(name)}/")), name="witness")
        yield witness
        reading.cancel()


async def _lives(news: AsyncIterator[News], group: str) -> AsyncIterator[Event]:
    """The beginning and the end of each task of the group, in this order, in whichever they are told."""
    living: set[str] = set()
    ended: set[str] = set()
    async for each in news:
        if not (each.app_id.startswith(group) and each.task_id):
            continue
        if each.task_status == "TASK_RUNNING" and each.task_id not in living:
            living.add(each.task_id)
            yield Event("start", Actor(each.task_id))
        elif each.task_status and each.task_status not in ALIVE:
            ended.add(each.task_id)
        if each.task_id in living & ended:
            yield Event("die", Actor(each.task_id))
