"""The log of a running controller: every event a line, for people or, as JSON, for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from beaufort.model import Event

__all__ = ["logger"]

TROUBLE = frozenset(
    {"action-failed", "api-fault", "api-lost", "blind", "config-refused", "insecure", "journal-lost", "source-failed"}
)


def logger(as_json: bool) -> Callable[[Event], None]:
    """What writes one event: to stdout, as JSON or in columns."""
    renderer = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    log = structlog.wrap_logger(
        structlog.PrintLogger(sys.stdout),
        processors=[structlog.processors.add_log_level, renderer],
        cache_logger_on_first_use=True,
    )

    def write(event: Event) -> None:
        say = log.warning if event.kind in TROUBLE else log.info
        fields = {"service": event.service} if event.service else {}
        say(
            event.kind,
            timestamp=datetime.fromtimestamp(event.at, UTC).isoformat(timespec="milliseconds"),
            detail=event.detail,
            **fields,
        )

    return write
