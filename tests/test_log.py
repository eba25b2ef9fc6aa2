"""The log of a running controller, and readers of it who do not read."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import httpx
import pytest

from beaufort.log import Log
from beaufort.model import Event
from web_stage import CONFIG

SMALL = 4096
"""Bytes of the smallest pipe that there is."""


@contextmanager
def small_pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, SMALL)
    try:
        yield reading, writing
    finally:
        os.close(reading)
        os.close(writing)


def serving(reading: int) -> str:
    """Where it says that it serves. What it says later is left in the pipe."""
    said = b""
    while b'"serving"' not in said or not said.endswith(b"\n"):
        said += os.read(reading, SMALL)
    lines = [json.loads(line) for line in said.splitlines()]
    return next(str(line["detail"]) for line in lines if line["event"] == "serving")


def events(count: int) -> Iterator[Event]:
    return (Event(1e9 + number, "action", f"{number} -> {number + 1}: more", "web") for number in range(count))


def test_every_event_is_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    with Log(as_json=True) as log:
        log.hear(Event(0.5, "action", "1 -> 2: wants 2", "web"))
        log.hear(Event(1.5, "blind", "the scheduler can't be read"))
    assert [json.loads(line) for line in capfd.readouterr().out.splitlines()] == [
        {
            "event": "action",
            "level": "info",
            "timestamp": "1970-01-01T00:00:00.500+00:00",
            "detail": "1 -> 2: wants 2",
            "service": "web",
        },
        {
            "event": "blind",
            "level": "warning",
            "timestamp": "1970-01-01T00:00:01.500+00:00",
            "detail": "the scheduler can't be read",
        },
    ]


def test_it_is_written_in_columns_for_people(capfd: pytest.CaptureFixture[str]) -> None:
    with Log(as_json=False) as log:
        log.hear(Event(0.5, "action", "1 -> 2: wants 2", "web"))
    (line,) = capfd.readouterr().out.splitlines()
    assert line.startswith("1970-01-01T00:00:00.500+00:00 [info     ] action")
    assert "detail='1 -> 2: wants 2'" in line
    assert "service=web" in line


def test_what_nobody_reads_holds_nobody_up_and_what_is_left_out_is_told() -> None:
    with small_pipe() as (reading, writing):
        read: list[bytes] = []

        def read_all() -> None:
            while b"log-gap" not in b"".join(read):
                read.append(os.read(reading, 65536))

        with Log(as_json=True, file=writing, most=10) as log:
            for event in events(1000):
                log.hear(event)
            reader = Thread(target=read_all)
            reader.start()
        reader.join(10)
    *kept, gap = [json.loads(line) for line in b"".join(read).splitlines()]
    assert [line["detail"] for line in kept] == [event.detail for event in events(len(kept))]
    assert gap["detail"].startswith(f"{1000 - len(kept)} events are left out here")


def test_what_can_not_be_written_any_more_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with Log(as_json=True, file=writing) as log:
        for event in events(10):
            log.hear(event)
    os.close(writing)


def test_a_log_that_nobody_reads_does_not_stop_the_controller(tmp_path: Path) -> None:
    file = tmp_path / "beaufort.yaml"
    file.write_text(json.dumps(CONFIG))
    command = [sys.executable, "-m", "beaufort", "run", str(file), "--json", "--listen", "127.0.0.1:0"]
    with small_pipe() as (reading, writing):
        process = subprocess.Popen(command, stdout=writing, env=os.environ | {"XDG_STATE_HOME": str(tmp_path)})
        try:
            with httpx.Client(base_url=serving(reading), trust_env=False) as client:
                # Every change of the limits is an event: together they are more than the pipe takes.
                for number in range(40):
                    client.patch("/v1/services/web", json={"max": 3 + number % 2}).raise_for_status()
                client.post("/v1/demand", json={"service": "web", "value": 2}).raise_for_status()
                while client.get("/v1/services/web").json()["service"]["running"] != 2:
                    pass
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait()
