"""Why a container ended that nobody asked to end, in words."""

from __future__ import annotations

import signal

from beaufort.protocols import SchedulerError
from beaufort.schedulers.engine.answers import Inspected, State
from beaufort.schedulers.engine.client import Client, Refusal
from beaufort.schedulers.engine.held import Held

__all__ = ["obituary"]

LINES = "3"
LONGEST = 300
"""How much of what a container printed at last is told: lines, and characters."""


async def obituary(client: Client, held: Held) -> str:
    """Raises Unreachable."""
    try:
        state = (await client.ask("GET", f"/containers/{held.id}/json", Inspected)).state
    except Refusal:
        return f"{_exit(held.code)}, and was removed by someone else"
    words = _exit(state.exit_code) + _age(state)
    if state.oom_killed:
        words = f"out of memory: {words}"
    if state.error:
        words += f": {state.error}"
    last = await _last_words(client, held.id)
    return f"{words}; it said at last: {last}" if last else words


def _exit(code: int | None) -> str:
    if code is None:
        return "ended unseen"
    if code > 128:
        try:
            return f"exited with {code} ({signal.Signals(code - 128).name})"
        except ValueError:
            pass
    return f"exited with {code}"


def _age(state: State) -> str:
    if state.started_at is None or state.finished_at is None or state.started_at.year == 1:
        return ""
    return f" after {max(0.0, (state.finished_at - state.started_at).total_seconds()):.1f} s"


async def _last_words(client: Client, id_: str) -> str:
    """Not every log driver can be read, and one that can't is no fault of the container's."""
    try:
        said = await client.fetch(f"/containers/{id_}/logs", query={"stdout": "1", "stderr": "1", "tail": LINES})
    except SchedulerError:
        return ""
    text = "".join(_frames(said)).strip()
    return " / ".join(line.strip() for line in text.splitlines())[-LONGEST:]


def _frames(said: bytes) -> list[str]:
    """What was printed, without the headers of eight bytes in which an engine tells the stream and the length.

    See "Stream format" of ContainerAttach in the Engine API. A container with a terminal has no such headers.
    """
    frames: list[str] = []
    while said:
        if len(said) < 8 or said[0] > 2 or said[1:4] != b"\0\0\0":
            return [*frames, said.decode(errors="replace")]
        end = 8 + int.from_bytes(said[4:8], "big")
        frames.append(said[8:end].decode(errors="replace"))
        said = said[end:]
    return frames
