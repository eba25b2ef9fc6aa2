from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from beaufort.clock import now
from beaufort.demand.timetable import REPEAT
from beaufort.demand.trace import Trace
from source_contract import SourceContract, opened

pytestmark = pytest.mark.looptime


def written(folder: Path, *lines: str) -> Path:
    file = folder / "demand.csv"
    file.write_text("".join(f"{line}\n" for line in ("t_seconds,value", *lines)))
    return file


class TraceStage:
    def __init__(self, source: Trace) -> None:
        self.source = source

    async def change(self) -> None:
        """It changes by itself."""

    async def repeat(self) -> None:
        """It repeats by itself."""


class TestTraceContract(SourceContract):
    @pytest.fixture
    def stage(self, tmp_path: Path) -> TraceStage:
        return TraceStage(Trace(file=written(tmp_path, "0,1", "10,2"), repeat=True))


async def played(source: Trace, count: int) -> list[tuple[float, float]]:
    """The first ``count`` changes: (virtual seconds from the beginning, value)."""
    seen: list[tuple[float, float]] = []
    async with opened(source) as samples:
        start = now()
        async for sample in samples:
            if not seen or sample.value != seen[-1][1]:
                seen.append((round(sample.at - start, 3), sample.value))
            if len(seen) == count:
                return seen
    raise AssertionError("the samples ended")


async def test_every_row_comes_at_its_time(tmp_path: Path) -> None:
    source = Trace(file=written(tmp_path, "0,5", "1.5,7", "11,6"))
    assert await played(source, 3) == [(0, 5), (1.5, 7), (11, 6)]


async def test_the_first_row_is_due_at_once(tmp_path: Path) -> None:
    assert await played(Trace(file=written(tmp_path, "100,5", "103,7")), 2) == [(0, 5), (3, 7)]


async def test_speed_divides_the_times(tmp_path: Path) -> None:
    assert await played(Trace(file=written(tmp_path, "0,5", "60,7"), speed=20), 2) == [(0, 5), (3, 7)]


async def test_repeating_it_holds_the_last_row_as_long_as_the_one_before(tmp_path: Path) -> None:
    source = Trace(file=written(tmp_path, "0,1", "2,2", "5,3"), repeat=True)
    assert await played(source, 6) == [(0, 1), (2, 2), (5, 3), (8, 1), (10, 2), (13, 3)]


@pytest.mark.parametrize("repeat", [pytest.param(False, id="once"), pytest.param(True, id="for ever")])
async def test_the_last_value_holds(tmp_path: Path, looptime: float, repeat: bool) -> None:
    async with opened(Trace(file=written(tmp_path, "0,5"), repeat=repeat)) as samples:
        assert [(await anext(samples)).value for _ in range(4)] == [5] * 4
    assert looptime == 3 * REPEAT


async def test_a_reader_that_falls_behind_gets_the_missed_rows_in_order(tmp_path: Path, looptime: float) -> None:
    async with opened(Trace(file=written(tmp_path, "0,1", "1,2", "2,3", "3,4"))) as samples:
        await anext(samples)
        await asyncio.sleep(2.5)
        assert [(await anext(samples)).value for _ in range(2)] == [2, 3]
        assert looptime == 2.5
        assert (await anext(samples)).value == 4
        assert looptime == 3.0


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", "line 1: expected the header t_seconds,value, got nothing", id="empty"),
        pytest.param("0,1\n", "line 1: expected the header t_seconds,value, got '0,1'", id="no header"),
        pytest.param("t_seconds,value\n", "line 2: expected at least one row, got the end of the file", id="no row"),
        pytest.param("t_seconds,value\n0,1\n1\n", "line 3: expected two numbers, t_seconds,value, got '1'", id="short"),
        pytest.param(
            "t_seconds,value\n0,1,2\n", "line 2: expected two numbers, t_seconds,value, got '0,1,2'", id="long"
        ),
        pytest.param(
            "t_seconds,value\n0,ten\n", "line 2: expected two numbers, t_seconds,value, got '0,ten'", id="word"
        ),
        pytest.param("t_seconds,value\n\n", "line 2: expected two numbers, t_seconds,value, got nothing", id="blank"),
        pytest.param("t_seconds,value\n0,nan\n", "line 2: expected finite numbers and a value of 0 or more", id="nan"),
        pytest.param("t_seconds,value\n0,-1\n", "line 2: expected finite numbers and a value of 0 or more", id="minus"),
        pytest.param("t_seconds,value\n5,1\n5,2\n", "line 3: expected a time after 5, got 5", id="no progress"),
        pytest.param("t_seconds,value\n0,\xff\n", "expected text of comma-separated values", id="not UTF-8"),
    ],
)
def test_a_bad_file_is_named_with_the_line(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "bad.csv"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=re.escape(fault)) as caught:
        Trace(file=file)
    assert str(caught.value).startswith(f"file: {file}")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"file: expected a readable file, got .*none\.csv: No such file or directory"):
        Trace(file=tmp_path / "none.csv")


@pytest.mark.parametrize("speed", [pytest.param(0.0, id="zero"), pytest.param(float("inf"), id="infinite")])
def test_a_wrong_speed_is_named(tmp_path: Path, speed: float) -> None:
    with pytest.raises(ValueError, match="speed: expected a factor above 0"):
        Trace(file=written(tmp_path, "0,1"), speed=speed)
