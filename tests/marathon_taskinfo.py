"""A task of an app, as Mesos is asked to start it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from marathon_clock import iso
from marathon_definition import Json
from marathon_instances import Instance

__all__ = ["task_info"]


def task_info(instance: Instance, role: str) -> Json:
    spec = instance.app.spec
    info: Json = {
        "name": ".".join(reversed(instance.app.id.split("/")[1:])),
        "task_id": {"value": instance.task_id},
        "agent_id": {"value": instance.agent_id},
        "resources": [{**each, "allocation_info": {"role": role}} for each in _resources(spec, instance.ports)],
        "command": _command(instance),
        "labels": {"labels": [{"key": key, "value": value} for key, value in spec["labels"].items()]},
    }
    if "taskKillGracePeriodSeconds" in spec:
        grace = {"nanoseconds": int(spec["taskKillGracePeriodSeconds"] * 1e9)}
        info["kill_policy"] = {"grace_period": grace}
    if docker := (spec.get("container") or {}).get("docker"):
        info["container"] = {"type": "DOCKER", "docker": {"image": docker["image"], "network": "HOST"}}
    for each in spec.get("healthChecks", []):
        if each["protocol"] == "COMMAND":
            info["health_check"] = _check(each)
    return info


def _resources(spec: Mapping[str, Any], ports: Iterable[int]) -> Iterator[Json]:
    for name in ("cpus", "mem", "disk", "gpus"):
        if spec[name]:
            yield {"name": name, "type": "SCALAR", "scalar": {"value": spec[name]}}
    if ranges := [{"begin": each, "end": each} for each in ports]:
        yield {"name": "ports", "type": "RANGES", "ranges": {"range": ranges}}


def _command(instance: Instance) -> Json:
    spec = instance.app.spec
    environment = {**_given(instance), **{key: str(value) for key, value in spec.get("env", {}).items()}}
    variables = [{"name": name, "value": value} for name, value in environment.items()]
    command: Json = {"environment": {"variables": variables}}
    if args := spec.get("args"):
        has_image = bool(spec.get("container"))
        return {**command, "shell": False, "arguments": args, **({} if has_image else {"value": args[0]})}
    return {**command, "shell": True, "value": spec.get("cmd", "")}


def _given(instance: Instance) -> dict[str, str]:
    """What Marathon tells every task of itself."""
    app = instance.app
    told = {
        "HOST": instance.host,
        "MARATHON_APP_ID": app.id,
        "MARATHON_APP_VERSION": iso(app.version),
        "MARATHON_APP_RESOURCE_CPUS": str(app.spec["cpus"]),
        "MARATHON_APP_RESOURCE_MEM": str(app.spec["mem"]),
        "MESOS_TASK_ID": instance.task_id,
        **{f"PORT{at}": str(port) for at, port in enumerate(instance.ports)},
    }
    if instance.ports:
        told |= {"PORT": str(instance.ports[0]), "PORTS": ",".join(map(str, instance.ports))}
    return told


def _check(check: Mapping[str, Any]) -> Json:
    return {
        "type": "COMMAND",
        "command": {"shell": True, "value": check["command"]["value"]},
        "delay_seconds": check["delaySeconds"],
        "grace_period_seconds": check["gracePeriodSeconds"],
        "interval_seconds": check["intervalSeconds"],
        "timeout_seconds": check["timeoutSeconds"],
        "consecutive_failures": check["maxConsecutiveFailures"],
    }
