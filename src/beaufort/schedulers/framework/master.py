"""Calls to a Mesos master, each with a time limit, each failure one of ours. It knows how to ask, not what to ask for."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urljoin

import aiohttp
import msgspec

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.calls import tls
from beaufort.schedulers.framework.answers import Event
from beaufort.schedulers.framework.leader import Whereabouts
from beaufort.schedulers.framework.recordio import RecordIO

__all__ = ["ANSWER", "Door", "Master", "Refusal"]

ANSWER = 4.0
"""Seconds for a master to answer. Beyond it, it is taken to hang."""

HOPS = 3
"""How many masters may send us on to another before one is found that leads."""

SCHEDULER, OPERATOR = "/master/api/v1/scheduler", "/master/api/v1"
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
STREAM = "Mesos-Stream-Id"

T = TypeVar("T")
Call = Mapping[str, Any]


class Refusal(SchedulerError):
    """The master answered, and not with what was asked for. ``words`` are its own, ``status`` is the HTTP status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


@dataclass(frozen=True, slots=True)
class Door:
    """How we are let in: ``name`` and ``password`` of HTTP basic authentication, and certificates (paths of PEM files)."""

    name: str | None = None
    password: str = ""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def session(self) -> aiohttp.ClientSession:
        """Raises OSError if the certificates can't be read. There is no limit of connections: launches go side by side."""
        basic = base64.b64encode(f"{self.name}:{self.password}".encode()).decode()
        headers = {} if self.name is None else {"Authorization": f"Basic {basic}"}
        connector = aiohttp.TCPConnector(ssl=tls(self.ca, self.cert, self.key), limit=0)
        return aiohttp.ClientSession(connector=connector, headers=headers, timeout=aiohttp.ClientTimeout(total=None))


class Master:
    """The one that leads, once ``subscribed`` has been entered. ``url`` is where it is.

    ``framework`` is our id, which is to be set when the master has told it.
    """

    def __init__(self, where: Whereabouts, door: Door) -> None:
        self._where = where
        self.url = self.framework = ""
        self._door = door
        self._stream = ""

    async def __aenter__(self) -> Self:
        try:
            self._session = self._door.session()
        except OSError as error:
            raise SchedulerError(f"the certificates for Mesos can't be used: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    @asynccontextmanager
    async def subscribed(self, call: Call) -> AsyncIterator[AsyncIterator[Event]]:
        """The events, of the first master that takes us or knows another that does."""
        async with AsyncExitStack() as stack:
            response = await self._find(stack, SCHEDULER, call)
            self._stream = response.headers.get(STREAM, "")
            yield self._events(response, Event)

    @asynccontextmanager
    async def watched(self, kind: type[T]) -> AsyncIterator[AsyncIterator[T]]:
        """What the operator's API tells of all frameworks, as it happens."""
        async with AsyncExitStack() as stack:
            response = await self._find(stack, OPERATOR, {"type": "SUBSCRIBE"})
            yield self._events(response, kind)

    async def _find(self, stack: AsyncExitStack, path: str, call: Call) -> aiohttp.ClientResponse:
        error: SchedulerError | None = None
        for url in await self._where.find():
            self.url = url
            try:
                async with self._guard():
                    return await self._subscribe(stack, path, call)
            except (Unreachable, Refusal) as failure:
                error = failure
        raise error or Unreachable(f"there is no master at {self._where}")

    async def _subscribe(self, stack: AsyncExitStack, path: str, call: Call) -> aiohttp.ClientResponse:
        for _ in range(HOPS):
            response = await stack.enter_async_context(self._post(path, call))
            if response.status != HTTPStatus.TEMPORARY_REDIRECT:
                await _check(response)
                return response
            target = urljoin(self.url, response.headers["Location"])
            self.url = target.removesuffix(path).removesuffix(path.removeprefix("/master"))
        raise Unreachable(f"the masters send us from one to the other, at last to {self.url}")

    async def _events(self, response: aiohttp.ClientResponse, kind: type[T]) -> AsyncIterator[T]:
        records = RecordIO()
        while True:
            async with self._guard(None):
                piece = await response.content.readany()
                events = [msgspec.json.decode(record, type=kind) for record in records.feed(piece)]
            if not piece:
                raise Unreachable(f"the master at {self.url} has ended its events")
            for event in events:
                yield event

    async def call(self, call: Call) -> None:
        """A call of the scheduler's API, for the subscription that there is."""
        whole = {"framework_id": {"value": self.framework}, **call}
        async with self._guard(), self._post(SCHEDULER, whole, {STREAM: self._stream}) as response:
            await _check(response)

    async def ask(self, call: Call, kind: type[T]) -> T:
        """A call of the operator's API."""
        async with self._guard(), self._post(OPERATOR, call) as response:
            await _check(response)
            return msgspec.json.decode(await response.read(), type=kind)

    async def seek(self, call: Call, kind: type[T]) -> T:
        """The same, of whichever master leads: the one that did last, or the first that takes it or knows one that does."""
        if self.url:
            with suppress(Unreachable, Refusal):
                return await self.ask(call, kind)
        async with AsyncExitStack() as stack:
            response = await self._find(stack, OPERATOR, call)
            async with self._guard():
                return msgspec.json.decode(await response.read(), type=kind)

    async def get(self, path: str, kind: type[T], query: Mapping[str, str]) -> T:
        async with self._guard(), self._session.get(self.url + path, params=query) as response:
            await _check(response)
            return msgspec.json.decode(await response.read(), type=kind)

    @asynccontextmanager
    async def _post(
        self, path: str, call: Call, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        sent = {**JSON, **(headers or {})}
        body = msgspec.json.encode(call)
        async with self._session.post(self.url + path, data=body, headers=sent, allow_redirects=False) as response:
            yield response

    @asynccontextmanager
    async def _guard(self, seconds: float | None = ANSWER) -> AsyncIterator[None]:
        """The one place where time runs out, and where the errors of others become ours."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise Unreachable(f"the master at {self.url} does not answer") from error
        except (aiohttp.ClientError, OSError) as error:
            cause = getattr(error, "os_error", error)
            words = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
            raise Unreachable(f"the master at {self.url} can't be reached: {words}") from error
        except (msgspec.MsgspecError, ValueError, KeyError) as error:
            raise Unreachable(f"the master at {self.url} answers what no master would: {error}") from error


async def _check(response: aiohttp.ClientResponse) -> None:
    if response.status >= HTTPStatus.MULTIPLE_CHOICES:
        words = (await response.read()).decode(errors="replace").strip()[:500]
        raise Refusal(response.status, words or f"HTTP status {response.status}")
