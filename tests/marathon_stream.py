"""``/v2/events``: the events as a stream, with an empty line now and then so that it is not taken for dead."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from marathon_member import FAULTS, Faults
from marathon_scheduler import Scheduler

__all__ = ["EventsApi"]

TYPE = "text/event-stream"


class EventsApi:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._open: set[asyncio.Transport] = set()

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Only who asks for nothing but a stream of events gets it."""
        if TYPE not in request.headers.getall("Accept", []):
            return web.Response(status=405, text="HTTP method GET is not supported by this URL")
        response = web.StreamResponse(headers={"Content-Type": f"{TYPE};charset=utf-8", "Cache-Control": "no-cache"})
        await response.prepare(request)
        types = set(request.query.getall("event_type", []))
        light = "light" in request.query.getall("plan-format", [])
        transport = request.transport
        assert transport is not None
        self._open.add(transport)
        try:
            with self._scheduler.bus.listening(types, request.remote or "", light=light) as listening:
                await self._send(response, listening.queue, request.app[FAULTS])
        finally:
            self._open.discard(transport)
        return response

    async def _send(self, response: web.StreamResponse, queue: asyncio.Queue[bytes | None], faults: Faults) -> None:
        with suppress(ConnectionError):
            while True:
                piece: bytes | None = b"\r\n"
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._scheduler.settings.heartbeat):
                        piece = await queue.get()
                if piece is None:
                    return
                await faults.going()
                await response.write(piece)

    def cut(self) -> None:
        """Ends all streams in the middle of it."""
        for each in self._open:
            each.abort()
