"""What people and programs touch while Beaufort runs: the HTTP API, its stream of events, its metrics, and the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beaufort.web.listening import Listening

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from beaufort.controller import Controller
    from beaufort.web.server import Serving

__all__ = ["Listening", "serving"]


def serving(listening: Listening) -> Callable[[Controller, asyncio.TaskGroup], Serving]:
    """What serves a controller's API there. The libraries for it are loaded now."""
    from beaufort.web.server import Serving  # noqa: PLC0415 - heavy, and not needed to refuse what is not safe

    def begin(controller: Controller, tasks: asyncio.TaskGroup) -> Serving:
        return Serving(listening, controller, tasks)

    return begin
