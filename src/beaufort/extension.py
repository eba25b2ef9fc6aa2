"""A service's section with the keys that the configured scheduler adds to it: what only that one driver knows of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from beaufort.reading.document import Fault, Place
from beaufort.reading.shape import FAULTY
from beaufort.reading.signature import Signature
from beaufort.registry import SCHEDULERS

__all__ = ["Extended"]


@dataclass(frozen=True, slots=True)
class Extended:
    """``section`` with the keys of the scheduler's ``launch_options``: what they say becomes its argument ``options``.

    The scheduler is the one that the document names, whatever is wrong with the rest of its section.
    """

    section: Signature
    otherwise: str

    @property
    def expected(self) -> str:
        return self.section.expected

    def takes(self, value: object) -> bool:
        return self.section.takes(value)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        added = self._added(place.document.data)
        if added is None or not isinstance(value, Mapping):
            return self.section.read(value, place, faults)
        options = self.section.options(value, place, faults, others=tuple(added.keys))
        said = {key: part for key, part in value.items() if key in added.keys}
        read = added.read(said, place, faults) if said else None
        return self.section.made({**options, "options": None if read is FAULTY else read}, place, faults)

    def schema(self) -> dict[str, Any]:
        """A key that several drivers know may be said as any of them takes it."""
        schema = self.section.schema()
        properties: dict[str, list[dict[str, Any]]] = {}
        for launch in _all():
            for key, parameter in launch.keys.items():
                said = properties.setdefault(key, [])
                said += [each for each in (parameter.schema(),) if each not in said]
        added = {key: said[0] if len(said) == 1 else _either(said) for key, said in properties.items()}
        return {**schema, "properties": added | schema["properties"]}

    def _added(self, document: object) -> Signature | None:
        section = document.get("scheduler") if isinstance(document, Mapping) else None
        name = section.get("type") if isinstance(section, Mapping) else self.otherwise
        return _launch(name) if isinstance(name, str) else None


def _either(said: list[dict[str, Any]]) -> dict[str, Any]:
    words = dict.fromkeys(each["description"] for each in said if "description" in each)
    return {"anyOf": said, **({"description": "; or: ".join(words)} if words else {})}


def _launch(scheduler: str) -> Signature | None:
    """None also where there is no such scheduler: that is told of the scheduler's own section."""
    try:
        options = getattr(SCHEDULERS.find(scheduler), "launch_options", None)
    except ValueError:
        return None
    return None if options is None else Signature(options)


def _all() -> Iterator[Signature]:
    for name in SCHEDULERS.names():
        launch = _launch(name)
        if launch is not None:
            yield launch
