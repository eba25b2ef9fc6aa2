"""Demand replayed from a recording, at its own pace or another."""

from __future__ import annotations

import csv
import itertools
import math
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Annotated

from beaufort.demand.timetable import play
from beaufort.model import Sample
from beaufort.quantity import Above

__all__ = ["Trace"]

HEADER = ["t_seconds", "value"]


class Trace:
    """Replays a CSV file of two columns, ``t_seconds,value``, with that line as its header.

    The first row is due when the replay begins, the others as much later as their times say, and a value holds until
    the next. ``speed``: how many recorded seconds pass in one second. ``repeat``: begin again after the last row, which
    then holds as long as the row before it; else the last value holds for ever.

    The file is read when the source is made. A bad one is a ValueError that names the file, the line and what was
    expected there.
    """

    def __init__(self, *, file: Path, speed: Annotated[float, Above(0)] = 1.0, repeat: bool = False) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise ValueError(f"speed: expected a factor above 0, got {speed!r}")
        self._rows = _read(file)
        self._speed = speed
        # A single row has no length to repeat after: it holds in any case.
        self._repeat = repeat and len(self._rows) > 1

    def samples(self) -> AsyncGenerator[Sample, None]:
        """Replays from the first row."""
        return play(self._steps())

    def _steps(self) -> Iterator[tuple[float, float]]:
        first, last = self._rows[0][0], self._rows[-1][0]
        length = last - first + (last - self._rows[-2][0]) if self._repeat else 0.0
        for lap in itertools.count() if self._repeat else [0]:
            for at, value in self._rows:
                yield (lap * length + at - first) / self._speed, value


def _read(file: Path) -> list[tuple[float, float]]:
    """The rows of the file, in order. Raises ValueError at the first that is wrong."""
    rows: list[tuple[float, float]] = []
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            lines = csv.reader(text)
            if (header := next(lines, [])) != HEADER:
                raise ValueError(f"file: {file}, line 1: expected the header {','.join(HEADER)}, got {_shown(header)}")
            for line in lines:
                try:
                    rows.append(_row(line, rows))
                except ValueError as error:
                    raise ValueError(f"file: {file}, line {lines.line_num}: {error}") from None
    except OSError as error:
        raise ValueError(f"file: expected a readable file, got {file}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"file: {file}: expected text of comma-separated values: {error}") from error
    if not rows:
        raise ValueError(f"file: {file}, line 2: expected at least one row, got the end of the file")
    return rows


def _row(line: list[str], before: list[tuple[float, float]]) -> tuple[float, float]:
    try:
        at, value = (float(field) for field in line)
    except ValueError:
        raise ValueError(f"expected two numbers, t_seconds,value, got {_shown(line)}") from None
    if not (math.isfinite(at) and math.isfinite(value) and value >= 0):
        raise ValueError(f"expected finite numbers and a value of 0 or more, got {_shown(line)}")
    if before and at <= before[-1][0]:
        raise ValueError(f"expected a time after {before[-1][0]:g}, got {at:g}")
    return at, value


def _shown(line: list[str]) -> str:
    return repr(",".join(line)[:80]) if line else "nothing"
