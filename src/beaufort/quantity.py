"""Quantities as people write them: durations, sizes, cores, shares; the bounds that an option may have; secrets.

A plugin's signature names them (``every: Seconds``, ``gain: Annotated[float, Above(0)]``): the configuration is read
by them, and its JSON Schema is made from them. Nothing is fetched here: where a secret comes from is read elsewhere.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol, runtime_checkable

__all__ = [
    "NUMBER",
    "WHOLE",
    "Above",
    "AtLeast",
    "Between",
    "Bound",
    "Bytes",
    "Cores",
    "Seconds",
    "Secret",
    "Share",
    "Unit",
    "masked",
    "shown",
]

_LONGEST = 60
"""Characters of a wrong text that a message repeats."""
_LARGEST = 2**53
"""Whole numbers above this lose digits as floats; nothing that is counted here comes near."""


_USER = re.compile(r"//\S*@")


def masked(text: str) -> str:
    """The text without the users and passwords in its URLs."""
    return _USER.sub("//***@", text)


def shown(value: object) -> str:
    """A wrong value as a message repeats it: text in quotes, numbers as they are, the rest by its kind."""
    if isinstance(value, str):
        value = masked(value)
        return json.dumps(value if len(value) <= _LONGEST else value[:_LONGEST] + "...", ensure_ascii=False)
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return str(value) if isinstance(value, float) or abs(value) <= _LARGEST else "a number too large to count with"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list | tuple) else f"a Python {type(value).__name__}"


@runtime_checkable
class Bound(Protocol):
    """A limit of a number, as an annotation: ``Annotated[float, Above(0)]``."""

    @property
    def words(self) -> str:
        """What follows the noun in a message."""
        ...

    def admits(self, number: float) -> bool: ...

    def schema(self) -> dict[str, float]:
        """The same in JSON Schema."""
        ...


@dataclass(frozen=True, slots=True)
class Above:
    limit: float

    @property
    def words(self) -> str:
        return f"above {self.limit:g}"

    def admits(self, number: float) -> bool:
        return number > self.limit

    def schema(self) -> dict[str, float]:
        return {"exclusiveMinimum": self.limit}


@dataclass(frozen=True, slots=True)
class AtLeast:
    limit: float

    @property
    def words(self) -> str:
        return f"of {self.limit:g} or more"

    def admits(self, number: float) -> bool:
        return number >= self.limit

    def schema(self) -> dict[str, float]:
        return {"minimum": self.limit}


@dataclass(frozen=True, slots=True)
class Between:
    """Both ends included."""

    lowest: float
    highest: float

    @property
    def words(self) -> str:
        return f"between {self.lowest:g} and {self.highest:g}"

    def admits(self, number: float) -> bool:
        return self.lowest <= number <= self.highest

    def schema(self) -> dict[str, float]:
        return {"minimum": self.lowest, "maximum": self.highest}


_WRITTEN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([A-Za-z%]*)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Unit:
    """How a number may be written: a plain number and, where there are ``factors``, as text with or without a suffix.

    ``whole``: only whole numbers, or (with factors) rounded to one. ``plain``: what it may be without a suffix.
    """

    noun: str
    such_as: str = ""
    factors: Mapping[str, float] = field(default_factory=dict, hash=False)
    whole: bool = False
    plain: Bound | None = None

    def expected(self, bounds: Sequence[Bound] = ()) -> str:
        """The noun phrase of messages, such as "a duration above 0 such as 5s or 300ms"."""
        return " ".join(filter(None, [self.noun, " and ".join(bound.words for bound in bounds), self.such_as]))

    def parse(self, written: object, bounds: Sequence[Bound] = ()) -> float:
        """The number, in the unit's own measure. Raises ValueError with what was expected and what was there."""
        number = self._text(written) if isinstance(written, str) else self._plain(written)
        if number is None or not all(bound.admits(number) for bound in bounds):
            raise ValueError(f"expected {self.expected(bounds)}, got {shown(written)}")
        return number

    def schema(self, bounds: Sequence[Bound] = ()) -> dict[str, Any]:
        """JSON Schema. Bounds of a number written with a suffix are beyond it."""
        number: dict[str, Any] = {"type": "integer" if self.whole and not self.factors else "number"}
        for bound in (*([self.plain] if self.plain else []), *bounds):
            number |= bound.schema()
        if not self.factors:
            return number
        suffixes = "|".join(sorted(map(re.escape, self.factors)))
        pattern = rf"^\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*({suffixes})?\s*$"
        return {"anyOf": [number, {"type": "string", "pattern": pattern}]}

    def _plain(self, written: object) -> float | None:
        if isinstance(written, bool) or not isinstance(written, int | float):
            return None
        if not math.isfinite(written) if isinstance(written, float) else abs(written) > _LARGEST:
            return None
        if self.plain is not None and not self.plain.admits(written):
            return None
        return self._rounded(float(written), exactly=not self.factors)

    def _text(self, written: str) -> float | None:
        match = _WRITTEN.fullmatch(written)
        if match is None or not self.factors:
            return None
        number, suffix = float(match[1]), match[2]
        if not suffix:
            return self._plain(number)
        if suffix not in self.factors:
            return None
        factor = self.factors[suffix]
        # Division is exact to the last digit where a factor such as 0.01 is not: 35% is 0.35.
        number = number * factor if factor >= 1 else number / round(1 / factor)
        return self._rounded(number, exactly=False) if math.isfinite(number) else None

    def _rounded(self, number: float, *, exactly: bool) -> float | None:
        if not self.whole:
            return number
        return None if exactly and not number.is_integer() else round(number)


NUMBER = Unit("a number")
WHOLE = Unit("a whole number", whole=True)

_DURATION = Unit(
    "a duration",
    "such as 5s or 300ms",
    {"ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400},
    plain=AtLeast(0),
)
_SIZE = Unit(
    "an amount of memory",
    "such as 256MiB or 16GB",
    {
        **{f"{prefix}iB": 1024.0**power for power, prefix in enumerate("KMGTP", start=1)},
        **{f"{prefix}i": 1024.0**power for power, prefix in enumerate("KMGTP", start=1)},
        **{f"{prefix}B": 1000.0**power for power, prefix in enumerate("kMGTP", start=1)},
        "KB": 1000,
        "B": 1,
    },
    whole=True,
    plain=AtLeast(0),
)
_CPU = Unit("cores", "such as 0.5 or 500m", {"m": 1e-3}, plain=AtLeast(0))
_SHARE = Unit("a share", "such as 0.5 or 50%", {"%": 1e-2}, plain=Between(0, 1))

Seconds = Annotated[float, _DURATION]
"""A duration: "5s", "300ms", "2m", "1h", or a number of seconds."""
Bytes = Annotated[int, _SIZE]
"""An amount of memory: "256MiB", "16GB", "1.5 GiB", or a number of bytes."""
Cores = Annotated[float, _CPU]
"""Processor time: 0.5, or "500m" in thousandths of a core."""
Share = Annotated[float, _SHARE]
"""A part of a whole: 0.5, or "50%". A plain number is at most 1, so that 50 is not taken for 5000%."""


class Secret:
    """A text that is never shown: neither in a message nor in a log, only by ``reveal``.

    In a configuration it is given by reference: ``env:NAME``, or ``file:/path``. ``source`` says which, and is shown.
    """

    __slots__ = ("_source", "_text")

    def __init__(self, text: str, source: str = "not shown") -> None:
        self._text = text
        self._source = source

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Secret({self._source})"
