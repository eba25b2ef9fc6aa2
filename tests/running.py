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
from typing import Any

__all__ = ["Running", "running"]


@dataclass
class Running:
    """``log`` is what it has printed and was read until now."""

    process: subprocess.Popen[str]
    config: Path
    url: str
    log: list[dict[str, Any]]

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return json.load(answer)

    def wait_for(self, kind: str, service: str | None = None) -> dict[str, Any]:
        """The next event of the kind, read from its log."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
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
    with process:
        running = Running(process, file, "", [])
        try:
            running.url = running.wait_for("serving")["detail"]
            running.wait_for("sighted")
            yield running
        finally:
            process.send_signal(signal.SIGTERM)
            # What it still has to say is taken, so that it is not held up by a full pipe.
            process.communicate(timeout=30)
    assert process.returncode == 0
