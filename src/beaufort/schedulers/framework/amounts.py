"""Resources as Mesos tells them, and as Beaufort counts them: cores, bytes, how many ports, others by Mesos's names."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from beaufort.model import Resources
from beaufort.schedulers.framework.answers import Resource

__all__ = ["PORTS", "Stock", "amounts", "counted"]

MIB = 2**20
PORTS = "ports"
NAMES: Mapping[str, tuple[str, float]] = MappingProxyType(
    {"cpu": ("cpus", 1.0), "memory": ("mem", MIB), "gpu": ("gpus", 1.0)}
)
"""Ours -> Mesos's, and how many of ours are one of theirs."""
OURS = {theirs: (ours, unit) for ours, (theirs, unit) in NAMES.items()}
DIGITS = 3
"""Mesos counts in thousandths."""


def amounts(resources: Iterable[Resource], role: str) -> Resources:
    """How much of each there is for a role: what nobody has reserved, and what is reserved for it."""
    found: defaultdict[str, float] = defaultdict(float)
    for each in resources:
        if _is_for(each, role):
            name, unit = OURS.get(each["name"], (each["name"], 1.0))
            found[name] += _ports(each) if each["type"] == "RANGES" else unit * each.get("scalar", {}).get("value", 0.0)
    return Resources(found)


def counted(told: Mapping[str, Any]) -> Resources:
    """The same of what a master sums up by name, with ports as "[31000-31001, 31005-31005]"."""
    found = {}
    for name, amount in told.items():
        ours, unit = OURS.get(name, (name, 1.0))
        if isinstance(amount, str):
            pairs = re.findall(r"(\d+)-(\d+)", amount)
            found[ours] = sum(int(end) - int(begin) + 1.0 for begin, end in pairs)
        else:
            found[ours] = unit * amount
    return Resources(found)


def _is_for(resource: Resource, role: str) -> bool:
    """Volumes of their own are nobody's to count on, and neither is what may be taken back at any time."""
    if resource["type"] not in {"SCALAR", "RANGES"} or resource.get("disk") or "revocable" in resource:
        return False
    reserved = [each.get("role") for each in resource.get("reservations", [])]
    whose = reserved[-1] if reserved else resource.get("role", "*")
    return whose in {"*", role} or role.startswith(f"{whose}/")


def _ports(resource: Resource) -> int:
    return sum(int(each["end"]) - int(each["begin"]) + 1 for each in resource.get("ranges", {}).get("range", []))


class Stock:
    """What the offers of one agent hold, of which is taken for one task after the other."""

    def __init__(self, resources: Iterable[Resource], role: str) -> None:
        mine = [dict(each) for each in resources if _is_for(each, role)]
        self._left = sorted(mine, key=lambda each: each.get("role", "*") == "*" and not each.get("reservations"))
        self.free = amounts(mine, role)

    def take(self, size: Resources, ports: int) -> tuple[list[Resource], list[int]]:
        """The resources of one task, reserved ones first, and the numbers of its ports."""
        taken: list[Resource] = []
        for name, amount in size.items():
            theirs, unit = NAMES.get(name, (name, 1.0))
            wanted = math.ceil(round(amount / unit * 10**DIGITS, DIGITS)) / 10**DIGITS
            for each in self._named(theirs):
                part = min(wanted, each["scalar"]["value"])
                if part > 0:
                    taken.append({**each, "scalar": {"value": part}})
                    each["scalar"] = {"value": round(each["scalar"]["value"] - part, DIGITS)}
                    wanted = round(wanted - part, DIGITS)
        numbers: list[int] = []
        for each in self._named(PORTS):
            some = _some(each["ranges"]["range"], ports - len(numbers))
            if some:
                numbers += some
                taken.append({**each, "ranges": {"range": [{"begin": n, "end": n} for n in some]}})
                each["ranges"] = {"range": _without(each["ranges"]["range"], some)}
        return taken, numbers

    def _named(self, name: str) -> list[Resource]:
        return [each for each in self._left if each["name"] == name]


def _some(ranges: Sequence[Mapping[str, Any]], count: int) -> list[int]:
    """The first ones."""
    found: list[int] = []
    for each in ranges:
        found += range(int(each["begin"]), min(int(each["end"]) + 1, int(each["begin"]) + count - len(found)))
    return found


def _without(ranges: Sequence[Mapping[str, Any]], first: Sequence[int]) -> list[dict[str, int]]:
    """All but the first ones."""
    left = []
    for each in ranges:
        begin, end = int(each["begin"]), int(each["end"])
        begin += sum(begin <= number <= end for number in first)
        if begin <= end:
            left.append({"begin": begin, "end": end})
    return left
