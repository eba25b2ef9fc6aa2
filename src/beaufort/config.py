"""Text -> objects: a configuration, read whole or not at all. Every fault of it is told at once, each with its place.

The shape of the file is in ``sections``; what the sections say of each other is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from beaufort.feasibility import infeasible
from beaufort.model import Band, Node, Resources, Service
from beaufort.protocols import ConfigError, ContainerScheduler, DemandSource, Policy
from beaufort.quantity import shown
from beaufort.reading.composer import read
from beaufort.reading.document import Document, Fault, Place
from beaufort.reading.shape import Faulty, nearest, one_of
from beaufort.registry import DEMAND, SCHEDULERS, PluginSpec
from beaufort.sections import CONTENTS, SCHEDULER, Contents

if TYPE_CHECKING:
    from beaufort.scaler import Scope

__all__ = ["Config", "launch_faults", "load"]

HERE = Path()


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration says. ``capacity`` is empty where it is what the scheduler reports; a total is one node.

    ``policies`` are made; ``scheduler`` and ``sources`` are made when they are used. ``document`` is the plain mapping
    that it was read from, and ``path`` the file, if there was one.
    """

    deployment: str
    scheduler: PluginSpec[ContainerScheduler]
    services: tuple[Service, ...]
    policies: Mapping[str, Policy]
    sources: Mapping[str, PluginSpec[DemandSource]]
    capacity: tuple[Node, ...]
    quotas: Mapping[str, Resources]
    bands: tuple[Band, ...]
    resync: float
    path: Path | None
    document: Mapping[str, Any]
    top: Place = field(repr=False, compare=False)

    @property
    def scope(self) -> Scope:
        """What the Scaler decides about."""
        from beaufort.scaler import Scope  # noqa: PLC0415 - brings numpy, which reading and checking do without

        holds: frozenset[str] = getattr(self.scheduler.plugin, "holds", frozenset())
        chooses: bool = getattr(self.scheduler.plugin, "chooses", False)
        return Scope(self.services, self.policies, self.capacity, self.quotas, self.bands, holds, chooses)

    def succeeds(self, before: Config) -> bool:
        """Whether it can take the place of another without a restart."""
        return (self.scheduler, self.deployment) == (before.scheduler, before.deployment)

    def make_scheduler(self) -> ContainerScheduler:
        """The scheduler, not yet entered. Raises ConfigError."""
        return self.scheduler.make(deployment=self.deployment)


def load(source: Mapping[str, Any] | str | Path, folder: Path = HERE) -> Config:
    """The configuration in a mapping, or in the YAML file at a path. Raises ConfigError with every fault.

    Relative paths in a file are relative to its own folder, those in a mapping to ``folder``.
    """
    document = Document(dict(source), home=folder) if isinstance(source, Mapping) else read(source)
    faults = list(document.faults)
    config = _read(document, faults, None if isinstance(source, Mapping) else Path(source))
    if config is None:
        raise ConfigError([fault.text for fault in sorted(faults)])
    return config


def _read(document: Document, faults: list[Fault], path: Path | None) -> Config | None:
    """None when there are faults; they are in the list."""
    top = Place(document)
    contents: Contents = CONTENTS.read(document.data, top, faults)
    faults += _contradictions(contents, top)
    faults += infeasible(contents.services, contents.capacity, _quotas(contents), top)
    services = [_service(name, contents, top, faults) for name in contents.services]
    faults += _shared(contents, services, top)
    policies = _policies(contents, faults)
    sources = {name: _source(name, contents, top, faults) for name in contents.services}
    scheduler = contents.scheduler or SCHEDULERS.spec(SCHEDULER, top.below("scheduler"), faults)
    if faults or isinstance(scheduler, Faulty):
        return None
    return Config(
        deployment=contents.deployment,
        scheduler=scheduler,
        services=tuple(service for service in services if service is not None),
        policies=MappingProxyType(policies),
        sources=MappingProxyType({name: source for name, source in sources.items() if not isinstance(source, Faulty)}),
        capacity=contents.capacity,
        quotas=MappingProxyType(_quotas(contents)),
        bands=_bands(contents),
        resync=contents.resync,
        path=path,
        document=document.data,
        top=top,
    )


