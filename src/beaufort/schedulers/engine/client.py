"""Calls to a Docker Engine: over a unix socket or TCP, each with a time limit, each failure one of ours.

It knows how to ask, not what to ask for. aiodocker is not used: it takes a lost event stream for one that has ended,
and reads it in a task of its own that nobody waits for.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.quantity import masked, shown
from beaufort.schedulers.engine.answers import Version

__all__ = ["ANSWER", "WORK", "Address", "Client", "Refusal", "Silent"]

ANSWER = 4.0
"""Seconds for the engine to answer what it need only look up. Beyond it, it is taken to hang."""

WORK = 60.0
"""Seconds for the engine to do something: more than a busy one needs, as what hangs is noticed sooner by ``ANSWER``."""

OLDEST = (1, 41)
"""The oldest version of the API that is spoken: Docker 20.10."""

T = TypeVar("T")


class Refusal(SchedulerError):
    """The engine answered, and not with what was asked for. ``words`` are its own, ``status`` is the HTTP status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class Silent(Unreachable):
    """The engine did not answer in time."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an engine is: ``unix:///path``, or ``tcp://host:port``, then maybe with certificates (paths of PEM files).

    ``ca`` vouches for the engine; ``cert`` and ``key`` are shown to it.
    """

    url: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        scheme, _, rest = self.url.partition("://")
        if scheme not in {"unix", "tcp", "http", "https"} or not rest:
            raise ValueError(f"url: expected unix:///path or tcp://host:port, got {shown(self.url)}")
        if scheme == "unix" and self.secure:
            raise ValueError("url: expected tcp://host:port, as there are certificates, got a unix socket")
        if self.key is not None and self.cert is None:
            raise ValueError("tls_cert: expected the certificate that tls_key is of, got none")

    def __str__(self) -> str:
        """As it is told: without a user and a password."""
        return masked(self.url)

    @property
    def secure(self) -> bool:
        return self.url.startswith("https://") or any((self.ca, self.cert, self.key))

    @property
    def base(self) -> str:
        """What the paths of requests are appended to."""
        scheme, _, rest = self.url.partition("://")
        return "http://engine" if scheme == "unix" else f"http{'s' if self.secure else ''}://{rest.rstrip('/')}"

    def connector(self) -> aiohttp.BaseConnector:
        """Raises OSError if the certificates can't be read. There is no limit of connections: each stop holds one."""
        if self.url.startswith("unix://"):
            return aiohttp.UnixConnector(self.url.removeprefix("unix://"), limit=0)
        return aiohttp.TCPConnector(ssl=self._context() if self.secure else True, limit=0)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if self.cert is not None:
            context.load_cert_chain(self.cert, self.key)
        return context


class Client:
    """One engine. ``open`` comes before any other call, and again after a failure."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._limits: set[asyncio.Timeout] = set()
        self._prefix = ""

    @property
    def url(self) -> str:
        """As it is told."""
        return str(self._address)

    async def __aenter__(self) -> Self:
        try:
            connector = self._address.connector()
        except OSError as error:
            raise SchedulerError(f"{self._address}: can't use the certificates: {error}") from error
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def open(self, *, newest: bool = False) -> None:
        """Agrees on a version of the API: the oldest that both speak, as it changes least.

        With ``newest`` the engine's newest: an older one leaves out what others may have said in a newer one.
        """
        self._prefix = ""
        version = await self.ask("GET", "/version", Version)
        last, first = _number(version.api_version), _number(version.min_api_version)
        if last < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise SchedulerError(
                f"{self._address}: expected an engine with API {wanted} or newer (Docker 20.10), "
                f"got API {version.api_version}"
            )
        self._prefix = "/v" + ".".join(map(str, last if newest else max(OLDEST, first)))

    def give_up(self) -> None:
        """Ends every call that is under way, as the engine is known not to answer."""
        now = asyncio.get_running_loop().time()
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(now)

    async def ask(self, method: str, path: str, kind: type[T], *, within: float = ANSWER, **options: Any) -> T:
        """The answer, as JSON of this kind. ``options``: ``query``, ``headers``, and ``body``, sent as JSON or as bytes."""
        async with self._guard(within), self._request(method, path, **options) as response:
            return msgspec.json.decode(await response.read(), type=kind)

    async def fetch(self, path: str, *, query: Mapping[str, str]) -> bytes:
        """An answer that is not JSON."""
        async with self._guard(ANSWER), self._request("GET", path, query=query) as response:
            return await response.read()

    async def tell(self, method: str, path: str, *, within: float = WORK, **options: Any) -> None:
        """As ``ask``, where the answer says no more than that it is done."""
        async with self._guard(within), self._request(method, path, **options) as response:
            await response.read()

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, kind: type[T], *, silence: float | None, **options: Any
    ) -> AsyncIterator[AsyncIterator[T]]:
        """The lines of a long answer, each JSON of this kind. ``silence``: the most seconds between two of them."""
        async with AsyncExitStack() as stack:
            async with self._guard(ANSWER if silence is None else silence):
                response = await stack.enter_async_context(self._request(method, path, **options))
            yield self._lines(response, kind, silence)

    async def _lines(self, response: aiohttp.ClientResponse, kind: type[T], silence: float | None) -> AsyncIterator[T]:
        rest = b""
        while True:
            async with self._guard(silence):
                chunk = await response.content.readany()
                *lines, rest = (rest + chunk).split(b"\n")
                read = [msgspec.json.decode(line, type=kind) for line in lines if line.strip()]
            for each in read:
                yield each
            if not chunk:
                return

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        data = body if body is None or isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {**({} if data is None else {"Content-Type": "application/json"}), **(headers or {})}
        url = self._address.base + self._prefix + path
        async with self._session.request(method, url, params=query, data=data, headers=sent) as response:
            if response.status >= 400:
                raise Refusal(response.status, _words(await response.read()) or f"HTTP status {response.status}")
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
            raise Silent(f"the engine at {self._address} does not answer") from error
        except (aiohttp.ClientError, OSError) as error:
            cause = getattr(error, "os_error", error)
            words = getattr(cause, "strerror", None) or str(cause) or type(error).__name__
            raise Unreachable(f"the engine at {self._address} can't be reached: {words}") from error
        except msgspec.MsgspecError as error:
            raise Unreachable(
                f"the engine at {self._address} answers what no engine would: {masked(str(error))}"
            ) from error


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _words(body: bytes) -> str:
    try:
        return str(msgspec.json.decode(body, type=dict[str, object])["message"]).strip()
    except (msgspec.MsgspecError, KeyError):
        return body.decode(errors="replace").strip()[:500]
