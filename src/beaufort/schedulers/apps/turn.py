"""What is asked for in one turn of the loop goes to Marathon in one call: it is one deployment, of all or of nothing.

Where one of it can't be, the others are asked for without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from beaufort.protocols import SchedulerError

__all__ = ["Turn"]

T = TypeVar("T")


@dataclass(eq=False, slots=True)
class _Asked(Generic[T]):
    item: T
    done: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Turn(Generic[T]):
    """``send`` asks for several in one call, and returns the deployment. ``is_shared``: whether an error may be due to one
    of them alone.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        send: Callable[[Sequence[T]], Awaitable[str]],
        is_shared: Callable[[SchedulerError], bool],
    ) -> None:
        self._tasks = tasks
        self._send = send
        self._is_shared = is_shared
        self._asked: list[_Asked[T]] = []

    async def ask(self, item: T) -> str:
        """Raises SchedulerError."""
        asked = _Asked(item)
        if not self._asked:
            asyncio.get_running_loop().call_soon(self._go)
        self._asked.append(asked)
        return await asked.done

    def _go(self) -> None:
        asked, self._asked = self._asked, []
        self._tasks.create_task(self._bring(asked), name="marathon turn")

    async def _bring(self, asked: Sequence[_Asked[T]]) -> None:
        try:
            deployment = await self._send([each.item for each in asked])
        except SchedulerError as error:
            if len(asked) > 1 and self._is_shared(error):
                async with asyncio.TaskGroup() as tasks:
                    for each in asked:
                        tasks.create_task(self._bring([each]))
                return
            for each in asked:
                if not each.done.done():
                    each.done.set_exception(error)
        else:
            for each in asked:
                if not each.done.done():
                    each.done.set_result(deployment)