def _quotas(contents: Contents) -> dict[str, Resources]:
    return {name: group.quota for name, group in contents.groups.items()}


def _bands(contents: Contents) -> tuple[Band, ...]:
    return tuple(section.named(name) for name, section in contents.bands.items())


def _service(name: str, contents: Contents, top: Place, faults: list[Fault]) -> Service | None:
    try:
        return contents.services[name].service(name)
    except ValueError as error:
        faults.append(_told(top.below("services", name), str(error)))
        return None


def _policies(contents: Contents, faults: list[Fault]) -> dict[str, Policy]:
    specs = {name: section.policy for name, section in contents.services.items() if section.policy is not None}
    made = {name: spec.attempt(faults) for name, spec in specs.items()}
    return {name: policy for name, policy in made.items() if not isinstance(policy, Faulty)}


def _source(name: str, contents: Contents, top: Place, faults: list[Fault]) -> PluginSpec[DemandSource] | Faulty:
    demand = contents.services[name].demand
    return demand or DEMAND.spec("push", top.below("services", name, "demand"), faults)


def _contradictions(contents: Contents, top: Place) -> Iterator[Fault]:
    """What the sections say of each other, except for amounts."""
    data = top.document.data
    if not contents.services and isinstance(data, Mapping) and data.get("services") == {}:
        yield top.below("services").fault("expected at least one service, got none")
    for name, service in contents.services.items():
        if service.group is not None and service.group not in contents.groups:
            near = nearest(service.group, contents.groups)
            known = f"expected {one_of(list(contents.groups))}" if contents.groups else "there are no groups"
            hint = f"did you mean {shown(near)}?" if near else known
            yield top.below("services", name, "group").fault(f"unknown group {shown(service.group)}; {hint}")
    bands = sorted(_bands(contents), key=lambda band: band.first)
    for lower, upper in pairwise(bands):
        if upper.first <= lower.last:
            told = f"expected priorities outside band {lower.name} ({lower.first} to {lower.last})"
            at = top.below("bands", upper.name, "priorities")
            yield at.fault(f"{told}, got {upper.first} to {upper.last}")


def _shared(contents: Contents, services: Iterable[Service | None], top: Place) -> Iterator[Fault]:
    """What two services name, and only one can have."""
    alone: tuple[str, ...] = () if contents.scheduler is None else getattr(contents.scheduler.plugin, "alone", ())
    named: dict[tuple[str, object], str] = {}
    for service in filter(None, services):
        for key in alone:
            value = getattr(service.launch.options, key, None)
            first = service.name if value is None else named.setdefault((key, value), service.name)
            if first != service.name:
                told = f"expected one that no other service names, got {shown(value)}, which {first} names"
                yield top.below("services", service.name, key).fault(told)


def launch_faults(config: Config) -> list[str]:
    """What only the plugins know to be wrong: the scheduler with each service's launch, the sources with their options.

    Nothing is started. Not a part of ``load``: a configuration that can't be launched here can still be planned.
    """
    faults: list[Fault] = []
    for source in config.sources.values():
        source.attempt(faults)
    scheduler = config.scheduler.attempt(faults, deployment=config.deployment)
    if not isinstance(scheduler, Faulty):
        for service in config.services:
            at = config.top.below("services", service.name)
            faults += [_told(at, message) for message in scheduler.check(service)]
    return [fault.text for fault in sorted(faults)]


def _told(at: Place, message: str) -> Fault:
    """A fault that begins with its place below ``at``, or is of ``at`` itself."""
    below, colon, rest = message.partition(": ")
    steps = [int(step) if step.isdigit() else step for step in below.split(".")]
    return at.below(*steps).fault(rest) if colon and " " not in below else at.fault(message)
