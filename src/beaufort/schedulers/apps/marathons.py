"""The Marathons of a cluster: any of them can be asked, as they pass on what the leader has to answer."""

from __future__ import annotations

import base64
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec

from beaufort.protocols import Unreachable
from beaufort.quantity import shown
from beaufort.schedulers.apps.answers import Event
from beaufort.schedulers.apps.sse import Feed
from beaufort.schedulers.calls import ANSWER, WORK, Calls, Refusal, tls
from beaufort.schedulers.peers import Peers

__all__ = ["Address", "Marathons", "addresses", "credentials", "event"]

URL = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?P<port>:[0-9]+)?(?P<path>/[^?#\s]*)?"
)

PORT = 8080

EVENTS = (
    "api_post_event",
    "status_update_event",
    "instance_changed_event",
    "instance_health_changed_event",
    "health_status_changed_event",
    "unhealthy_instance_kill_event",
    "unhealthy_task_kill_event",
    "unknown_instance_terminated_event",
    "app_terminated_event",
    "group_change_success",
    "deployment_info",
    "deployment_success",
    "deployment_failed",
    "deployment_step_success",
)
"""Those after which what we know may not be so any more."""

LEADERLESS = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Address:
    """``base``: a URL without a slash at its end. ``ca``, ``cert``, ``key``: paths of PEM files."""

    base: str
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __str__(self) -> str:
        return self.base

    def connector(self) -> aiohttp.BaseConnector:
        secure = self.base.startswith("https://")
        return aiohttp.TCPConnector(ssl=tls(self.ca, self.cert, self.key) if secure else True, limit=0)


def addresses(urls: Sequence[str], ca: Path | None, cert: Path | None, key: Path | None) -> list[Address]:
    """From a configuration. Raises ValueError."""
    if not urls:
        raise ValueError("url: expected the address of a Marathon, got an empty list")
    if key is not None and cert is None:
        raise ValueError("tls_cert: expected the certificate that tls_key is of, got none")
    secure = any((ca, cert, key))
    return [Address(_base(url, secure=secure), ca, cert, key) for url in urls]


def _base(url: str, *, secure: bool) -> str:
    if "@" in url:
        raise ValueError(
            "url: expected an address without a name or a password, got one with; user and password are keys"
        )
    match = URL.fullmatch(url)
    if match is None:
        raise ValueError(f"url: expected http://host:8080 or host:8080, got {shown(url)}")
    if secure and match["scheme"] == "http":
        raise ValueError(f"url: expected https://, as there are certificates, got {shown(url)}")
    scheme = match["scheme"] or ("https" if secure else "http")
    port = match["port"] or ("" if match["scheme"] else f":{PORT}")
    return f"{scheme}://{match['host']}{port}{(match['path'] or '').rstrip('/')}"


def event(data: bytes) -> Event:
    """What is not understood says that something has changed, and not what."""
    try:
        return msgspec.json.decode(data, type=Event)
    except msgspec.MsgspecError:
        return Event()


def credentials(user: str | None, password: str, token: str | None) -> dict[str, str]:
    """The header that lets us in. ``token`` is written as DC/OS wants it."""
    if token is not None:
        return {"Authorization": f"token={token}"}
    if user is not None:
        return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}
    return {}


class Marathons(Peers[Calls]):
    def __init__(
        self, where: Sequence[Address], user: str | None = None, password: str = "", token: str | None = None
    ) -> None:
        headers = {"Accept": "application/json", **credentials(user, password, token)}
        super().__init__([Calls("the Marathon", each, headers) for each in where])

    async def attempt(self, client: Calls) -> None:
        try:
            with _leads(client):
                await client.ask("GET", "/v2/info", dict[str, Any])
        except Refusal as refusal:
            raise Unreachable(f"the Marathon at {client.url} can't be read: {refusal}") from refusal

    async def ask(self, method: str, path: str, kind: type[T], *, within: float = ANSWER, **options: Any) -> T:
        with _leads(self.client):
            return await self.client.ask(method, path, kind, within=within, **options)

    async def tell(self, method: str, path: str, **options: Any) -> None:
        with _leads(self.client):
            await self.client.tell(method, path, within=WORK, **options)

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[Event]]:
        """Their order is not promised, and some may be missing."""
        query = [("plan-format", "light"), *(("event_type", each) for each in EVENTS)]
        headers = {"Accept": "text/event-stream"}
        with _leads(self.client):
            async with self.client.pieces("GET", "/v2/events", silence=None, query=query, headers=headers) as pieces:
                yield self._events(pieces)

    async def _events(self, pieces: AsyncIterator[bytes]) -> AsyncIterator[Event]:
        feed = Feed()
        async for piece in pieces:
            for data in feed.take(piece):
                yield event(data)


@contextmanager
def _leads(client: Calls) -> Iterator[None]:
    """What a Marathon answers that finds no leader is no answer."""
    try:
        yield
    except Refusal as refusal:
        if refusal.status in LEADERLESS:
            raise Unreachable(f"the Marathon at {client.url} has no leader: {refusal}") from refusal
        raise
