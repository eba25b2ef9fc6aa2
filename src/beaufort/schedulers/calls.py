"""Calls to a server over HTTP, each with a time limit, each failure one of ours.

It knows how to ask, not what to ask for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

import aiohttp
import msgspec

from beaufort.protocols import SchedulerError, Unreachable

__all__ = ["ANSWER", "WORK", "Calls", "Refusal", "Silent", "Where", "tls"]

ANSWER = 4.0
"""Seconds for a server to answer what it need only look up. Beyond it, it is taken to hang."""

WORK = 60.0
"""Seconds for a server to do something: more than a busy one needs, as what hangs is noticed sooner by ``ANSWER``."""

T = TypeVar("T")


class Refusal(SchedulerError):
    """The server answered, and not with what was asked for.

    ``words`` are its own, ``status`` is the HTTP status, ``body`` is all that it said.
    """

    def __init__(self, status: int, words: str, body: bytes = b"") -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.body = body


class Silent(Unreachable):
    """The server did not answer in time."""


class Where(Protocol):
    """Where a server is; its text is how that is told. ``base``: what the paths of requests are appended to."""

    @property
    def base(self) -> str: ...
    def connector(self) -> aiohttp.BaseConnector:
        """Raises OSError if the certificates can't be read."""
        ...


def tls(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """``ca`` vouches for the server; ``cert`` and ``key`` are shown to it. Raises OSError if they can't be read."""
    context = ssl.create_default_context(cafile=ca)
    if cert is not None:
        context.load_cert_chain(cert, key)
    return context


class Calls:
    """To one server. ``noun``: what it is to people, such as "the engine". ``headers`` go with every call.

    ``prefix``: what all paths begin with.
    """

    def __init__(self, noun: str, where: Where, headers: Mapping[str, str] | None = None) -> None:
        self.prefix = ""
        self._noun = noun
        self._where = where
        self._headers = dict(headers or {})
        self._limits: set[asyncio.Timeout] = set()

    @property
    def url(self) -> str:
        """As it is told."""
        return str(self._where)

    async def __aenter__(self) -> Self:
        try:
            connector = self._where.connector()
        except OSError as error:
            raise SchedulerError(f"{self.url}: can't use the certificates: {error}") from error
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def give_up(self) -> None:
        """Ends every call that is under way, as the server is known not to answer."""
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)

    async def ask(self, method: str, path: str, kind: type[T], *, within: float = ANSWER, **options: Any) -> T:
        """The answer, as JSON of this kind. ``options``: ``query``, ``headers``, and ``body``, sent as JSON or as bytes."""
        async with self._guard(within), self._request(method, path, **options) as response:
            return msgspec.json.decode(await response.read(), type=kind)

    async def tell(self, method: str, path: str, *, within: float = WORK, **options: Any) -> None:
        """As ``ask``, where the answer says no more than that it is done."""
        async with self._guard(within), self._request(method, path, **options) as response:
            await response.read()

    @asynccontextmanager
    async def pieces(
        self, method: str, path: str, *, silence: float | None, **options: Any
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """A long answer, as it comes. ``silence``: the most seconds between two pieces of it."""
        async with AsyncExitStack() as stack:
            async with self._guard(ANSWER if silence is None else silence):
                response = await stack.enter_async_context(self._request(method, path, **options))
            yield self._pieces(response, silence)

    async def _pieces(self, response: aiohttp.ClientResponse, silence: float | None) -> AsyncIterator[bytes]:
        while True:
            async with self._guard(silence):
                piece = await response.content.readany()
            if not piece:
                return
            yield piece

    def read(self, text: bytes, kind: type[T]) -> T:
        """What the server has sent, as JSON of this kind. Raises Unreachable if it is something else."""
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.MsgspecError as error:
            raise self._strange(error) from error

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        kind = {} if data is None else {"Content-Type": "application/json"}
        url = self._where.base + self.prefix + path
        async with self._session.request(
            method, url, params=query, data=data, headers={**kind, **self._headers, **(headers or {})}
        ) as response:
            if response.status >= HTTPStatus.BAD_REQUEST:
                said = await response.read()
                raise Refusal(response.status, _words(said) or f"HTTP status {response.status}", said)
            yield response

    @asynccontextmanager
    async def _guard(self, seconds: float | None) -> AsyncIterator[None]:
        """The one place where time runs out, and where the errors of others become ours."""
        try:
            async with asyncio.timeout(seconds) as limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            raise Silent(f"{self._noun} at {self.url} does not answer") from error
        except (aiohttp.ClientError, OSError) as error:
            cause = getattr(error, "os_error", error)
            words = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
            raise Unreachable(f"{self._noun} at {self.url} can't be reached: {words}") from error
        except msgspec.MsgspecError as error:
            raise self._strange(error) from error

    def _strange(self, error: Exception) -> Unreachable:
        return Unreachable(
            f"{self._noun} at {self.url} answers what {self._noun.replace('the ', 'no ', 1)} would: {error}"
        )


def _words(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=dict[str, object])["message"]).strip()
    except (msgspec.MsgspecError, KeyError):
        return body.decode(errors="replace").strip()[:500]
