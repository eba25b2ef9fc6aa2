"""What no division of the capacity could ever hold: told when the configuration is read, not when a container waits."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from beaufort.model import Node, Resources
from beaufort.reading.document import Fault, Place
from beaufort.sections import POOL, ServiceSection

__all__ = ["infeasible"]

_NAMED = 3
"""Services that a message names, the largest first."""
_ROUNDING = 1e-9


def infeasible(
    services: Mapping[str, ServiceSection], nodes: Sequence[Node], quotas: Mapping[str, Resources], top: Place
) -> Iterator[Fault]:
    """Faults of the minimums against capacity and quotas, and of each container against the nodes."""
    at = top.below("capacity") if [node.name for node in nodes] == [POOL] else top.below("capacity", "nodes")
    yield from _minimums(services, _total(nodes), at, "all services")
    for group, quota in quotas.items():
        members = {name: service for name, service in services.items() if service.group == group}
        yield from _minimums(members, quota, top.below("groups", group, "quota"), "the group")
    if nodes:
        machines = _Machines(nodes)
        for name, service in services.items():
            yield from machines.faults(service, top.below("services", name))


def _minimums(services: Mapping[str, ServiceSection], most: Resources, at: Place, whose: str) -> Iterator[Fault]:
    for resource, amount in most.items():
        needs = {name: service.min * _size(service).get(resource) for name, service in services.items()}
        need = math.fsum(needs.values())
        if need > amount * (1 + _ROUNDING):
            place = at if at.path[-1] == "nodes" else at.below(resource)
            yield place.fault(
                f"expected {_shown(resource, need)} or more for the minimums of {whose} ({_largest(resource, needs)}),"
                f" got {_shown(resource, amount)}"
            )


def _largest(resource: str, needs: Mapping[str, float]) -> str:
    ordered = sorted(needs.items(), key=lambda need: -need[1])
    named = [f"{name} {_shown(resource, need)}" for name, need in ordered[:_NAMED] if need]
    others = sum(1 for _, need in ordered[_NAMED:] if need)
    return ", ".join(named) + (f" and {others} more" if others else "")


def _total(nodes: Sequence[Node]) -> Resources:
    """What all have together; a resource that one of them does not limit is not limited."""
    limited = set.intersection(*(set(node.capacity) for node in nodes)) if nodes else set()
    totals = {resource: math.fsum(node.capacity[resource] for node in nodes) for resource in limited}
    return Resources({resource: total for resource, total in totals.items() if math.isfinite(total)})


def _size(service: ServiceSection) -> Resources:
    """What one container takes: its resources, and a slot."""
    return Resources({**dict(service.resources.items()), "containers": 1})


@dataclass(frozen=True, slots=True)
class _Fit:
    """How many containers of one size the nodes hold."""

    on_one: float
    on_all: float


class _Machines:
    """The nodes, alike ones taken together; services of one size are looked at once."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._alike = Counter(node.capacity for node in nodes)
        self._one = len(nodes) == 1
        self._total = _total(nodes)
        self.fit = functools.cache(self._fit)

    def faults(self, service: ServiceSection, at: Place) -> Iterator[Fault]:
        fit = self.fit(_size(service))
        if fit.on_one < 1:
            yield self._too_large(service, at.below("resources"))
        elif service.min > fit.on_all and not self._beyond_total(service):
            told = f"expected at most {fit.on_all:g}, which is what fits on the nodes, got {service.min}"
            yield at.below("min").fault(told)

    def _fit(self, size: Resources) -> _Fit:
        holds = {capacity: _times(size, capacity) for capacity in self._alike}
        return _Fit(max(holds.values()), math.fsum(holds[capacity] * many for capacity, many in self._alike.items()))

    def _beyond_total(self, service: ServiceSection) -> bool:
        """Whether the minimums' sum has told it already."""
        size = _size(service)
        return any(size.get(name) * service.min > amount * (1 + _ROUNDING) for name, amount in self._total.items())

    def _too_large(self, service: ServiceSection, at: Place) -> Fault:
        for resource, amount in service.resources.items():
            most = max(capacity.get(resource, math.inf) for capacity in self._alike)
            if amount > most * (1 + _ROUNDING):
                where = "the capacity" if self._one else "the largest node"
                told = f"expected at most {_shown(resource, most)}, which is {where}, got {_shown(resource, amount)}"
                return at.below(resource).fault(told)
        size = _listed(service.resources.items())
        return at.fault(f"expected a size that fits on one node, got {size}, which no node has together")


def _times(size: Resources, capacity: Resources) -> float:
    """How often the size fits into the capacity. No slots at all is not the size's fault: the minimums tell that."""
    times = [capacity[name] / size[name] for name in capacity if size.get(name) > 0 and name != "containers"]
    slots = capacity.get("containers", math.inf)
    whole = math.floor(min(times) * (1 + _ROUNDING)) if times and math.isfinite(min(times)) else math.inf
    return min(whole, max(slots, 1))


def _listed(amounts: Iterable[tuple[str, float]]) -> str:
    return " and ".join(_shown(resource, amount) for resource, amount in amounts)


def _shown(resource: str, amount: float) -> str:
    if resource == "containers":
        return f"{amount:g} container{'' if amount == 1 else 's'}"
    if resource == "memory":
        return _memory(amount)
    return f"{amount:g} {'core' if amount == 1 else 'cores'}" if resource == "cpu" else f"{amount:g} {resource}"


def _memory(amount: float) -> str:
    for power, suffix in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        if amount >= 1024**power:
            return f"{amount / 1024**power:.4g}{suffix} of memory"
    return f"{amount:g}B of memory"
