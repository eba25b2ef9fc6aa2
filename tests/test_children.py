"""The witness is held against processes that are started, ended and left unreaped in every order."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from beaufort.stages.children import Children


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes for the test to start. They wait for the end of their input."""
    with ExitStack() as stack:
        processes: list[subprocess.Popen[bytes]] = []
        stack.callback(lambda: [each.communicate(timeout=10) for each in processes])
        yield processes


def cat() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE)


def end(process: subprocess.Popen[bytes]) -> None:
    """Has it end, and leaves it unreaped."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_it_counts_the_most_that_lived_at_once(started: list[subprocess.Popen[bytes]]) -> None:
    seen = []
    with Children() as witness:
        for happening in ["start", "start", "start", "end", "end", "start", "reap", "start", "start", "end", "start"]:
            if happening == "start":
                started.append(cat())
            elif happening == "end":
                end(next(process for process in started if process.pid in witness.living))
            else:
                for process in started:
                    process.poll()
            seen.append((len(witness.living), witness.most))
    assert seen == [(1, 1), (2, 2), (3, 3), (2, 3), (1, 3), (2, 3), (2, 3), (3, 3), (4, 4), (3, 4), (4, 4)]
    assert witness.started == 7


def test_a_process_that_has_ended_before_the_next_look_is_counted(started: list[subprocess.Popen[bytes]]) -> None:
    with Children() as witness:
        started.append(cat())
        end(started[0])
        assert (witness.started, witness.most, witness.living) == (1, 1, set())


def test_what_was_there_before_is_not_its_own(started: list[subprocess.Popen[bytes]]) -> None:
    started.append(cat())
    with Children() as witness:
        assert (witness.started, witness.most, witness.living) == (0, 0, set())
        started.append(cat())
        assert (witness.most, witness.living) == (1, {started[1].pid})
        witness.kill()
        assert witness.living == set()
    assert started[0].poll() is None


def test_it_hears_nothing_before_and_after(started: list[subprocess.Popen[bytes]]) -> None:
    witness = Children()
    started.append(cat())
    with witness:
        pass
    started.append(cat())
    assert (witness.started, witness.most) == (0, 0)


def test_what_it_kills_is_reaped(started: list[subprocess.Popen[bytes]]) -> None:
    with Children() as witness:
        started += [cat(), cat(), cat()]
        end(started[0])
        witness.kill()
        for process in started[1:]:
            with pytest.raises(ChildProcessError):
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG)
