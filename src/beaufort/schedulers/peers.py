"""Several servers, each of which can speak for all: any of them can be asked, and when one is lost the next one is."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Generic, Self, TypeVar

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.calls import Calls

__all__ = ["Peers"]

C = TypeVar("C", bound=Calls)


class Peers(ABC, Generic[C]):
    """``open`` comes before any other call, and again after a failure."""

    def __init__(self, clients: Sequence[C]) -> None:
        self._clients = clients
        self._at = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for client in self._clients:
                await stack.enter_async_context(client)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def several(self) -> bool:
        return len(self._clients) > 1

    @property
    def url(self) -> str:
        """The one that is asked."""
        return self.client.url

    @property
    def client(self) -> C:
        return self._clients[self._at]

    @abstractmethod
    async def attempt(self, client: C) -> None:
        """Raises SchedulerError if it can't speak for all."""

    async def open(self) -> None:
        """Finds one that can speak for all: of those that are asked at once, the first. Raises Unreachable."""
        faults: dict[int, str] = {}
        tries: list[asyncio.Task[None]] = []

        async def attempt(index: int) -> None:
            try:
                await self.attempt(self._clients[index])
            except SchedulerError as error:
                faults[index] = str(error)
            else:
                self._at = index
                for other in tries[:index] + tries[index + 1 :]:
                    other.cancel()

        async with asyncio.TaskGroup() as tasks:
            tries += [tasks.create_task(attempt(index)) for index in range(len(self._clients))]
        if len(faults) == len(self._clients):
            raise Unreachable("; ".join(faults[index] for index in sorted(faults)))

    def give_up(self) -> None:
        """Ends every call that is under way, as the one that is asked is lost."""
        self.client.give_up()
