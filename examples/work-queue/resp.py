"""A Redis client of a few lines. These programs start often, and importing the library takes longer than all the rest."""

from __future__ import annotations

import os
import socket
from typing import Any


class Redis:
    """The server that REDIS_URL names, as ``redis://host:port/db``. Call it with a command: ``redis("INCR", "key")``."""

    def __init__(self) -> None:
        place, _, database = os.environ["REDIS_URL"].removeprefix("redis://").partition("/")
        host, _, port = place.partition(":")
        self._socket = socket.create_connection((host, int(port or 6379)))
        self._replies = self._socket.makefile("rb")
        self("SELECT", database or "0")

    def __call__(self, *words: str) -> Any:
        """The server's reply. Raises RuntimeError with its words when it refuses, ConnectionError when it is gone."""
        encoded = [word.encode() for word in words]
        self._socket.sendall(
            b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        )
        return self._reply()

    def _reply(self) -> Any:
        line = self._replies.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the Redis server has closed the connection")
        kind, rest = line[:1], line[1:-2]
        match kind:
            case b"-":
                raise RuntimeError(rest.decode())
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"$":
                return None if rest == b"-1" else self._replies.read(int(rest) + 2)[:-2]
            case _:
                return None if rest == b"-1" else [self._reply() for _ in range(int(rest))]
