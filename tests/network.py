"""Work that is done in another network of this machine, while the rest of the test run stays where it is."""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

__all__ = ["in_network_of"]


def in_network_of(process: int, work: Coroutine[Any, Any, None]) -> None:
    """Does it, in a thread of its own that has moved to the network namespace of a process."""
    with ThreadPoolExecutor(1) as thread, Path(f"/proc/{process}/ns/net").open() as network:
        thread.submit(_do, network.fileno(), work).result()


def _do(network: int, work: Coroutine[Any, Any, None]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.setns(network, 0) == 0, os.strerror(ctypes.get_errno())
    asyncio.run(work)
