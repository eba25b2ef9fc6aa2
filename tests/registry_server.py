"""A real image registry on the loopback address, with or without a password, and a gate before it."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import Engine, ready
from servers import free_port, require

__all__ = ["PASSWORD", "USER", "ImageRegistry", "gate", "image_registry"]

USER, PASSWORD = "ann", "s3cret:with a colon"
"""Who may read and write, where there is a password."""

CONFIG = """\
version: 0.1
log: {{level: info, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: "127.0.0.1:{port}"}}
{auth}"""


@dataclass(frozen=True)
class ImageRegistry:
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def config(self, password: str = PASSWORD) -> str:
        """What `docker login` would write."""
        auth = base64.b64encode(f"{USER}:{password}".encode()).decode()
        return json.dumps({"auths": {self.host: {"auth": auth}}, "credsStore": ""})

    def push(self, engine: Engine, name: str, *, megabytes: int = 0, **config: Any) -> str:
        """The test image under another name, with more in it, or a configuration of its own. Returns its digest."""
        container = engine.run("dd", "if=/dev/urandom", "of=/more", "bs=1M", f"count={megabytes}")
        engine.ask("POST", f"/containers/{container}/wait")
        repository, _, tag = name.partition(":")
        where = f"{self.host}/{repository}"
        engine.ask("POST", f"/commit?container={container}&repo={where}&tag={tag or 'latest'}", config)
        engine.ask("DELETE", f"/containers/{container}")
        said = engine.send("POST", f"/images/{where}/push?tag={tag or 'latest'}", headers=self._headers)
        engine.ask("DELETE", f"/images/{where}:{tag or 'latest'}?force=1")
        pushed = [json.loads(line) for line in said.splitlines()]
        return next(str(line["aux"]["Digest"]) for line in pushed if "aux" in line)

    @property
    def _headers(self) -> dict[str, str]:
        words = {"username": USER, "password": PASSWORD, "serveraddress": self.host}
        return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(words).encode()).decode()}


@contextmanager
def image_registry(folder: Path, *, password: bool = False, port: int | None = None) -> Iterator[ImageRegistry]:
    port = port or free_port()
    auth = ""
    if password:
        line = subprocess.run([require("htpasswd"), "-Bbn", USER, PASSWORD], check=True, capture_output=True)
        (folder / "passwords").write_bytes(line.stdout)
        auth = f"auth: {{htpasswd: {{realm: test, path: {folder / 'passwords'}}}}}\n"
    config = folder / "registry.yml"
    config.write_text(CONFIG.format(root=folder / "registry", port=port, auth=auth))
    log = folder / "registry.log"
    program = [require("setpriv"), "--pdeathsig", "KILL", require("docker-registry"), "serve", str(config)]
    process = subprocess.Popen(program, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        ready(process.stderr, b"listening on", log)
        yield ImageRegistry(port)
    finally:
        process.kill()
        process.wait()


@asynccontextmanager
async def gate(port: int, opened: asyncio.Event, *, after: int = 0) -> AsyncIterator[int]:
    """A port before another, through which no more than ``after`` bytes pass either way until it is ``opened``."""

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        passed = 0
        with suppress(ConnectionError):
            while data := await source.read(65536):
                passed += len(data)
                if passed > after:
                    await opened.wait()
                target.write(data)
                await target.drain()
        target.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(pass_on(reader, inner_writer))
            tasks.create_task(pass_on(inner_reader, writer))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
