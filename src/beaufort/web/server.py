"""The server: serves the API of one controller in the controller's own event loop, and takes no signal from it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator

import uvicorn

from beaufort.controller import Controller
from beaufort.protocols import ConfigError
from beaufort.tokens import TokenFile
from beaufort.web.app import application
from beaufort.web.certificate import Certificate
from beaufort.web.connection import Connection
from beaufort.web.doorkeeper import Doorkeeper
from beaufort.web.gate import Gate
from beaufort.web.listening import Listening
from beaufort.web.station import Station

__all__ = ["Serving"]

SILENT = logging.CRITICAL + 1
"""What is to be said is an event: the server's own log would go into the middle of a live picture."""

GRACE = 1
"""Seconds that answers under way have at the end."""


class Serving:
    """The API of a controller, from before its first step until after its last."""

    def __init__(self, listening: Listening, controller: Controller, tasks: asyncio.TaskGroup) -> None:
        """Begin to serve, in these tasks. Raises BeaufortError where nothing can be served there."""
        self.station = Station(controller)
        self._controller = controller
        self.gate = _gate(listening, self.station)
        config = _config(listening, self.gate)
        self._server = _Server(config)
        bound = listening.bind()
        self.url = listening.url(bound.getsockname()[1])
        self._work = tasks.create_task(self.station.run(), name="station")
        self._served = tasks.create_task(self._serve(bound), name="serve")
        self._followed = None
        if config.ssl is not None and listening.tls_cert is not None and listening.tls_key is not None:
            certificate = Certificate(listening.tls_cert, listening.tls_key, config.ssl, controller.report)
            self._followed = tasks.create_task(certificate.follow(), name="certificate")
        wanted = listening.url(listening.port)
        taken = f"; {wanted} is taken" if listening.port and wanted != self.url else ""
        controller.report("serving", self.url + taken)
        if listening.is_open:
            controller.report("insecure", "other machines can reach the API, and it is not safe: --insecure says so")

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._server.server_state.connections)

    async def _serve(self, bound: socket.socket) -> None:
        try:
            await self._server.serve(sockets=[bound])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the API, the scaling goes on
            self._controller.report("api-lost", f"the API can't be served any more: {type(error).__name__}: {error}")
        finally:
            bound.close()

    async def close(self) -> None:
        """Tell those who follow, let answers under way come to their end, and serve no more."""
        self.station.feed.close()
        self._server.end()
        await self._served
        self._work.cancel()
        if self._followed is not None:
            self._followed.cancel()


class _Server(uvicorn.Server):
    """Does nothing while nobody asks, and ends as soon as the answers under way have."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()

    def end(self) -> None:
        self._ending.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The signals are the controller's."""
        yield

    async def main_loop(self) -> None:
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - as uvicorn has it
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=GRACE)
        for task in list(self.server_state.tasks):
            task.cancel()
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _gate(listening: Listening, station: Station) -> Gate:
    tokens = TokenFile(listening.tokens) if listening.asks and listening.tokens is not None else None
    doorkeeper = Doorkeeper(tokens, secure=listening.tls_cert is not None)
    inner = application(station, doorkeeper, page=listening.page)
    return Gate(inner, doorkeeper, listening.names, station.metrics.answered, station.fault)


def _config(listening: Listening, gate: Gate) -> uvicorn.Config:
    """Raises ConfigError for a certificate that is none, or does not fit its key."""
    config = uvicorn.Config(
        gate,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=SILENT,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        ssl_certfile=listening.tls_cert,
        ssl_keyfile=listening.tls_key,
    )
    try:
        config.load()
    except OSError as error:
        raise ConfigError([f"--tls-cert, --tls-key: expected a certificate and its key, in PEM: {error}"]) from error
    return config
