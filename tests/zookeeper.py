"""A private ZooKeeper on the loopback address, and what a Mesos master writes there when it comes to lead."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kazoo.client import KazooClient

from servers import free_port, missing, require

__all__ = ["ZooKeeper", "zookeeper"]

JAR = Path("/usr/share/java/zookeeper.jar")
MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"


class ZooKeeper:
    """``register`` is what a master does: a node in sequence, which is there while its session lasts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"zk://127.0.0.1:{self.port}/mesos"

    def open(self) -> None:
        java = require("java")
        if not JAR.exists():
            missing("zookeeper")
        command = [require("setpriv"), "--pdeathsig", "KILL", java, "-Xmx64m", "-Dzookeeper.admin.enableServer=false"]
        server = [*command, "-cp", str(JAR), MAIN, str(self.port), str(self._folder / "data")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(server, stdout=log, stderr=log)
        self.leave(self._client())

    def _client(self) -> KazooClient:
        """Returns when the server lets us in."""
        client = KazooClient(f"127.0.0.1:{self.port}")
        client.start(timeout=30)
        return client

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def leave(self, client: KazooClient) -> None:
        client.stop()
        client.close()

    def register(self, port: int) -> KazooClient:
        """A master at this port is here; it leads if it is the first. It ends with the client."""
        client = self._client()
        address = {"hostname": "localhost", "ip": "127.0.0.1", "port": port}
        info = {"address": address, "hostname": "localhost", "id": "x", "ip": 16777343, "pid": "master@", "port": port}
        body = json.dumps(info).encode()
        client.create("/mesos/json.info_", body, ephemeral=True, sequence=True, makepath=True)
        return client


@contextmanager
def zookeeper() -> Iterator[ZooKeeper]:
    with tempfile.TemporaryDirectory(prefix="beaufort-zookeeper-") as folder:
        private = ZooKeeper(Path(folder))
        private.open()
        try:
            yield private
        finally:
            private.close()
