"""A demo on processes of this machine."""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

from beaufort.protocols import SchedulerError
from beaufort.stages.children import Children
from beaufort.stages.stage import Ground

__all__ = ["LocalStage"]

LEASH = "leash"
"""The file that this process holds locked, and every container waits for: when this one ends, be it by SIGKILL, the
system lets go of the lock, and they end too.
"""


class LocalStage:
    """The containers are process groups of this machine."""

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ground]:
        with _place() as directory, Children() as witness:
            waiting = ["flock", "-s", str(directory / LEASH), "true"] if which("flock") else ["sleep", "86400"]
            scheduler = {"type": "local", "directory": str(directory)}
            try:
                yield Ground("demo", scheduler, {"command": waiting, "grace": 1}, witness)
            finally:
                witness.kill()


@contextmanager
def _place() -> Iterator[Path]:
    """A directory for everything that the demo leaves on disk, with the leash in it. Both go at the end."""
    with ExitStack() as stack:
        try:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="beaufort-demo-")))
            leash = stack.enter_context((directory / LEASH).open("w"))
            fcntl.flock(leash, fcntl.LOCK_EX)
        except OSError as error:
            raise SchedulerError(f"the demo needs a temporary directory for its logs: {error}") from error
        yield directory
