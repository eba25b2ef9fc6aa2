"""A relay between a framework and its master, on a thread of its own: it can cut what passes, and hold it back.

With certificates it is where TLS ends, for masters that have none.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Relay", "relay"]

CALL = re.compile(rb'"type":"([A-Z_]+)"')


class Relay:
    """``calls``: the types of the calls that came by, in their order."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self.port = 0
        self.calls: list[str] = []
        self._target = port
        self._context = context
        self._streams: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._held: set[str] = set()
        self._free = asyncio.Event()
        self._free.set()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._thread.start()
        self._ready.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Ends all connections at once."""
        self._loop.call_soon_threadsafe(self._cut)

    def hold(self, *types: str) -> None:
        """Holds back the answers to calls of these types; of SUBSCRIBE, all events but the first."""
        self._held = set(types)
        self._loop.call_soon_threadsafe(self._free.clear)

    def release(self) -> None:
        self._loop.call_soon_threadsafe(self._free.set)

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self) -> None:
        self._ended = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._context)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._ended.wait()
        server.close()
        self._cut()
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kinds: list[str] = []
        self._open.add(writer)
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(back)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._up(reader, back, kinds))
                tasks.create_task(self._down(there, writer, kinds))
            self._open.discard(back)
        writer.transport.abort()
        self._open.discard(writer)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kinds: list[str]) -> None:
        with suppress(OSError):
            while piece := await reader.read(2**16):
                for found in CALL.findall(piece)[:1]:
                    kinds[:] = [found.decode()]
                    self.calls.append(found.decode())
                if kinds and kinds[0] != "SUBSCRIBE" and kinds[0] in self._held:
                    await self._free.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kinds: list[str]) -> None:
        first = True
        with suppress(OSError):
            while piece := await reader.read(2**16):
                if not first and kinds == ["SUBSCRIBE"] and "SUBSCRIBE" in self._held:
                    await self._free.wait()
                first = first and b'"SUBSCRIBED"' not in piece
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


@contextmanager
def relay(port: int, context: ssl.SSLContext | None = None) -> Iterator[Relay]:
    """To a port of the loopback address."""
    private = Relay(port, context)
    private.start()
    try:
        yield private
    finally:
        private.close()
