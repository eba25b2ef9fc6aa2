"""YAML text -> Document. PyYAML parses; composing is our own, to keep places, to tell of every duplicate key, and to
read scalars by the core schema of YAML 1.2, in which ``yes`` and ``12:30`` are text and 010 is ten.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from beaufort.protocols import ConfigError
from beaufort.quantity import shown
from beaufort.reading.document import Document, Fault, Node, Place, Position, Step

__all__ = ["compose", "read"]

_DEEPEST = 60
"""Levels of nesting. A configuration has some six; the rest is a mistake that would exhaust the stack."""
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CORE = "tag:yaml.org,2002:"
_BREAK = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")
_TAGS = {"!", *(_CORE + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))}


def read(file: str | Path) -> Document:
    """The document in a file. Raises ConfigError if it can't be read, or isn't YAML."""
    return compose(_text(file), str(file))


def compose(text: str, file: str) -> Document:
    """The document in a text, with the faults that YAML allows. Raises ConfigError if it isn't YAML."""
    composer = _Composer(file)
    try:
        root = composer.document(yaml.parse(text, Loader=_PARSER))
    except yaml.YAMLError as error:
        composer.tell(_stopped_at(text, error), (), f"YAML syntax: {_problem(text, error)}")
        raise ConfigError([fault.text for fault in composer.faults]) from error
    return Document(root.value, file, root, tuple(composer.faults))


def _text(file: str | Path) -> str:
    try:
        raw = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from error
    except ValueError as error:
        raise ConfigError([f"{shown(str(file))}: can't be read: {error}"]) from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        at = (before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        raise ConfigError([Fault.of(str(file), at, "", "expected text in UTF-8, got other bytes").text]) from error


def _stopped_at(text: str, error: yaml.YAMLError) -> Position:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return error.problem_mark.line + 1, error.problem_mark.column + 1
    stopped = re.search(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    before = text[: stopped.start()] if stopped else ""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _problem(text: str, error: yaml.YAMLError) -> str:
    """Why the parser stopped, in words that help with what people mistype most."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem is None:
        return "expected printable text, got a control character"
    if "cannot start any token" in error.problem:
        line, column = _stopped_at(text, error)
        character = "".join(_BREAK.split(text)[line - 1 : line])[column - 1 : column]
        if character == "\t":
            return "a tab can't indent; use spaces"
        return f"a value can't begin with {character} unless it is in quotes"
    if "mapping values are not allowed" in error.problem:
        return 'unexpected ":"; check the indentation, or put a text that holds ": " in quotes'
    if error.context is None or error.context_mark is None:
        return error.problem
    return f"{error.problem} {error.context}, which began in line {error.context_mark.line + 1}"


class _Composer:
    """Makes nodes of a parser's events, and keeps the faults that are not the parser's."""

    def __init__(self, file: str) -> None:
        self.faults: list[Fault] = []
        self._file = file
        self._anchors: dict[str, Node] = {}
        self._open: set[str] = set()

    def tell(self, at: Position, path: tuple[Step, ...], message: str) -> None:
        self.faults.append(Fault.of(self._file, at, str(Place(Document(None), path)) if path else "", message))

    def document(self, events: Iterator[yaml.Event]) -> Node:
        """The root of the first document; a second one is a fault."""
        root: Node | None = None
        for event in events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if root is not None:
                self.tell(_at(event), (), "expected one document in the file, got another")
                break
            root = self._node(next(events), events, ())
        return root or Node((1, 1))

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        assert isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
        if len(path) > _DEEPEST:
            self.tell(_at(event), path[:2], f"expected at most {_DEEPEST} levels of nesting, got more")
            raise ConfigError([fault.text for fault in self.faults])
        if event.tag is not None and event.tag not in _TAGS:
            self.tell(_at(event), path, "unknown tag; put a text that begins with ! in quotes")
        anchor = event.anchor or ""
        self._open.add(anchor)
        node = self._fresh(event, events, path)
        self._open.discard(anchor)
        self._anchors[anchor] = node
        return node

    def _alias(self, event: yaml.AliasEvent, path: tuple[Step, ...]) -> Node:
        # Its name is not repeated: it may be a password that begins so, and no alias.
        if event.anchor in self._open:
            self.tell(_at(event), path, "this alias refers to what it is a part of")
        elif event.anchor in self._anchors:
            return self._anchors[event.anchor]
        else:
            self.tell(_at(event), path, "this alias refers to nothing; put a text that begins with * in quotes")
        return Node(_at(event))

    def _fresh(
        self,
        event: yaml.ScalarEvent | yaml.CollectionStartEvent,
        events: Iterator[yaml.Event],
        path: tuple[Step, ...],
    ) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            as_written = event.tag in {"!", _CORE + "str"} or not (event.tag or event.implicit[0])
            return Node(_at(event), event.value if as_written else _scalar(event.value), event.value)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(Node.collection(_at(event), {}), events, path)
        return self._sequence(Node.collection(_at(event), []), events, path)

    def _sequence(self, node: Node, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> Node:
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            index = len(node.parts)
            node.add(index, _at(event), self._node(event, events, (*path, index)))
        return node

    def _mapping(self, node: Node, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> Node:
        merged: list[Node] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            key = self._key(event, events, path)
            value = self._node(next(events), events, (*path, key))
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and event.implicit[0]:
                merged += self._to_merge(value, path)
            elif key in node.parts:
                what = "service" if path == ("services",) else "key"
                self.tell(_at(event), (*path, key), f"duplicate {what}, first given in line {node.keys[key][0]}")
            else:
                node.add(key, _at(event), value)
        for other in merged:
            for added in [added for added in other.parts if added not in node.parts]:
                node.add(added, other.keys[added], other.parts[added])
        return node

    def _key(self, event: yaml.Event, events: Iterator[yaml.Event], path: tuple[Step, ...]) -> str:
        """The key as it is written. One that is not text is told here, since the data no longer shows it."""
        if isinstance(event, yaml.ScalarEvent) and event.value[:1] not in _FIRST and not (event.tag or event.anchor):
            return event.value
        key = self._node(event, events, (*path, "?"))
        if isinstance(key.value, str):
            return key.value
        hint = f"; put it in quotes: {shown(key.text)}" if key.text else ""
        self.tell(_at(event), path, f"expected text as a key, got {key.text or shown(key.value)}{hint}")
        return key.text or ""

    def _to_merge(self, value: Node, path: tuple[Step, ...]) -> list[Node]:
        """What ``<<`` brings in: a mapping, or a list of them, the first of which has precedence."""
        nodes = list(value.parts.values()) if isinstance(value.value, list) else [value]
        for node in nodes:
            if not isinstance(node.value, dict):
                self.tell(node.at, (*path, "<<"), f"expected a mapping to merge, got {shown(node.value)}")
        return [node for node in nodes if isinstance(node.value, dict)]


_FIRST = {"", *"~nNtTfF+-.0123456789"}
"""What begins anything but text; most scalars are text."""
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]{1,300}")
_BASED = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def _scalar(text: str) -> str | int | float | bool | None:
    """YAML 1.2.2, section 10.3.2."""
    if text[:1] not in _FIRST:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text


def _at(event: yaml.Event) -> Position:
    assert event.start_mark is not None
    return event.start_mark.line + 1, event.start_mark.column + 1
