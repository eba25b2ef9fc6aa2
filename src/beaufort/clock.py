"""The one clock of the live parts: seconds since the epoch that never go back, by the running event loop's time.

Under a test's virtual loop it is virtual too.
"""

from __future__ import annotations

import asyncio
import time

__all__ = ["now"]

_EPOCH = time.time() - time.monotonic()


def now() -> float:
    """Seconds since the epoch. A step of the machine's clock after the start is not followed."""
    return _EPOCH + asyncio.get_running_loop().time()
