"""The embedded scheduler: containers as process groups of this machine. It needs nothing installed, and isolates nothing."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import msgspec

from beaufort.model import NO_STANDBY, Cluster, Container, ContainerState, Counts, Service, Standby
from beaufort.protocols import HEARTBEAT, NoRoom, Rejected, SchedulerError
from beaufort.schedulers.custody import Custody
from beaufort.schedulers.directory import Directory, state_home
from beaufort.schedulers.machine import this_machine
from beaufort.schedulers.paces import Paces
from beaufort.schedulers.process import HOME, Process, boot
from beaufort.victims import victims

__all__ = ["Local"]

NO_ROOM = {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT}
WRONG = {
    errno.E2BIG,
    errno.EACCES,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELIBBAD,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOEXEC,
    errno.ENOTDIR,
    errno.EPERM,
}


class Local:
    """Runs each container as a process group of this machine, on Linux.

    A container runs the service's ``command`` in a process group of its own, with an empty working directory, a log
    file for what it prints, nothing to read from, and only the environment that the service's ``env`` gives, plus
    PATH and the marks BEAUFORT_DEPLOYMENT, BEAUFORT_SERVICE and BEAUFORT_CONTAINER (its directory). It is stopped by
    SIGTERM to the group, and by SIGKILL after the service's ``grace``. It ends when its first process ends: whatever
    that leaves behind is killed, within some seconds even what has left the group. It counts as running as soon as it
    is started. ``resources`` are counted, and not enforced.

    Standby, paused or frozen, is a process group that has run for half a second and was then stopped by SIGSTOP; SIGCONT
    has it serve. What a program starts in other groups is not stopped with it. It goes by SIGKILL, as it never served.

    Containers outlive Beaufort. The next one of the same ``deployment`` and ``directory`` adopts them; two at the same
    time are refused. Under systemd, ``KillMode=process`` keeps them. ``directory`` is where the deployments have their
    directories: by default $XDG_STATE_HOME/beaufort, or ~/.local/state/beaufort. The directories of the last few ended
    containers of each service are kept there, for their logs.
    """

    holds: ClassVar[frozenset[str]] = frozenset({"paused", "frozen"})

    def __init__(self, *, deployment: str = "default", directory: Path | str | None = None) -> None:
        if not deployment or "/" in deployment or deployment in {".", ".."}:
            raise ValueError(f"deployment: expected a name without a slash, got {deployment!r}")
        self._deployment = deployment
        self._path = (state_home() if directory is None else Path(directory)) / deployment
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._coming: Counter[str] = Counter()
        self._paces = Paces()
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        if sys.platform != "linux":
            raise SchedulerError(f"the local scheduler needs Linux (pidfd_open(2), /proc), and this is {sys.platform}")
        async with AsyncExitStack() as stack:
            try:
                await self._enter(stack)
            except OSError as error:
                raise SchedulerError(
                    f"the local scheduler can't begin, its state is in {self._path}: {error}"
                ) from error
            self._stack = stack.pop_all()
        return self

    async def _enter(self, stack: AsyncExitStack) -> None:
        self._boot = boot()
        self._directory = Directory(self._path)
        stack.push_async_callback(self._directory.close)
        await self._directory.open()
        self._custody = Custody(self._directory, self._changed)
        stack.push_async_callback(self._custody.close)
        await self._custody.adopt()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def check(self, service: Service) -> Sequence[str]:
        faults = []
        image, command = service.launch.image, service.launch.command
        if image is not None:
            faults.append(f"image: expected none, as the local scheduler runs a command and no image, got {image!r}")
        if not command or not command[0]:
            faults.append("command: expected the command to run (a list, or a string as for a shell), got nothing")
        elif "/" in command[0] and not command[0].startswith("/"):
            faults.append(
                "command: expected a program by its name or its absolute path, as each container has a working "
                "directory of its own, got a relative path"
            )
        return faults

    async def watch(self, services: Sequence[Service]) -> AsyncGenerator[Cluster, None]:
        names = [service.name for service in services]
        node = this_machine()
        self._custody.failed.clear()
        self._custody.failure.clear()
        while True:
            self._changed.clear()  # before the snapshot is taken, so that no change falls between the two
            yield Cluster(time.time(), self._counts(names, node.name), (node,))
            with suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT):
                    await self._changed.wait()

    def _counts(self, names: Iterable[str], node: str) -> dict[str, Counts]:
        tally = Counter((container.service, container.state) for container in self._custody)
        counts = {}
        for name in dict.fromkeys([*names, *(service for service, _ in tally), *self._coming]):
            each = Counts(
                running=tally[name, ContainerState.RUNNING],
                starting=self._coming[name],
                stopping=tally[name, ContainerState.STOPPING],
                standby=Standby(frozen=tally[name, ContainerState.PAUSED]),
                warming=tally[name, ContainerState.WARMING],
                failed=self._custody.failed[name],
                failure=self._custody.failure.get(name, ""),
                start_seconds=self._paces.of(name),
            )
            counts[name] = replace(each, on={node: each.held}) if each.held else each
        return counts

    async def scale(self, service: Service, count: int, standby: Standby = NO_STANDBY) -> None:
        async with self._turns[service.name]:
            current = [
                container
                for container in self._custody
                if container.service == service.name and container.state is ContainerState.RUNNING
            ]
            missing = max(0, count - len(current))
            try:
                for victim in victims(current, len(current) - count):
                    self._stop(service, victim)
                ready = self._sift(service, missing, standby.kept)
                await self._grow(service, missing - self._wake(service, ready[:missing]))
                await self._warm(service, standby.kept - len(ready[missing:]))
            finally:
                self._directory.refill()
                self._changed.set()

    def _sift(self, service: Service, missing: int, kept: int) -> list[Container]:
        """The standby that is left when what is of no use has gone, and what is too much beyond the ``missing`` ones that
        are to be woken: what is stopped comes first, the oldest first.
        """
        ready, spec = self._custody.ready(service.name), _spec(service)
        useful = [container for container, made_from in ready if made_from == spec]
        stopped = [container for container in useful if container.state is ContainerState.PAUSED]
        warming = [container for container in useful if container.state is ContainerState.WARMING]
        woken, rest = stopped[:missing], [*stopped[missing:], *warming]
        useful = [*woken, *rest[:kept]]
        for container, _ in ready:
            if container not in useful:
                self._custody.discard(container)
        return useful

    def _stop(self, service: Service, container: Container) -> None:
        try:
            self._custody.stop(container, service.launch.grace)
        except PermissionError as error:
            raise SchedulerError(f"{service.name}: may not stop {container.id}: {error.strerror}") from error

    async def _grow(self, service: Service, how_many: int) -> None:
        self._coming[service.name] = max(0, how_many)
        try:
            for _ in range(how_many):
                begun = time.monotonic()
                self._start(service)
                self._paces.took(service.name, "new", time.monotonic() - begun)
                self._coming[service.name] -= 1
                await asyncio.sleep(0)  # a start takes half a millisecond: others may want to run in between
        finally:
            del self._coming[service.name]

    def _wake(self, service: Service, ready: Sequence[Container]) -> int:
        """Has them serve; how many there were."""
        for container in ready:
            begun = time.monotonic()
            self._custody.wake(container)
            self._paces.took(service.name, "frozen", time.monotonic() - begun)
        return len(ready)

    async def _warm(self, service: Service, how_many: int) -> None:
        """Starts what is to be standby. What hinders it counts as a failure: nobody waits for it."""
        try:
            for _ in range(how_many):
                self._start(service, _spec(service))
                await asyncio.sleep(0)
        except SchedulerError as error:
            self._custody.fail(service.name, str(error))

    def _start(self, service: Service, spec: str | None = None) -> None:
        """One that serves at once, or, with ``spec``, one that is to be standby."""
        if faults := self.check(service):
            raise Rejected(f"{service.name}: {'; '.join(faults)}")
        try:
            home = self._directory.take(service.name)
        except OSError as error:
            kind = NoRoom if error.errno in NO_ROOM else SchedulerError
            raise kind(f"{service.name}: can't make a container's directory: {error}") from error
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            **service.launch.env,
            "BEAUFORT_DEPLOYMENT": self._deployment,
            "BEAUFORT_SERVICE": service.name,
            HOME: str(home.path),
        }
        try:
            if spec is not None:
                home.record_standby(self._boot, spec)
            command, session = service.launch.command, spec is not None
            process = Process.start(command, env=env, work=home.work, log=home.log, session=session)
        except (OSError, ValueError) as error:
            home.remove()
            raise _refusal(service, error) from error
        self._custody.hold(home, process, time.time(), spec)
        with suppress(OSError):  # the mark in its environment is evidence too
            home.record(self._boot, process.identity)


def _spec(service: Service) -> str:
    """What tells containers of one launch from those of another."""
    launch = service.launch
    return hashlib.sha256(msgspec.json.encode((launch.command, sorted(launch.env.items()), launch.grace))).hexdigest()


def _refusal(service: Service, error: OSError | ValueError) -> SchedulerError:
    code = error.errno if isinstance(error, OSError) else errno.EINVAL
    words = error.strerror if isinstance(error, OSError) else error
    kind = NoRoom if code in NO_ROOM else Rejected if code in WRONG else SchedulerError
    # A whole command line in the program's place is a mistake, and may hold a password.
    program = service.launch.command[0].partition(" ")[0]
    return kind(f"{service.name}: can't start {program!r}: {words}")
