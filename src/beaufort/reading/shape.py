"""What a value of a configuration may look like, how it is read, and its JSON Schema: the contract, and plain values.

A shape that can't read a value raises ValueError with "expected ..., got ..."; whoever called it adds the place. Shapes
with parts tell the faults of their parts themselves and go on, so that all are told at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from beaufort.quantity import Bound, Unit, shown
from beaufort.reading.document import Fault, Place

__all__ = [
    "FAULTY",
    "Choice",
    "Faulty",
    "File",
    "Grammar",
    "Quantity",
    "Scalar",
    "Shape",
    "attempt",
    "nearest",
    "one_of",
    "unexpected",
    "unlike",
]

# ruff: noqa: ARG002 - every shape is read with its place and the list of faults, whether it needs them or not


class Faulty(Enum):
    """Stands for a value that could not be read, whose fault has been told."""

    FAULTY = "faulty"


FAULTY = Faulty.FAULTY


@runtime_checkable
class Shape(Protocol):
    """May also stand in an annotation, ``Annotated[Resources, shape]``, to say how such a value is read."""

    @property
    def expected(self) -> str:
        """A noun phrase, for messages."""
        ...

    def takes(self, value: object) -> bool:
        """Whether the value is of the kind (text, number, list, mapping) that this shape is written as."""
        ...

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        """The value; FAULTY when faults have been added. Raises ValueError for a fault of the value as a whole."""
        ...

    def schema(self) -> dict[str, Any]: ...


def unexpected(shape: Shape, value: object) -> ValueError:
    return ValueError(f"expected {shape.expected}, got {shown(value)}")


def unlike(shape: Shape, value: object) -> ValueError:
    """Of a value that should have had parts. A text is not repeated: it may be a part's secret in the wrong place."""
    return ValueError(f"expected {shape.expected}, got {'text' if isinstance(value, str) else shown(value)}")


def attempt(shape: Shape, value: object, place: Place, faults: list[Fault]) -> Any:
    """Reads the value. If it can't be read, tells the fault with its place, and gives FAULTY."""
    try:
        return shape.read(value, place, faults)
    except ValueError as error:
        faults.append(place.fault(str(error)))
        return FAULTY


def nearest(written: str, known: Collection[str], cutoff: float = 0.6) -> str | None:
    """The known word that is most like the written one, if any is like it."""
    return next(iter(difflib.get_close_matches(written, known, n=1, cutoff=cutoff)), None)


def one_of(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, maybe with a unit, within bounds."""

    unit: Unit
    bounds: tuple[Bound, ...] = ()

    @property
    def expected(self) -> str:
        return self.unit.expected(self.bounds)

    def takes(self, value: object) -> bool:
        return isinstance(value, int | float) or (isinstance(value, str) and bool(self.unit.factors))

    def read(self, value: object, place: Place, faults: list[Fault]) -> float:
        return self.unit.parse(value, self.bounds)

    def schema(self) -> dict[str, Any]:
        return self.unit.schema(self.bounds)


@dataclass(frozen=True, slots=True)
class Scalar:
    """A flag or a text: right as it is, if it is of that kind."""

    kind: type[bool | str]

    @property
    def expected(self) -> str:
        return "text" if self.kind is str else "true or false"

    def takes(self, value: object) -> bool:
        return isinstance(value, self.kind)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        if isinstance(value, self.kind):
            return value
        written = place.written()
        if self.kind is str and written and value is not None:
            raise ValueError(f"expected text, got {written}; put it in quotes: {shown(written)}")
        raise unexpected(self, value)

    def schema(self) -> dict[str, Any]:
        return {"type": "string" if self.kind is str else "boolean"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        return one_of(self.words)

    def takes(self, value: object) -> bool:
        return isinstance(value, str)

    def read(self, value: object, place: Place, faults: list[Fault]) -> str:
        if isinstance(value, str) and value in self.words:
            return value
        raise unexpected(self, value)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class File:
    """A path; a relative one is relative to the folder of the configuration."""

    expected: str = "a path"

    def takes(self, value: object) -> bool:
        return isinstance(value, str | Path)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Path:
        if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
            raise unexpected(self, value)
        return place.document.folder / value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Grammar:
    """A text of which ``parse`` makes the value; its ValueError means that the text is not what was ``expected``.

    ``numbers``: a number will do too, and stands for its digits as they are written.
    """

    expected: str
    parse: Callable[[str], Any]
    pattern: str | None = None
    numbers: bool = False

    @classmethod
    def matching(cls, expected: str, pattern: str, *, numbers: bool = False) -> Grammar:
        """A text that is right as it is, if the whole of it matches the pattern."""

        def parse(text: str) -> str:
            if re.fullmatch(pattern, text) is None:
                raise ValueError
            return text

        return cls(expected, parse, f"^{pattern}$", numbers)

    def takes(self, value: object) -> bool:
        number = self.numbers and isinstance(value, int | float) and not isinstance(value, bool)
        return isinstance(value, str) or number

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        try:
            if self.takes(value):
                return self.parse(value if isinstance(value, str) else place.written() or str(value))
        except ValueError:
            pass
        raise unexpected(self, value)

    def schema(self) -> dict[str, Any]:
        pattern = {"pattern": self.pattern} if self.pattern else {}
        return {"type": ["string", "number"] if self.numbers else "string", **pattern}
