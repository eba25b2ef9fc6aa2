"""`beaufort run` as a process with its API on a free port, over a model cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

__all__ = ["Running", "running"]


@dataclass
class Running:
    """``log`` is what it has printed and was read until now."""

    process: subprocess.Popen[str]
    config: Path
    url: str
    log: list[dict[str, Any]]
    lines: SimpleQueue[str]

    def get(self, path: str, *, as_text: bool = False) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            body = answer.read().decode()
        return body if as_text else json.loads(body)

    def wait_for(self, kind: str, service: str | None = None) -> dict[str, Any]:
        """The next event of the kind, read from its log."""
        while line := self.lines.get(timeout=30):
            event: dict[str, Any] = json.loads(line)
            self.log.append(event)
            if event["event"] == kind and service in {None, event.get("service")}:
                return event
        raise RuntimeError(f"ended without {kind}: {self.log}")


@contextmanager
def running(folder: Path, config: Mapping[str, Any], *options: str, **environment: str) -> Iterator[Running]:
    """Until the end of the context, at which it must end well."""
    file = folder / "beaufort.yaml"
    file.write_text(json.dumps(config))
    command = [sys.executable, "-m", "beaufort", "run", str(file), "--json", "--listen", "127.0.0.1:0", *options]
    # The kernel kills it when the test run dies, even by SIGKILL.
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *command],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_STATE_HOME": str(folder / "state")} | environment,
    )
    lines: SimpleQueue[str] = SimpleQueue()
    # What it says is taken at once: a full pipe would hold it up.
    reader = Thread(target=_drain, args=(process, lines))
    reader.start()
    try:
        running = Running(process, file, "", [], lines)
        running.url = running.wait_for("serving")["detail"]
        running.wait_for("sighted")
        yield running
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        finally:
            process.kill()
            reader.join()
    assert process.returncode == 0


def _drain(process: subprocess.Popen[str], lines: SimpleQueue[str]) -> None:
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put("")
