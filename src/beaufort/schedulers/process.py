"""One process of this machine: what proves which one it is, how it is started, signalled and waited for.

A pid is used again by the system, so it proves nothing. A pid with its starting time does, and so does a pidfd.
Knows nothing of services or counts. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["HOME", "Identity", "Process", "Seen", "boot", "scan"]

HOME = "BEAUFORT_CONTAINER"
"""The environment variable that marks a process as ours: the directory of its container."""

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, never to be mistaken for another until the next boot.

    It was started in or between the clock ticks ``earliest`` and ``latest`` since boot: the parent knows no better,
    as to ask the system is slow while the child is about to run.
    """

    pid: int
    earliest: int
    latest: int

    def is_alive(self) -> bool:
        """Whether it has an entry in /proc: it lives, or is dead and not yet reaped."""
        start = _start(self.pid)
        return start is not None and self.earliest <= start <= self.latest

    def is_free(self) -> bool:
        """Whether its number is not in use by another process."""
        return _start(self.pid) is None or self.is_alive()


@dataclass(frozen=True, slots=True)
class Seen:
    """A process met in a scan. ``home`` is the container's directory that it carries as its mark, if any."""

    identity: Identity
    group: int
    home: Path | None

    @property
    def leads(self) -> bool:
        return self.group == self.identity.pid


def boot() -> str:
    """Which boot of the machine this is: identities of another one mean nothing."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def scan() -> list[Seen]:
    """Every living process of the machine that we may look at."""
    entries = os.listdir(PROC)  # noqa: PTH208 - Path objects for thousands of entries take as long as the scan
    return [seen for entry in entries if entry.isdigit() and (seen := _see(int(entry))) is not None]


def _see(pid: int) -> Seen | None:
    fields = _stat(pid)
    if fields is None or fields[0] in "ZX":
        return None
    start = int(fields[19])
    # The mark is read after the identity: were the pid used again in between, the identity is that of the dead one.
    return Seen(Identity(pid, start, start), group=int(fields[2]), home=_home(pid))


def _stat(pid: int) -> list[str] | None:
    """The fields of proc_pid_stat(5) from the third on, as the second, the name, may hold anything."""
    try:
        return (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _start(pid: int) -> int | None:
    fields = _stat(pid)
    return None if fields is None else int(fields[19])


def _ticks() -> int:
    """The time on the clock, and in the unit, in which the system keeps the start of a process."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * TICKS_PER_SECOND // 10**9


def _home(pid: int) -> Path | None:
    """From its environment; else from the log that it writes to, as a program may write over its environment."""
    with contextlib.suppress(OSError):
        for variable in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
            if variable.startswith(HOME.encode() + b"="):
                return Path(os.fsdecode(variable.partition(b"=")[2]))
        for descriptor in ("1", "2"):
            output = Path(os.readlink(PROC / str(pid) / "fd" / descriptor))  # noqa: PTH115 - a plain string is quicker
            if output.name == "log":
                return output.parent
    return None


class Process:
    """A process that leads a group of its own, or one that was left over by such a group. Holds one descriptor."""

    __slots__ = ("identity", "pidfd")

    def __init__(self, identity: Identity, pidfd: int) -> None:
        self.identity = identity
        self.pidfd = pidfd

    @classmethod
    def start(
        cls, command: Sequence[str], *, env: Mapping[str, str], work: Path, log: Path, session: bool = False
    ) -> Self:
        """Starts ``command`` at the head of a new group. Raises OSError or ValueError if it can't start.

        ``subprocess`` and not ``os.posix_spawn``: that one can't give the child a working directory, and measured no
        quicker (both are one vfork). As a rule not in a ``session`` of its own: the kernel's autogroups (sched(7)) make
        the first moments of a session wait its turn among all that is busy, and us with it: 16 starts on two busy cores
        took 70 ms, and take 20. But what is to be stopped for long must have one: to a stopped group that loses its
        parent in its own session the kernel sends SIGHUP and SIGCONT (setpgid(2)), and its parent may be killed.
        """
        output = os.open(log, os.O_WRONLY | os.O_APPEND)
        try:
            earliest = _ticks()
            child = subprocess.Popen(  # noqa: S603 - running the configured command is what a container is
                command,
                cwd=work,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=None if session else 0,
                start_new_session=session,
            )
        finally:
            os.close(output)
        child.returncode = 0  # Its pidfd is waited for, here or by the next Beaufort: this object need not.
        try:
            return cls(Identity(child.pid, earliest, _ticks()), os.pidfd_open(child.pid))
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            os.waitpid(child.pid, 0)
            raise

    @classmethod
    def find(cls, identity: Identity) -> Self | None:
        """The process of that identity, or None if it has gone. One that is dead but not reaped is found."""
        try:
            pidfd = os.pidfd_open(identity.pid)
        except ProcessLookupError:
            return None
        # Looked at after opening: if it is the right one now, it was the right one when it was opened.
        if identity.is_alive():
            return cls(identity, pidfd)
        os.close(pidfd)
        return None

    @property
    def ended(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return bool(poll.poll(0))

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.identity.earliest / TICKS_PER_SECOND

    def kill(self) -> None:
        """Kills it alone, if that is allowed. It is the pidfd that is signalled: it can't hit another process."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def signal_group(self, number: signal.Signals) -> None:
        """Signals its group, unless it has ended: its number is not free for others before that.

        Raises PermissionError where none of the group may be signalled, as its programs run for another user.
        """
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.identity.pid, number)

    def finish(self) -> str:
        """To be called when it has ended: reaps it, kills what its group has left behind, and says how it ended."""
        age = self.age
        try:
            # It stays a zombie while the group is killed, so that the group's number can't be another's.
            result = os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            result = None
        if self.has_left_some:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.identity.pid, signal.SIGKILL)
        if result is None:
            return f"ended after {age:.1f} s (how is not known: it was adopted)"
        os.waitid(os.P_PIDFD, self.pidfd, os.WEXITED | os.WNOHANG)
        return f"{_words(result)} after {age:.1f} s"

    @property
    def has_left_some(self) -> bool:
        """Whether its group still has members, when it has itself ended. A zombie is a member too."""
        if not self.identity.is_free():
            return False
        try:
            os.killpg(self.identity.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def close(self) -> None:
        os.close(self.pidfd)


def _words(result: os.waitid_result) -> str:
    if result.si_code == os.CLD_EXITED:
        return f"exited with {result.si_status}"
    try:
        return f"killed by {signal.Signals(result.si_status).name}"
    except ValueError:
        return f"killed by signal {result.si_status}"
