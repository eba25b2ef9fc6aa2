"""The machines of the model world, and which of them takes a new container: by packing and constraints, as drivers do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from beaufort.constraints import Constraint, parsed
from beaufort.machine import Machine
from beaufort.model import Node, Resources, Service
from beaufort.packing import Batch, Space, pack
from beaufort.pool import Amounts

__all__ = ["Machines", "SimulatedLaunch", "constraints"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedLaunch:
    """What a service may say of its containers in a simulated cluster.

    ``constraints``: where they may be, such as "@hostname UNIQUE", "zone GROUP_BY" or "zone LIKE a|b"; fields are the
    labels of nodes, and @hostname. ``prefer``: the same, where it is only better so.
    """

    constraints: tuple[str, ...] = ()
    prefer: tuple[str, ...] = ()


def constraints(service: Service) -> tuple[Constraint, ...]:
    options = service.launch.options
    return parsed(options.constraints, options.prefer) if isinstance(options, SimulatedLaunch) else ()


class Machines:
    """What is free on each is kept for all at once, so that to look for room costs little."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._all: list[Machine] = []
        self._names: list[str] = []
        self._free: Amounts = np.zeros((0, 0))
        self._set([Machine(node) for node in nodes])

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._all)

    @property
    def nodes(self) -> tuple[Node, ...]:
        return tuple(machine.node for machine in self._all)

    def add(self, node: Node) -> None:
        self._set([*self._all, Machine(node)])

    def remove(self, name: str) -> Machine:
        gone = next(machine for machine in self._all if machine.node.name == name)
        self._set([machine for machine in self._all if machine is not gone])
        return gone

    def take(self, machine: Machine, size: Resources) -> None:
        machine.tally.take(size)
        self._tell(machine)

    def give_back(self, machine: Machine, size: Resources) -> None:
        machine.tally.give_back(size)
        self._tell(machine)

    def place(self, service: Service, count: int, on: Mapping[str, int]) -> tuple[list[Machine], str]:
        """A machine for each of so many new containers, the fullest first, and why not all have one. ``on``: how many are
        on each already.
        """
        rules = constraints(service)
        which = self._by_room() if rules else self._enough(service.size, count)
        machines = [self._all[index] for index in which]
        spaces = [Space(each.node.name, each.free, each.node.labels) for each in machines]
        packed = pack([Batch(service.name, service.size, count, rules)], spaces, {service.name: on})
        placed = [machines[place] for place, many in packed.places[0].items() for _ in range(many)]
        return placed, packed.reasons.get(0, "")

    def _enough(self, size: Resources, count: int) -> list[int]:
        """The fullest that have room for so many together; all where it is not enough, as then each has its reason."""
        need = np.array([size.get(name) for name in self._names] or [0.0])[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            times = np.where(need > 0, np.floor(self._free / need), np.inf).min(axis=0, initial=np.inf)
        fitting = np.flatnonzero(times >= 1)
        if len(fitting):
            fullest = int(fitting[self._free[self._row, fitting].argmin()])
            if times[fullest] >= count:
                return [fullest]
        order = self._by_room()
        enough = np.flatnonzero(np.cumsum(times[order]) >= count)
        return [index for index in order[: enough[0] + 1] if times[index] >= 1] if len(enough) else order

    def _by_room(self) -> list[int]:
        order: list[int] = np.argsort(self._free[self._row], kind="stable").tolist()
        return order

    def _set(self, machines: list[Machine]) -> None:
        self._all = machines
        self._names = sorted({name for machine in machines for name in machine.node.capacity})
        self._row = self._names.index("cpu") if "cpu" in self._names else 0
        self._free = np.zeros((max(1, len(self._names)), len(machines)))
        for index, machine in enumerate(machines):
            machine.index = index
            self._tell(machine)

    def _tell(self, machine: Machine) -> None:
        if machine.index < len(self._all) and self._all[machine.index] is machine:
            free = machine.free
            for row, name in enumerate(self._names):
                self._free[row, machine.index] = free.get(name, np.inf)
