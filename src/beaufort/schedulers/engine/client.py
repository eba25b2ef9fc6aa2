"""Calls to a Docker Engine, over a unix socket or TCP.

aiodocker is not used: it takes a lost event stream for one that has ended, and reads it in a task of its own that nobody
waits for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from beaufort.protocols import SchedulerError
from beaufort.quantity import masked, shown
from beaufort.schedulers.calls import ANSWER, WORK, Calls, Refusal, Silent, tls
from beaufort.schedulers.engine.answers import Version

__all__ = ["ANSWER", "WORK", "Address", "Client", "Refusal", "Silent"]

OLDEST = (1, 41)
"""The oldest version of the API that is spoken: Docker 20.10."""

T = TypeVar("T")


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
        return aiohttp.TCPConnector(ssl=tls(self.ca, self.cert, self.key) if self.secure else True, limit=0)


class Client(Calls):
    """One engine. ``open`` comes before any other call, and again after a failure."""

    def __init__(self, address: Address) -> None:
        super().__init__("the engine", address)

    async def open(self, *, newest: bool = False) -> None:
        """Agrees on a version of the API: the oldest that both speak, as it changes least.

        With ``newest`` the engine's newest: an older one leaves out what others may have said in a newer one.
        """
        self.prefix = ""
        version = await self.ask("GET", "/version", Version)
        last, first = _number(version.api_version), _number(version.min_api_version)
        if last < OLDEST:
            wanted = ".".join(map(str, OLDEST))
            raise SchedulerError(
                f"{self.url}: expected an engine with API {wanted} or newer (Docker 20.10), "
                f"got API {version.api_version}"
            )
        self.prefix = "/v" + ".".join(map(str, last if newest else max(OLDEST, first)))

    async def fetch(self, path: str, *, query: Mapping[str, str]) -> bytes:
        """An answer that is not JSON."""
        async with self._guard(ANSWER), self._request("GET", path, query=query) as response:
            return await response.read()

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, kind: type[T], *, silence: float | None, **options: Any
    ) -> AsyncIterator[AsyncIterator[T]]:
        """The lines of a long answer, each JSON of this kind. ``silence``: the most seconds between two of them."""
        async with self.pieces(method, path, silence=silence, **options) as pieces:
            yield self._lines(pieces, kind)

    async def _lines(self, pieces: AsyncIterator[bytes], kind: type[T]) -> AsyncIterator[T]:
        rest = b""
        async for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield self.read(line, kind)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
