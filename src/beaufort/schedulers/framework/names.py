"""The id of a task says whose it is: a status update carries no labels of the task, only its id."""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote

__all__ = ["new_id", "owner"]

PREFIX = "beaufort"


def new_id(deployment: str, service: str) -> str:
    """One that nobody else gives."""
    return ".".join([PREFIX, _word(deployment), _word(service), secrets.token_hex(6)])


def owner(id_: str) -> tuple[str, str] | None:
    """Deployment and service of a task, if it is one of Beaufort's."""
    parts = id_.split(".")
    return (unquote(parts[1]), unquote(parts[2])) if len(parts) == 4 and parts[0] == PREFIX else None


def _word(text: str) -> str:
    return quote(text, safe="").replace(".", "%2E")
