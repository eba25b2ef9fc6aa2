"""A valid configuration that says everything, and what becomes of it when somebody mistypes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from beaufort.reading.composer import read

__all__ = ["EVERYTHING", "PATHS", "VALID", "mutated"]

EVERYTHING = Path(__file__).parent / "everything.yaml"


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all parts of a value, itself included."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from leaves(part, (*path, key))


VALID: dict[str, Any] = read(EVERYTHING).data
PATHS = [path for path in leaves(VALID) if path]
WORDS = [
    "5s",
    "10%",
    "16GiB",
    "4 per 15s",
    "hold",
    "remainder",
    "env:HOME",
    "a",
    "",
    "\0",
    "\ud800",
    "é",
    "nodes",
    "type",
]
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=8) | st.binary(max_size=2)
)  # fmt: skip
values = st.recursive(
    scalars, lambda part: st.lists(part, max_size=3) | st.dictionaries(scalars, part, max_size=3), max_leaves=6
)


@st.composite
def mutated(draw: st.DrawFn) -> dict[Any, Any]:
    """A valid configuration in which one to three parts are dropped, renamed or replaced."""
    config = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(PATHS))
        holder: Any = config
        for step in above:
            holder = holder[step] if isinstance(holder, dict | list) and step in _keys(holder) else None
        if not isinstance(holder, dict | list) or key not in _keys(holder):
            continue
        how = draw(st.sampled_from(["drop", "rename", "replace"]))
        value = holder[key] if how == "rename" else draw(values)
        if how == "replace":
            holder[key] = value
            continue
        del holder[key]
        if how == "rename" and isinstance(holder, dict):
            holder[draw(scalars)] = value
    return config


def _keys(holder: dict[Any, Any] | list[Any]) -> Any:
    return holder.keys() if isinstance(holder, dict) else range(len(holder))
