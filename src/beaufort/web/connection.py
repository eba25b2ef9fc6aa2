"""A connection that wastes nobody's time: what a client does not say, or does not take, in time ends it."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["Connection"]

HEAD = 10.0
"""Seconds for a request's head, from the first byte or the opening of the connection."""

STALL = 20.0
"""Seconds for which a client may take nothing of what is sent to it."""

LARGEST_HEAD = 64 * 1024
"""Bytes of a request's head, at most."""

MOST = 4096
"""Connections at one time. The next one is closed at once."""


class Connection(HttpToolsProtocol):
    """One connection of a client. An idle one between two requests is closed by the server's own time limit."""

    _head: asyncio.TimerHandle | None = None
    _stall: asyncio.TimerHandle | None = None
    _heard = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST:
            transport.abort()
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_head()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        super().data_received(data)
        if self._head is not None and self._heard > LARGEST_HEAD:
            self.transport.abort()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._expect_no_head()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(STALL, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def _expect_head(self) -> None:
        self._expect_no_head()
        self._heard = 0
        self._head = self.loop.call_later(HEAD, self.transport.abort)

    def _expect_no_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None
