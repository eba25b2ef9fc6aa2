"""The managers of a Swarm: any of them can be asked, and when one is lost the next one is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

from beaufort.protocols import Unreachable
from beaufort.schedulers.cluster.answers import Node
from beaufort.schedulers.engine.answers import Event
from beaufort.schedulers.engine.client import ANSWER, WORK, Address, Client, Refusal
from beaufort.schedulers.peers import Peers

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


class Managers(Peers[Client]):
    def __init__(self, addresses: Sequence[Address]) -> None:
        super().__init__([Client(address) for address in addresses])

    async def attempt(self, client: Client) -> None:
        await client.open(newest=True)
        with _speaks(client):
            await client.ask("GET", "/nodes", list[Node])

    async def ask(self, method: str, path: str, kind: type[T], *, within: float = ANSWER, **options: Any) -> T:
        with _speaks(self.client):
            return await self.client.ask(method, path, kind, within=within, **options)

    async def tell(self, method: str, path: str, **options: Any) -> None:
        with _speaks(self.client):
            await self.client.tell(method, path, within=WORK, **options)

    @asynccontextmanager
    async def events(self, filters: str) -> AsyncIterator[AsyncIterator[Event]]:
        with _speaks(self.client):
            async with self.client.stream("GET", "/events", Event, silence=None, query={"filters": filters}) as events:
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
