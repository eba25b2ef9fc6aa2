"""One of the machines that a Marathon consists of: it answers if it leads, else it asks the one that does.

``faults`` are what can be wrong with it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp
from aiohttp import web
from aiohttp.typedefs import Handler

from marathon_apps import json
from marathon_door import Door
from marathon_refusals import Refusal

__all__ = ["FAULTS", "Faults", "Member", "Team"]

VIA = "X-Marathon-Via"
NO_LEADER = "Could not determine the current leader"
HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host", "date", "server"}
CONNECT, ANSWER = 5.0, 10.0
"""Seconds for the leader to be reached, and to answer."""


class Team(Protocol):
    """What a member knows of the others."""

    @property
    def leading(self) -> Member | None: ...

    async def found(self) -> Member | None:
        """Who leads, after a while of looking."""


@dataclass(slots=True)
class Faults:
    """``slow``: seconds that every answer takes more. ``garbage``: what every answer is. ``lost``: what is asked for is
    done, and the connection ends instead of an answer.
    """

    slow: float = 0.0
    garbage: bytes | None = None
    lost: bool = False
    _going: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._going.set()

    def hang(self) -> None:
        """Requests are taken, and not answered, until it goes on; streams stand still."""
        self._going.clear()

    def go_on(self) -> None:
        self._going.set()

    async def going(self) -> None:
        """Returns when it does not hang."""
        await self._going.wait()

    async def suffered(self) -> web.Response | None:
        await self._going.wait()
        if self.slow:
            await asyncio.sleep(self.slow)
        return None if self.garbage is None else web.Response(body=self.garbage)


FAULTS = web.AppKey("faults", Faults)


class Member:
    """``calls``: the requests that it got, in their order, each as in ``PUT /v2/apps?force=true``."""

    def __init__(
        self, team: Team, door: Door, routes: Callable[[], list[web.RouteDef]], context: ssl.SSLContext | None
    ) -> None:
        self._team = team
        self._door = door
        self._routes = routes
        self._context = context
        self._runner: web.AppRunner | None = None
        self.port = 0
        self.calls: list[str] = []
        self.faults = Faults()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://{self.address}"

    async def start(self) -> None:
        app = web.Application(middlewares=[self._fault, self._guard, self._lead], client_max_size=2**24)
        app[FAULTS] = self.faults
        app.on_response_prepare.append(self._sign)
        app.add_routes([web.get("/ping", self._ping), *self._routes()])
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.0, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._context, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=False, limit=0), timeout=timeout, auto_decompress=False
        )

    async def stop(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            self.faults.go_on()
            await self._session.close()
            await runner.cleanup()

    # A request on its way in.

    @web.middleware
    async def _fault(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.calls.append(f"{request.method} {request.path_qs}")
        response = await self.faults.suffered() or await handler(request)
        if self.faults.lost and request.transport is not None:
            request.transport.abort()
        return response

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            self._door.pass_(request.headers.get("Authorization", ""), request.method)
            return await handler(request)
        except Refusal as refusal:
            headers = {"WWW-Authenticate": self._door.asks} if refusal.status == 401 else None
            return json(refusal.body, refusal.status, headers)
        except web.HTTPNotFound:
            return json({"message": f"URI not found: {request.path}"}, 404)
        except web.HTTPMethodNotAllowed:
            return json({"message": "Method Not Allowed"}, 405)

    @web.middleware
    async def _lead(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == "/ping":
            return await handler(request)
        leader = self._team.leading or await self._team.found()
        if leader is None:
            return web.Response(status=503, text=NO_LEADER)
        if leader is not self:
            return await self._forward(leader, request)
        return await handler(request)

    async def _sign(self, request: web.Request, response: web.StreamResponse) -> None:
        del request
        if self._team.leading is self:
            response.headers["X-Marathon-Leader"] = self.url

    async def _ping(self, request: web.Request) -> web.Response:
        del request
        return web.Response(text="pong")

    # To the leader.

    async def _forward(self, leader: Member, request: web.Request) -> web.StreamResponse:
        via = f"1.1 {self.address}"
        if via in request.headers.getall(VIA, []):
            return web.Response(status=502, text="Detected proxying loop.")
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP]
        headers.append((VIA, via))
        data = await request.read()
        try:
            async with asyncio.timeout(ANSWER) as limit:
                url = leader.url + request.raw_path
                sent = self._session.request(request.method, url, data=data, headers=headers, allow_redirects=False)
                async with sent as answer:
                    limit.reschedule(None)
                    return await self._back(request, answer, via)
        except TimeoutError:
            return web.Response(status=504, text="Connection to leader timed out.")
        except aiohttp.ClientConnectorError:
            return web.Response(status=502, text="Connection to leader refused.")

    async def _back(self, request: web.Request, answer: aiohttp.ClientResponse, via: str) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                response.headers.add(name, value)
        response.headers[VIA] = via
        await response.prepare(request)
        try:
            async for piece in answer.content.iter_any():
                await self.faults.going()
                await response.write(piece)
        except (aiohttp.ClientError, ConnectionError):
            if request.transport is not None:
                request.transport.abort()
        return response
