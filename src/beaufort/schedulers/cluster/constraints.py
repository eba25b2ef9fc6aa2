"""Which nodes a service may run on: its constraints and platforms, read as Swarm reads them. It asks nobody.

See "Specify service constraints" in Docker's manual of `docker service create`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any

from beaufort.model import NODE, Reach
from beaufort.schedulers.cluster.answers import Node

__all__ = ["CONSTRAINT", "may_use", "reach"]

KEYS = r"node\.(?:id|hostname|ip|role|platform\.os|platform\.arch|labels\.[a-z0-9][a-z0-9_.-]*)|engine\.labels\.[a-z0-9][a-z0-9_.-]*"
CONSTRAINT = re.compile(rf"\s*(?P<key>{KEYS})\s*(?P<how>==|!=)\s*(?P<value>\S(?:.*\S)?)\s*", re.IGNORECASE)

SAME = {"x86_64": "amd64", "aarch64": "arm64"}
"""Names of one architecture."""


def may_use(spec: Mapping[str, Any], node: Node) -> bool:
    """Whether tasks of a service of this spec may be placed on the node, whatever room it has."""
    placement = _placement(spec)
    return _fits_platform(placement.get("Platforms") or (), node) and all(
        _holds(constraint, node) for constraint in placement.get("Constraints") or ()
    )


def reach(spec: Mapping[str, Any], nodes: Sequence[Node], called: Mapping[str, str]) -> Reach | None:
    """Where containers of a service of this spec may be; None for anywhere. ``called``: the names of the nodes."""
    placement = _placement(spec)
    rules = list(placement.get("Constraints") or ())
    within = frozenset(called[node.id] for node in nodes if may_use(spec, node))
    if len(within) < len(nodes) and not all(_fits_platform(placement.get("Platforms") or (), node) for node in nodes):
        rules.append("its platform")
    each = placement.get("MaxReplicas") or 0
    if each != 1 and _has_ports_of_the_node(spec):
        each = 1
        rules.append("one each, as their ports are the node's")
    elif each:
        rules.append(f"at most {each} each")
    if len(within) == len(nodes) and not each:
        return None
    return Reach(within, {NODE: each} if each else {}, ", ".join(rules))


def _placement(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    placement: Mapping[str, Any] = (spec.get("TaskTemplate") or {}).get("Placement") or {}
    return placement


def _has_ports_of_the_node(spec: Mapping[str, Any]) -> bool:
    ports = (spec.get("EndpointSpec") or {}).get("Ports") or ()
    return any(port.get("PublishMode") == "host" and port.get("PublishedPort") for port in ports)


def _fits_platform(platforms: Any, node: Node) -> bool:
    there = node.description.platform
    if not platforms:
        return True
    return any(
        each.get("OS", "") in {"", there.os}
        and (not each.get("Architecture") or _arch(each["Architecture"]) == _arch(there.architecture))
        for each in platforms
    )


def _arch(name: str) -> str:
    return SAME.get(name, name)


def _holds(constraint: str, node: Node) -> bool:
    read = CONSTRAINT.fullmatch(constraint)
    if read is None:
        return True  # a later version of Swarm may know what it means
    key, value = read["key"], read["value"]
    equal = _is_in(node.status.addr, value) if key.lower() == "node.ip" else _value(key, node).lower() == value.lower()
    return equal is (read["how"] == "==")


def _is_in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _value(key: str, node: Node) -> str:
    """What a node is, by the key of a constraint. A label's own name is taken as it is written, the rest in any case."""
    first, second, *rest = key.split(".", 2)
    match first.lower(), second.lower():
        case "engine", "labels":
            return (node.description.engine.labels or {}).get(rest[0], "")
        case "node", "labels":
            return (node.spec.labels or {}).get(rest[0], "")
        case "node", "platform":
            platform = node.description.platform
            return platform.os if rest[0].lower() == "os" else platform.architecture
    plain = {"id": node.id, "hostname": node.description.hostname, "role": node.spec.role}
    return plain[second.lower()]
