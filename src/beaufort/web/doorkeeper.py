"""The doorkeeper: finds out who asks, by a token or by the cookie of a page that has shown one."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from beaufort import clock
from beaufort.protocols import BeaufortError
from beaufort.roles import Role
from beaufort.tokens import Token, TokenFile, Verifier
from beaufort.web.access import ANYBODY, Identity
from beaufort.web.problems import Refused
from beaufort.web.rates import Rates

__all__ = ["Doorkeeper", "Session"]

SESSION = 12 * 3600.0
"""Seconds for which a page stays logged in."""

SESSIONS = 1000
"""Sessions at one time. The oldest goes when there are more."""

GUESSES, GUESSES_AT_ONCE = 0.2, 10.0
"""Wrong tokens from one address: in a second, and at once."""

EVERYBODY = Identity("anybody here", Role.ADMIN)
"""Who asks where no tokens are asked for."""

UNAUTHORISED = {"www-authenticate": 'Bearer realm="beaufort"'}


@dataclass(frozen=True, slots=True)
class Session:
    """A page that is logged in with a token. ``hash`` is the token's, so that another of the same id is not taken for it."""

    token: str
    hash: bytes
    until: float


class Doorkeeper:
    """``file``: the tokens; None is that none are asked for. ``secure``: pages come by TLS only."""

    def __init__(self, file: TokenFile | None, *, secure: bool) -> None:
        self.asks = file is not None
        self.secure = secure
        self.cookie = "__Host-beaufort" if secure else "beaufort"
        self._verifier = None if file is None else Verifier(file)
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._wrong = Rates(GUESSES, GUESSES_AT_ONCE)
        self._slow = asyncio.Semaphore(2)

    async def identify(self, headers: Mapping[bytes, bytes], address: str, *, safe: bool) -> Identity:
        """Who asks. Raises Refused for a token that is not good, and for a cookie that a page did not send itself."""
        if self._verifier is None:
            return EVERYBODY
        shown = headers.get(b"authorization")
        if shown is not None:
            scheme, _, text = shown.decode("latin-1").partition(" ")
            if scheme.lower() != "bearer":
                raise Refused(401, "expected a bearer token", UNAUTHORISED)
            return _identity(await self.prove(text.strip(), address))
        session = self._session(headers.get(b"cookie", b"").decode("latin-1"))
        if session is None:
            return ANYBODY
        # A form or a picture of another page can't set this header.
        if not safe and not headers.get(b"x-beaufort"):
            raise Refused(403, "a page has to send the header X-Beaufort with a change")
        token = self._find(session.token)
        return _identity(token) if token is not None and token.hash == session.hash else ANYBODY

    async def prove(self, text: str, address: str) -> Token:
        """The token of a text. Raises Refused if it is none, or if there were too many wrong ones from there."""
        if self._verifier is None:
            raise Refused(409, "no tokens are asked for here")
        now = clock.now()
        try:
            token = self._verifier.known(text, now)
            if token is None:
                if self._wrong.left(address) < 1:
                    raise Refused(429, "too many wrong tokens from there", {"retry-after": "10"})
                async with self._slow:
                    token = await asyncio.to_thread(self._verifier.prove, text, now)
        except BeaufortError as error:
            raise error if isinstance(error, Refused) else Refused(503, "the tokens can't be read now") from error
        if token is None:
            self._wrong.take(address)
            raise Refused(401, "the token is not good", UNAUTHORISED)
        return token

    def open(self, token: Token) -> str:
        """A session for a page. Returns what its cookie is to say."""
        value = secrets.token_urlsafe(32)
        until = clock.now() + SESSION
        self._sessions[_key(value)] = Session(token.id, token.hash, until)
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return value

    def close(self, cookies: str) -> None:
        """End the session of a page, if it has one."""
        self._sessions.pop(_key(self._value(cookies)), None)

    def _session(self, cookies: str) -> Session | None:
        session = self._sessions.get(_key(self._value(cookies)))
        return session if session is not None and clock.now() < session.until else None

    def _value(self, cookies: str) -> str:
        try:
            morsel = SimpleCookie(cookies).get(self.cookie)
        except CookieError:
            return ""
        return "" if morsel is None else morsel.value

    def _find(self, token_id: str) -> Token | None:
        assert self._verifier is not None
        try:
            return self._verifier.find(token_id, clock.now())
        except BeaufortError as error:
            raise Refused(503, "the tokens can't be read now") from error


def _key(value: str) -> bytes:
    """What is kept of a cookie. Whoever reads the memory of this can't log in with it."""
    return hashlib.sha256(value.encode()).digest()


def _identity(token: Token) -> Identity:
    services = frozenset(token.services) if token.role is Role.PUSHER else None
    return Identity(token.name, token.role, services, token.id)
