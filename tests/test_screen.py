"""What a person sees: at every size, with and without colour, and never more than there is room for."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from beaufort.meter import Figures, Moment, Reaction
from beaufort.model import Counts, Desired, Event, Service
from beaufort.scene import Lane, Scene
from beaufort.screen import Screen

NOTHING = Figures(capacity=10, duration=0, decisions=0, utilisation=0, reaction=Reaction(None, None, None), services={})
FIGURES = Figures(
    capacity=10,
    duration=75,
    decisions=123,
    utilisation=0.987,
    reaction=Reaction(latest=0.0042, p50=0.0051, p99=0.0123),
    services={},
)
EVENTS = [
    Event(1000 + n, "action", f"{n} -> {n + 1}: wants {n + 1}: demand {n}.5, 1 each", "checkout") for n in range(30)
]


def lane(name: str, priority: int, counts: Counts, *, demand: float | None = None, past: Sequence[Moment] = ()) -> Lane:
    desired = Desired(name, counts.current, "", remainder=demand is None)
    return Lane(Service(name, priority), demand, desired, counts.current, counts, past)


def scene(
    checkout: Counts,
    reports: Counts = Counts(),  # noqa: B008 - a frozen value
    *,
    capacity: int = 10,
    past: Sequence[Moment] = (),
    events: Sequence[Event] = (),
) -> Scene:
    lanes = [
        lane("checkout", 1, checkout, demand=5.25, past=past),
        lane("reports", 2, reports, past=[Moment(moment.at, None, moment.running) for moment in past]),
    ]
    return Scene("the title", 1000, 1074.5, capacity, lanes, FIGURES, events, "the hint")


def drawn(scene: Scene, width: int = 80, height: int | None = None, *, colour: bool = False) -> list[str]:
    console = Console(
        width=width,
        height=height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor" if colour else None,
        legacy_windows=False,
    )
    console.print(Screen(scene, height))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def bare(rows: Sequence[str]) -> str:
    """Without what sets styles."""
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(rows))


def test_the_words_say_how_it_stands() -> None:
    text = bare(drawn(scene(Counts(running=6, starting=1), Counts(running=2, stopping=1), events=EVENTS[:2])))
    assert "the title · room for 10 containers · 1:14" in text
    assert re.search(r"checkout +1 +5\.2 +7 +7 +6 +1 +- ", text)
    assert re.search(r"reports +2 +- +rest +2 +2 +- +1 ", text)
    assert "reaction 4.2 ms   median 5.1 ms   99% 12 ms   98.7% of the room used" in text
    assert "0:01.0  checkout 1 -> 2: wants 2: demand 1.5, 1 each" in text
    assert "the hint" in text


def test_what_is_not_known_yet_is_a_dash() -> None:
    empty = Scene("the title", 1000, 1000, 10, [], NOTHING, [Event(1000, "started", "2 services")])
    text = bare(drawn(empty))
    assert "reaction -   median -   99% -   0.0% of the room used" in text
    assert "0:00.0  started: 2 services" in text


@pytest.mark.parametrize(
    ("capacity", "row"),
    [
        pytest.param(6, "████ ╭──╮ ▒▒▒▒ ╭──╮      ", id="large, of two rows"),
        pytest.param(60, "██ [] ▒▒ [] ·  ·  ", id="middling, of one row"),
        pytest.param(200, "█o▒o····", id="small, without gaps"),
    ],
)
def test_without_colour_shades_tell_the_services_apart(capacity: int, row: str) -> None:
    rows = drawn(scene(Counts(running=1, starting=1), Counts(running=1, stopping=1), capacity=capacity))
    assert f"│ {row}" in bare(rows)
    assert "\x1b[38" not in "\n".join(rows)


def test_with_colour_the_colour_tells_them_apart() -> None:
    text = "\n".join(drawn(scene(Counts(running=1), Counts(running=1)), colour=True))
    assert text.count("\x1b[48;2;230;159;0m    \x1b[0m") == 2
    assert text.count("\x1b[48;2;86;180;233m    \x1b[0m") == 2
    assert "▒" not in text


@pytest.mark.parametrize("width", [80, 40])
@pytest.mark.parametrize("capacity", [1, 2, 10, 24, 25, 60, 200])
def test_every_container_and_every_free_slot_has_one_cell(width: int, capacity: int) -> None:
    running = capacity // 2
    rows = bare(drawn(scene(Counts(running=running), capacity=capacity), width=width)).splitlines()
    cells = "".join(rows[1 : next(number for number, row in enumerate(rows) if "demand" in row)])
    assert cells.count("█") in {size * running for size in (1, 2, 8)}
    assert cells.count("·") == capacity - running


@pytest.mark.parametrize("height", [None, 3, 8, 14, 24, 50])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("colour", [False, True])
def test_it_fits_the_terminal(width: int, height: int | None, colour: bool) -> None:
    past = [Moment(1000 + n, n % 11, n % 7) for n in range(75)]
    busy = scene(Counts(running=9), Counts(starting=90, stopping=1), capacity=100, past=past, events=EVENTS)
    rows = bare(drawn(busy, width, height, colour=colour)).splitlines()
    assert {cell_len(row) for row in rows} == {width}
    assert len(rows) == (height or len(rows))


def test_where_there_is_room_the_newest_events_fill_it() -> None:
    busy = scene(Counts(running=3), past=[Moment(1000, 3, 3)], events=EVENTS)
    small, large = (bare(drawn(busy, height=height)) for height in (24, 34))
    assert "29 -> 30" in small
    assert "20 -> 21" not in small
    assert "20 -> 21" in large
    assert small.splitlines()[-2] == large.splitlines()[-2]


def test_the_charts_go_before_the_last_event_does() -> None:
    busy = scene(Counts(running=3), past=[Moment(1000, 3, 3)], events=EVENTS)
    shown = [bare(drawn(busy, height=height)) for height in range(10, 25)]
    assert ["29 -> 30" in text for text in shown[2:]] == [True] * 13
    assert ["checkout  demand" in text for text in shown] == sorted("checkout  demand" in text for text in shown)
    assert "checkout  demand" in shown[-1]
    assert "checkout  demand" not in shown[0]


@pytest.mark.parametrize(
    ("past", "demand", "running"),
    [
        pytest.param([Moment(1070, 10, 5)], "    ██████", "    ▄▄▄▄▄▄", id="nothing before it began"),
        pytest.param([Moment(1000, 1, 0), Moment(1074, 5, 10)], "▁▁▁▁▁▁▁▁▄▄", "        ██", id="it holds"),
        pytest.param(
            [Moment(1069, 4, 4), Moment(1069.5, 10, 10), Moment(1070, 20, 1)],
            "   ▄██████",
            "   ▄▁▁▁▁▁▁",
            id="a column is what it ends with, and no more than there is room for",
        ),
        pytest.param([Moment(1068, 8, 8), Moment(1072, 8, None)], "  ▇▇▇▇▇▇▇▇", "  ▇▇▇▇    ", id="unknown at the end"),
    ],
)
def test_the_charts_show_demand_against_running(past: list[Moment], demand: str, running: str) -> None:
    rows = bare(drawn(scene(Counts(running=5), past=past), width=84)).splitlines()  # a column a second
    shown = [row[-12:-2] for row in rows if re.search("(demand|running) [ ▁-█]{50}", row)]
    assert shown == [demand, running, running]


COUNTS = st.builds(Counts, running=st.integers(0, 30), starting=st.integers(0, 30), stopping=st.integers(0, 30))


@given(COUNTS, COUNTS, st.integers(1, 300), st.integers(5, 160), st.integers(3, 60))
def test_nothing_that_can_happen_breaks_it(
    checkout: Counts, reports: Counts, capacity: int, width: int, height: int
) -> None:
    rows = bare(drawn(scene(checkout, reports, capacity=capacity, events=EVENTS), width, height)).splitlines()
    assert len(rows) == height
    assert {cell_len(row) for row in rows} == {width}
