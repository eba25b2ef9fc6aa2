"""The fields of an app: of what kind each is, and between which bounds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["FIELDS", "shapes", "values"]

Faults = dict[str, list[str]]

STRING, NUMBER, INTEGER, BOOLEAN, ARRAY, OBJECT, ANY = (
    "string",
    "number",
    "integer",
    "boolean",
    "array",
    "object",
    "any",
)
FIELDS: Mapping[str, str] = {
    "acceptedResourceRoles": ARRAY,
    "args": ARRAY,
    "backoffFactor": NUMBER,
    "backoffSeconds": INTEGER,
    "cmd": STRING,
    "constraints": ARRAY,
    "container": OBJECT,
    "cpus": NUMBER,
    "dependencies": ARRAY,
    "disk": NUMBER,
    "env": OBJECT,
    "executor": STRING,
    "fetch": ARRAY,
    "gpus": INTEGER,
    "healthChecks": ARRAY,
    "id": STRING,
    "instances": INTEGER,
    "killSelection": STRING,
    "labels": OBJECT,
    "maxLaunchDelaySeconds": INTEGER,
    "mem": NUMBER,
    "networks": ARRAY,
    "portDefinitions": ARRAY,
    "ports": ARRAY,
    "readinessChecks": ARRAY,
    "requirePorts": BOOLEAN,
    "role": STRING,
    "secrets": OBJECT,
    "storeUrls": ARRAY,
    "taskKillGracePeriodSeconds": INTEGER,
    "unreachableStrategy": ANY,
    "upgradeStrategy": OBJECT,
    "user": STRING,
    "version": STRING,
}
KINDS: Mapping[str, tuple[type, ...]] = {
    STRING: (str,),
    NUMBER: (int, float),
    INTEGER: (int,),
    BOOLEAN: (bool,),
    ARRAY: (list,),
    OBJECT: (dict,),
    ANY: (object,),
}
SPOKEN = {STRING: "jsstring", NUMBER: "jsnumber", INTEGER: "jsnumber", ARRAY: "jsarray", OBJECT: "jsobject"}

LEAST = {
    "backoffFactor": 1.0,
    "backoffSeconds": 0,
    "cpus": 0,
    "disk": 0,
    "gpus": 0,
    "instances": 0,
    "maxLaunchDelaySeconds": 0,
    "mem": 0,
    "taskKillGracePeriodSeconds": 0,
}
OPERATORS = {"UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "UNLIKE", "MAX_PER", "IS"}
PROTOCOLS = {"HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_HTTP", "MESOS_HTTPS", "MESOS_TCP"}
COMMAND = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."


def shapes(update: Any) -> Faults:
    """What is of the wrong kind, by its path."""
    if not isinstance(update, dict):
        return {"": ["error.expected.jsobject"]}
    return {
        f"/{key}": [f"error.expected.{SPOKEN.get(kind, 'jsboolean')}"]
        for key, kind in FIELDS.items()
        if update.get(key) is not None and not _is(update[key], kind)
    }


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind in {BOOLEAN, ANY}
    return isinstance(value, KINDS[kind])


def values(app: Mapping[str, Any]) -> Faults:
    """What can't be, by its path, in an app that is whole."""
    found: Faults = {}

    def fault(path: str, words: str) -> None:
        found.setdefault(path, []).append(words)

    for key, least in LEAST.items():
        if key in app and app[key] < least:
            fault(f"/{key}", f"got {app[key]}, expected {least} or more")
    for check in (_program, _selection, _upgrade, _unreachable, _constraints, _health, _texts):
        check(app, fault)
    return found


Fault = Callable[[str, str], None]


def _program(app: Mapping[str, Any], fault: Fault) -> None:
    container = app.get("container") or {}
    given = bool(app.get("cmd")) + bool(app.get("args"))
    if given > 1 or (not given and not container.get("docker")):
        fault("/", COMMAND)


def _selection(app: Mapping[str, Any], fault: Fault) -> None:
    if app["killSelection"] not in {"YOUNGEST_FIRST", "OLDEST_FIRST"}:
        fault("/killSelection", "error.unknown.enum.literal")


def _upgrade(app: Mapping[str, Any], fault: Fault) -> None:
    for key in ("minimumHealthCapacity", "maximumOverCapacity"):
        value = app["upgradeStrategy"][key]
        if not 0 <= value <= 1:
            fault(f"/upgradeStrategy/{key}", f"got {value}, expected between 0.0 and 1.0")


def _unreachable(app: Mapping[str, Any], fault: Fault) -> None:
    strategy = app["unreachableStrategy"]
    if strategy == "disabled":
        return
    if strategy["inactiveAfterSeconds"] > strategy["expungeAfterSeconds"]:
        fault("/unreachableStrategy", "inactiveAfterSeconds must be less or equal to expungeAfterSeconds")


def _constraints(app: Mapping[str, Any], fault: Fault) -> None:
    for at, each in enumerate(app.get("constraints", [])):
        path = f"/constraints({at})"
        if not isinstance(each, list) or not 2 <= len(each) <= 3 or each[1] not in OPERATORS:
            fault(path, "Constraint definition must be an array of strings: field, operator, and an optional value")
            continue
        _operator(path, each[1], each[2] if len(each) > 2 else None, fault)


def _operator(path: str, operator: str, value: str | None, fault: Fault) -> None:
    if operator == "UNIQUE" and value is not None:
        fault(path, "Value specified but not used")
    elif operator in {"LIKE", "UNLIKE", "MAX_PER", "IS"} and value is None:
        fault(path, "A value is required")
    elif operator in {"MAX_PER", "GROUP_BY"} and value is not None and not str(value).isdigit():
        fault(path, "Value was specified but is not a number")
    elif operator in {"LIKE", "UNLIKE"} and value is not None:
        try:
            re.compile(value)
        except re.error:
            fault(path, f"'{value}' is not a valid regular expression")


def _health(app: Mapping[str, Any], fault: Fault) -> None:
    for at, each in enumerate(app.get("healthChecks", [])):
        if each["protocol"] not in PROTOCOLS:
            fault(f"/healthChecks({at})/protocol", "error.unknown.enum.literal")
        elif (each["protocol"] == "COMMAND") != ("command" in each):
            fault(f"/healthChecks({at})", "Health check must specify command for protocol COMMAND, and for no other")
        elif each["protocol"] != "COMMAND" and "port" not in each:
            _index(f"/healthChecks({at})", each, len(app.get("portDefinitions", [])), app, fault)


def _index(path: str, check: Mapping[str, Any], ports: int, app: Mapping[str, Any], fault: Fault) -> None:
    ports = len((app.get("container") or {}).get("portMappings", [])) or ports
    if not 0 <= check.get("portIndex", 0) < ports:
        fault(path, "Health check port indices must address an element of the ports array or container port mappings.")


def _texts(app: Mapping[str, Any], fault: Fault) -> None:
    for key, value in app["labels"].items():
        if not isinstance(value, str):
            fault(f"/labels/{key}", "error.expected.jsstring")
    for key, value in app.get("env", {}).items():
        if not isinstance(value, str | dict):
            fault(f"/env/{key}", "error.expected.jsstring")
