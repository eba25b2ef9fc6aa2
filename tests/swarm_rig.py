"""A real Docker Swarm on one machine: several private engines, joined by a network of their own.

Each engine is a machine to Swarm: with a name, an address and a cable to the switch, which can be pulled. All of it lives
in namespaces, so that several swarms don't meet, and the machine that the tests run on is left as it is.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from engine import IMAGE, Engine
from servers import require

__all__ = ["Swarm", "swarm"]

SUBNET = "10.99.0"
SECOND = 10**9


class Swarm:
    """``engines``: by the name of their machine. The first so many are managers. A node is down ``3 * heartbeat`` later."""

    def __init__(self, nodes: int = 3, managers: int = 1, heartbeat: float = 1.0, size: str = "256m") -> None:
        self.engines: dict[str, Engine] = {}
        self._nodes, self._managers, self._heartbeat, self._size = nodes, managers, heartbeat, size
        self._ip, self._nsenter = require("ip"), require("nsenter")
        self._switch: subprocess.Popen[bytes] | None = None
        self._lost: set[str] = set()

    @property
    def first(self) -> Engine:
        """The manager that is spoken to: the first that is not lost."""
        return self.up[0]

    switch_address = f"{SUBNET}.254"

    @property
    def at_switch(self) -> list[str]:
        """Begins a command that is to run where all machines can reach it, at ``switch_address``."""
        assert self._switch is not None
        return [self._nsenter, "--target", str(self._switch.pid), "--net"]

    @property
    def up(self) -> list[Engine]:
        return [engine for name, engine in self.engines.items() if name not in self._lost]

    def open(self) -> None:
        begin = "ip link add switch type bridge && ip link set switch up && echo ready && exec sleep infinity"
        unshare = [require("setpriv"), "--pdeathsig", "KILL", require("unshare"), "--net"]
        self._switch = subprocess.Popen([*unshare, "sh", "-c", begin], stdout=subprocess.PIPE)
        assert self._switch.stdout is not None
        assert self._switch.stdout.readline() == b"ready\n"
        self._at_switch("addr", "add", f"{self.switch_address}/24", "dev", "switch")
        for number in range(1, self._nodes + 1):
            self._machine(number)
        raft = {"ElectionTick": 3, "HeartbeatTick": 1}
        spec = {"Dispatcher": {"HeartbeatPeriod": round(self._heartbeat * SECOND)}, "Raft": raft}
        body = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": f"{SUBNET}.1", "Spec": spec}
        self.first.ask("POST", "/swarm/init", body)
        for number in range(2, self._nodes + 1):
            self._join(number, manager=number <= self._managers)

    def add(self) -> Engine:
        """One more machine, as a worker."""
        number = len(self.engines) + 1
        engine = self._machine(number)
        self._join(number, manager=False)
        return engine

    def _machine(self, number: int) -> Engine:
        engine = self.engines[f"n{number}"] = Engine("--bridge=none", size=self._size, apart=True, host=f"n{number}")
        engine.open()
        self._at_switch("link", "add", f"n{number}", "type", "veth", "peer", "name", "eth0", "netns", str(engine.first))
        self._at_switch("link", "set", f"n{number}", "master", "switch", "up")
        inside = [self._nsenter, "--target", str(engine.first), "--net", self._ip]
        subprocess.run([*inside, "addr", "add", f"{SUBNET}.{number}/24", "dev", "eth0"], check=True)
        subprocess.run([*inside, "link", "set", "eth0", "up"], check=True)
        return engine

    def _join(self, number: int, *, manager: bool) -> None:
        token = self.first.ask("GET", "/swarm")["JoinTokens"]["Manager" if manager else "Worker"]
        there = {"JoinToken": token, "RemoteAddrs": [f"{SUBNET}.1:2377"]}
        here = {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": f"{SUBNET}.{number}"}
        self.engines[f"n{number}"].ask("POST", "/swarm/join", {**here, **there})

    def _at_switch(self, *command: str) -> None:
        subprocess.run([*self.at_switch, self._ip, *command], check=True)

    # What can happen to it.

    def cut(self, name: str) -> None:
        """Pull the cable of a machine: it and its containers run on, and nobody hears of it."""
        self._at_switch("link", "set", name, "down")

    def heal(self, name: str) -> None:
        self._at_switch("link", "set", name, "up")

    def lose(self, name: str) -> None:
        self._lost.add(name)
        self.engines[name].lose()

    def set_node(self, name: str, **spec: Any) -> None:
        """Such as ``Availability="drain"`` or ``Labels={...}``."""
        node = next(each for each in self.first.ask("GET", "/nodes") if each["Description"]["Hostname"] == name)
        path = f"/nodes/{node['ID']}/update?version={node['Version']['Index']}"
        self.first.ask("POST", path, {**node["Spec"], **spec})

    # What others can ask of it.

    def services(self, **labels: str) -> list[dict[str, Any]]:
        return self._listed("/services", [f"{name}={value}" for name, value in labels.items()])

    def tasks(self, **labels: str) -> list[dict[str, Any]]:
        return self._listed("/tasks", [f"{name}={value}" for name, value in labels.items()])

    def _listed(self, path: str, labels: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.first.ask("GET", f"{path}?filters={quote(json.dumps({'label': labels}))}")
        return found

    def make(self, name: str, replicas: int, **spec: Any) -> str:
        """A service of somebody else's. Returns its id."""
        template = {"ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000"], "Init": True}}
        mode = {"Replicated": {"Replicas": replicas}}
        made = self.first.ask(
            "POST", "/services/create", {"Name": name, "TaskTemplate": template, "Mode": mode, **spec}
        )
        return str(made["ID"])

    def change(self, id_: str, **spec: Any) -> None:
        """What somebody else changes of a service. ``Replicas`` is short for the mode."""
        found = self.first.ask("GET", f"/services/{id_}")
        if "Replicas" in spec:
            spec["Mode"] = {"Replicated": {"Replicas": spec.pop("Replicas")}}
        path = f"/services/{id_}/update?version={found['Version']['Index']}"
        self.first.ask("POST", path, {**found["Spec"], **spec})

    def clear(self) -> None:
        """Removes all services, and every container at once."""
        for service in self.services():
            self.first.ask("DELETE", f"/services/{service['ID']}")
        for engine in self.up:
            engine.clear()

    def close(self) -> None:
        for engine in self.up:
            engine.lose()  # all of them, as each takes a while to be gone
        for engine in self.engines.values():
            engine.close()
        if self._switch is not None:
            self._switch.kill()
            self._switch.communicate()


@contextmanager
def swarm(nodes: int = 3, managers: int = 1, heartbeat: float = 1.0, size: str = "256m") -> Iterator[Swarm]:
    private = Swarm(nodes, managers, heartbeat, size)
    try:
        private.open()
        yield private
    finally:
        private.close()
