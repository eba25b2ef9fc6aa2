"""Tokens for the API, in a file: who has which role, until when. The tokens themselves are not in it, only their hashes."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from beaufort.protocols import BeaufortError
from beaufort.roles import Role

__all__ = ["Token", "TokenFile", "Verifier", "default_path"]

PREFIX = "beaufort"

WORK = {"n": 2**14, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024, "dklen": 32}
"""What one guess costs with scrypt: 16 MiB, and some fifty milliseconds."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """``services``: those that a pusher may push for. ``expires``: seconds since the epoch; None is never."""

    id: str
    name: str
    role: Role
    services: tuple[str, ...] = ()
    created: float
    expires: float | None = None
    salt: bytes
    hash: bytes

    def is_good(self, now: float) -> bool:
        """Whether it has not expired."""
        return self.expires is None or now < self.expires

    def fits(self, secret: str) -> bool:
        """Whether the secret is this token's. It is made to be slow."""
        return hmac.compare_digest(_hash(secret, self.salt), self.hash)


class _Contents(msgspec.Struct, frozen=True):
    tokens: tuple[Token, ...] = ()


def default_path() -> Path:
    """Where the tokens are if nobody says otherwise."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "beaufort" / "tokens.json"


class TokenFile:
    """Writers wait for each other; a reader sees the file as it was before or after a change, never in between."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[Token, ...]:
        """Raises BeaufortError if it can't be read, or is no such file. One that is not there has no tokens."""
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=_Contents).tokens
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise BeaufortError(f"{self.path}: the tokens can't be read: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise BeaufortError(f"{self.path}: expected a file of tokens: {error}") from error

    def create(
        self, name: str, role: Role, now: float, *, services: tuple[str, ...] = (), expires: float | None = None
    ) -> tuple[Token, str]:
        """A new token, and the text that is shown once and never kept."""
        secret, salt = secrets.token_urlsafe(32), secrets.token_bytes(16)
        token = Token(
            id=secrets.token_hex(4),
            name=name,
            role=role,
            services=services,
            created=now,
            expires=expires,
            salt=salt,
            hash=_hash(secret, salt),
        )
        with self._changing() as tokens:
            tokens.append(token)
        return token, f"{PREFIX}_{token.id}_{secret}"

    def revoke(self, token_id: str) -> Token:
        """It is good no more, from the next request on. Raises BeaufortError if there is none of that id."""
        with self._changing() as tokens:
            found = next((token for token in tokens if token.id == token_id), None)
            if found is None:
                raise BeaufortError(f"{token_id}: there is no such token in {self.path}")
            tokens.remove(found)
        return found

    @contextmanager
    def _changing(self) -> Iterator[list[Token]]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                tokens = list(self.read())
                yield tokens
                self._write(tokens)
        except OSError as error:
            raise BeaufortError(f"{self.path}: the tokens can't be written: {error.strerror}") from error

    def _write(self, tokens: list[Token]) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(msgspec.json.format(msgspec.json.encode(_Contents(tuple(tokens))), indent=2))
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(self.path)


class Verifier:
    """Whether tokens are good, by the file as it is now. What was slow to find out once is remembered, as a hash."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: dict[str, Token] = {}
        self._proven: dict[str, tuple[bytes, bytes]] = {}
        self._key = secrets.token_bytes(32)

    def find(self, token_id: str, now: float) -> Token | None:
        """The token of that id, if it is there and has not expired."""
        self._look()
        token = self._tokens.get(token_id)
        return token if token is not None and token.is_good(now) else None

    def known(self, text: str, now: float) -> Token | None:
        """The token, if this very text was proven before."""
        token_id, secret = _parts(text)
        token, proven = self.find(token_id, now), self._proven.get(token_id)
        if token is None or proven is None or proven[0] != token.hash:
            return None
        return token if hmac.compare_digest(self._digest(secret), proven[1]) else None

    def prove(self, text: str, now: float) -> Token | None:
        """The token, or None if the text is none. It is slow for every text that looks like a token, good or not."""
        token_id, secret = _parts(text)
        token = self.find(token_id, now)
        if token is None:
            _hash(secret, b"nobody")
            return None
        if not token.fits(secret):
            return None
        self._proven[token_id] = token.hash, self._digest(secret)
        return token

    def _digest(self, secret: str) -> bytes:
        return hmac.digest(self._key, secret.encode(), "sha256")

    def _look(self) -> None:
        try:
            status = self._file.path.stat()
            stamp = status.st_mtime_ns, status.st_ino, status.st_size
        except OSError:
            stamp = None
        if stamp != self._stamp or stamp is None:
            self._stamp = stamp
            # A file that is gone or broken is no reason to let anybody in.
            self._tokens = {}
            self._tokens = {token.id: token for token in self._file.read()}
            self._proven = {each: proven for each, proven in self._proven.items() if each in self._tokens}


def _parts(text: str) -> tuple[str, str]:
    prefix, _, rest = text.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == PREFIX else ("", text)


def _hash(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, **WORK)
