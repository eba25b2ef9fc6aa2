"""A real Mesos as the back end: a framework that takes its offers and runs the apps' tasks on its agents."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp

from beaufort.protocols import SchedulerError
from beaufort.schedulers.framework.answers import Event, Resource
from beaufort.schedulers.framework.answers import Offer as MesosOffer
from beaufort.schedulers.framework.answers import Status as MesosStatus
from beaufort.schedulers.framework.leader import whereabouts
from beaufort.schedulers.framework.master import Door, Master
from marathon_backend import Listener, Status
from marathon_instances import Instance
from marathon_offers import Offer
from marathon_taskinfo import task_info

__all__ = ["MesosBackend"]

CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE")
KILLING = "TASK_KILLING_STATE"
AGAIN = 0.2
"""Seconds until a master that is lost is asked again."""


class MesosBackend:
    """``master``: host:port. The tasks end with it, as it tears its framework down when it is closed.

    ``failover``: seconds for which Mesos lets the tasks live on without it.
    """

    def __init__(self, master: str, *, role: str = "*", name: str = "marathon", failover: float = 600.0) -> None:
        self._role = role
        self._master = Master(whereabouts(master, secure=False), Door())
        self._info: dict[str, Any] = {
            "user": getpass.getuser(),
            "name": name,
            "roles": [role],
            "failover_timeout": failover,
            "checkpoint": True,
            "capabilities": [{"type": each} for each in (*CAPABILITIES, KILLING)],
        }
        self._subscribed = asyncio.Event()
        self._calls: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._tasks: dict[str, str] = {}
        self._listener: Listener | None = None

    def attach(self, listener: Listener) -> None:
        self._listener = listener

    async def open(self) -> None:
        """Returns when Mesos has let it in."""
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(self._master)
        self._session = await self._stack.enter_async_context(aiohttp.ClientSession())
        self._group = await self._stack.enter_async_context(asyncio.TaskGroup())
        self._running = [self._group.create_task(each) for each in (self._follow(), self._send())]
        await self._subscribed.wait()

    async def close(self) -> None:
        with suppress(SchedulerError):
            await self._master.call({"type": "TEARDOWN"})
        for each in self._running:
            each.cancel()
        await self._stack.aclose()

    # What Mesos says.

    async def _follow(self) -> None:
        while True:
            with suppress(SchedulerError):
                async with self._master.subscribed(self._subscription()) as events:
                    async for event in events:
                        self._take(event)
            self._subscribed.clear()
            await asyncio.sleep(AGAIN)

    def _subscription(self) -> dict[str, Any]:
        id_ = {"value": self._master.framework} if self._master.framework else None
        info = self._info if id_ is None else {**self._info, "id": id_}
        known = {} if id_ is None else {"framework_id": id_}
        return {"type": "SUBSCRIBE", **known, "subscribe": {"framework_info": info}}

    def _take(self, event: Event) -> None:
        assert self._listener is not None
        if event.subscribed is not None:
            self._master.framework = event.subscribed.framework_id.value
            self._subscribed.set()
            tasks = [{"task_id": {"value": task}, "agent_id": {"value": on}} for task, on in self._tasks.items()]
            self._call("RECONCILE", reconcile={"tasks": tasks})
        elif event.offers is not None:
            self._listener.offered([_offer(each) for each in event.offers.offers])
        elif event.update is not None:
            self._hear(self._listener, event.update.status)

    def _hear(self, listener: Listener, status: MesosStatus) -> None:
        agent = status.agent_id.value if status.agent_id is not None else ""
        task = status.task_id.value
        if status.uuid is not None:
            whose = {"agent_id": {"value": agent}, "task_id": {"value": task}}
            self._call("ACKNOWLEDGE", acknowledge={**whose, "uuid": status.uuid})
        listener.told(Status(task, status.state, agent, status.message, status.reason, status.healthy))

    # What Marathon asks for, one call after the other.

    def _call(self, kind: str, **more: Any) -> None:
        self._calls.put_nowait({"type": kind, **more})

    async def _send(self) -> None:
        while True:
            call = await self._calls.get()
            await self._subscribed.wait()
            with suppress(SchedulerError):  # Marathon asks again, or Mesos tells what has become of it
                await self._master.call(call)

    def revive(self) -> None:
        self._call("REVIVE")

    def accept(self, offer: Offer, instances: Sequence[Instance]) -> None:
        infos = [task_info(each, self._role) for each in instances]
        self._tasks.update((each.task_id, each.agent_id) for each in instances)
        launch = {"type": "LAUNCH", "launch": {"task_infos": infos}}
        filters = {"refuse_seconds": 0.0}
        ids = [{"value": offer.id}]
        self._call("ACCEPT", accept={"offer_ids": ids, "operations": [launch], "filters": filters})

    def decline(self, offer: Offer, seconds: float) -> None:
        filters = {"refuse_seconds": seconds}
        self._call("DECLINE", decline={"offer_ids": [{"value": offer.id}], "filters": filters})

    def kill(self, task_id: str, agent_id: str, grace: float | None) -> None:
        policy = {} if grace is None else {"kill_policy": {"grace_period": {"nanoseconds": int(grace * 1e9)}}}
        whose = {"task_id": {"value": task_id}, "agent_id": {"value": agent_id}}
        self._call("KILL", kill={**whose, **policy})

    # Health checks by HTTP and TCP are Marathon's own.

    def check(self, instance: Instance) -> None:
        check = instance.app.spec["healthChecks"][0]
        if check["protocol"] in {"HTTP", "TCP"}:
            self._running.append(self._group.create_task(self._checked(instance, check)))

    async def _checked(self, instance: Instance, check: dict[str, Any]) -> None:
        assert self._listener is not None
        task = instance.task_id
        await asyncio.sleep(check["delaySeconds"])
        while _runs(instance, task):
            alive = await self._passes(instance, check)
            if _runs(instance, task):
                self._listener.told(Status(task, "TASK_RUNNING", instance.agent_id, healthy=alive))
            await asyncio.sleep(check["intervalSeconds"])

    async def _passes(self, instance: Instance, check: dict[str, Any]) -> bool:
        port = check.get("port") or instance.ports[check.get("portIndex", 0)]
        with suppress(OSError, TimeoutError, aiohttp.ClientError):
            async with asyncio.timeout(check["timeoutSeconds"]):
                if check["protocol"] == "TCP":
                    _, writer = await asyncio.open_connection(instance.host, port)
                    writer.close()
                    return True
                url = f"http://{instance.host}:{port}{check.get('path', '/')}"
                async with self._session.get(url, allow_redirects=False) as answer:
                    return 200 <= answer.status < 400
        return False


def _runs(instance: Instance, task: str) -> bool:
    return instance.task_id == task and instance.condition == "Running" and not instance.killed


def _offer(offer: MesosOffer) -> Offer:
    scalars: dict[str, float] = {}
    ports: list[range] = []
    for each in offer.resources:
        if each.get("type") == "SCALAR" and "disk" not in each:
            scalars[each["name"]] = scalars.get(each["name"], 0.0) + each["scalar"]["value"]
        elif each["name"] == "ports":
            ports += _ranges(each)
    attributes = {each.name: each.value for each in offer.attributes if each.value is not None}
    return Offer(
        offer.id.value,
        offer.agent_id.value,
        offer.hostname,
        cpus=scalars.get("cpus", 0.0),
        mem=scalars.get("mem", 0.0),
        disk=scalars.get("disk", 0.0),
        gpus=scalars.get("gpus", 0.0),
        ports=ports,
        attributes=attributes,
    )


def _ranges(resource: Resource) -> Iterator[range]:
    for each in resource.get("ranges", {}).get("range", []):
        yield range(each["begin"], each["end"] + 1)
