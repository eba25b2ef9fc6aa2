"""How an app is made: from a service's launch to the body of Marathon's PUT. It asks no Marathon."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal

import msgspec

from beaufort.constraints import Constraint, faults, parsed
from beaufort.model import Service
from beaufort.quantity import AtLeast, Between, Seconds, shown
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE
from beaufort.schedulers.engine.wording import joined, without_nothing, wrong_words

__all__ = ["LAUNCH", "MarathonLaunch", "app", "check", "constraints", "said"]

LAUNCH = "beaufort.launch"
"""The label of the apps that we have made: which launch they were made from."""

MIB = 2**20

SEGMENT = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
ID = re.compile(rf"(?:/{SEGMENT}(?:\.{SEGMENT})*)+")
LABEL = re.compile(r"(?P<key>[^=\s]+)=(?P<value>.*)")

LONGEST = 63
"""Characters: the longest part of an id that has a name of its own in every DNS."""

OURS: Mapping[str, str] = MappingProxyType(
    {
        "id": "Beaufort names what it makes",
        "instances": "how many there are is what Beaufort decides",
        "cmd": "command is the key for it",
        "args": "command is the key for it",
        "cpus": "resources is the key for it",
        "mem": "resources is the key for it",
        "labels/" + DEPLOYMENT: "it says whose the app is",
        "labels/" + SERVICE: "it says whose the app is",
        "labels/" + LAUNCH: "it says what the app was made from",
    }
)
"""What the verbatim part may not say, by the path to it, and why."""

RESOURCES = {"cpu", "memory", "disk", "gpu"}

Port = Annotated[int, Between(0, 65535)]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarathonLaunch:
    """What a service may say of its tasks on a Marathon, beside image, command, env, resources and grace.

    ``app``: the id of an app that there is, to be scaled in place of one that Beaufort makes; what else it is stays as it
    is, and nothing else need be said. ``label``: the same, found by a label that one app alone has, such as team=shop.
    ``ports``: one port of the agent for each; in a network of its own the container has it under this number, or under
    the agent's if this is 0. The task finds them as $PORT0, $PORT1 and so on. ``runtime``: what runs the image, Docker or
    Mesos's own containerizer. ``network``: host, bridge, or the name of one that Mesos knows. ``constraints``: where its
    tasks may be, such as "@hostname UNIQUE", "zone GROUP_BY" or "zone LIKE a|b". ``health_command``: run beside the task:
    until it succeeds the task counts as starting. ``health_path``: the same by HTTP on the first port.
    ``health_interval``: from one to the next. ``health_timeout``: for one. ``health_retries``: failures in a row after
    which Marathon kills the task. ``health_start_period``: seconds in which failures don't count. ``marathon``: anything
    else of an app as Marathon's API has it, as it is.
    """

    app: str | None = None
    label: str | None = None
    ports: tuple[Port, ...] = ()
    runtime: Literal["docker", "mesos"] = "docker"
    network: str | None = None
    constraints: tuple[str, ...] = ()
    health_command: str | None = None
    health_path: str | None = None
    health_interval: Seconds | None = None
    health_timeout: Seconds | None = None
    health_retries: Annotated[int, AtLeast(1)] | None = None
    health_start_period: Seconds | None = None
    marathon: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_found(self) -> bool:
        """Whether it is an app of others."""
        return self.app is not None or self.label is not None


NOTHING_SAID = MarathonLaunch()


def said(service: Service) -> MarathonLaunch:
    """What the service says of its tasks on a Marathon."""
    options = service.launch.options
    return options if isinstance(options, MarathonLaunch) else NOTHING_SAID


def check(service: Service) -> list[str]:
    """What is wrong with a launch, as far as it can be known without a Marathon. Each begins with its place."""
    launch = said(service)
    return list(_faults_found(service, launch) if launch.is_found else _faults(service, launch))


def _faults_found(service: Service, launch: MarathonLaunch) -> Iterator[str]:
    if launch.app is not None and ID.fullmatch(launch.app) is None:
        yield f"app: expected an id such as /shop/web, got {shown(launch.app)}"
    if launch.label is not None and LABEL.fullmatch(launch.label) is None:
        yield f"label: expected a label such as team=shop, got {shown(launch.label)}"
    key = "app" if launch.app is not None else "label"
    told = {"image": service.launch.image, "command": service.launch.command}
    told |= {
        name: getattr(launch, name) for name in MarathonLaunch.__dataclass_fields__ if name not in {key, "runtime"}
    }
    for name, value in told.items():
        if value:
            yield f"{name}: expected nothing here, as {key} {shown(getattr(launch, key))} is there and says it itself"


def _faults(service: Service, launch: MarathonLaunch) -> Iterator[str]:
    if not service.launch.command and service.launch.image is None:
        yield "command: missing; expected a command, an image or both, or app with the id of one that is there"
    yield from _wrong_amounts(service)
    if launch.network is not None and service.launch.image is None:
        yield "network: expected nothing here, as there is no image"
    if launch.health_command is not None and launch.health_path is not None:
        yield "health_path: expected nothing here, as there is a health_command"
    if launch.health_path is not None and not launch.ports:
        yield "health_path: expected ports to ask at, got none"
    yield from faults(constraints=launch.constraints)
    yield from wrong_words("marathon", launch.marathon, OURS)


def constraints(service: Service) -> tuple[Constraint, ...]:
    """Where its tasks may be, as far as the service says it: an app of others has its own."""
    return parsed(said(service).constraints, ())


def _wrong_amounts(service: Service) -> Iterator[str]:
    for name, ours in (("cpu", "1 core"), ("memory", "128 MiB")):
        if not service.resources.get(name):
            yield f"resources.{name}: missing; expected an amount, as Marathon would make it {ours}"
    for name, amount in service.resources.items():
        if name not in RESOURCES:
            yield f"resources.{name}: expected cpu, memory, disk or gpu, as Marathon knows no others"
        elif name == "gpu" and amount != int(amount):
            yield f"resources.gpu: expected a whole number, as Marathon counts them, got {amount:g}"


def app(service: Service, deployment: str, instances: int) -> dict[str, Any]:
    """What to send to have the app made, or made anew. The launch has no faults."""
    launch = said(service)
    labels = {DEPLOYMENT: deployment, SERVICE: service.name}
    ours = without_nothing(
        {
            "args": list(service.launch.command),
            "env": dict(service.launch.env),
            "disk": service.resources.get("disk"),
            "gpus": int(service.resources.get("gpu")),
            "constraints": [_constraint(text) for text in launch.constraints],
            "container": _container(service.launch.image, launch),
            "networks": _networks(launch) if service.launch.image is not None else [],
            "healthChecks": _health(launch),
        }
    )
    if _is_on_host(launch):
        ours["portDefinitions"] = _ports(launch)  # if nothing is said, Marathon takes one port
    ours |= {
        "id": _id(deployment, service.name),
        "labels": labels,
        "cpus": service.resources.get("cpu"),
        "mem": service.resources.get("memory") / MIB,
        "taskKillGracePeriodSeconds": math.ceil(service.launch.grace),
        "killSelection": "YOUNGEST_FIRST",
    }
    made = joined(ours, launch.marathon)
    made["labels"][LAUNCH] = hashlib.sha256(msgspec.json.encode(made, order="sorted")).hexdigest()[:16]
    # When it is made anew, old tasks make way for new ones: there is no room for both. One alone has to go first.
    upgrade = {"minimumHealthCapacity": 0.5 if instances > 1 else 0.0, "maximumOverCapacity": 0.0}
    return {"upgradeStrategy": upgrade, **made, "instances": instances}


def _is_on_host(launch: MarathonLaunch) -> bool:
    return launch.network in {None, "host"}


def _constraint(text: str) -> list[str]:
    each = Constraint.parse(text)
    return [each.field, each.operator.value, *([each.value] if each.value else [])]


def _container(image: str | None, launch: MarathonLaunch) -> dict[str, Any]:
    if image is None:
        return {}
    mappings = [{"containerPort": port, "hostPort": 0} for port in launch.ports]
    return {
        "type": "DOCKER" if launch.runtime == "docker" else "MESOS",
        "docker": {"image": image},
        **({} if _is_on_host(launch) or not mappings else {"portMappings": mappings}),
    }


def _networks(launch: MarathonLaunch) -> list[dict[str, str]]:
    if _is_on_host(launch):
        return [{"mode": "host"}]
    if launch.network == "bridge":
        return [{"mode": "container/bridge"}]
    return [{"mode": "container", "name": str(launch.network)}]


def _ports(launch: MarathonLaunch) -> list[dict[str, Any]]:
    """On the host's network a number says what the port is called in the service; which one it is, is Marathon's choice."""
    return [{"port": port, "protocol": "tcp"} for port in launch.ports]


def _health(launch: MarathonLaunch) -> list[dict[str, Any]]:
    """Times in whole seconds. What is not said is Marathon's default, but for the delay before the first one (15 s) and the
    time between two (60 s): until one has succeeded a task is not taken to serve.
    """
    if launch.health_command is None and launch.health_path is None:
        return []
    by: dict[str, Any] = {"protocol": "COMMAND", "command": {"value": launch.health_command}}
    if launch.health_path is not None:
        by = {"protocol": "MESOS_HTTP", "path": launch.health_path, "portIndex": 0}
    times = {
        "intervalSeconds": 5 if launch.health_interval is None else max(1, math.ceil(launch.health_interval)),
        "timeoutSeconds": launch.health_timeout and math.ceil(launch.health_timeout),
        "gracePeriodSeconds": launch.health_start_period and math.ceil(launch.health_start_period),
        "maxConsecutiveFailures": launch.health_retries,
    }
    return [{**by, "delaySeconds": 0, **without_nothing(times)}]


def _id(deployment: str, service: str) -> str:
    return f"/beaufort/{_segment(deployment)}/{_segment(service)}"


def _segment(name: str) -> str:
    """One that Marathon accepts, that tells people what it is, and that no other name's can be."""
    segment = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
    if segment == name and len(segment) <= LONGEST:
        return segment
    hashed = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{segment[: LONGEST - 9].rstrip('-')}-{hashed}".lstrip("-")
