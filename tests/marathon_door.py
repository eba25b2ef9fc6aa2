"""Who is let in: names with passwords, or tokens as DC/OS has them. With neither, everybody is."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from marathon_refusals import Refusal

__all__ = ["Door"]

READING = {"GET", "HEAD", "OPTIONS"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """``readers`` are those users and tokens that may look and change nothing."""

    users: Mapping[str, str] = field(default_factory=dict)
    tokens: Collection[str] = ()
    readers: Collection[str] = ()

    @property
    def asks(self) -> str:
        return 'Basic realm="Mesosphere"' if self.users else 'acsjwt realm="dcos"'

    def pass_(self, authorization: str, method: str) -> None:
        """Raises Refusal, 401 or 403."""
        if not self.users and not self.tokens:
            return
        who = self._who(authorization)
        if who is None:
            raise Refusal(401, "Invalid username/password." if self.users else "Invalid token.")
        if who in self.readers and method not in READING:
            raise Refusal(403, "Not Authorized to perform this action!")

    def _who(self, authorization: str) -> str | None:
        scheme, _, word = authorization.partition(" ")
        if scheme == "Basic":
            try:
                name, _, password = base64.b64decode(word, validate=True).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return None
            return name if self.users.get(name) == password and name in self.users else None
        token = authorization.removeprefix("token=")
        return token if token != authorization and token in self.tokens else None
