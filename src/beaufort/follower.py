"""Following a running controller for as long as one likes: through restarts of it, and cuts of the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from beaufort.client import Client, Told
from beaufort.protocols import Unreachable

__all__ = ["followed"]

AGAIN = 1.0
"""Seconds before a stream that has ended is opened again."""


def followed(client: Client, kinds: str | None, say: Callable[[str], None], last: str | None = None) -> Iterator[Told]:
    """What happens, for ever. ``say`` is told when the stream is lost. The first opening may fail for good.

    Raises Unreachable if nothing answers at first, and BeaufortError for what coming again would not mend.
    """
    opened = False
    while True:
        try:
            for told in client.events(last, kinds=kinds):
                opened, last = True, told.id or last
                yield told
            opened = True
            say("the stream has ended; following it again")
        except Unreachable as error:
            if not opened:
                raise
            say(f"{error}; trying again")
        time.sleep(AGAIN)
