"""How Marathon says no: an HTTP status and a JSON body, in its own words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["Refusal", "invalid", "locked", "missing", "unknown_app"]

LOCKED = (
    "App is locked by one or more deployments. Override with the option '?force=true'. "
    "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
)


class Refusal(Exception):
    """``body``: what is answered, as JSON."""

    def __init__(self, status: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"message": message, **more}


def locked(deployments: Iterable[str]) -> Refusal:
    return Refusal(409, LOCKED, deployments=[{"id": each} for each in deployments])


def missing(message: str) -> Refusal:
    return Refusal(404, message)


def unknown_app(app: str) -> Refusal:
    return missing(f"App '{app}' does not exist")


def invalid(faults: Mapping[str, Sequence[str]], message: str = "Object is not valid") -> Refusal:
    """``faults``: the path of a field -> what is wrong with it."""
    return Refusal(422, message, details=[{"path": path, "errors": list(words)} for path, words in faults.items()])
