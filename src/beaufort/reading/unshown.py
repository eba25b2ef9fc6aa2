"""A shape whose values may be secrets, such as those of an environment: a wrong one is not repeated in its message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from beaufort.quantity import shown
from beaufort.reading.document import Fault, Place
from beaufort.reading.shape import Shape

__all__ = ["Unshown"]


@dataclass(frozen=True, slots=True)
class Unshown:
    """As ``shape``. What it says of parts of a value has to be unshown by the shapes of the parts."""

    shape: Shape

    @property
    def expected(self) -> str:
        return self.shape.expected

    def takes(self, value: object) -> bool:
        return self.shape.takes(value)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        try:
            return self.shape.read(value, place, faults)
        except ValueError:
            hidden = isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
            got = "something else (not shown)" if hidden else shown(value)
            raise ValueError(f"expected {self.expected}, got {got}") from None

    def schema(self) -> dict[str, Any]:
        return self.shape.schema()
