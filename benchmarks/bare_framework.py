"""A framework of Mesos as a good script has it: a stream of events, offers, launches and receipts, and no more."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

__all__ = ["BareFramework", "bare_framework"]

JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class BareFramework:
    """How it comes to offers when it needs some:

    - ``asks``: the master makes it none until it asks with REVIVE.
    - ``waits``: it gives each back for no time, so that the next comes at the master's next interval.
    - ``filters``: it gives each back for Mesos's default time, 5 s, and does not ask.
    - ``hoards``: it needs none, and keeps all.

    ``size``: scalar resources of a task, in Mesos's names and units. ``command``: what each runs.
    """

    def __init__(
        self, address: str, session: aiohttp.ClientSession, how: str, size: dict[str, float], command: list[str]
    ) -> None:
        self._url = f"http://{address}/master/api/v1/scheduler"
        self._session = session
        self._how = how
        self._size, self._command = size, command
        self._headers = dict(JSON)
        self._id = ""
        self._wanted = 0
        self._agents: dict[str, str] = {}
        self._running: set[str] = set()
        self._offered = 0.0
        self._changed = asyncio.Event()

    async def follow(self, ready: asyncio.Event) -> None:
        """For ever. ``ready`` is set when there is a framework."""
        info = {"user": "root", "name": "bare", "roles": ["*"], "capabilities": [{"type": "MULTI_ROLE"}]}
        suppressed = ["*"] if self._how == "asks" else []
        call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info, "suppressed_roles": suppressed}}
        async with self._session.post(self._url, json=call, headers=JSON) as response:
            self._headers["Mesos-Stream-Id"] = response.headers["Mesos-Stream-Id"]
            while size := await response.content.readline():
                await self._take(json.loads(await response.content.readexactly(int(size))))
                if self._id:
                    ready.set()

    async def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "SUBSCRIBED":
            self._id = event["subscribed"]["framework_id"]["value"]
        elif event["type"] == "OFFERS":
            self._offered = self._offered or time.perf_counter()
            for offer in [] if self._how == "hoards" else event["offers"]["offers"]:
                await self._answer(offer)
        elif event["type"] == "UPDATE":
            await self._hear(event["update"]["status"])

    async def _answer(self, offer: dict[str, Any]) -> None:
        ids = [{"value": offer["id"]["value"]}]
        room = next(each["scalar"]["value"] for each in offer["resources"] if each["name"] == "cpus")
        count = min(self._wanted, int(room / self._size["cpus"] + 1e-6))
        self._wanted -= count
        tasks = [self._task(offer["agent_id"]) for _ in range(count)]
        launch = [{"type": "LAUNCH", "launch": {"task_infos": tasks}}] if tasks else []
        filters = {} if self._how == "filters" else {"filters": {"refuse_seconds": 0.0}}
        await self._call("ACCEPT", accept={"offer_ids": ids, "operations": launch, **filters})

    def _task(self, agent: dict[str, str]) -> dict[str, Any]:
        id_ = f"bare-{random.getrandbits(64):x}"
        self._agents[id_] = agent["value"]
        resources = [{"name": name, "type": "SCALAR", "scalar": {"value": value}} for name, value in self._size.items()]
        command = {"shell": False, "value": self._command[0], "arguments": self._command}
        return {"name": "t", "task_id": {"value": id_}, "agent_id": agent, "resources": resources, "command": command}

    async def _hear(self, status: dict[str, Any]) -> None:
        task = status["task_id"]["value"]
        (self._running.add if status["state"] == "TASK_RUNNING" else self._running.discard)(task)
        self._changed.set()
        await self._call("ACKNOWLEDGE", acknowledge={key: status[key] for key in ("agent_id", "task_id", "uuid")})

    async def _call(self, kind: str, **body: Any) -> None:
        call = {"framework_id": {"value": self._id}, "type": kind, **body}
        async with self._session.post(self._url, json=call, headers=self._headers) as response:
            assert response.status == 202, await response.text()

    async def _until(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self._running) != count:
                self._changed.clear()
                await self._changed.wait()

    async def launch(self, count: int, up: Callable[[], Awaitable[float]]) -> tuple[float, float]:
        """Seconds until the first offer came, and until ``up``, which tells the time when so many run."""
        begin, self._offered, self._wanted = time.perf_counter(), 0.0, count
        if self._how == "asks":
            await self._call("REVIVE")
        at = await up()
        return self._offered - begin, at - begin

    async def clear(self, count: int) -> None:
        """Ends what has been launched, so many."""
        await self._until(count)
        if self._how == "asks":
            await self._call("SUPPRESS")
        for task in list(self._running):
            await self._call("KILL", kill={"task_id": {"value": task}, "agent_id": {"value": self._agents[task]}})
        await self._until(0)


@asynccontextmanager
async def bare_framework(
    address: str, how: str, size: dict[str, float], command: list[str]
) -> AsyncIterator[BareFramework]:
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        asyncio.TaskGroup() as tasks,
    ):
        framework, ready = BareFramework(address, session, how, size, command), asyncio.Event()
        following = tasks.create_task(framework.follow(ready))
        await ready.wait()
        yield framework
        following.cancel()
