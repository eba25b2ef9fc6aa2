"""How one task is made: from a service's launch to what Mesos calls a TaskInfo. It asks no master."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from beaufort.constraints import Constraint, faults, parsed
from beaufort.model import Resources, Service
from beaufort.quantity import AtLeast, Between, Seconds
from beaufort.schedulers.framework.amounts import PORTS

__all__ = ["MesosLaunch", "check", "constraints", "has_check", "size", "task_info"]

OURS: Mapping[str, str] = MappingProxyType(
    {
        "task_id": "it says whose the task is",
        "agent_id": "Beaufort chooses the agent",
        "resources": "resources and ports are the keys for it",
        "executor": "Beaufort runs commands and containers",
    }
)
"""What the verbatim part may not say, and why."""

Port = Annotated[int, Between(0, 65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MesosLaunch:
    """What a service may say of its tasks on Mesos, beside image, command, env, resources and grace.

    ``ports``: one port of the agent for each; in a network of its own the container has it under this number, or under
    the agent's if this is 0. The task finds them as $PORT0, $PORT1 and so on, the first also as $PORT. ``runtime``: what
    runs the image, Docker or Mesos's own containerizer. ``network``: host, bridge, or the name of one that Mesos knows.
    ``constraints``: where its tasks may be, such as "@hostname UNIQUE", "zone GROUP_BY" or "zone LIKE a|b"; fields are
    attributes of agents, @hostname, @agent, @region and @zone. ``prefer``: the same, where it is only better so.
    ``health_command``: run beside the task: until it succeeds the task counts as starting. ``health_path``: the same by
    HTTP on the first port. ``health_interval``: from one to the next. ``health_timeout``: for one. ``health_retries``: failures in a row after
    which the task is killed. ``health_start_period``: seconds in which failures don't count. ``mesos``: anything else of
    a TaskInfo, as it is.
    """

    ports: tuple[Port, ...] = ()
    runtime: Literal["docker", "mesos"] = "docker"
    network: str | None = None
    constraints: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()
    health_command: str | None = None
    health_path: str | None = None
    health_interval: Seconds | None = None
    health_timeout: Seconds | None = None
    health_retries: Annotated[int, AtLeast(1)] | None = None
    health_start_period: Seconds | None = None
    mesos: Mapping[str, Any] = field(default_factory=dict)


NOTHING_SAID = MesosLaunch()


def said(service: Service) -> MesosLaunch:
    options = service.launch.options
    return options if isinstance(options, MesosLaunch) else NOTHING_SAID


def check(service: Service) -> list[str]:
    """What is wrong with a launch, as far as it can be known without a master. Each begins with its place."""
    return list(_faults(service, said(service)))


def _faults(service: Service, launch: MesosLaunch) -> Iterator[str]:
    if not service.launch.command and service.launch.image is None:
        yield "command: missing; expected a command, an image or both"
    if not any(amount > 0 for _, amount in service.resources.items()):
        yield "resources: missing; expected cpu, memory or both, as Mesos gives nothing that is not asked for"
    if launch.network is not None and service.launch.image is None:
        yield "network: expected nothing here, as there is no image"
    if launch.health_command is not None and launch.health_path is not None:
        yield "health_path: expected nothing here, as there is a health_command"
    if launch.health_path is not None and not launch.ports:
        yield "health_path: expected ports to ask at, got none"
    yield from faults(constraints=launch.constraints, prefer=launch.prefer)
    yield from _wrong_words(launch.mesos)


def _wrong_words(words: Mapping[str, Any]) -> Iterator[str]:
    try:
        msgspec.json.encode(words)
    except (TypeError, ValueError) as error:
        yield f"mesos: expected what JSON can say: {error}"
    for key, why in OURS.items():
        if key in words:
            yield f"mesos.{key}: expected nothing here, as {why}"


def constraints(service: Service) -> tuple[Constraint, ...]:
    return parsed(said(service).constraints, said(service).prefer)


def size(service: Service) -> Resources:
    """What one task takes of an agent."""
    ports = len(said(service).ports)
    return Resources({**dict(service.resources.items()), **({PORTS: ports} if ports else {})})


def has_check(service: Service) -> bool:
    launch = said(service)
    return launch.health_command is not None or launch.health_path is not None or "health_check" in launch.mesos


def task_info(
    service: Service, labels: Mapping[str, str], resources: Sequence[Mapping[str, Any]], ports: Sequence[int]
) -> dict[str, Any]:
    """All but who it is and where it goes. The launch has no faults."""
    launch = said(service)
    ours: dict[str, Any] = {
        "name": service.name,
        "resources": list(resources),
        "command": _command(service, ports),
        "kill_policy": {"grace_period": {"nanoseconds": round(service.launch.grace * 1e9)}},
        "labels": {"labels": [{"key": key, "value": value} for key, value in labels.items()]},
    }
    if service.launch.image is not None:
        ours["container"] = _container(service.launch.image, launch, ports)
    if launch.health_command is not None or launch.health_path is not None:
        ours["health_check"] = _health(launch, ports)
    return _merged(ours, launch.mesos)


def _command(service: Service, ports: Sequence[int]) -> dict[str, Any]:
    """Without an image the first word is the program; with one, all are arguments of the image's."""
    words = list(service.launch.command)
    given = {f"PORT{index}": str(port) for index, port in enumerate(ports)}
    given |= {"PORT": str(ports[0])} if ports else {}
    variables = [{"name": name, "value": value} for name, value in {**given, **service.launch.env}.items()]
    command: dict[str, Any] = {"shell": False, "environment": {"variables": variables}}
    if words:
        command["arguments"] = words
        if service.launch.image is None:
            command["value"] = words[0]
    return command


