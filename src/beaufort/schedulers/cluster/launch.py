"""How a Swarm service is made: from a service's launch to the body of the Engine API's create. It asks no manager."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from beaufort.model import Service
from beaufort.quantity import AtLeast, Seconds, shown
from beaufort.schedulers.cluster.constraints import CONSTRAINT
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE
from beaufort.schedulers.engine.wording import (
    PORT,
    Port,
    health,
    joined,
    miswritten,
    too_small,
    unlike,
    without_nothing,
    wrong_words,
)

__all__ = ["LAUNCH", "NEVER", "SwarmLaunch", "check", "said", "spec"]

LAUNCH = "beaufort.launch"
"""The label of the services that we have made: which launch they were made from."""

NEVER = 10 * 365 * 86_400
"""Seconds, ten years: what Swarm is to wait for before it starts another in the place of one that has ended. With a
restart condition of "none" it would take containers that have ended, and those that it was told to end, for replicas.
"""

LONGEST = 63
"""Characters: the longest name that Swarm gives a service."""

OURS: Mapping[str, str] = MappingProxyType(
    {
        "Name": "Beaufort names what it makes",
        "Mode": "how many there are is what Beaufort decides",
        "TaskTemplate/ContainerSpec/Image": "image is the key for it",
        "TaskTemplate/RestartPolicy": "Beaufort is the restart",
        "Labels/" + DEPLOYMENT: "it says whose the service is",
        "Labels/" + SERVICE: "it says whose the service is",
        "Labels/" + LAUNCH: "it says what the service was made from",
    }
)
"""What the verbatim part may not say, by the path to it, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwarmLaunch:
    """What a service may say of its containers on a Swarm, beside image, command, env, resources and grace.

    ``service``: the name of a replicated service that there is, to be scaled in place of one that Beaufort makes; what
    else it is stays as it is, and nothing else need be said. ``entrypoint``: what the command is given to, in place of
    the image's. ``ports``: "8080:80" is published by every node at 8080, 80 at a port that Swarm chooses.
    ``networks``: by name; the containers answer there to the service's name. ``volumes``: "/on/host:/inside" or
    "name:/inside", read only with ":ro". ``user``: a name or number, maybe with ":group". ``read_only``: whether only
    volumes can be written to. ``constraints``: which nodes it may use, such as "node.labels.zone == east".
    ``spread``: over which label's values it is spread evenly, such as node.labels.rack. ``max_per_node``: the most that
    one node may have. ``health_command``: run inside, as a list or as a line for its shell: until it succeeds the
    container counts as starting. ``health_interval``: from one to the next. ``health_timeout``: for one.
    ``health_retries``: failures in a row that are believed. ``health_start_period``: seconds in which failures don't
    count. ``stop_signal``: in place of the image's. ``init``: whether a first process of the engine's passes signals
    on, for programs that ignore SIGTERM. ``swarm``: anything else of the body of the Engine API's create of a service,
    as it is.
    """

    service: str | None = None
    entrypoint: tuple[str, ...] | str | None = None
    ports: tuple[Port | str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str | None = None
    read_only: bool = False
    constraints: tuple[str, ...] = ()
    spread: tuple[str, ...] = ()
    max_per_node: Annotated[int, AtLeast(1)] | None = None
    health_command: tuple[str, ...] | str | None = None
    health_interval: Seconds | None = None
    health_timeout: Seconds | None = None
    health_retries: Annotated[int, AtLeast(1)] | None = None
    health_start_period: Seconds | None = None
    stop_signal: str | None = None
    init: bool = False
    swarm: Mapping[str, Any] = field(default_factory=dict)


NOTHING_SAID = SwarmLaunch()


def said(service: Service) -> SwarmLaunch:
    """What the service says of its containers on a Swarm."""
    options = service.launch.options
    return options if isinstance(options, SwarmLaunch) else NOTHING_SAID


def check(service: Service) -> list[str]:
    """What is wrong with a launch, as far as it can be known without a manager. Each begins with its place."""
    return list(_faults(service, said(service)))


def _faults(service: Service, launch: SwarmLaunch) -> Iterator[str]:
    image = service.launch.image
    if launch.service is not None:
        yield from _said_twice(service, launch)
        return
    if image is None:
        yield "image: missing; expected an image such as shop/checkout:1.4, or service with the name of one that is there"
    yield from miswritten(image, launch.volumes, launch.stop_signal)
    yield from too_small(service)
    yield from _wrong_amounts(service)
    yield from _wrong_ports(launch)
    constraint = '"node.labels.zone == east", or with another key or !='
    yield from unlike(CONSTRAINT, constraint, {f"constraints.{i}": each for i, each in enumerate(launch.constraints)})
    yield from wrong_words("swarm", launch.swarm, OURS)


def _said_twice(service: Service, launch: SwarmLaunch) -> Iterator[str]:
    told = {"image": service.launch.image, "command": service.launch.command}
    told |= {name: getattr(launch, name) for name in SwarmLaunch.__dataclass_fields__ if name != "service"}
    for name, value in told.items():
        if value:
            yield f"{name}: expected nothing here, as service {shown(launch.service)} is there and says it itself"


def _wrong_amounts(service: Service) -> Iterator[str]:
    for name, amount in service.resources.items():
        if name not in {"cpu", "memory"} and amount != int(amount):
            yield f"resources.{name}: expected a whole number, as Swarm counts them, got {amount:g}"


def _wrong_ports(launch: SwarmLaunch) -> Iterator[str]:
    for index, written in enumerate(launch.ports):
        port = PORT.fullmatch(str(written))
        if port is None or port["ip"] or not all(1 <= int(port[name] or 1) <= 65535 for name in ("outer", "inner")):
            yield f'ports.{index}: expected 80 or "8080:80", maybe with "/udp", got {shown(written)}'


def spec(service: Service, deployment: str) -> dict[str, Any]:
    """What to send to a manager to have the service made, with no replicas yet. The launch has no faults."""
    launch = said(service)
    labels = {DEPLOYMENT: deployment, SERVICE: service.name}
    ours = {
        "Name": _name(deployment, service.name),
        "Labels": labels,
        "TaskTemplate": _template(service, launch, labels),
        "Mode": {"Replicated": {"Replicas": 0}},
        "EndpointSpec": {"Ports": [_port(port) for port in launch.ports]} if launch.ports else None,
    }
    made = joined(without_nothing(ours), launch.swarm)
    made["Labels"][LAUNCH] = hashlib.sha256(msgspec.json.encode(made, order="sorted")).hexdigest()[:16]
    return made


def _template(service: Service, launch: SwarmLaunch, labels: Mapping[str, str]) -> dict[str, Any]:
    container = {
        "Image": service.launch.image,
        "Labels": dict(labels),
        "Command": [launch.entrypoint] if isinstance(launch.entrypoint, str) else launch.entrypoint,
        "Args": list(service.launch.command),
        "Env": [f"{name}={value}" for name, value in service.launch.env.items()],
        "User": launch.user,
        "ReadOnly": launch.read_only,
        "StopSignal": launch.stop_signal,
        "Init": launch.init,
        "Mounts": [_mount(volume) for volume in launch.volumes],
        "Healthcheck": health(launch),
    }
    return without_nothing(
        {
            "ContainerSpec": {**without_nothing(container), "StopGracePeriod": math.ceil(service.launch.grace) * 10**9},
            "Resources": _resources(service),
            "RestartPolicy": {"Condition": "any", "Delay": NEVER * 10**9},
            "Placement": _placement(launch),
            "Networks": [{"Target": network, "Aliases": [service.name]} for network in launch.networks],
        }
    )


def _resources(service: Service) -> dict[str, Any]:
    """Swarm gives no node more than it reserves there, and the node's engine no container more than its limit."""
    amounts = dict(service.resources.items())
    both = {"NanoCPUs": round(amounts.pop("cpu", 0) * 1e9), "MemoryBytes": round(amounts.pop("memory", 0))}
    both = without_nothing(both)
    generic = [
        {"DiscreteResourceSpec": {"Kind": name, "Value": int(amount)}} for name, amount in amounts.items() if amount
    ]
    return without_nothing({"Limits": both, "Reservations": without_nothing({**both, "GenericResources": generic})})


def _placement(launch: SwarmLaunch) -> dict[str, Any]:
    return without_nothing(
        {
            "Constraints": launch.constraints,
            "Preferences": [{"Spread": {"SpreadDescriptor": label}} for label in launch.spread],
            "MaxReplicas": launch.max_per_node,
        }
    )


def _mount(volume: str) -> dict[str, Any]:
    source, target, *options = volume.split(":")
    kind = "bind" if source.startswith("/") else "volume"
    read_only = any("ro" in option.split(",") for option in options)
    return without_nothing({"Type": kind, "Source": source, "Target": target, "ReadOnly": read_only})


def _port(written: int | str) -> dict[str, Any]:
    port = PORT.fullmatch(str(written))
    assert port is not None
    outer = int(port["outer"]) if port["outer"] else None
    return without_nothing(
        {"Protocol": port["kind"] or "tcp", "TargetPort": int(port["inner"]), "PublishedPort": outer}
    )


def _name(deployment: str, service: str) -> str:
    """One that Swarm accepts, that tells people what it is, and that no other service's can be."""
    plain = f"beaufort-{deployment}-{service}"
    name = re.sub(r"[^A-Za-z0-9-]+", "-", plain).rstrip("-")
    if name == plain and len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('-')}-{hashlib.sha256(f'{deployment}/{service}'.encode()).hexdigest()[:8]}"
