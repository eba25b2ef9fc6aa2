"""The one clock of the live parts: seconds since the epoch that never go back, by the running event loop's time.

Under a test's virtual loop it is virtual too.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

__all__ = ["now", "told"]

_EPOCH = time.time() - time.monotonic()


def now() -> float:
    """Seconds since the epoch. A step of the machine's clock after the start is not followed."""
    return _EPOCH + asyncio.get_running_loop().time()


def told(at: float) -> str:
    """A time as people read it, in UTC."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return "a time beyond any calendar"
