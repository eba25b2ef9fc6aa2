"""Name -> plugin: a class that is imported only if it is used, and whose signature says what options it has.

Outsiders register by the entry points ``beaufort.policies``, ``beaufort.demand`` and ``beaufort.schedulers``.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from beaufort.protocols import ConfigError, ContainerScheduler, DemandSource, Policy
from beaufort.quantity import shown
from beaufort.reading.document import Document, Fault, Place
from beaufort.reading.reference import fetched
from beaufort.reading.shape import FAULTY, Faulty, nearest, one_of, unlike
from beaufort.reading.signature import Signature

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["DEMAND", "POLICIES", "SCHEDULERS", "PluginSpec", "Registry"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PluginSpec(Generic[T]):
    """A plugin and its options, checked but not yet made. Two are equal if they would make the same."""

    name: str
    plugin: type[T]
    options: Mapping[str, Any]
    place: Place = field(default=Place(Document(None)), repr=False, compare=False)

    def make(self, **extra: object) -> T:
        """The plugin. ``extra``: what the program has to give; what the plugin doesn't take is left out.

        Secrets are fetched now. Raises ConfigError with the faults that only the plugin knows of.
        """
        faults: list[Fault] = []
        made = self.attempt(faults, **extra)
        if isinstance(made, Faulty):
            raise ConfigError([fault.text for fault in faults])
        return made

    def attempt(self, faults: list[Fault], **extra: object) -> T | Faulty:
        """As ``make``, with the faults added to the list."""
        before = len(faults)
        options = {}
        for name, value in self.options.items():
            try:
                options[name] = fetched(value)
            except ValueError as error:
                faults.append(self.place.below(name.removesuffix("_")).fault(str(error)))
        if len(faults) > before:
            return FAULTY
        taken = inspect.signature(self.plugin).parameters.keys() & extra.keys()
        made: T | Faulty = Signature(self.plugin).made(
            options | {name: extra[name] for name in taken}, self.place, faults
        )
        return made


@dataclass(frozen=True, eq=False)
class Registry(Generic[T]):
    """One kind of plugin, and the shape of its sections: ``{type: NAME}`` and the options of that plugin.

    ``builtin``: name -> "module:Class". What a built-in one needs installed is in the extra of the same name.
    ``supplied``: arguments that the program gives, and no configuration may.
    """

    noun: str
    group: str
    builtin: Mapping[str, str]
    supplied: frozenset[str] = frozenset()

    def names(self) -> list[str]:
        return sorted({*self.builtin, *(point.name for point in self._outsiders())})

    def find(self, name: str) -> type[T]:
        """Raises ValueError if there is no such plugin, or it can't be imported."""
        if name in self.builtin:
            return self._load(name, self.builtin[name], f'pip install "beaufort[{name}]"')
        for point in self._outsiders():
            if point.name == name:
                package = point.dist.name if point.dist else point.value
                return self._load(name, point.value, f"see how {package} is installed")
        names = self.names()
        near = nearest(name, names)
        hint = f"did you mean {shown(near)}?" if near else f"expected {one_of(names)}"
        raise ValueError(f"unknown {self.noun} {shown(name)}; {hint}")

    def spec(self, name: str, place: Place, faults: list[Fault]) -> PluginSpec[T] | Faulty:
        """The plugin without any options."""
        return self._spec({"type": name}, place, faults)

    @property
    def expected(self) -> str:
        return "a mapping with type"

    def takes(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def read(self, value: object, place: Place, faults: list[Fault]) -> PluginSpec[T] | Faulty:
        if isinstance(value, Mapping):
            return self._spec(value, place, faults)
        if value in self.names():
            raise ValueError(f"expected {self.expected}, got {shown(value)}; write {{type: {value}}}")
        raise unlike(self, value)

    def schema(self) -> dict[str, Any]:
        return {"oneOf": [self._section(name) for name in self.names()]}

    def _spec(self, value: Mapping[Any, Any], place: Place, faults: list[Fault]) -> PluginSpec[T] | Faulty:
        before = len(faults)
        if "type" not in value:
            faults.append(self._missing(value, place))
            return FAULTY
        try:
            plugin = self._named(value["type"])
        except ValueError as error:
            faults.append(place.below("type").fault(str(error)))
            return FAULTY
        options = Signature(plugin, supplied=self.supplied).options(value, place, faults, others=("type",))
        return FAULTY if len(faults) > before else PluginSpec(value["type"], plugin, options, place)

    def _missing(self, value: Mapping[Any, Any], place: Place) -> Fault:
        near = nearest("type", [key for key in value if isinstance(key, str)])
        if near is not None:
            return place.below(near).fault(f'unknown key {shown(near)}; did you mean "type"?', key=True)
        return place.below("type").fault(f"missing; expected {one_of(self.names())}")

    def _named(self, name: object) -> type[T]:
        if not isinstance(name, str):
            raise ValueError(f"expected {one_of(self.names())}, got {shown(name)}")  # noqa: TRY004 - a fault of the input
        return self.find(name)

    def _section(self, name: str) -> dict[str, Any]:
        """The schema of one plugin's section. Of one that can't be imported here, only the name is known."""
        try:
            section = Signature(self.find(name), supplied=self.supplied).schema()
        except ValueError as error:
            section = {"description": str(error), "type": "object", "properties": {}}
        section["properties"] = {"type": {"const": name}, **section["properties"]}
        section["required"] = ["type", *section.get("required", [])]
        return section

    def _outsiders(self) -> Iterator[EntryPoint]:
        from importlib.metadata import entry_points  # noqa: PLC0415 - slow to import, and seldom needed

        yield from entry_points(group=self.group)

    def _load(self, name: str, target: str, remedy: str) -> type[T]:
        module, _, attribute = target.partition(":")
        try:
            plugin: type[T] = getattr(importlib.import_module(module), attribute)
            _ = Signature(plugin).keys
        except Exception as error:
            # Whatever a stranger's module raises while it is imported, the fault is told with its place.
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing and missing.partition(".")[0] != module.partition(".")[0]:
                raise ValueError(f"the {self.noun} {shown(name)} needs {missing}, not installed: {remedy}") from error
            raise ValueError(f"the {self.noun} {shown(name)} can't be imported from {target}: {error!r}") from error
        return plugin


POLICIES: Registry[Policy] = Registry(
    "policy",
    "beaufort.policies",
    {
        "constant": "beaufort.policies.constant:Constant",
        "remainder": "beaufort.policies.remainder:Remainder",
        "per-container": "beaufort.policies.per_container:PerContainer",
        "queue": "beaufort.policies.queue:Queue",
        "pd-queue": "beaufort.policies.pd_queue:PDQueue",
    },
)
DEMAND: Registry[DemandSource] = Registry(
    "demand source",
    "beaufort.demand",
    {
        "random": "beaufort.demand.random:Random",
        "trace": "beaufort.demand.trace:Trace",
        "push": "beaufort.demand.push:Push",
        "redis": "beaufort.demand.redis:Redis",
    },
)
SCHEDULERS: Registry[ContainerScheduler] = Registry(
    "scheduler",
    "beaufort.schedulers",
    {
        "docker": "beaufort.schedulers.docker:Docker",
        "local": "beaufort.schedulers.local:Local",
        "marathon": "beaufort.schedulers.marathon:Marathon",
        "mesos": "beaufort.schedulers.mesos:Mesos",
        "simulated": "beaufort.schedulers.simulated:Simulated",
        "swarm": "beaufort.schedulers.swarm:Swarm",
    },
    supplied=frozenset({"deployment"}),
)
