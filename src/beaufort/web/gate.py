"""The gate before the application: who comes in, from where, how often and how slowly. It answers what it refuses itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from beaufort.web.access import Identity
from beaufort.web.doorkeeper import Doorkeeper
from beaufort.web.origin import foreign, is_host_known
from beaufort.web.problems import FAULT, MEDIA_TYPE, Refused, problem_body
from beaufort.web.rates import Rates

__all__ = ["Gate"]

BODY = 10.0
"""Seconds for a request's body."""

REQUESTS = 2000.0
"""Requests a second from one token or, without one, from one address."""

HEADERS = [
    (
        b"content-security-policy",
        b"; ".join(
            [
                b"default-src 'none'",
                b"script-src 'self'",
                b"style-src 'self'",
                b"img-src 'self' data:",
                b"font-src 'self'",
                b"connect-src 'self'",
                b"manifest-src 'self'",
                b"base-uri 'none'",
                b"form-action 'self'",
                b"frame-ancestors 'none'",
            ]
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Send = Callable[[Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]
Application = Callable[[Any, Receive, Send], Awaitable[None]]


class Gate:
    """An ASGI application around another. ``names``: the host names that are ours, besides addresses and localhost.
    ``answered`` is told the status of every answer, ``fault`` what nobody foresaw.
    """

    def __init__(
        self,
        inner: Application,
        doorkeeper: Doorkeeper,
        names: frozenset[str],
        answered: Callable[[int], None],
        fault: Callable[[Exception], None],
    ) -> None:
        self._inner = inner
        self._doorkeeper = doorkeeper
        self._names = names
        self._answered = answered
        self._fault = fault
        self._rates = Rates(REQUESTS, 2 * REQUESTS)

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        guarded = self._guarded(scope, send)
        try:
            scope["user"] = await self._admit(scope)
        except Refused as refusal:
            await _refuse(guarded, refusal)
            return
        scope[FAULT] = self._fault
        try:
            await self._inner(scope, _in_time(receive), guarded)
        except Exception as error:
            self._fault(error)
            raise

    async def _admit(self, scope: Any) -> Identity:
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        address = scope["client"][0] if scope["client"] else "unknown"
        if not is_host_known(host, self._names):
            raise Refused(421, "the host that was asked for is not this one: see --host-name")
        if foreign(headers, scope["scheme"], host):
            raise Refused(403, "a page from elsewhere asks")
        identity = await self._doorkeeper.identify(headers, address, safe=scope["method"] in SAFE)
        if not self._rates.take(identity.token or address):
            raise Refused(429, f"more than {REQUESTS:.0f} requests a second", {"retry-after": "1"})
        return identity

    def _guarded(self, scope: Any, send: Send) -> Send:
        extra = HEADERS + ([(b"cache-control", b"no-store")] if scope["path"].startswith("/v1") else [])

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                self._answered(message["status"])
                date = (b"date", formatdate(usegmt=True).encode())
                message = {**message, "headers": [*message.get("headers", []), date, *extra]}
            await send(message)

        return guarded


async def _refuse(send: Send, refusal: Refused) -> None:
    body = problem_body(refusal.status, str(refusal))
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    headers += [(name.encode(), value.encode()) for name, value in refusal.headers.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _in_time(receive: Receive) -> Receive:
    """A body has to come in time; what comes after it may take its time."""
    until: float | None = None
    whole = False

    async def received() -> Any:
        nonlocal until, whole
        if whole:
            return await receive()
        loop = asyncio.get_running_loop()
        until = loop.time() + BODY if until is None else until
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError:
            raise Refused(408, f"the body did not come in {BODY:g} s", {"connection": "close"}) from None
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return received
