"""A demo on Mesos: a framework that the master ends, with all of its tasks, as soon as the demo is gone."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from msgspec import Struct

from beaufort.schedulers.engine.answers import Actor, Event
from beaufort.schedulers.framework.answers import Status
from beaufort.schedulers.framework.leader import whereabouts
from beaufort.schedulers.framework.master import Door, Master
from beaufort.schedulers.framework.names import owner
from beaufort.schedulers.framework.tasks import ALIVE
from beaufort.stages.events import Events
from beaufort.stages.stage import Ground

__all__ = ["MesosStage"]

LAUNCH = {"command": ["sleep", "86400"], "resources": {"cpu": 0.1, "memory": "32MiB"}, "grace": 1}


class TaskUpdated(Struct):
    status: Status


class News(Struct):
    """What the operator's API tells, as far as it is of tasks."""

    task_updated: TaskUpdated | None = None


class MesosStage:
    """The containers are tasks of a Mesos cluster, and wait: each for a tenth of a core and 32 MiB.

    ``url``: host:port of a master, or where they register in ZooKeeper, zk://host:2181/mesos.
    """

    def __init__(self, *, url: str | None = None) -> None:
        if url is None:
            raise ValueError("url: missing; expected host:port of a Mesos master, or zk://host:2181/mesos")
        self._url = url
        self._where = whereabouts(url, secure=False)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ground]:
        name = f"demo-{secrets.token_hex(4)}"
        with tempfile.TemporaryDirectory(prefix="beaufort-demo-") as state:
            # Without a failover time a framework that is not connected is torn down at once, however it ended.
            scheduler = {"type": "mesos", "master": self._url, "state": state, "framework": name, "failover": 0}
            async with Master(self._where, Door()) as master, _witnessed(master, name) as witness:
                yield Ground(name, scheduler, LAUNCH, witness)


@asynccontextmanager
async def _witnessed(master: Master, deployment: str) -> AsyncIterator[Events]:
    """Counts while it is entered, by what the master tells of all tasks."""
    witness = Events()
    async with master.watched(News) as news, asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(witness.read(_lives(news, deployment)), name="witness")
        yield witness
        reading.cancel()


async def _lives(news: AsyncIterator[News], deployment: str) -> AsyncIterator[Event]:
    """The beginning and the end of each task of the deployment."""
    living: set[str] = set()
    async for each in news:
        status = each.task_updated and each.task_updated.status
        if status and (owner(status.task_id.value) or ("", ""))[0] == deployment:
            id_ = status.task_id.value
            if status.state == "TASK_RUNNING" and id_ not in living:
                living.add(id_)
                yield Event("start", Actor(id_))
            elif status.state not in ALIVE:
                yield Event("die", Actor(id_))
