"""A configuration as plain data, and where in its file each part of it stands. What the keys mean is decided elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beaufort.quantity import shown

__all__ = ["Document", "Fault", "Node", "Place", "Position", "Step"]

Step = str | int
"""A key of a mapping, or an index of a list."""
Position = tuple[int, int]
"""Line and column, from 1."""

_NONE: dict[Any, Any] = {}
"""The parts of a scalar. One for all: there are many scalars, and a dictionary each would cost more than they do."""

_PLAIN_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong, in a complete sentence with its place; ordered by where it stands."""

    at: Position
    text: str = field(compare=False)

    @classmethod
    def of(cls, file: str | None, at: Position, place: str, message: str) -> Fault:
        where = f"{file}:{at[0]}:{at[1]}" if file is not None else ""
        return cls(at, ": ".join(filter(None, [where, place, message])))


@dataclass(slots=True)
class Node:
    """A part of a file: where it begins, its value, its text if it is a scalar, and its parts with their keys' places."""

    at: Position
    value: Any = None
    text: str | None = None
    keys: dict[Step, Position] = field(default_factory=lambda: _NONE)
    parts: dict[Step, Node] = field(default_factory=lambda: _NONE)

    @classmethod
    def collection(cls, at: Position, value: dict[Any, Any] | list[Any]) -> Node:
        return cls(at, value, None, {}, {})

    def add(self, key: Step, at: Position, part: Node) -> None:
        self.keys[key] = at
        self.parts[key] = part
        if isinstance(self.value, list):
            self.value.append(part.value)
        else:
            self.value[key] = part.value


@dataclass(frozen=True, slots=True)
class Document:
    """``data`` as it came; ``file``, its name as it was given, and ``root``, if it came from one. ``faults``: known so
    far, from reading it. ``home``: its folder, if it came from no file.
    """

    data: Any
    file: str | None = None
    root: Node | None = None
    faults: tuple[Fault, ...] = ()
    home: Path = Path()

    @property
    def folder(self) -> Path:
        """What relative paths in it are relative to."""
        return self.home if self.file is None else Path(self.file).parent

    def position(self, path: tuple[Step, ...], *, key: bool = False) -> Position:
        """Of what stands at the path; of its key; or of the nearest key above what isn't there."""
        if self.root is None:
            return 0, 0
        node, named = self.root, self.root.at
        for step in path:
            if step not in node.parts:
                return named
            named = node.keys[step]
            node = node.parts[step]
        return named if key else node.at

    def written(self, path: tuple[Step, ...]) -> str | None:
        """The scalar at the path as the file has it, before it was taken for a number."""
        node = self.root
        for step in path:
            node = node.parts.get(step) if node else None
        return node.text if node else None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document, whether or not something stands there."""

    document: Document
    path: tuple[Step, ...] = ()

    def __str__(self) -> str:
        """In words: ``checkout.policy.target_length``. What is below ``services`` begins with the service's own name."""
        path = self.path[1:] if len(self.path) > 1 and self.path[0] == "services" else self.path
        words = ""
        for step in path:
            if isinstance(step, int):
                words += f"[{step}]"
            else:
                words += ("." if words else "") + (step if _PLAIN_NAME.fullmatch(step) else shown(step))
        return words or "configuration"

    def below(self, *steps: Step) -> Place:
        return Place(self.document, (*self.path, *steps))

    def fault(self, message: str, *, key: bool = False) -> Fault:
        """A fault of what stands here, told at its value, or with ``key`` at its key."""
        return Fault.of(self.document.file, self.document.position(self.path, key=key), str(self), message)

    def written(self) -> str | None:
        return self.document.written(self.path)
