"""Real servers for tests, on the loopback address and free ports. They die with the test run, however it ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from redis.asyncio import Redis

__all__ = ["RedisServer", "free_port", "missing", "redis_server", "require"]


def require(program: str) -> str:
    """The path of a program that the test needs. Without it the test is skipped; with BEAUFORT_REQUIRE=all it fails."""
    return shutil.which(program) or missing(program)


def missing(what: str) -> NoReturn:
    """The test needs what is not installed: it is skipped, or with BEAUFORT_REQUIRE=all it fails."""
    if os.environ.get("BEAUFORT_REQUIRE") == "all":
        pytest.fail(f"{what} is not installed, and BEAUFORT_REQUIRE=all")
    pytest.skip(f"{what} is not installed")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A Redis server without persistence, which can be killed, started again on its port, and stopped in its tracks.

    It is at 127.0.0.1, or at the ``address`` that there is where the command ``within`` leads.
    """

    def __init__(self, folder: Path, address: str = "127.0.0.1", within: Sequence[str] = ()) -> None:
        self._folder = folder
        self._address = address
        # The kernel kills the server when the test run dies, even by SIGKILL.
        self._program = [require("setpriv"), "--pdeathsig", "KILL", *within, require("redis-server")]
        self._process: subprocess.Popen[str] | None = None
        self.port = free_port()
        self.socket = folder / "redis.sock"

    @property
    def url(self) -> str:
        return f"redis://{self._address}:{self.port}/0"

    def start(self) -> None:
        options = ["--port", str(self.port), "--bind", self._address, "--unixsocket", str(self.socket)]
        options += ["--dir", str(self._folder), "--save", "", "--protected-mode", "no"]
        self._process = subprocess.Popen([*self._program, *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        said = ""
        for line in self._process.stdout:
            said += line
            if "Ready to accept connections" in line:
                return
        self.kill()
        raise RuntimeError(f"redis-server did not start:\n{said}")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def hang(self) -> None:
        """Stop the process: it holds its connections, accepts others, and answers nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def client(self) -> Redis:
        return Redis.from_url(self.url, decode_responses=True)


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    server = RedisServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()
