"""The signature of a class or function as the shape of a mapping: its keyword arguments are the keys.

One reading of a signature serves the configuration, the messages and the JSON Schema. A docstring that says what an
argument is, "``every``: seconds between moves", is its description.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from beaufort.quantity import shown
from beaufort.reading.annotation import shape_of
from beaufort.reading.document import Fault, Place
from beaufort.reading.shape import FAULTY, Shape, attempt, nearest, unlike

__all__ = ["REQUIRED", "Key", "Parameter", "Signature", "described", "parameters"]


@dataclass(frozen=True, slots=True)
class Key:
    """How an argument is written, where that is not its name: ``Annotated[int, Key("current-if-higher")]``.

    Without it, ``list_`` is written ``list``.
    """

    name: str


class _Required:
    """Says that a key must be given though the argument has a default, which only stands in after a fault."""


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One keyword argument. ``shape`` is None where no text can give it."""

    name: str
    shape: Shape | None
    required: bool
    default: Any = None
    description: str = ""

    def schema(self) -> dict[str, Any]:
        assert self.shape is not None
        about = {"description": self.description} if self.description else {}
        plain = isinstance(self.default, bool | int | float | str) and not self.required
        return about | self.shape.schema() | ({"default": self.default} if plain else {})


@functools.cache
def parameters(call: Callable[..., Any]) -> Mapping[str, Parameter]:
    """By their keys; ``**`` is the key of those that have no name of their own."""
    annotated = call.__init__ if inspect.isclass(call) else call
    hints = get_type_hints(annotated, include_extras=True)
    descriptions = _descriptions(inspect.getdoc(call) or "")
    found: dict[str, Parameter] = {}
    for name, argument in inspect.signature(call).parameters.items():
        if argument.kind in {argument.POSITIONAL_ONLY, argument.VAR_POSITIONAL}:
            continue
        hint = hints.get(name)
        said = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
        key = next((mark.name for mark in said if isinstance(mark, Key)), name.removesuffix("_"))
        free = argument.kind is argument.VAR_KEYWORD
        required = not free and (argument.default is argument.empty or REQUIRED in said)
        found["**" if free else key] = Parameter(
            name, shape_of(hint), required, argument.default, descriptions.get(name, "")
        )
    return MappingProxyType(found)


@functools.cache
def _keys(call: Callable[..., Any], supplied: frozenset[str]) -> Mapping[str, Parameter]:
    known = parameters(call).items()
    return {key: parameter for key, parameter in known if key not in supplied and parameter.shape is not None}


_ABOUT = re.compile(r"((?:``\w+``, )*``\w+``): ")


def _descriptions(text: str) -> dict[str, str]:
    """What a docstring says of each argument: from its name and a colon to the next, or to the paragraph's end."""
    found: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        parts = _ABOUT.split(" ".join(paragraph.split()))
        for names, about in zip(parts[1::2], parts[2::2], strict=True):
            for name in re.findall(r"\w+", names):
                found[name] = about.strip()
    return found


def described(call: Callable[..., Any]) -> dict[str, str]:
    """The first paragraph of the docstring, as JSON Schema takes it."""
    text = call.__doc__ or ""
    generated = text.startswith(f"{call.__name__}(")  # a dataclass without a docstring gets its signature for one
    return {} if generated or not text else {"description": " ".join(inspect.cleandoc(text).split("\n\n")[0].split())}


@dataclass(frozen=True, slots=True)
class Signature:
    """A mapping of which ``call`` makes the value. A ValueError that it raises as "key: expected ..." has its place.

    ``lasting``: ``call`` is made even of a faulty mapping, with defaults for what is faulty, so that what its parts say
    of each other can still be checked. Every argument must then have a default.
    ``supplied``: keys that are the program's to give, and no configuration may.
    """

    call: Callable[..., Any]
    lasting: bool = False
    supplied: frozenset[str] = frozenset()

    @property
    def keys(self) -> Mapping[str, Parameter]:
        """The arguments that a configuration may give, by their keys."""
        return _keys(self.call, self.supplied)

    @property
    def expected(self) -> str:
        keys = [key for key in self.keys if key != "**"]
        return f"a mapping with {', '.join([key for key in keys if self.keys[key].required] or keys)}"

    def takes(self, value: object) -> bool:
        return isinstance(value, Mapping)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Any:
        before = len(faults)
        if isinstance(value, Mapping):
            options = self.options(value, place, faults)
        elif self.lasting:
            faults.append(place.fault(str(unlike(self, value))))
            options = {}
        else:
            raise unlike(self, value)
        if len(faults) > before and not self.lasting:
            return FAULTY
        return self.made(options, place, faults)

    def options(
        self, value: Mapping[Any, Any], place: Place, faults: list[Fault], others: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """The arguments, as far as they can be read. ``others``: keys that are known too, and not looked at."""
        known = self.keys
        names = [*others, *(key for key in known if key != "**")]
        options: dict[str, Any] = {}
        meant: set[str] = set()
        for key, part in value.items():
            if key in others:
                continue
            free = known.get("**") if isinstance(key, str) and key not in self.supplied else None
            parameter = known.get(key) or free
            near = nearest(key, names, 0.8 if parameter else 0.6) if isinstance(key, str) and key not in known else None
            if parameter is None or near:
                faults.append(_unknown(key, place, near, names))
                meant.add(near or "")
                continue
            assert parameter.shape is not None
            read = attempt(parameter.shape, part, place.below(key), faults)
            if read is not FAULTY:
                options[key if parameter is free else parameter.name] = read
        for key, parameter in known.items():
            if parameter.required and key not in value and key not in meant:
                assert parameter.shape is not None
                faults.append(place.below(key).fault(f"missing; expected {parameter.shape.expected}"))
        return options

    def made(self, options: Mapping[str, Any], place: Place, faults: list[Fault]) -> Any:
        """What ``call`` makes of the options, or FAULTY."""
        try:
            return self.call(**options)
        except (ValueError, OSError) as error:
            said = f"can't open {error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            name, colon, rest = said.partition(": ")
            keys = {**{key: key for key in options}, **{known.name: key for key, known in self.keys.items()}}
            faults.append(place.below(keys[name]).fault(rest) if colon and name in keys else place.fault(said))
            return FAULTY

    def schema(self) -> dict[str, Any]:
        known = dict(self.keys)
        free = known.pop("**", None)
        refused = dict.fromkeys(self.supplied, False) if free else {}
        required = [key for key, parameter in known.items() if parameter.required]
        return {
            **described(self.call),
            "type": "object",
            "properties": {key: parameter.schema() for key, parameter in known.items()} | refused,
            **({"required": required} if required else {}),
            "additionalProperties": free.schema() if free else False,
        }


def _unknown(key: object, place: Place, near: str | None, names: list[str]) -> Fault:
    if not isinstance(key, str):
        return place.fault(f"expected text as a key, got {shown(key)}")
    hint = f"did you mean {shown(near)}?" if near else f"expected {', '.join(names) or 'none'}"
    return place.below(key).fault(f"unknown key {shown(key)}; {hint}", key=True)
