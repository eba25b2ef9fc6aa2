"""Beaufort divides the container capacity that you have right now among your services, by priority."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beaufort.config import Config, load
    from beaufort.controller import Controller
    from beaufort.daemon import run
    from beaufort.dryrun import plan
    from beaufort.protocols import BeaufortError, ConfigError

__all__ = ["BeaufortError", "Config", "ConfigError", "Controller", "load", "plan", "run"]

_HOMES = {
    "BeaufortError": "beaufort.protocols",
    "Config": "beaufort.config",
    "ConfigError": "beaufort.protocols",
    "Controller": "beaufort.controller",
    "load": "beaufort.config",
    "plan": "beaufort.dryrun",
    "run": "beaufort.daemon",
}


def __getattr__(name: str) -> Any:
    """The public names are imported when they are first used: ``import beaufort`` alone costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
