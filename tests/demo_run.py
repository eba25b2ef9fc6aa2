"""A demo as a person runs it: a process of its own, with its options, output and signals."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

__all__ = ["PATIENCE", "begun", "told"]

PATIENCE = 30.0
COMMAND = [sys.executable, "-c", "from beaufort.cli import main; main()", "demo"]


@asynccontextmanager
async def begun(*options: str, stdout: int = PIPE, stderr: int = PIPE, **environment: str) -> AsyncIterator[Process]:
    """In the end it has to be over."""
    env = {**os.environ, **environment}
    process = await asyncio.create_subprocess_exec(
        *COMMAND, *options, stdin=DEVNULL, stdout=stdout, stderr=stderr, env=env
    )
    try:
        async with asyncio.timeout(PATIENCE):
            yield process
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def told(stream: asyncio.StreamReader | None, pattern: str) -> str:
    """Read until a line matches: what of it does."""
    assert stream is not None
    async for line in stream:
        if found := re.search(pattern, line.decode()):
            return found[0]
    pytest.fail(f"it ended without saying {pattern}")
