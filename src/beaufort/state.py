"""A state of the world to plan for, as a person or a program writes it down: counts, demand, and maybe capacity."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from beaufort.config import Config
from beaufort.model import NO_STANDBY, Counts, Node, Reach, Standby
from beaufort.protocols import ConfigError
from beaufort.quantity import AtLeast, shown
from beaufort.reading.composer import read
from beaufort.reading.document import Document, Fault, Place
from beaufort.reading.shape import FAULTY, nearest
from beaufort.reading.signature import REQUIRED, Signature
from beaufort.sections import Count, Name, Room, capacity, standby

__all__ = ["State", "load_state", "read_state"]


@dataclass(frozen=True, slots=True)
class State:
    """``now`` in seconds; ``demand`` only of the services that have data; ``nodes`` empty for the configuration's own;
    ``reach`` as in a `Cluster`.
    """

    now: float
    counts: Mapping[str, Counts]
    demand: Mapping[str, float]
    nodes: tuple[Node, ...]
    reach: Mapping[str, Reach] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """What there is of a service. ``demand``: what was measured; null is no data. ``on``: how many each node holds."""

    running: Count = 0
    starting: Count = 0
    stopping: Count = 0
    standby: Annotated[Standby, Signature(standby)] = NO_STANDBY
    demand: Annotated[float, AtLeast(0)] | None = None
    on: Mapping[str, Count] = field(default_factory=dict)

    def counts(self) -> Counts:
        return Counts(self.running, self.starting, self.stopping, self.standby, on=self.on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """``now``: seconds. ``capacity``, or ``nodes`` by name, instead of the configuration's."""

    services: Annotated[Mapping[Name, Annotated[ServiceState, Signature(ServiceState)]], REQUIRED] = field(
        default_factory=dict
    )
    now: float = 0.0
    capacity: Annotated[tuple[Node, ...], Signature(capacity)] = ()
    nodes: Mapping[Name, Room] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.capacity and self.nodes:
            raise ValueError("nodes: expected either capacity or nodes, got both")


CONTENTS = Signature(Contents)


def load_state(file: Path, config: Config) -> State:
    """The state in a JSON (or YAML) file. Raises ConfigError with every fault, each with its line."""
    return _state(read(file), config)


def read_state(data: Mapping[str, Any], config: Config) -> State:
    """The state in a mapping. Raises ConfigError with every fault; a place begins with ``state``."""
    try:
        return _state(Document(_named_nodes(data)), config)
    except ConfigError as error:
        raise ConfigError([f"state: {fault}" for fault in error.faults]) from None


def _state(document: Document, config: Config) -> State:
    top, faults = Place(document), list(document.faults)
    try:
        contents = CONTENTS.read(document.data, top, faults)
    except ValueError as error:
        faults.append(top.fault(str(error)))
        contents = FAULTY
    faults += _strangers(top, [service.name for service in config.services])
    if faults or not isinstance(contents, Contents):
        raise ConfigError([fault.text for fault in sorted(faults)])
    nodes = contents.capacity or tuple(Node(name, room) for name, room in contents.nodes.items())
    demand = {name: each.demand for name, each in contents.services.items() if each.demand is not None}
    return State(contents.now, {name: each.counts() for name, each in contents.services.items()}, demand, nodes)


def _strangers(top: Place, known: list[str]) -> Iterator[Fault]:
    """Services that the configuration does not have, whether or not the rest of the state can be read."""
    data = top.document.data
    services = data.get("services") if isinstance(data, Mapping) else None
    for name in services if isinstance(services, Mapping) else ():
        if isinstance(name, str) and name not in known:
            near = nearest(name, known)
            hint = f"did you mean {shown(near)}?" if near else f"expected {', '.join(known)}"
            yield top.below("services", name).fault(f"unknown service {shown(name)}; {hint}", key=True)


def _named_nodes(data: Mapping[str, Any]) -> dict[str, Any]:
    """A list of nodes with a ``name`` each is taken for a mapping by name."""
    nodes = data.get("nodes")
    if not isinstance(nodes, list) or not all(isinstance(node, Mapping) and "name" in node for node in nodes):
        return dict(data)
    rooms = {node["name"]: node.get("capacity", {k: v for k, v in node.items() if k != "name"}) for node in nodes}
    return {**data, "nodes": rooms}
