"""Constraints: on which nodes a container of a service may be, by the nodes' attributes and by where its others are.

The operators are Marathon's. Each is a condition, or only a preference where it is ``soft``. Which node is taken of
those that are left is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from beaufort.pool import Flags, Numbers
from beaufort.quantity import shown

__all__ = ["ABSENT", "Column", "Constraint", "Operator", "faults", "parsed", "understood"]

ABSENT = -1
"""The place of a node that does not have the attribute."""


class Operator(StrEnum):
    UNIQUE = "UNIQUE"
    CLUSTER = "CLUSTER"
    GROUP_BY = "GROUP_BY"
    MAX_PER = "MAX_PER"
    LIKE = "LIKE"
    UNLIKE = "UNLIKE"
    IS = "IS"


VALUED = {Operator.MAX_PER, Operator.LIKE, Operator.UNLIKE, Operator.IS}
COUNTED = {Operator.MAX_PER, Operator.GROUP_BY}
EXPRESSED = {Operator.LIKE, Operator.UNLIKE}
STATIC = {*EXPRESSED, Operator.IS}


@dataclass(frozen=True, slots=True)
class Constraint:
    """``field`` is the attribute of the node that it looks at. What ``value`` means is the operator's:

    UNIQUE: no two on nodes of the same value. MAX_PER: no more than so many. CLUSTER: all on nodes of one value, of this
    one if it is given. GROUP_BY: as many on each value, but for one; of so many values at least, if a number is given.
    LIKE: the whole value is like this regular expression. UNLIKE: it is not, or there is none. IS: it is this value.
    """

    field: str
    operator: Operator
    value: str = ""
    soft: bool = False

    @classmethod
    def parse(cls, text: str, *, soft: bool = False) -> Self:
        """From such as "zone LIKE a|b". Raises ValueError."""
        words = text.split(maxsplit=2)
        field, name, value = (*words, "", "", "")[:3]
        if name not in Operator.__members__:
            known = ", ".join(Operator)
            raise ValueError(f'expected a constraint such as "zone LIKE a|b", with one of {known}, got {shown(text)}')
        operator = Operator[name]
        if fault := _fault(operator, value):
            raise ValueError(f"expected {fault} after {operator}, got {shown(value) if value else 'nothing'}")
        return cls(field, operator, value, soft)

    def __str__(self) -> str:
        return f"{self.field} {self.operator} {self.value}".rstrip()

    @property
    def is_static(self) -> bool:
        """Whether it asks only where a node is, and not where the others are."""
        return self.operator in STATIC or (self.operator is Operator.CLUSTER and bool(self.value))

    def allows(self, column: Column, counts: Numbers) -> Flags:
        """Which nodes may take one more, where each value has so many already."""
        values = self._values(column, counts)
        with_absent = np.append(values, self.operator is Operator.UNLIKE)  # ABSENT is the last place
        return np.asarray(with_absent[column.codes])

    def _values(self, column: Column, counts: Numbers) -> Flags:
        match self.operator:
            case Operator.UNIQUE:
                return np.asarray(counts < 1)
            case Operator.MAX_PER:
                return np.asarray(counts < int(self.value))
            case Operator.GROUP_BY:
                missing = bool(self.value) and int(self.value) > len(counts)
                return np.asarray(counts <= (0 if missing else counts.min(initial=np.iinfo(np.int64).max)))
            case Operator.CLUSTER if not self.value:
                return np.asarray(counts > 0) if counts.any() else np.ones(len(counts), dtype=bool)
            case Operator.CLUSTER | Operator.IS:
                return np.array([value == self.value for value in column.values], dtype=bool)
            case _:
                like = re.compile(self.value)
                matches = [like.fullmatch(value) is not None for value in column.values]
                return np.asarray(np.array(matches, dtype=bool) == (self.operator is Operator.LIKE))


def parsed(hard: Iterable[str], soft: Iterable[str]) -> tuple[Constraint, ...]:
    """Conditions and preferences as they are written. Raises ValueError."""
    return (*map(Constraint.parse, hard), *(Constraint.parse(text, soft=True) for text in soft))


def understood(written: Iterable[Sequence[str]]) -> tuple[Constraint, ...]:
    """Those of others, each in its words: field, operator and maybe a value. What is not known here is left out."""
    found = []
    for words in written:
        with suppress(ValueError):
            found.append(Constraint.parse(" ".join(words)))
    return tuple(found)


def faults(**written: Sequence[str]) -> Iterator[str]:
    """What is wrong with constraints under their keys; each begins with its place."""
    for key, texts in written.items():
        for index, text in enumerate(texts):
            try:
                Constraint.parse(text)
            except ValueError as error:
                yield f"{key}.{index}: {error}"


def _fault(operator: Operator, value: str) -> str:
    """What was expected, if the value is not it."""
    if operator is Operator.UNIQUE:
        return "nothing" if value else ""
    if operator in COUNTED and (value or operator in VALUED):
        return "" if value.isascii() and value.isdigit() and int(value) > 0 else "a number above 0"
    if operator in EXPRESSED:
        try:
            re.compile(value)
        except re.error:
            return "a regular expression"
        return "" if value else "a regular expression"
    return "a value" if operator is Operator.IS and not value else ""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One attribute of all nodes: its values, and for each node the place of its own among them."""

    values: tuple[str, ...]
    codes: Numbers

    @classmethod
    def of(cls, field: str, attributes: Sequence[Mapping[str, str]]) -> Self:
        found: dict[str, int] = {}
        codes = [
            ABSENT if (value := each.get(field)) is None else found.setdefault(value, len(found)) for each in attributes
        ]
        return cls(tuple(found), np.array(codes, dtype=np.int64))

    def count(self, running: Numbers) -> Numbers:
        """How many of those that run on each node are on each value."""
        there = self.codes != ABSENT
        return np.bincount(self.codes[there], running[there], len(self.values)).astype(np.int64)
