"""The log of a running controller: every event a line, for people or, as JSON, for programs."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
from datetime import UTC, datetime
from threading import Thread
from types import TracebackType
from typing import Self

import structlog

from beaufort.model import Event

__all__ = ["Log"]

TROUBLE = frozenset(
    {
        "action-failed",
        "api-fault",
        "api-lost",
        "blind",
        "certificate-refused",
        "config-refused",
        "insecure",
        "journal-lost",
        "log-gap",
        "source-failed",
    }
)

MOST = 10_000
"""Events that wait to be written at most: some megabytes."""

PATIENCE = 1.0
"""Seconds at the end for what still waits."""


class Log:
    """Writes events to a file descriptor, by default stdout: as JSON or in columns, from the beginning to the end of the
    block. A thread of its own writes, so that a reader who takes nothing (a pager, a full disk) holds nobody up.

    What doesn't fit among ``most`` that wait is left out, and their number is told in their place. When what is written
    can't be written any more (nobody has the other end of the pipe), the log ends there.
    """

    def __init__(self, *, as_json: bool, file: int = 1, most: int = MOST) -> None:
        colours = os.isatty(file)
        self._render = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=colours)
        self._file = file
        self._waiting: queue.Queue[Event | None] = queue.Queue(most)
        self._left_out, self._left_out_at = 0, 0.0
        # What blocks in it can't be ended, and must not keep the process.
        self._writer = Thread(target=self._write, name="log", daemon=True)

    def __enter__(self) -> Self:
        sys.stdout.flush()
        self._writer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(queue.Full):
            if not self._writer.is_alive():
                return
            self._tell_gap(PATIENCE)
            self._waiting.put(None, timeout=PATIENCE)
            self._writer.join(PATIENCE)

    def hear(self, event: Event) -> None:
        """Have an event written soon. Returns at once, for one thread."""
        if not self._writer.is_alive():
            return
        try:
            self._tell_gap()
            self._waiting.put_nowait(event)
        except queue.Full:
            self._left_out, self._left_out_at = self._left_out + 1, event.at

    def _tell_gap(self, patience: float = 0.0) -> None:
        """Raises Full while there is no room for it."""
        if self._left_out:
            told = f"{self._left_out} events are left out here: what was written was not read in time"
            self._waiting.put(Event(self._left_out_at, "log-gap", told), timeout=patience)
            self._left_out = 0

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (event := self._waiting.get()) is not None:
                line = memoryview(self._line(event).encode())
                while line:
                    line = line[os.write(self._file, line) :]

    def _line(self, event: Event) -> str:
        service = {"service": event.service} if event.service else {}
        fields = {
            "event": event.kind,
            "level": "warning" if event.kind in TROUBLE else "info",
            "timestamp": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"),
            "detail": event.detail,
        }
        return str(self._render(None, "", fields | service)) + "\n"
