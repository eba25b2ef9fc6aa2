"""Where the local scheduler keeps one deployment: a lock, the containers' directories, and some made beforehand.

To make a container's directory takes a disk as long as it takes the system to start a process: so it is done ahead.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from beaufort.protocols import SchedulerError
from beaufort.schedulers.home import Home

__all__ = ["Directory", "state_home"]

LOCK_PATIENCE = 1.0
"""Seconds. A killed Beaufort's lock is held a moment longer by a child that it was just starting."""

LOGS_KEPT = 5
"""Directories of ended containers that are kept for each service: their logs may be wanted."""

SPARES = 64
"""Directories that are kept ready: as many containers as are started at once, as a rule."""


class Directory:
    """Opened by one Beaufort at a time. What may take long is done in threads."""

    def __init__(self, path: Path) -> None:
        self.containers = path.absolute().resolve() / "containers"
        self._spare_homes = self.containers.with_name("spare")
        self._spares: deque[Home] = deque()
        self._past: defaultdict[str, deque[Home]] = defaultdict(deque)
        self._work: set[asyncio.Future[None]] = set()
        self._lock: int | None = None

    async def open(self) -> None:
        """Raises OSError if the directory can't be used, SchedulerError if another Beaufort uses it."""
        self.containers.mkdir(parents=True, exist_ok=True)
        self._spare_homes.mkdir(exist_ok=True)
        self._lock = await _lock(self.containers.with_name("lock"))
        await asyncio.to_thread(self._find_spares)

    async def close(self) -> None:
        if self._work:
            await asyncio.wait(self._work)
        if self._lock is not None:
            os.close(self._lock)

    def homes(self) -> list[Home]:
        """Every container's directory, in the order in which they came to be what they are."""
        return [Home(path) for path in sorted(self.containers.iterdir(), key=lambda path: path.stat().st_ctime)]

    def take(self, service: str) -> Home:
        """A directory for a new container. Raises OSError."""
        home = self._spares.popleft() if self._spares else Home.make(self._spare_homes)
        return home.move(self.containers, service)

    def refill(self) -> None:
        """Makes directories for later, if few are left."""
        if len(self._spares) <= SPARES // 2:
            self._do(self._make_spares)

    def bury(self, home: Home) -> None:
        """Keeps what is left of an ended container for a while."""
        past = self._past[home.service]
        if home in past:
            past.remove(home)
        past.append(home)
        if len(past) > LOGS_KEPT:
            self._do(past.popleft().remove)

    def _do(self, work: Callable[[], None]) -> None:
        future = asyncio.get_running_loop().run_in_executor(None, work)
        self._work.add(future)
        future.add_done_callback(self._work.discard)

    def _find_spares(self) -> None:
        for home in map(Home, self._spare_homes.iterdir()):
            if home.is_whole:
                self._spares.append(home)
            else:
                home.remove()
        self._make_spares()

    def _make_spares(self) -> None:
        with suppress(OSError):  # whoever then takes one hears why there is none
            while len(self._spares) < SPARES:
                self._spares.append(Home.make(self._spare_homes))


def state_home() -> Path:
    """Where the user's programs keep what outlives them."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "beaufort"


async def _lock(path: Path) -> int:
    """Takes the lock until the returned descriptor is closed, or this process has ended."""
    import fcntl  # noqa: PLC0415 - not on every system that this file is imported on

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        async with asyncio.timeout(LOCK_PATIENCE):
            while True:
                with suppress(BlockingIOError):
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                await asyncio.sleep(0.02)
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except TimeoutError as error:
        holder = os.pread(descriptor, 20, 0).decode() or "unknown"
        os.close(descriptor)
        raise SchedulerError(
            f"{path.parent}: another Beaufort (process {holder}) runs this deployment; "
            "end that one first, or give this one another deployment name"
        ) from error
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
