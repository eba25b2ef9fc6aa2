"""Errors as problem+json (RFC 9457), in the same words as the command line has for them."""

from __future__ import annotations

import http
from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from beaufort.protocols import BeaufortError, ConfigError
from beaufort.wording import counted

__all__ = ["FAULT", "HANDLERS", "MEDIA_TYPE", "Problem", "Refused", "problem_body", "refusal", "several"]

MEDIA_TYPE = "application/problem+json"

FAULT = "beaufort.fault"
"""The key of a request's scope at which is what to call with an error that nobody foresaw."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. ``faults``: every one, a complete sentence each, where there may be more than one."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    faults: list[str] = []


class Refused(BeaufortError):
    """A request that is not done, with the HTTP status that says why."""

    def __init__(
        self, status: int, detail: str, headers: dict[str, str] | None = None, faults: Sequence[str] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}
        self.faults = faults


def refusal(description: str) -> ResponseSpec:
    """How a route says what it may answer instead, in the description of the API."""
    return ResponseSpec(Problem, generate_examples=False, description=description, media_type=MEDIA_TYPE)


def several(faults: Sequence[str]) -> str:
    """One or more faults in a line."""
    return faults[0] if len(faults) == 1 else f"{faults[0]}; and {counted(len(faults) - 1, 'fault')} more"


def problem(status: int, detail: str, faults: Sequence[str] = ()) -> Problem:
    return Problem(title=http.HTTPStatus(status).phrase, status=status, detail=detail, faults=list(faults))


def problem_body(status: int, detail: str) -> bytes:
    """The answer's body, where there is no application to make it."""
    return msgspec.json.encode(problem(status, detail))


def _answer(told: Problem, headers: dict[str, str] | None = None) -> Response[Problem]:
    return Response(told, status_code=told.status, media_type=MEDIA_TYPE, headers=headers)


def _http(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    faults = _faults(error) if isinstance(error, ValidationException) else []
    detail = several(faults) if faults else WORDS.get(error.status_code, error.detail)
    return _answer(problem(error.status_code, detail, faults), dict(error.headers or {}))


WORDS = {
    404: "there is nothing here; /docs says what there is",
    405: "this method is not for here; the header Allow says which are",
    413: "a body is at most 1 MiB",
}
"""What Litestar has no more than the name of the status for."""


def _faults(error: ValidationException) -> list[str]:
    """Litestar's list of what does not fit, as sentences that begin with their place."""
    extra = error.extra if isinstance(error.extra, list) else []
    return [f"{each['key']}: {each['message']}" if each.get("key") else str(each["message"]) for each in extra]


def _refused(_: Request[Any, Any, Any], error: Refused) -> Response[Problem]:
    return _answer(problem(error.status, str(error), error.faults), error.headers)


def _config(_: Request[Any, Any, Any], error: ConfigError) -> Response[Problem]:
    return _answer(problem(422, several(error.faults), error.faults))


def _beaufort(_: Request[Any, Any, Any], error: BeaufortError) -> Response[Problem]:
    return _answer(problem(409, str(error)))


def _other(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """What nobody foresaw: its words may hold anything, so only its kind is told."""
    if (fault := dict(request.scope).get(FAULT)) is not None:
        fault(error)  # type: ignore[operator]
    return _answer(problem(500, f"something is wrong in Beaufort itself: {type(error).__name__}"))


HANDLERS: dict[Any, Any] = {
    HTTPException: _http,
    Refused: _refused,
    ConfigError: _config,
    BeaufortError: _beaufort,
    Exception: _other,
}
