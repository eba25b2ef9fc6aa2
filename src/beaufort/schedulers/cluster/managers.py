"""The managers of a Swarm: any of them can be asked, and when one is lost the next one is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.cluster.answers import Node
from beaufort.schedulers.engine.answers import Event
from beaufort.schedulers.engine.client import ANSWER, WORK, Address, Client, Refusal

__all__ = ["Managers"]

HEADLESS = (
    "does not have a leader",
    "not a swarm manager",
    "not part of a swarm",
    "code = DeadlineExceeded",
    "code = Unavailable",
    "context deadline exceeded",
    "lost leadership",
)
"""In the words of a manager that can't answer for the Swarm now."""

T = TypeVar("T")


class Managers:
    """``open`` comes before any other call, and again after a failure."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._clients = [Client(address) for address in addresses]
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
        return self._client.url

    @property
    def _client(self) -> Client:
        return self._clients[self._at]

    async def open(self) -> None:
        """Finds one that can speak for the Swarm: of all that are asked at once, the first. Raises Unreachable."""
        faults: dict[int, str] = {}
        tries: list[asyncio.Task[None]] = []

        async def attempt(index: int) -> None:
            client = self._clients[index]
            try:
                await client.open(newest=True)
                with _speaks(client):
                    await client.ask("GET", "/nodes", list[Node])
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
        """Ends every call that is under way, as the manager is lost."""
        self._client.give_up()

    async def ask(self, method: str, path: str, kind: type[T], *, within: float = ANSWER, **options: Any) -> T:
        with _speaks(self._client):
            return await self._client.ask(method, path, kind, within=within, **options)

    async def tell(self, method: str, path: str, **options: Any) -> None:
        with _speaks(self._client):
            await self._client.tell(method, path, within=WORK, **options)

    @asynccontextmanager
    async def events(self, filters: str) -> AsyncIterator[AsyncIterator[Event]]:
        with _speaks(self._client):
            async with self._client.stream("GET", "/events", Event, silence=None, query={"filters": filters}) as events:
                yield events


@contextmanager
def _speaks(client: Client) -> Iterator[None]:
    """What a manager answers that has lost the others is no answer."""
    try:
        yield
    except Refusal as refusal:
        if any(words in refusal.words for words in HEADLESS):
            raise Unreachable(f"the engine at {client.url} can't speak for the Swarm: {refusal}") from refusal
        raise
