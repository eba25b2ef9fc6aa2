"""A client for tests of the stand-in for Marathon, that shares nothing with the driver."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import aiohttp

__all__ = ["SMALL", "Answer", "Client"]

SMALL: dict[str, Any] = {"cmd": "sleep 1000", "cpus": 0.1, "mem": 32, "portDefinitions": []}
"""An app without an id."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``body`` is parsed where it is JSON."""

    status: int
    body: Any
    headers: Any


class Client:
    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self._headers = headers

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, connector=aiohttp.TCPConnector(ssl=False))
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._session.close()

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        async with self._session.request(method, self.url + path, json=body) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answer(response.status, json.loads(text) if is_json else text, response.headers)

    async def get(self, path: str) -> Any:
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.body

    async def made(self, method: str, path: str, body: Any = None) -> str:
        """The id of the deployment that this makes."""
        answer = await self.ask(method, path, body)
        assert answer.status in {200, 201}, answer
        return str(answer.headers["Marathon-Deployment-Id"])

    async def told(self, app: str) -> Any:
        return (await self.get(f"/v2/apps{app}"))["app"]

    async def settled(self) -> None:
        """No deployment runs any more, after all the (virtual) time that one needs."""
        await asyncio.sleep(30)
        assert await self.get("/v2/deployments") == []

    async def running(self, app: str, count: int, **more: Any) -> list[str]:
        """The ids of the app's tasks, once so many run."""
        await self.made("PUT", f"/v2/apps{app}", {**SMALL, **more, "instances": count})
        await self.settled()
        tasks = (await self.get(f"/v2/apps{app}/tasks"))["tasks"]
        assert [task["state"] for task in tasks] == ["TASK_RUNNING"] * count
        return [task["id"] for task in tasks]

    @asynccontextmanager
    async def events(self, query: str = "") -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        headers = {"Accept": "text/event-stream"}
        timeout = aiohttp.ClientTimeout(total=None)
        async with self._session.get(f"{self.url}/v2/events{query}", headers=headers, timeout=timeout) as response:
            assert response.status == 200
            yield _parsed(response)

    async def until(self, events: AsyncIterator[dict[str, Any]], holds: Callable[[dict[str, Any]], bool]) -> Any:
        async for event in events:
            if holds(event):
                return event
        raise AssertionError("the events have ended")


async def _parsed(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield json.loads(line.removeprefix(b"data: "))
