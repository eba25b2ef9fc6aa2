"""The witness of local containers: who really runs, by the word of the operating system."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Children"]

TASKS = Path("/proc/self/task")

_entered: list[Children] = []


class Children:
    """Counts the child processes that this process starts while it is entered.

    How many there are can only rise when one is started. So each time, just before Python starts one (the audit event
    ``subprocess.Popen``), the system is asked how many of the earlier ones still live. ``most`` is exact by that, and
    no process is too short-lived to count. It is None on a system that does not list the children of a process.
    """

    def __init__(self) -> None:
        self.started = 0
        self.most: int | None = 0
        self._others: set[int] = set()

    def __enter__(self) -> Self:
        if not any(TASKS.glob("*/children")):
            self.most = None
        self._others = _living()
        _listen()
        _entered.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _entered.remove(self)

    @property
    def living(self) -> set[int]:
        """The process numbers of those that live now. One that has ended does not, whether or not it is reaped."""
        return _living() - self._others

    @property
    def ended(self) -> int:
        return self.started - len(self.living)

    def saw_start(self) -> None:
        self.started += 1
        if self.most is not None:
            self.most = max(self.most, len(self.living) + 1)

    def kill(self) -> None:
        """Kills and reaps all that live. They are our unreaped children: their numbers can't have become another's."""
        for pid in self.living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _living() -> set[int]:
    """Only this process reaps its children, so none can slip out of the list while it is read."""
    return {pid for task in TASKS.glob("*") for pid in _children(task) if _lives(pid)}


def _children(task: Path) -> list[int]:
    with suppress(FileNotFoundError):  # a thread that has just ended
        return [int(pid) for pid in (task / "children").read_text().split()]
    return []


def _lives(pid: int) -> bool:
    with suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
    return False


@cache
def _listen() -> None:
    """Once and for all: an audit hook stays for as long as the interpreter."""
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:  # noqa: ARG001 - the signature of an audit hook
    if event == "subprocess.Popen":
        for witness in _entered:
            witness.saw_start()
