"""One connection to a Redis server that says when a key it has read has changed. It only ever reads.

It stands on the server's client tracking: after a read, the first change of that key brings one message, and then none
until the next read. So the messages of a busy queue cost neither side anything, and no setting of the server is touched
(as keyspace events would need). Not a client for others: it does what the ``redis`` source needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from redis.asyncio import ConnectionPool
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from beaufort.protocols import SourceError
from beaufort.quantity import Secret

__all__ = ["POLL", "TIMEOUT", "RedisLink"]

TIMEOUT = 2.0
"""Seconds that the server may take to answer, connecting included."""

POLL = 0.1
"""Seconds between reads where the server does not say when a key changes."""


class RedisLink:
    """See ``connected``."""

    def __init__(self, connection: AbstractConnection, place: str, secret: str | None) -> None:
        self._connection = connection
        self._place = place
        self._secret = secret
        self._announced = False
        self.mode = ""
        """How changes become known, in words."""

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, place: str, password: Secret | None) -> AsyncIterator[RedisLink]:
        """A link to the server at ``url``, closed at the end. ``place`` names it in errors. Raises SourceError."""
        options: dict[str, Any] = {"protocol": 3, "socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
        if password is not None:
            options["password"] = password.reveal()
        try:
            connection = ConnectionPool.from_url(url, **options).make_connection()  # type: ignore[no-untyped-call]
        except (TypeError, ValueError):
            # The cause may quote the URL, and so the password in it.
            raise SourceError(f"{place}: the redis library does not understand the options of the URL") from None
        link = cls(connection, place, getattr(connection, "password", None))
        try:
            await link._greet()
            yield link
        finally:
            with suppress(RedisError, OSError):
                await connection.disconnect()

    async def ask(self, *commands: tuple[str, ...]) -> list[Any]:
        """The answers to the commands, sent together; None for that of a key that does not exist.

        Raises SourceError when the server refuses one of them, or does not answer in time.
        """
        with self._told():
            async with asyncio.timeout(TIMEOUT):
                await self._connection.send_packed_command(self._connection.pack_commands(commands))
                answers = [await self._answer() for _ in commands]
            for answer in answers:
                if isinstance(answer, ResponseError):
                    raise answer
        return answers

    async def changed(self, within: float) -> None:
        """Returns when a key that was read has changed, or after ``within`` seconds; later than either never."""
        with self._told():
            if self._announced:
                await self._connection.read_response(timeout=within, push_request=True)
            else:
                await asyncio.sleep(min(within, POLL))

    async def _greet(self) -> None:
        with self._told():
            async with asyncio.timeout(TIMEOUT):
                await self._connection.connect()  # type: ignore[no-untyped-call]
                await self._connection.send_command("CLIENT", "TRACKING", "ON")
                answer = await self._answer()
        self._announced = not isinstance(answer, ResponseError)
        self.mode = (
            "announced by the server (client tracking)"
            if self._announced
            else f"polling every {POLL:g} s: the server refuses client tracking: {answer}"
        )

    async def _answer(self) -> Any:
        """The next answer, or the error that it is: the ones behind it are to be read all the same."""
        try:
            answer = await self._connection.read_response()
        except ResponseError as error:
            return None if str(error) == "no such key" else error
        if answer is None:
            raise ValueError("expected an answer, got the null value")
        return answer

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Errors in our words. Their causes are left out: a server may quote the password that it was sent."""
        try:
            yield
        except (TimeoutError, RedisTimeoutError):
            raise SourceError(f"{self._place}: no answer within {TIMEOUT:g} s") from None
        except (RedisError, OSError, ValueError, TypeError, AttributeError, EOFError) as error:
            words = str(error) or type(error).__name__
            if self._secret:
                words = words.replace(self._secret, "***")
            raise SourceError(f"{self._place}: {words}") from None
