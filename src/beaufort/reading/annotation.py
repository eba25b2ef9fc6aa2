"""Annotation -> shape: the types that the options of a plugin may have.

``int``, ``float``, ``bool``, ``str``, ``Path``, ``Secret``, ``Literal`` of texts, ``X | Y``, ``X | None``, ``list[X]``,
``tuple[X, ...]``, ``tuple[X, Y]``, ``Mapping[str, X]``, ``Any``; ``Annotated`` with the units and bounds of
``beaufort.quantity``; or ``Annotated`` with any shape.
"""

from __future__ import annotations

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from beaufort.quantity import NUMBER, WHOLE, Bound, Secret, Unit, shown
from beaufort.reading.document import Fault, Place
from beaufort.reading.reference import Referral
from beaufort.reading.shape import (
    FAULTY,
    Choice,
    Faulty,
    File,
    Quantity,
    Scalar,
    Shape,
    attempt,
    one_of,
    unexpected,
    unlike,
)
from beaufort.reading.unshown import Unshown

__all__ = ["Anything", "Either", "Fixed", "Listing", "Table", "shape_of"]


@dataclass(frozen=True, slots=True)
class Listing:
    """Any number of one shape. Those that are faulty are left out, and told."""

    item: Shape
    made: type[list[Any] | tuple[Any, ...]]

    @property
    def expected(self) -> str:
        return f"a list, each item {self.item.expected}"

    def takes(self, value: object) -> bool:
        return isinstance(value, list | tuple)

    def read(self, value: object, place: Place, faults: list[Fault]) -> list[Any] | tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise unlike(self, value)
        items = (attempt(self.item, part, place.below(index), faults) for index, part in enumerate(value))
        return self.made(item for item in items if item is not FAULTY)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Fixed:
    """A list of known length, each part with its own shape."""

    items: tuple[Shape, ...]

    @property
    def expected(self) -> str:
        return f"a list of {len(self.items)}: {', '.join(item.expected for item in self.items)}"

    def takes(self, value: object) -> bool:
        return isinstance(value, list | tuple)

    def read(self, value: object, place: Place, faults: list[Fault]) -> tuple[Any, ...] | Faulty:
        if not isinstance(value, list | tuple):
            raise unlike(self, value)
        if len(value) != len(self.items):
            raise ValueError(f"expected {self.expected}, got a list of {len(value)}")
        pairs = enumerate(zip(self.items, value, strict=True))
        read = tuple(attempt(item, part, place.below(index), faults) for index, (item, part) in pairs)
        return FAULTY if FAULTY in read else read

    def schema(self) -> dict[str, Any]:
        length = len(self.items)
        items = [item.schema() for item in self.items]
        return {"type": "array", "prefixItems": items, "minItems": length, "maxItems": length}


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping from names to one shape. Those that are faulty are left out, and told."""

    key: Shape
    item: Shape

    @property
    def expected(self) -> str:
        return f"a mapping of names, each to {self.item.expected}"

    def takes(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def read(self, value: object, place: Place, faults: list[Fault]) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise unlike(self, value)
        table: dict[str, Any] = {}
        for key, part in value.items():
            if not isinstance(key, str):
                faults.append(place.fault(f"expected text as a key, got {shown(key)}"))
                continue
            here = place.below(key)
            try:
                name = self.key.read(key, here, faults)
            except ValueError as error:
                at = place.document.position(here.path, key=True)
                # A wrong name may hold what is not to be shown, such as API_KEY=the-key.
                here = place if isinstance(self.key, Unshown) else here
                faults.append(Fault.of(place.document.file, at, str(here), str(error)))
                name = FAULTY
            item = attempt(self.item, part, here, faults)
            if name is not FAULTY and item is not FAULTY:
                table[name] = item
        return table

    def schema(self) -> dict[str, Any]:
        names = {"propertyNames": self.key.schema()} if self.key != Scalar(str) else {}
        return {"type": "object", **names, "additionalProperties": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Either:
    """The first member that can read the value; nothing at all where that is ``optional``."""

    members: tuple[Shape, ...]
    optional: bool

    @property
    def expected(self) -> str:
        return one_of([member.expected for member in self.members])

    def takes(self, value: object) -> bool:
        return (self.optional and value is None) or any(member.takes(value) for member in self.members)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        if value is None and self.optional:
            return None
        fitting = [member for member in self.members if member.takes(value)]
        if isinstance(value, Mapping | list | tuple) and fitting:
            # Its parts have places of their own, so the first of the kind is meant, and tells what is wrong in it.
            return fitting[0].read(value, place, faults)
        if len(self.members) == 1:
            return self.members[0].read(value, place, faults)
        for member in fitting:
            try:
                return member.read(value, place, faults)
            except ValueError:
                continue
        raise unexpected(self, value)

    def schema(self) -> dict[str, Any]:
        options = [member.schema() for member in self.members] + ([{"type": "null"}] if self.optional else [])
        return options[0] if len(options) == 1 else {"anyOf": options}


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever it is, it is passed on as it is."""

    expected: str = "anything"

    def takes(self, value: object) -> bool:  # noqa: ARG002 - as all shapes
        return True

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:  # noqa: ARG002 - as all shapes
        return value

    def schema(self) -> dict[str, Any]:
        return {}


def shape_of(annotation: Any) -> Shape | None:
    """None for a type that no text can give."""
    metadata: Sequence[Any] = ()
    if get_origin(annotation) is Annotated:
        annotation, *metadata = get_args(annotation)
    for said in metadata:
        if isinstance(said, Shape):
            return said
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in {Union, types.UnionType}:
        return _either(arguments, metadata)
    return _plain(annotation, metadata) if origin is None else _composite(origin, arguments)


_PLAIN: Mapping[Any, Shape] = {Any: Anything(), bool: Scalar(bool), str: Scalar(str), Path: File(), Secret: Referral()}


def _plain(annotation: Any, metadata: Sequence[Any]) -> Shape | None:
    if annotation not in {int, float}:
        return _PLAIN.get(annotation)
    unit = next((said for said in metadata if isinstance(said, Unit)), WHOLE if annotation is int else NUMBER)
    return Quantity(unit, tuple(said for said in metadata if isinstance(said, Bound)))


def _either(arguments: tuple[Any, ...], metadata: Sequence[Any]) -> Shape | None:
    """What is said of the whole is said of each: ``Annotated[float | None, Above(0)]``."""
    annotations = [argument for argument in arguments if argument is not types.NoneType]
    shapes = [shape_of(Annotated[argument, *metadata] if metadata else argument) for argument in annotations]
    members = tuple(shape for shape in shapes if shape is not None)
    return Either(members, optional=types.NoneType in arguments) if len(members) == len(shapes) else None


def _composite(origin: Any, arguments: tuple[Any, ...]) -> Shape | None:
    if origin is Literal:
        return Choice(arguments) if all(isinstance(word, str) for word in arguments) else None
    if origin not in {list, tuple, dict, Sequence, Mapping}:
        return None
    parts = [shape_of(argument) for argument in arguments if argument is not Ellipsis]
    shapes = tuple(part for part in parts if part is not None)
    return _collection(origin, shapes, alike=Ellipsis in arguments) if len(shapes) == len(parts) else None


def _collection(origin: Any, parts: tuple[Shape, ...], *, alike: bool) -> Shape:
    if origin in {dict, Mapping}:
        return Table(*parts)
    if origin is tuple and not alike:
        return Fixed(parts)
    return Listing(parts[0], tuple if origin is tuple else list)
