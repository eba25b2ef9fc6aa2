"""A private Mesos: a real master and its agents on the loopback address, in a process namespace of their own.

They are one process, but for the agents that are to hang or die alone.

What stands in for Mesos's helper programs is beside it (see ``mesos_containerizer`` and ``mesos_executor``). When the
first process of the namespace ends, which it does with the test run, the kernel ends the cluster and all of its tasks.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mesos_build import mesos_program
from servers import free_port, require

__all__ = ["Mesos", "Process", "mesos"]

HERE = Path(__file__).parent
RESOURCES = "cpus:4;mem:4096;disk:10000;ports:[31000-32000]"
ALIVE = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"}
JSON = {"Content-Type": "application/json", "Accept": "application/json"}


class Process:
    """One in the namespace that begins with ``first``; it can be killed, started again, and stopped in its tracks."""

    def __init__(self, first: int, program: Path, environment: dict[str, str], log: Path) -> None:
        self._command = [require("nsenter"), "--target", str(first), "--mount", "--pid", str(program)]
        self._environment, self._log = environment, log
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as said:
            self._entered = subprocess.Popen(self._command, env=self._environment, stdout=said, stderr=said)

    @property
    def _pid(self) -> int:
        return _child(self._entered.pid)

    @property
    def lives(self) -> bool:
        return self._entered.poll() is None

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        self._entered.wait()

    def hang(self) -> None:
        """Connections are made, and nobody answers."""
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        self._entered.send_signal(signal.SIGCONT)  # nsenter stops with what it has started
        os.kill(self._pid, signal.SIGCONT)

    def close(self) -> None:
        """What it has entered for has ended."""
        self._entered.kill()
        self._entered.wait()


class Mesos:
    """It can be killed and started again (the tasks live on), stopped in its tracks, and looked at without our code.

    ``flags`` are Mesos's own, as in ``allocation_interval="1secs"``.
    """

    def __init__(self, *, agents: int = 3, resources: str = RESOURCES, **flags: str) -> None:
        self._program = mesos_program()
        unshare = [require("unshare"), "--kill-child", "--fork", "--mount", "--pid", "--mount-proc"]
        self._unshare = [require("setpriv"), "--pdeathsig", "KILL", *unshare, require("tini"), "sleep", "infinity"]
        self.home = Path(tempfile.mkdtemp(prefix="beaufort-mesos-"))
        self.log = self.home / "log"
        self.port = free_port()
        self._agents = agents
        self._flags = {"allocation_interval": "100ms", "resources": resources, **flags}
        self._space: subprocess.Popen[bytes] | None = None
        self._cluster: Process | None = None
        self._apart: list[Process] = []
        self._first = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    # Its life.

    def open(self) -> None:
        helpers = self.home / "helpers"
        helpers.mkdir()
        for name in ("containerizer", "executor"):
            (helpers / f"mesos-{name}").symlink_to(HERE / f"mesos_{name}.py")
        self._space = subprocess.Popen(self._unshare)
        self._first = _child(self._space.pid)
        self.start()

    def start(self, agents: int | None = None) -> None:
        """Returns when the master is elected and all agents have registered with it, or so many of them."""
        agents = self._agents if agents is None else agents
        self._cluster = self._run(self._environment(agents))
        self._await(agents, self._cluster)

    def add(self) -> Process:
        """One more agent, in a process of its own. Returns when it has registered."""
        agents = self._registered() + 1
        work, port = str(self.home / f"apart-{len(self._apart)}"), str(free_port())
        its = {"AGENTS_OF": self.address, "LIBPROCESS_PORT": port, "MESOS_PORT": port, "MESOS_WORK_DIR": work}
        agent = self._run(self._environment(1) | its)
        self._apart.append(agent)
        self._await(agents, agent)
        return agent

    def _run(self, environment: dict[str, str]) -> Process:
        return Process(self._first, self._program, environment, self.log)

    def _await(self, agents: int, started: Process) -> None:
        while self._registered() < agents:
            if not started.lives:
                raise RuntimeError(f"Mesos did not start:\n{self.log.read_text()[-3000:]}")
            select.select([], [], [], 0.02)

    def _registered(self) -> int:
        with suppress(OSError, ValueError):
            return sum(each["active"] for each in self.get("/master/slaves")["slaves"])
        return 0

    def _environment(self, agents: int) -> dict[str, str]:
        ours = {
            "work_dir": str(self.home / "work"),
            "num_slaves": str(agents),
            "containerizers": "mesos",
            "isolation": "posix/cpu,posix/mem",
            "launcher": "posix",
            "launcher_dir": str(self.home / "helpers"),
            "systemd_enable_support": "false",
            "logging_level": "WARNING",
            "ip": "127.0.0.1",
            "port": str(self.port),
        }
        process = {"LIBPROCESS_IP": "127.0.0.1", "LIBPROCESS_PORT": str(self.port)}
        search = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(self._program.parent)}
        return {**search, **process, **{f"MESOS_{key.upper()}": each for key, each in (ours | self._flags).items()}}

    def kill(self) -> None:
        """Master and agents die at once. The tasks and their executors live on."""
        assert self._cluster is not None
        self._cluster.kill()
        self._cluster = None

    def hang(self) -> None:
        """Stop the process of the master."""
        assert self._cluster is not None
        self._cluster.hang()

    def go_on(self) -> None:
        assert self._cluster is not None
        self._cluster.go_on()

    def close(self) -> None:
        if self._space is not None:
            with suppress(ProcessLookupError, IndexError):
                first = os.pidfd_open(self._first)
                self._space.kill()
                select.select([first], [], [])
                os.close(first)
            self._space.wait()
        for each in [*self._apart, *([self._cluster] if self._cluster else [])]:
            each.close()
        shutil.rmtree(self.home, ignore_errors=True)

    # What others can ask of it.

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
            return json.load(answer)

    def ask(self, call: dict[str, Any]) -> Any:
        """A call of the operator's API."""
        body = json.dumps(call).encode()
        request = urllib.request.Request(f"http://{self.address}/master/api/v1", body, JSON)
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def frameworks(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/master/frameworks")["frameworks"]
        return found

    def completed(self) -> list[dict[str, Any]]:
        """Frameworks that have ended."""
        found: list[dict[str, Any]] = self.get("/master/frameworks")["completed_frameworks"]
        return found

    def tasks(self) -> list[dict[str, Any]]:
        """All that live, of all frameworks, as the master knows them. It keeps those of whose end it has no receipt."""
        found = [task for framework in self.frameworks() for task in framework["tasks"]]
        return [task for task in found if task["state"] in ALIVE]

    def agents(self) -> list[str]:
        return [each["id"] for each in self.get("/master/slaves")["slaves"]]

    def rescinded(self) -> None:
        """Returns when an offer has been made and taken back."""
        self.until(lambda: self._outstanding() > 0)
        self.until(lambda: self._outstanding() == 0)

    def _outstanding(self) -> float:
        return float(self.get("/metrics/snapshot")["master/outstanding_offers"])

    def until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.02)

    def maintain(self) -> None:
        """Announces that the machine is to go down, in an hour."""
        start = {"nanoseconds": int((time.time() + 3600) * 1e9)}
        machine = {"hostname": "localhost", "ip": "127.0.0.1"}
        window = {"machine_ids": [machine], "unavailability": {"start": start}}
        self.ask(
            {"type": "UPDATE_MAINTENANCE_SCHEDULE", "update_maintenance_schedule": {"schedule": {"windows": [window]}}}
        )

    def consents(self) -> dict[str, str]:
        """What frameworks have answered to the maintenance to come, by their ids."""
        status = self.ask({"type": "GET_MAINTENANCE_STATUS"})["get_maintenance_status"]["status"]
        machines = status.get("draining_machines", [])
        return {each["framework_id"]["value"]: each["status"] for one in machines for each in one.get("statuses", [])}

    def processes(self) -> list[tuple[int, str]]:
        """What really runs: the first process of each task, with the task's id."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (folder / "environ").read_bytes().split(b"\0")
                ours = any(each.startswith(f"MESOS_SANDBOX={self.home}".encode()) for each in environment)
                if ours and os.getsid(pid := int(folder.name)) == pid and b"mesos-" not in _command(folder):
                    ids = [each.partition(b"=")[2] for each in environment if each.startswith(b"MESOS_EXECUTOR_ID=")]
                    found += [(pid, id_.decode()) for id_ in ids]
        return found

    def clear(self) -> None:
        """Tears down every framework: the tasks go with it."""
        for each in self.frameworks():
            body = f"frameworkId={each['id']}".encode()
            with suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f"http://{self.address}/master/teardown", body, timeout=10).close()


def _command(folder: Path) -> bytes:
    return (folder / "cmdline").read_bytes()


def _child(pid: int) -> int:
    while not (children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
        select.select([], [], [], 0.005)
    return int(children[0])


@contextmanager
def mesos(*, agents: int = 3, resources: str = RESOURCES, **flags: str) -> Iterator[Mesos]:
    private = Mesos(agents=agents, resources=resources, **flags)
    try:
        private.open()
        yield private
    finally:
        private.close()
