"""What is wrong with a body: every fault, each with its place, in the words that a configuration's faults have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from beaufort.quantity import shown

__all__ = ["MOST", "complaints"]

MOST = 100
"""Faults that are told at most."""

PLAIN = {str: "text", float: "a number", int: "a whole number", dict: "an object"}


def complaints(said: object, kind: Any) -> list[str]:
    """Why ``said`` is no ``kind``: a Struct, a list of them, either of the two, or a plain type. Empty if it is one."""
    if _is(said, kind):
        return []
    return list(islice(_of(said, kind, ""), MOST))


def _is(said: object, kind: Any) -> bool:
    try:
        msgspec.convert(said, kind)
    except msgspec.ValidationError:
        return False
    return True


def _of(said: object, kind: Any, place: str) -> Iterator[str]:
    kinds = {get_origin(each) or each: each for each in get_args(kind) or (kind,)}
    many = kind if get_origin(kind) is list else kinds.get(list)
    if many is not None and isinstance(said, list):
        for index, each in enumerate(said):
            yield from _of(each, get_args(many)[0], f"{place}[{index}]")
        return
    struct = next((each for each in kinds.values() if isinstance(each, type) and issubclass(each, Struct)), None)
    if struct is not None and isinstance(said, dict):
        yield from _of_fields(said, struct, f"{place}." if place else "")
    elif not _is(said, kind):
        expected = "an object" if struct is not None else _words(kind)
        # A text that should have had parts is not repeated: it may be one's secret in the wrong place.
        got = "text" if struct is not None and isinstance(said, str) else _got(said)
        yield f"{place or 'the body'}: expected {expected}{' or a list' if many else ''}, got {got}"


def _of_fields(said: dict[Any, Any], struct: type[Struct], place: str) -> Iterator[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for key, value in said.items():
        if key not in fields:
            yield f"{place}{str(key)[:60]}: unknown key; expected {', '.join(fields)}"
        else:
            yield from _of(value, fields[key].type, place + key)
    for key, field in fields.items():
        if field.required and key not in said:
            yield f"{place}{key}: missing; expected {_words(field.type)}"


def _words(kind: Any) -> str:
    """What is expected, as its type describes it."""
    parts = get_args(kind)
    described = next((part.description for part in parts if isinstance(part, Meta) and part.description), None)
    if described is not None:
        return str(described)
    known = [_words(part) for part in parts if not isinstance(part, Meta) and part is not msgspec.UnsetType]
    return ", or ".join(known) if known and get_origin(kind) is not dict else _plain(kind)


def _plain(kind: Any) -> str:
    return "null" if kind is type(None) else PLAIN.get(get_origin(kind) or kind, "another value")


def _got(said: object) -> str:
    return "an object" if isinstance(said, dict) else "null" if said is None else shown(said)
