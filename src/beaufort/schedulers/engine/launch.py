"""How one container is made: from a service's launch to the body of the Engine API's create. It asks no engine."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any

import msgspec

from beaufort.model import Service
from beaufort.quantity import AtLeast, Seconds, shown
from beaufort.schedulers.engine import busy
from beaufort.schedulers.engine.answers import Image
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE, SPEC
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

__all__ = ["DRAIN", "DockerLaunch", "body", "check", "has_check", "marked", "said"]

DRAIN = "beaufort.drain"
"""The label by which the next Beaufort knows how many seconds a busy one was given to end."""

ULIMIT = re.compile(r"(-1|[0-9]+)(?::(-1|[0-9]+))?")
OURS: Mapping[str, str] = MappingProxyType(
    {
        "Image": "image is the key for it",
        "HostConfig/RestartPolicy": "Beaufort is the restart",
        "HostConfig/AutoRemove": "Beaufort removes what has ended, once it knows why",
        "Labels/" + DEPLOYMENT: "it says whose the container is",
        "Labels/" + SERVICE: "it says whose the container is",
        "Labels/" + SPEC: "it says what the container was made from",
        "Labels/" + DRAIN: "drain_timeout is the key for it",
    }
)
"""What the verbatim part may not say, by the path to it, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerLaunch:
    """What a service may say of its containers on a Docker Engine, beside image, command, env, resources and grace.

    ``entrypoint``: what the command is given to, in place of the image's. ``ports``: 80 is published at a free port of
    the machine, "8080:80" and "127.0.0.1:8080:80" at a fixed one, which one container alone can have. ``networks``: by
    name, in place of the engine's default. ``volumes``: "/on/host:/inside" or "name:/inside", read only with ":ro".
    ``user``: a name or number, maybe with ":group". ``read_only``: whether only volumes can be written to.
    ``cap_drop``: capabilities to do without, such as NET_RAW, or ALL. ``cap_add``: capabilities beyond the usual.
    ``ulimits``: by name, soft and hard, such as nofile: "1024:2048". ``health_command``: run inside, as a list or as a
    line for its shell: until it succeeds the container counts as starting. ``health_interval``: from one to the next.
    ``health_timeout``: for one. ``health_retries``: failures in a row that are believed. ``health_start_period``:
    seconds in which failures don't count. ``stop_signal``: in place of the image's. ``log_driver``: in place of the
    engine's. ``log_options``: the log driver's own. ``init``: whether a first process of the engine's passes signals
    on, for programs that ignore SIGTERM. ``busy_file``: a path inside; the container is busy while it exists.
    ``busy_http``: port and path inside, such as "8080/busy"; the container is busy if it answers 200 there, idle if
    204 or 404. ``drain_timeout``: what a busy one is given to end, in place of grace. ``docker``: anything else of the
    body of the Engine API's create, as it is.
    """

    entrypoint: tuple[str, ...] | str | None = None
    ports: tuple[Port | str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    user: str | None = None
    read_only: bool = False
    cap_drop: tuple[str, ...] = ()
    cap_add: tuple[str, ...] = ()
    ulimits: Mapping[str, Annotated[int, AtLeast(-1)] | str] = field(default_factory=dict)
    health_command: tuple[str, ...] | str | None = None
    health_interval: Seconds | None = None
    health_timeout: Seconds | None = None
    health_retries: Annotated[int, AtLeast(1)] | None = None
    health_start_period: Seconds | None = None
    stop_signal: str | None = None
    log_driver: str | None = None
    log_options: Mapping[str, str] = field(default_factory=dict)
    init: bool = False
    busy_file: str | None = None
    busy_http: str | None = None
    drain_timeout: Seconds | None = None
    docker: Mapping[str, Any] = field(default_factory=dict)


NOTHING_SAID = DockerLaunch()


def said(service: Service) -> DockerLaunch:
    """What the service says of its containers on an engine."""
    options = service.launch.options
    return options if isinstance(options, DockerLaunch) else NOTHING_SAID


def check(service: Service) -> list[str]:
    """What is wrong with a launch, as far as it can be known without an engine. Each begins with its place."""
    return list(_faults(service, said(service)))


def _faults(service: Service, launch: DockerLaunch) -> Iterator[str]:
    image = service.launch.image
    if image is None:
        yield "image: missing; expected an image such as shop/checkout:1.4"
    yield from miswritten(image, launch.volumes, launch.stop_signal)
    yield from too_small(service)
    yield from _wrong_ports(service, launch)
    yield from unlike(ULIMIT, '"soft" or "soft:hard"', {f"ulimits.{k}": str(v) for k, v in launch.ulimits.items()})
    yield from busy.faults(launch.busy_file, launch.busy_http, launch.docker.get("HostConfig"))
    yield from _wrong_drain(service, launch)
    yield from wrong_words("docker", launch.docker, OURS)


def _wrong_ports(service: Service, launch: DockerLaunch) -> Iterator[str]:
    for index, written in enumerate(launch.ports):
        port = PORT.fullmatch(str(written))
        if port is None or not all(1 <= int(port[name] or 1) <= 65535 for name in ("outer", "inner")):
            yield f'ports.{index}: expected 80, "8080:80" or "127.0.0.1:8080:80", maybe with "/udp", got {shown(written)}'
        elif port["outer"] and service.max != 1:
            yield (
                f"ports.{index}: expected max: 1, as only one container can have port {port['outer']} of the machine, "
                f"got {'no max' if service.max is None else f'max: {service.max}'}; "
                f"{port['inner']} alone is published at a free port"
            )


def _wrong_drain(service: Service, launch: DockerLaunch) -> Iterator[str]:
    drain, grace = launch.drain_timeout, service.launch.grace
    if drain is None:
        return
    if drain < grace:
        yield f"drain_timeout: expected grace ({grace:g} s) or more, got {drain:g} s"
    if launch.busy_file is None and launch.busy_http is None:
        yield "drain_timeout: expected busy_file or busy_http beside it, as only what is known to be busy is given it"


def body(service: Service, deployment: str) -> dict[str, Any]:
    """What to send to the engine to have one container made. The launch has no faults."""
    launch = said(service)
    drain = {} if launch.drain_timeout is None else {DRAIN: str(math.ceil(launch.drain_timeout))}
    ports = [match for port in launch.ports if (match := PORT.fullmatch(str(port))) is not None]
    ours: dict[str, Any] = {
        "Image": service.launch.image,
        "Cmd": list(service.launch.command) or None,
        "Entrypoint": [launch.entrypoint] if isinstance(launch.entrypoint, str) else launch.entrypoint,
        "Env": [f"{name}={value}" for name, value in service.launch.env.items()],
        "User": launch.user,
        "ExposedPorts": {_inner(port): {} for port in ports},
        "Healthcheck": health(launch),
        "StopSignal": launch.stop_signal,
        "Labels": {DEPLOYMENT: deployment, SERVICE: service.name, **drain},
        "HostConfig": _host(service, launch, ports),
    }
    return joined({**without_nothing(ours), "StopTimeout": math.ceil(service.launch.grace)}, launch.docker)


def marked(body: dict[str, Any], image: Image, networks: Sequence[str]) -> tuple[dict[str, Any], str]:
    """The body with a label that tells containers of it from others, and what the label says."""
    spec = hashlib.sha256(msgspec.json.encode((body, image.id, networks), order="deterministic")).hexdigest()[:16]
    return {**body, "Labels": {**body["Labels"], SPEC: spec}}, spec


def _host(service: Service, launch: DockerLaunch, ports: Iterable[re.Match[str]]) -> dict[str, Any]:
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        ip = (port["ip"] or "").strip("[]")
        bindings.setdefault(_inner(port), []).append({"HostIp": ip, "HostPort": port["outer"] or ""})
    log = {"Type": launch.log_driver, "Config": dict(launch.log_options)}
    return without_nothing(
        {
            "NanoCpus": round(service.resources.get("cpu") * 1e9),
            "Memory": round(service.resources.get("memory")),
            "RestartPolicy": {"Name": "no"},
            "PortBindings": bindings,
            "NetworkMode": launch.networks[0] if launch.networks else None,
            "Binds": launch.volumes,
            "ReadonlyRootfs": launch.read_only,
            "CapDrop": launch.cap_drop,
            "CapAdd": launch.cap_add,
            "Ulimits": [_ulimit(name, str(limit)) for name, limit in launch.ulimits.items()],
            "LogConfig": log if launch.log_driver or launch.log_options else None,
            "Init": launch.init,
        }
    )


def _inner(port: re.Match[str]) -> str:
    return f"{port['inner']}/{port['kind'] or 'tcp'}"


def _ulimit(name: str, written: str) -> dict[str, Any]:
    soft, _, hard = written.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def has_check(made_of: Mapping[str, Any], image: Image) -> bool:
    """Whether a container of this body and image has a health check."""
    inherited = (image.config.healthcheck if image.config else None) or {}
    test = (made_of.get("Healthcheck") or {}).get("Test") or inherited.get("Test")
    return bool(test) and test != ["NONE"]
