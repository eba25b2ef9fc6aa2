"""What the refusals of engines mean: from their words to the errors that a driver may raise."""

from __future__ import annotations

from http import HTTPStatus

from beaufort.protocols import NoRoom, Rejected, SchedulerError
from beaufort.schedulers.engine.client import Refusal

__all__ = ["NO_IMAGE", "mapped"]

FULL = (
    "no space left on device",
    "disk quota exceeded",
    "cannot allocate memory",
    "resource temporarily unavailable",
    "too many open files",
    "port is already allocated",
    "address already in use",
)
WRONG = ("executable file not found", "unable to find user", "no matching entries in", "cannot unmarshal")
"""In the words of engines that answer a wrong request as if the fault were theirs."""

NO_IMAGE, NO_CONTAINER = "o such image", "o such container"
"""In the words of engines, with a large letter or a small one: what is missing was there, and others have removed it."""


def mapped(service: str, refusal: Refusal) -> SchedulerError:
    words = f"{service}: {refusal.words}"
    if any(full in refusal.words for full in FULL):
        return NoRoom(words)
    removed = NO_IMAGE in refusal.words or NO_CONTAINER in refusal.words
    absent = refusal.status == HTTPStatus.NOT_FOUND and not removed
    if refusal.status == HTTPStatus.BAD_REQUEST or absent or any(wrong in refusal.words for wrong in WRONG):
        return Rejected(words)
    return SchedulerError(words)
