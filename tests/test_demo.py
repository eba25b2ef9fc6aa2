"""The demonstration as a person runs it: real processes, real signals, a real terminal; and nothing of it left behind."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import struct
import termios
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest

from beaufort.demo import Demo
from beaufort.protocols import ConfigError
from beaufort.schedulers.process import Seen, scan
from beaufort.stages.local import LocalStage
from beaufort.summary import Percentiles, Summary, Supply
from demo_run import PATIENCE, begun, told


def containers(place: Path) -> list[Seen]:
    """The processes of the demos that have their temporary directories in ``place``."""
    return [seen for seen in scan() if seen.home is not None and seen.home.is_relative_to(place)]


def left(place: Path) -> list[Seen | Path]:
    """Of demos that are over."""
    return [*containers(place), *place.iterdir()]


@asynccontextmanager
async def demo(
    place: Path, *options: str, stdout: int = PIPE, stderr: int = PIPE, **environment: str
) -> AsyncIterator[Process]:
    """A demo that leaves what it leaves in ``place``. In the end it has to be over, and nothing may be left."""
    async with begun(*options, stdout=stdout, stderr=stderr, TMPDIR=str(place), **environment) as process:
        yield process
    assert left(place) == []


async def result(place: Path, *options: str, path: str = os.environ["PATH"]) -> tuple[int | None, str, str]:
    """Exit code, stdout and stderr of a whole demo."""
    async with demo(place, *options, PATH=path) as process:
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


def trace(place: Path, *rows: tuple[float, float]) -> str:
    file = place.parent / "trace.csv"
    file.write_text("".join(f"{at},{value}\n" for at, value in [("t_seconds", "value"), *rows]))
    return str(file)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    return place


async def test_json_is_one_object_and_says_what_really_ran(place: Path) -> None:
    code, out, err = await result(place, "--duration", "3", "--json")
    summary = json.loads(out)
    assert (code, out.count("\n")) == (0, 1)
    assert list(summary) == [
        "duration_s", "capacity", "max_held", "decisions", "starts", "stops", "reaction_ms", "utilisation", "services",
    ]  # fmt: skip
    assert summary["duration_s"] == pytest.approx(3, abs=0.5)
    assert summary["capacity"] == 10
    assert 2 <= summary["max_held"] <= 10
    assert summary["starts"] >= 10
    assert summary["starts"] - summary["stops"] <= 10
    assert summary["decisions"] >= 5
    assert 0 < summary["reaction_ms"]["p50"] <= summary["reaction_ms"]["p99"]
    assert 0.5 < summary["utilisation"] <= 1
    assert list(summary["services"]) == ["checkout", "reports"]
    for service in summary["services"].values():
        assert list(service) == ["priority", "demand_mean", "running_mean", "starved_s"]
        assert 0 <= service["starved_s"] < 3
    assert [service["priority"] for service in summary["services"].values()] == [1, 2]
    assert summary["services"]["reports"]["demand_mean"] is None
    assert re.search(r"checkout +\d+ -> \d+: wants \d+: demand", err)


async def test_the_same_seed_has_the_same_demand(place: Path) -> None:
    demands = []
    for seed in ("5", "5", "6"):
        async with demo(place, "--seed", seed) as process:
            demands.append(await told(process.stdout, r"demand \d+\.\d+"))
            process.send_signal(signal.SIGINT)
            await process.communicate()
    assert demands[0] == demands[1] != demands[2]


async def test_a_trace_is_followed(place: Path) -> None:
    file = trace(place, (0, 2), (1, 6), (2, 50))
    code, out, _ = await result(place, "--duration", "3", "--trace", file, "--containers", "7", "--json")
    summary = json.loads(out)
    checkout, reports = summary["services"]["checkout"], summary["services"]["reports"]
    assert code == 0
    assert summary["max_held"] <= 7
    assert checkout["demand_mean"] == pytest.approx((2 + 6 + 50) / 3, rel=0.2)
    # It may have all but the one container that the other keeps.
    assert checkout["running_mean"] == pytest.approx((2 + 6 + 6) / 3, abs=0.7)
    assert reports["running_mean"] == pytest.approx((5 + 1 + 1) / 3, abs=0.7)
    assert summary["reaction_ms"]["p50"] is not None
    assert summary["starts"] - summary["stops"] == 7


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGINT], id="Ctrl-C"),
        pytest.param([signal.SIGINT, signal.SIGINT], id="Ctrl-C twice"),
        pytest.param([signal.SIGTERM], id="SIGTERM"),
        pytest.param([signal.SIGHUP], id="the terminal is closed"),
    ],
)
async def test_a_signal_ends_it_with_the_summary(place: Path, signals: list[signal.Signals]) -> None:
    async with demo(place, "--json") as process:
        await told(process.stderr, "demand")
        assert len(containers(place)) >= 2
        for number in signals:
            process.send_signal(number)
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["max_held"] <= 10


async def test_a_signal_before_anything_runs_ends_it_too(place: Path) -> None:
    async with demo(place, "--json") as process:
        await told(process.stderr, "started")
        process.send_signal(signal.SIGINT)
        out, _ = await process.communicate()
    assert process.returncode == 0
    assert json.loads(out)["max_held"] <= 10


@pytest.mark.parametrize("moment", ["0 -> 9", "demand"])
async def test_even_a_killed_demo_leaves_no_process(place: Path, moment: str) -> None:
    async with begun(TMPDIR=str(place)) as process:
        await told(process.stdout, moment)
        process.kill()
    while running := containers(place):
        with suppress(ProcessLookupError):
            pidfd = os.pidfd_open(running[0].identity.pid)
            assert select.select([pidfd], [], [], PATIENCE)[0], "it goes on without the demo"
            os.close(pidfd)


async def test_two_at_the_same_time_leave_each_other_alone(place: Path) -> None:
    async with demo(place, "--json") as first:
        await told(first.stderr, "demand")
        elsewhere = place.parent / "elsewhere"
        elsewhere.mkdir()
        code, out, _ = await result(elsewhere, "--duration", "1", "--containers", "3", "--json")
        assert len(containers(place)) >= 2
        first.send_signal(signal.SIGINT)
        summary, _ = await first.communicate()
    assert (code, json.loads(out)["max_held"]) == (0, 3)
    assert (first.returncode, json.loads(summary)["max_held"]) == (0, 10)


async def test_a_machine_that_cannot_run_processes_is_told_plainly(place: Path) -> None:
    code, out, err = await result(place, "--json", path="/nonexistent")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1].startswith("beaufort: the demo can't run its containers here: ")
    assert "can't start 'sleep': No such file or directory" in err


async def test_sleep_is_enough(place: Path) -> None:
    """flock(1) is everywhere, or nearly."""
    programs = place.parent / "programs"
    programs.mkdir()
    (programs / "sleep").symlink_to(shutil.which("sleep") or "")
    code, out, _ = await result(place, "--duration", "0.5", "--json", path=str(programs))
    assert (code, json.loads(out)["max_held"]) == (0, 10)


async def test_a_bad_trace_is_told_with_its_place(place: Path) -> None:
    file = trace(place, (0, 2), (0, 3))
    code, out, err = await result(place, "--trace", file, "--json")
    assert (code, out) == (2, "")
    assert f"{file}, line 3: expected a time after 0, got 0" in err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({"containers": 1}, "containers: expected 2 or more", id="no room for both"),
        pytest.param({"duration": 0.0}, "duration: expected seconds above 0, got 0", id="no time"),
        pytest.param({"duration": float("nan")}, "duration: expected seconds above 0, got nan", id="no number"),
    ],
)
def test_what_cannot_be_is_refused(options: Mapping[str, Any], fault: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(fault)):
        Demo(LocalStage(), **options)


# What it looks like.


async def test_without_a_terminal_it_tells_the_decisions_in_lines(place: Path) -> None:
    code, out, err = await result(place, "--duration", "1.5", "--containers", "4")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"    \d\.\d s  serving   http://127\.0\.0\.1:\d+.*", lines[0])
    assert re.fullmatch(r"    \d\.\d s  started   2 services", lines[1])
    assert any(re.fullmatch(r" +\d\.\d s  reports   0 -> 3: \S.*", line) for line in lines)
    assert lines[-1] == "Everything of it is stopped and removed."
    assert "\x1b" not in out


async def test_a_reader_that_goes_away_ends_it(place: Path) -> None:
    async with demo(place) as process:
        await told(process.stdout, "demand")
        assert process.stdout is not None
        process.stdout._transport.close()  # type: ignore[attr-defined]
        await process.wait()
    assert process.returncode == 1


async def on_a_terminal(place: Path, *options: str, **environment: str) -> tuple[str, bytes]:
    """What it writes to a terminal of 80 x 24 as its stderr and, without --json, its stdout; and what to stdout else."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    written = bytearray()
    stdout = PIPE if "--json" in options else theirs
    environment = {"TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **environment}
    with closing(os.fdopen(ours, "rb", buffering=0)) as terminal:
        loop = asyncio.get_running_loop()
        os.set_blocking(ours, False)
        loop.add_reader(ours, lambda: written.extend(terminal.read(1 << 16) or b""))
        try:
            async with demo(place, *options, stdout=stdout, stderr=theirs, **environment) as process:
                out, _ = await process.communicate()
            written.extend(terminal.read() or b"")
        finally:
            loop.remove_reader(ours)
            os.close(theirs)
    assert process.returncode == 0
    return written.decode(), out


ALTERNATE = "\x1b[?1049h"


async def test_on_a_terminal_it_draws_and_leaves_the_last_picture(place: Path) -> None:
    text, _ = await on_a_terminal(place, "--duration", "2")
    live, after = text.split("\x1b[?1049l")
    assert live.startswith(ALTERNATE)
    assert live.count("beaufort demo · room for 10 containers · ") >= 2
    assert "Ctrl-C ends it · http://127.0.0.1:" in live
    assert "\x1b[48;5;" in live
    assert "room for 10 containers · 0:02" in after
    assert "Ctrl-C ends it" not in after
    assert "Everything of it is stopped and removed." in after


async def test_no_color_is_heeded(place: Path) -> None:
    text, _ = await on_a_terminal(place, "--duration", "1", NO_COLOR="1")
    assert text.startswith(ALTERNATE)
    assert "▒▒▒▒" in text
    assert not re.search(r"\x1b\[[0-9;]*[34]8;", text)


@pytest.mark.parametrize(
    "environment",
    [
        pytest.param({"TERM": "dumb"}, id="a dumb terminal"),
        pytest.param({"PYTHONIOENCODING": "ascii"}, id="a terminal without such characters"),
    ],
)
async def test_a_terminal_that_cannot_draw_gets_lines(place: Path, environment: dict[str, str]) -> None:
    text, _ = await on_a_terminal(place, "--duration", "1", **environment)
    assert ALTERNATE not in text
    assert "checkout" in text
    assert text.isascii()
    assert "Everything of it is stopped and removed." in text


async def test_with_json_the_picture_is_on_stderr(place: Path) -> None:
    text, out = await on_a_terminal(place, "--duration", "1", "--json")
    assert text.startswith(ALTERNATE)
    assert "room for 10 containers" in text
    assert json.loads(out)["capacity"] == 10


def test_the_summary_in_words() -> None:
    summary = Summary(
        duration_s=60.02,
        capacity=10,
        max_held=10,
        decisions=321,
        starts=54,
        stops=44,
        reaction_ms=Percentiles(8.21, 31.5),
        utilisation=0.9912,
        services={"checkout": Supply(1, 4.5, 5.02, 0.4), "reports": Supply(2, None, 4.91, 0.01)},
    )
    assert summary.in_words().splitlines() == [
        "60.0 s with room for 10 containers: at most 10 were held at once, 99.1% used",
        "321 decisions, 54 starts, 44 stops",
        "from a change of demand to running: median 8.21 ms, 99% 31.5 ms",
        "  checkout  priority 1  demand 4.50     5.02 running  0.40 s with too few",
        "  reports   priority 2  takes the rest  4.91 running  0.01 s with too few",
        "Everything of it is stopped and removed.",
    ]
