"""Where a secret is to be found: the configuration names the place, and never holds the secret itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beaufort.quantity import Secret
from beaufort.reading.document import Fault, Place

__all__ = ["Reference", "Referral", "fetched"]

_WRITTEN = r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)"


@dataclass(frozen=True, slots=True)
class Reference:
    """``env:NAME`` or ``file:/path``, as it was ``written``; a relative path is relative to ``folder``."""

    written: str
    folder: Path

    def fetch(self) -> Secret:
        """Raises ValueError if nothing is there."""
        kind, _, name = self.written.partition(":")
        if kind == "file":
            return Secret(self._text(name), self.written)
        if name not in os.environ:
            raise ValueError(f"expected the environment variable {name}, which is not set")
        return Secret(os.environ[name], self.written)

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8").rstrip("\r\n")
        except UnicodeDecodeError:
            raise ValueError(f"expected a file of text in UTF-8, got other bytes in {name}") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ValueError(f"expected a readable file, got {name}: {reason}") from error


def fetched(value: Any) -> Any:
    """The value of an option with every reference in it replaced by the secret. Raises ValueError as ``fetch`` does."""
    match value:
        case Reference():
            return value.fetch()
        case Mapping():
            return {key: fetched(part) for key, part in value.items()}
        case list() | tuple():
            return type(value)(fetched(part) for part in value)
        case _:
            return value


@dataclass(frozen=True, slots=True)
class Referral:
    """The shape of a reference. A wrong one is not repeated in the message: it may be the secret itself."""

    expected: str = "a reference to a secret such as env:NAME or file:/path"

    def takes(self, value: object) -> bool:
        return isinstance(value, str)

    def read(self, value: object, place: Place, faults: list[Fault]) -> Reference:  # noqa: ARG002 - as all shapes
        if not isinstance(value, str) or re.fullmatch(_WRITTEN, value) is None:
            raise ValueError(f"expected {self.expected}, got something else (not shown)")
        return Reference(value, place.document.folder)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_WRITTEN}$"}
