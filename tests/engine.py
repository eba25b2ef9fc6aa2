"""A private Docker Engine: a real dockerd with its own socket, in process and mount namespaces of its own.

When their first process ends, which it does with the test run, however that ends, the kernel ends all others of the
namespace: the daemon, containerd, every shim and container; and their mounts go too. The data is on a tmpfs.
"""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import tarfile
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from network import in_network_of
from servers import require

__all__ = ["IMAGE", "Connection", "Engine", "engine", "ready"]

IMAGE = "busybox:test"
JSON = {"Content-Type": "application/json"}
CGROUPS = Path("/sys/fs/cgroup")
APPLETS = (
    "sh",
    "sleep",
    "cat",
    "echo",
    "true",
    "false",
    "test",
    "touch",
    "rm",
    "id",
    "dd",
    "kill",
    "env",
    "stat",
    "httpd",
)


class Engine:
    """It can be killed and started again, stopped in its tracks, and looked at without our code.

    With a ``host`` name it is a machine of its own, as far as it can tell.
    """

    def __init__(
        self, *options: str, size: str = "256m", apart: bool = False, unified: bool = False, host: str = ""
    ) -> None:
        for program in ("containerd", "runc", "mount"):
            require(program)
        self._unshare = [require("setpriv"), "--pdeathsig", "KILL", require("unshare"), "--kill-child", "--fork"]
        self._nsenter, self._tini, self._dockerd = require("nsenter"), require("tini"), require("dockerd")
        self.home = Path(tempfile.mkdtemp(prefix="beaufort-engine-"))
        self.socket = self.home / "docker.sock"
        self.state = self.home / "state"
        self.log = self.home / "dockerd.log"
        self._size = size
        self._options = [*options, *([] if apart else ["--bridge=none"])]
        self._apart = apart
        self._unified = unified
        self._host = host
        self._cgroup = self.home.name
        self._space: subprocess.Popen[bytes] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None
        self._first = self._pid = 0

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def first(self) -> int:
        """The first process of its namespaces."""
        return self._first

    @property
    def _more_spaces(self) -> list[str]:
        return [*(["--net"] if self._apart else []), *(["--uts"] if self._host else [])]

    # Its life.

    def open(self) -> None:
        """Makes the namespaces, starts the daemon, and gives it an image."""
        self.state.mkdir()
        begin = (
            f"mount -t tmpfs -o size={self._size} tmpfs {self.state} && echo ready && exec {self._tini} sleep infinity"
        )
        begin = f"{require('busybox')} ifconfig lo up && {begin}" if self._apart else begin
        begin = f"mount -t cgroup2 cgroup2 {CGROUPS} && {begin}" if self._unified else begin
        begin = f"{require('busybox')} hostname {self._host} && {begin}" if self._host else begin
        spaces = ["--mount", "--propagation", "private", "--pid", "--mount-proc", "sh", "-c", begin]
        spaces = [*self._more_spaces, *spaces]
        self._space = subprocess.Popen([*self._unshare, *spaces], stdout=subprocess.PIPE)
        assert self._space.stdout is not None
        assert self._space.stdout.readline() == b"ready\n"
        self._first = _child(self._space.pid)
        self.start()
        name, _, tag = IMAGE.partition(":")
        tar = {"Content-Type": "application/x-tar"}
        self.send("POST", f"/images/create?fromSrc=-&repo={name}&tag={tag}", busybox(), tar)

    def start(self) -> None:
        """Starts the daemon, and returns when it listens."""
        options = ["--host", self.url, "--data-root", str(self.state / "data"), "--exec-root", str(self.home / "exec")]
        options += ["--pidfile", str(self.state / "pid"), "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        options += ["--cgroup-parent", f"/{self._cgroup}", "--storage-driver=overlay2", *self._options]
        spaces = ["--mount", "--pid", *self._more_spaces]
        command = [self._nsenter, "--target", str(self._first), *spaces, self._dockerd, *options]
        self._daemon = subprocess.Popen(command, stderr=subprocess.PIPE)
        assert self._daemon.stderr is not None
        ready(self._daemon.stderr, b"API listen on", self.log)
        self._pid = _child(self._daemon.pid)

    def kill(self) -> None:
        """The daemon dies at once, and containerd with it. The containers live on until it starts again, or longer."""
        assert self._daemon is not None
        os.kill(self._pid, signal.SIGKILL)
        self._daemon.wait()
        self._daemon = None

    def lose(self) -> None:
        """The machine dies at once, with the daemon and all containers, and does not come back."""
        if self._space is not None:
            self._space.kill()
            self._space.wait()

    def hang(self) -> None:
        """Stop the daemon's process: connections are made, and nobody answers."""
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._daemon is not None
        self._daemon.send_signal(signal.SIGCONT)  # nsenter stops with what it has started
        os.kill(self._pid, signal.SIGCONT)

    def close(self) -> None:
        if self._daemon is not None:
            self._daemon.kill()
        if self._space is not None:
            with suppress(ProcessLookupError):
                first = os.pidfd_open(self._first)
                self._space.kill()
                select.select([first], [], [])  # readable when the last process of the namespace has gone
                os.close(first)
            self._space.communicate()
        if self._daemon is not None:
            self._daemon.wait()
        for top in (CGROUPS / self._cgroup, *CGROUPS.glob(f"*/{self._cgroup}")):
            for group in sorted(top.glob("**/"), reverse=True):
                with suppress(OSError):
                    group.rmdir()
        shutil.rmtree(self.home)

    def fill(self, *, leave: int = 0) -> None:
        """Takes all of its disk but so many bytes. ``free`` gives it back."""
        room = os.statvfs(f"/proc/{self._first}/root{self.state}")
        self._inside("fallocate", "--length", str(room.f_bavail * room.f_frsize - leave), str(self.state / "ballast"))

    def free(self) -> None:
        self._inside("rm", str(self.state / "ballast"))

    def _inside(self, *command: str) -> None:
        subprocess.run([self._nsenter, "--target", str(self._first), "--mount", "--pid", *command], check=True)

    # What others can ask of it.

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer, which is JSON or nothing. Raises AssertionError if it is not what was asked for."""
        text = self.send(method, path, None if body is None else json.dumps(body).encode())
        return json.loads(text) if text else None

    def send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = JSON) -> bytes:
        """The answer, whatever it is."""
        connection = Connection(self.socket)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 400, f"{method} {path}: {answer.status} {text.decode()}"
            return text
        finally:
            connection.close()

    def containers(self, *, id_: str | None = None, **labels: str) -> list[dict[str, Any]]:
        """All that there are, with these labels (``_`` for a dot), the oldest first."""
        wanted = {"label": [f"{name.replace('_', '.')}={value}" for name, value in labels.items()]}
        wanted |= {} if id_ is None else {"id": [id_]}
        found: list[dict[str, Any]] = self.ask("GET", f"/containers/json?all=1&filters={quote(json.dumps(wanted))}")
        return sorted(found, key=lambda each: (each["Created"], each["Id"]))

    def inspect(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"/containers/{id_}/json")
        return found

    def run(self, *command: str, start: bool = True, **body: Any) -> str:
        """A container of somebody else's. Returns its id."""
        made = self.ask("POST", "/containers/create", {"Image": IMAGE, "Cmd": command, **body})
        if start:
            self.ask("POST", f"/containers/{made['Id']}/start")
        return str(made["Id"])

    def put(self, id_: str, path: str, *, folder: bool = False) -> None:
        """An empty file or folder in a container, with the folders above it."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.type, entry.mode = (tarfile.DIRTYPE, 0o777) if folder else (tarfile.REGTYPE, 0o644)
            tar.addfile(entry)
        tar_of = {"Content-Type": "application/x-tar"}
        self.send("PUT", f"/containers/{id_}/archive?path=/", archive.getvalue(), tar_of)

    def happened(self, since: float, service: str) -> list[dict[str, Any]]:
        """What its event log has of a service's containers from a time (of ``now``) until now."""
        filters = quote(json.dumps({"type": ["container"], "label": [f"beaufort.service={service}"]}))
        lines = self.send("GET", f"/events?since={since:.6f}&until={self.now:.6f}&filters={filters}").splitlines()
        return [json.loads(line) for line in lines]

    @property
    def now(self) -> float:
        """Seconds since the epoch, by its clock."""
        return datetime.fromisoformat(self.ask("GET", "/info")["SystemTime"]).timestamp()

    def within(self, work: Coroutine[Any, Any, None]) -> None:
        """Does it in the network of an engine that is apart: in a thread of its own that has moved there."""
        in_network_of(self._first, work)

    def follow(self, path: str) -> Iterator[dict[str, Any]]:
        """The lines of an answer that does not end."""
        connection = Connection(self.socket)
        try:
            connection.request("GET", path)
            for line in connection.getresponse():
                yield json.loads(line)
        finally:
            connection.close()

    async def removed(self, id_: str) -> None:
        """Returns when the container has been removed. (To ask the engine to wait for it may take for ever, if it is
        being removed already.)
        """
        await asyncio.to_thread(self._await_removal, id_)

    def _await_removal(self, id_: str) -> None:
        filters = quote(json.dumps({"container": [id_], "event": ["destroy"]}))
        connection = Connection(self.socket)
        try:
            connection.request("GET", f"/events?since=0&filters={filters}")
            events = connection.getresponse()
            if self.containers(id_=id_):
                assert events.readline()
        finally:
            connection.close()

    def clear(self) -> None:
        """Removes all containers."""
        for each in self.containers():
            with suppress(AssertionError):
                self.ask("DELETE", f"/containers/{each['Id']}?force=1&v=1")

    def images(self) -> list[str]:
        """By all their names, with tag or digest."""
        found = self.ask("GET", "/images/json")
        return [name for each in found for name in (each["RepoTags"] or []) + (each["RepoDigests"] or [])]

    def forget_images(self) -> None:
        """Removes all but the first."""
        for name in self.images():
            if name != IMAGE:
                with suppress(AssertionError):  # it has gone with another of its names
                    self.ask("DELETE", f"/images/{name}?force=1")


class Connection(http.client.HTTPConnection):
    """To a unix socket. ``timeout`` in seconds, None for none."""

    def __init__(self, path: Path, timeout: float | None = 60.0) -> None:
        super().__init__("engine", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def hang_up(self) -> None:
        """Whoever reads from it, in another thread, reads the end."""
        self.sock.shutdown(socket.SHUT_RDWR)


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def ready(says: IO[bytes], word: bytes, log: Path) -> None:
    """Returns when a server has said the word. All that it says, then and later, is in the log."""
    with log.open("ab") as written:
        for line in says:
            written.write(line)
            if word in line:
                break
        else:
            raise RuntimeError(f"the server did not start:\n{log.read_text()[-3000:]}")
    threading.Thread(target=_copy, args=(says, log), daemon=True).start()


def _copy(source: IO[bytes], target: Path) -> None:
    with source, suppress(OSError), target.open("ab", buffering=0) as log:
        shutil.copyfileobj(source, log, 1)


def busybox() -> bytes:
    """A root file system of one busybox and the links to it, as a tar archive."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(require("busybox"), "bin/busybox")
        for name in ("tmp", "etc"):
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o777
            tar.addfile(folder)
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return archive.getvalue()


@contextmanager
def engine(*options: str, size: str = "256m", apart: bool = False, unified: bool = False) -> Iterator[Engine]:
    """A daemon with these options; if it is to be ``apart``, with a network of its own, in which it may do anything.
    ``unified``: it sees control groups of version 2 alone, whatever the machine has.
    """
    private = Engine(*options, size=size, apart=apart, unified=unified)
    try:
        private.open()
        yield private
    finally:
        private.close()
