"""What is known of a scheduler for as long as it can be read: what those drivers do alike that follow its events.

It connects when it is asked to, and does not try again by itself: whoever asks next does.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from beaufort.protocols import SchedulerError, Unreachable

__all__ = ["Connection"]


class Connection(ABC):
    """``error``: why what is known can't be relied on; None while it can. ``what`` is read, such as "the engine"."""

    def __init__(self, what: str, group: asyncio.TaskGroup) -> None:
        self.error: SchedulerError | None = Unreachable(f"{what} has not been asked yet")
        self._what = what
        self._group = group
        self._tried: asyncio.Event | None = None

    async def ready(self) -> None:
        """Returns at once while all is known; else after it has been brought up to date. Raises Unreachable."""
        if self.error is None:
            return
        if self._tried is None:
            self._tried = asyncio.Event()
            self._group.create_task(self._keep(self._tried), name=f"{self._what}'s events")
        await self._tried.wait()
        if self.error is not None:
            raise Unreachable(str(self.error)) from self.error

    @abstractmethod
    async def _follow(self, tried: asyncio.Event) -> None:
        """Connects, calls ``_is_up`` when all is known, and reads on until that fails. Raises SchedulerError."""

    @abstractmethod
    def _explained(self, error: SchedulerError) -> SchedulerError:
        """In the words for whoever asks next."""

    @abstractmethod
    def _lose(self) -> None:
        """What was known can't be relied on any more. ``error`` says why."""

    def _is_up(self, tried: asyncio.Event) -> None:
        self.error = None
        tried.set()

    async def _keep(self, tried: asyncio.Event) -> None:
        try:
            await self._follow(tried)
        except* SchedulerError as errors:
            self.error = self._explained(_first(errors))
        self._tried = None
        self._lose()
        tried.set()


def _first(errors: BaseExceptionGroup[SchedulerError]) -> SchedulerError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
