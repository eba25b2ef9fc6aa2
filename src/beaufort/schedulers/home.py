"""What the local scheduler writes down of one container, so that the next Beaufort knows it again.

A container has a directory: its log, its working directory, and its journal of one JSON fact a line. A line is one
write, so that a kill leaves it whole or leaves it out. Starts and signals nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, unquote

import msgspec

from beaufort.schedulers.process import Identity

__all__ = ["Home", "Record"]


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that a journal says. ``stop_by`` is the time to kill it, if it is stopping, on the clock of ``monotonic``.

    ``standby``: it is to be stopped until it is needed; False: it was, and has been needed since. ``spec`` tells then what
    it was made from.
    """

    boot: str
    process: Identity | None = None
    stop_by: float | None = None
    signalled: bool = False
    standby: bool | None = None
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one container. Its name tells the service. The methods that write raise OSError."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def service(self) -> str:
        return unquote(self.path.name.rpartition(".")[0])

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def work(self) -> Path:
        return self.path / "work"

    @property
    def journal(self) -> Path:
        return self.path / "journal"

    @classmethod
    def make(cls, directory: Path) -> Self:
        """A new one, for any service."""
        home = cls(directory / secrets.token_hex(6))
        home.work.mkdir(parents=True)
        home.log.touch()
        home.journal.touch()
        return home

    @property
    def is_whole(self) -> bool:
        """Whether `make` came to its end."""
        return self.journal.exists()

    def move(self, directory: Path, service: str) -> Home:
        """Makes it the home of a container of ``service``."""
        return Home(self.path.rename(directory / f"{quote(service, safe='')}.{self.path.name}"))

    def record(self, boot: str, process: Identity) -> None:
        """Which process it is, and of which boot."""
        self._append(Record(boot, process))

    def record_standby(self, boot: str, spec: str) -> None:
        """Before it is started: it is to be standby, made from that."""
        self._append(Record(boot, standby=True, spec=spec))

    def record_need(self) -> None:
        """Before it goes on: it is to serve."""
        self._append({"standby": False})

    def record_again(self, boot: str, process: Identity) -> None:
        """The same, in place of a journal that can't be read."""
        os.truncate(self.journal, 0)
        self.record(boot, process)

    def record_stop(self, stop_by: float) -> None:
        """Before it is signalled."""
        self._append({"stop_by": stop_by})

    def record_signal(self) -> None:
        """When it has been signalled."""
        self._append({"signalled": True})

    def _append(self, facts: Record | dict[str, float | bool]) -> None:
        journal = os.open(self.journal, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(journal, msgspec.json.encode(facts) + b"\n")
        finally:
            os.close(journal)

    def read(self) -> Record | None:
        """What is written, or None where nothing whole is."""
        facts: dict[str, Any] = {}
        try:
            for line in self.journal.read_bytes().split(b"\n")[:-1]:
                facts |= msgspec.json.decode(line, type=dict[str, Any])
            return msgspec.convert(facts, Record)
        except (FileNotFoundError, NotADirectoryError, msgspec.MsgspecError):
            return None

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
