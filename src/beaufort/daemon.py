"""``beaufort run``: a controller with its signals, its configuration file, and the log that people read."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from beaufort.config import Config, launch_faults, load
from beaufort.controller import Controller
from beaufort.journal import Journal
from beaufort.model import Event
from beaufort.protocols import BeaufortError, ConfigError, Rejected

__all__ = ["Attend", "Attendant", "run"]


class Attendant(Protocol):
    """What accompanies a controller while it runs."""

    async def close(self) -> None: ...


Attend = Callable[[Controller, asyncio.TaskGroup], Attendant]
"""Called before the first step, with the tasks that it may add to."""


def run(  # noqa: PLR0913 - each keyword is a choice of the user's
    config: Mapping[str, Any] | str | Path | Config,
    *,
    dry_run: bool = False,
    stop_containers: bool = False,
    journal: Path | None = None,
    on_event: Callable[[Event], None] | None = None,
    attend: Sequence[Attend] = (),
) -> None:
    """Run a configuration until SIGTERM or SIGINT. The containers are left running, unless ``stop_containers``.

    A configuration that came from a file is read again at SIGHUP and when the file changes; a faulty one is refused, and
    the old one stays in force. ``journal``: a file to append every step and event to, as lines of JSON.
    ``attend``: what accompanies the controller.
    Raises ConfigError, and SchedulerError if the scheduler can't be entered.
    """
    first = config if isinstance(config, Config) else load(config)
    if faults := launch_faults(first):
        raise ConfigError(faults)
    diary = Journal(journal)
    if on_event is not None:
        diary.listen(on_event)
    asyncio.run(_serve(Controller(first, journal=diary, dry_run=dry_run), first, stop_containers, attend))


async def _serve(controller: Controller, config: Config, stop_containers: bool, attend: Sequence[Attend]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: controller.stop(containers=stop_containers))
    try:
        async with asyncio.TaskGroup() as tasks:
            attendants = [each(controller, tasks) for each in attend]
            follower = tasks.create_task(_follow(controller, config)) if config.path is not None else None
            try:
                await controller.run()
            finally:
                if follower is not None:
                    follower.cancel()
                for attendant in attendants:
                    await attendant.close()
    except ExceptionGroup as group:
        # What we raise on purpose (another Beaufort has this deployment) is for people: without the group around it.
        if isinstance(group.exceptions[0], BeaufortError):
            raise group.exceptions[0] from None
        raise


async def _follow(controller: Controller, config: Config) -> None:
    """Swap the configuration when its file changes, or when SIGHUP asks."""
    assert config.path is not None
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    seen = _stamp(config.path)
    while True:
        try:
            async with asyncio.timeout(config.resync):
                await asked.wait()
        except TimeoutError:
            if _stamp(config.path) in (seen, None):
                continue
        asked.clear()
        seen = _stamp(config.path)
        try:
            config = _reread(config)
        except (ConfigError, Rejected) as error:
            controller.report("config-refused", f"{error}; the configuration before stays in force")
            continue
        controller.reconfigure(config)


def _reread(config: Config) -> Config:
    """The configuration as its file has it now. Raises ConfigError, or Rejected for what can't be changed on the way."""
    assert config.path is not None
    after = load(config.path)
    if not after.succeeds(config):
        raise Rejected("another scheduler or deployment needs a restart")
    if faults := launch_faults(after):
        raise ConfigError(faults)
    return after


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino
