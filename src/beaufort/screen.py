"""A running controller as a person sees it in a terminal: what runs, how supply follows demand, what was decided and why.

It draws a `scene.Scene`, which is plain data. It reads no clock, and asks nobody anything.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.panel import Panel
from rich.text import Text

from beaufort.meter import PAST, Moment
from beaufort.model import Event
from beaufort.scene import Lane, Scene

__all__ = ["Screen"]

COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#CC79A7", "#D55E00")
"""Those of Okabe and Ito, "Color Universal Design" (2008), which people who see colours otherwise tell apart too."""

SHADES = "█▒▓▚▞▤"
"""What tells the services apart where there is no colour."""

LEVELS = " ▁▂▃▄▅▆▇█"

CELLS_HIGH = 5
"""Rows that the cells may take before smaller ones are drawn."""

EVENTS = 6
"""Events that are shown where the height is not given."""

GAP = " " * 3

NARROW = 60
"""Columns below which the table leaves out what matters less."""


@dataclass(frozen=True, slots=True)
class _Size:
    """Of a cell: its columns and rows, and the columns and rows between two."""

    columns: int
    rows: int
    apart: int
    below: int

    def in_a_row(self, width: int) -> int:
        return max(1, (width + self.apart) // (self.columns + self.apart))

    def high(self, count: int, width: int) -> int:
        """The rows that so many cells take."""
        return math.ceil(count / self.in_a_row(width)) * (self.rows + self.below) - self.below


SIZES = (_Size(4, 2, 1, 1), _Size(2, 1, 1, 0), _Size(1, 1, 0, 0))


@dataclass(frozen=True, slots=True)
class _Cell:
    """What fills one cell, row by row. ``colour`` None: there is none, and the ``shade`` has to do."""

    shade: str
    colour: str | None
    hollow: bool = False
    dim: bool = False

    def row(self, size: _Size, number: int) -> Text:
        style = f"{self.colour or 'default'}{' dim' if self.dim else ''}"
        if self.hollow and size.rows > 1:
            left, right = ("╭", "╮") if number == 0 else ("╰", "╯")
            return Text(f"{left}{'─' * (size.columns - 2)}{right}", style)
        if self.hollow:
            return Text("[]" if size.columns > 1 else "o", style)
        if self.colour is None:
            return Text(self.shade * size.columns)
        # Rows may stand apart in a terminal, but not their backgrounds.
        return Text(" " * size.columns, f"on {self.colour}") if size.rows > 1 else Text("▆" * size.columns, style)


class Screen:
    """Draws a scene into the width that there is, and into ``height`` rows if that is given."""

    def __init__(self, scene: Scene, height: int | None = None) -> None:
        self._scene = scene
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        scene, width = self._scene, max(1, options.max_width - 4)
        drawing = _Drawing(scene, width, coloured=console.color_system is not None and not console.no_color)
        minutes, seconds = divmod(int(scene.now - scene.began), 60)
        yield Panel(
            Group(*drawing.rows(None if self._height is None else self._height - 2)),
            title=Text(
                f"{scene.title} · room for {scene.capacity} containers · {minutes}:{seconds:02}", "bold not dim"
            ),
            title_align="left",
            subtitle=Text(scene.hint, "dim") if scene.hint else None,
            subtitle_align="right",
            border_style="dim",
            height=self._height,
        )


class _Drawing:
    """The rows inside the border, each of which is one row of the terminal."""

    def __init__(self, scene: Scene, width: int, *, coloured: bool) -> None:
        self._scene = scene
        self._width = width
        self._coloured = coloured
        names = [len(lane.service.name) for lane in scene.lanes]
        self._name_width = min(max(names, default=0), 8 if width < NARROW else 20)

    def rows(self, height: int | None) -> list[Text]:
        """Where the height is not enough, the older events are left out, then the charts, then what is lowest."""
        above, charts, figures = [*self._cells(), Text(), *self._table()], [Text(), *self._charts()], self._figures()
        room = len(charts) + EVENTS if height is None else height - len(above) - 3
        if room <= len(charts):
            charts = []
        events = self._scene.events
        newest = events[max(0, len(events) - max(0, room - len(charts))) :]
        rows = [*above, *charts, Text(), figures, Text(), *map(self._event, newest)][:height]
        for row in rows:
            row.no_wrap, row.overflow = True, "ellipsis"
        return rows

    # The cells.

    def _cells(self) -> Iterator[Text]:
        held = [*self._held()]
        cells = [*held, *[None] * (self._scene.capacity - len(held))]
        fitting = (size for size in SIZES if size.high(len(cells), self._width) <= CELLS_HIGH)
        size = next(fitting, SIZES[-1])
        in_a_row = size.in_a_row(self._width)
        for first in range(0, len(cells), in_a_row):
            if first:
                yield from (Text() for _ in range(size.below))
            line = cells[first : first + in_a_row]
            for number in range(size.rows):
                yield Text(" " * size.apart).join(
                    _free(size, number) if cell is None else cell.row(size, number) for cell in line
                )

    def _held(self) -> Iterator[_Cell]:
        for index, lane in enumerate(self._scene.lanes):
            shade, colour, counts = self._shade(index), self._colour(index), lane.counts
            yield from [_Cell(shade, colour)] * counts.running
            yield from [_Cell(shade, colour, hollow=True)] * counts.starting
            yield from [_Cell(shade, colour, hollow=True, dim=True)] * counts.stopping

    def _shade(self, index: int) -> str:
        return SHADES[0 if self._coloured else index % len(SHADES)]

    def _colour(self, index: int) -> str | None:
        return COLOURS[index % len(COLOURS)] if self._coloured else None

    def _style(self, index: int) -> str:
        return self._colour(index) or "default"

    # The table.

    def _table(self) -> Iterator[Text]:
        narrow = self._width < NARROW
        heads = ["demand", "desired", "running"] if narrow else ["priority", "demand", "desired", "granted", "running"]
        heads += [] if narrow else ["starting", "stopping"]
        column = 8 if narrow else 9
        yield Text(" " * (self._name_width + 3) + "".join(f"{head:>{column}}" for head in heads), "dim")
        for index, lane in enumerate(self._scene.lanes):
            values = _values(lane)
            row = Text.assemble((self._shade(index) * 2, self._style(index)), " ", (self._name(lane), "bold"))
            yield row.append("".join(f"{values[head]:>{column}}" for head in heads))

    def _name(self, lane: Lane) -> str:
        name = lane.service.name
        return f"{name if len(name) <= self._name_width else name[: self._name_width - 1] + '…':<{self._name_width}}"

    # The charts.

    def _charts(self) -> Iterator[Text]:
        label_width = self._name_width + 3 + 9
        columns = max(1, min(int(PAST), self._width - label_width))
        for index, lane in enumerate(self._scene.lanes):
            name = " " * 3 + self._name(lane)
            past = [*_sampled(lane.past, self._scene.now, columns)]
            if any(moment.demand is not None for moment in past):
                yield Text.assemble((f"{name}  demand ", "dim"), self._line([moment.demand for moment in past]))
                name = " " * len(name)
            running = self._line([moment.running for moment in past])
            yield Text.assemble((f"{name} running ", "dim"), (running, self._style(index)))

    def _line(self, values: Sequence[float | None]) -> str:
        top = self._scene.capacity
        shares = (0.0 if value is None else min(1.0, value / top) for value in values)
        return "".join(LEVELS[math.ceil(share * (len(LEVELS) - 1))] for share in shares)

    # The words.

    def _figures(self) -> Text:
        figures = self._scene.figures
        reaction = figures.reaction
        words = [
            f"reaction {_milliseconds(reaction.latest)}",
            f"median {_milliseconds(reaction.p50)}",
            f"99% {_milliseconds(reaction.p99)}",
            f"{figures.utilisation:.1%} of the room used",
            f"{figures.decisions} decisions",
        ]
        while len(words) > 1 and len(GAP.join(words)) > self._width:
            words.pop()
        return Text(GAP.join(words))

    def _event(self, event: Event) -> Text:
        minutes, seconds = divmod(max(0.0, event.at - self._scene.began), 60)
        row = Text.assemble((f"{int(minutes)}:{seconds:04.1f}  ", "dim"))
        indices = [index for index, lane in enumerate(self._scene.lanes) if lane.service.name == event.service]
        if event.service is not None:
            row.append(f"{event.service} ", f"{self._style(indices[0])} bold" if indices else "bold")
        if event.kind != "action":
            row.append(f"{event.kind}: ")
        return row.append(event.detail)


def _free(size: _Size, number: int) -> Text:
    mark = "·" if number == size.rows - 1 else ""
    return Text(f"{mark:^{size.columns}}", "dim")


def _values(lane: Lane) -> dict[str, str]:
    counts = lane.counts
    return {
        "priority": str(lane.service.priority),
        "demand": "-" if lane.demand is None else f"{lane.demand:.{1 if lane.demand < 1000 else 0}f}",
        "desired": "rest" if lane.desired.remainder else str(lane.desired.count),
        "granted": str(lane.granted),
        "running": str(counts.running),
        "starting": str(counts.starting or "-"),
        "stopping": str(counts.stopping or "-"),
    }


def _sampled(past: Sequence[Moment], now: float, columns: int) -> Iterator[Moment]:
    """What was in force at the end of each of so many equal parts of the last minute.

    The parts are those of the clock, so that what has been drawn moves by whole columns. The last part ends now.
    """
    part = PAST / columns
    ends = [(math.floor(now / part) - columns + 2 + number) * part for number in range(columns)]
    times = [moment.at for moment in past]
    for end in ends:
        index = bisect_right(times, min(end, now)) - 1
        yield past[index] if index >= 0 else Moment(end, None, None)


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"