def _container(image: str, launch: MesosLaunch, ports: Sequence[int]) -> dict[str, Any]:
    network = launch.network or "host"
    mappings = [
        {"host_port": outer, "container_port": inner or outer, "protocol": "tcp"}
        for outer, inner in zip(ports, launch.ports, strict=True)
    ]
    named = network not in {"host", "bridge"}
    if launch.runtime == "mesos":
        container = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": image}}}}
        infos = [{"name": network, "port_mappings": mappings}]
    else:
        published = {} if network == "host" else {"port_mappings": mappings}
        kind = "USER" if named else network.upper()
        container = {"type": "DOCKER", "docker": {"image": image, "network": kind, **published}}
        infos = [{"name": network}]
    return {**container, "network_infos": infos} if named else container


def _health(launch: MesosLaunch, ports: Sequence[int]) -> dict[str, Any]:
    """What is not said is Mesos's default, but for the delay before the first one: that would be 15 s."""
    times = {
        "interval_seconds": launch.health_interval,
        "timeout_seconds": launch.health_timeout,
        "grace_period_seconds": launch.health_start_period,
        "consecutive_failures": launch.health_retries,
    }
    by: dict[str, Any] = {"type": "COMMAND", "command": {"shell": True, "value": launch.health_command}}
    if launch.health_path is not None:
        inside = launch.ports[0] if launch.network not in {None, "host"} else 0
        by = {"type": "HTTP", "http": {"port": inside or ports[0], "path": launch.health_path}}
    return {**by, "delay_seconds": 0, **{key: value for key, value in times.items() if value is not None}}


def _merged(ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Ours with theirs: what both have is joined where it is a mapping or a list, and otherwise theirs."""
    merged = dict(ours)
    for key, value in theirs.items():
        mine = merged.get(key)
        if isinstance(value, Mapping) and isinstance(mine, dict):
            merged[key] = _merged(mine, value)
        else:
            merged[key] = [*mine, *value] if isinstance(mine, list) and isinstance(value, list | tuple) else value
    return merged
