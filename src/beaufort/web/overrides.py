"""Limits of services that were changed by hand: in force until the configuration changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from beaufort.config import Config
from beaufort.controller import Controller, Setup
from beaufort.model import Service
from beaufort.protocols import BeaufortError, ConfigError

__all__ = ["Overrides"]

Changes = Mapping[str, Any]

NONE: Mapping[str, Changes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Standing:
    """``base`` with ``changes`` by service gave ``result``."""

    base: Setup
    result: Setup
    changes: Mapping[str, Changes]


class Overrides:
    """Those of one controller. A configuration that comes from elsewhere puts an end to them."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._last = _Standing(controller.setup, controller.setup, NONE)

    @property
    def changes(self) -> Mapping[str, Changes]:
        """What is not as the configuration says, by service."""
        return self._now.changes

    @property
    def _now(self) -> _Standing:
        if self._last.result is not self._controller.setup:
            self._last = _Standing(self._controller.setup, self._controller.setup, NONE)
        return self._last

    def change(self, service: str, changes: Changes) -> None:
        """Change some limits of a service more. Raises ConfigError, beginning with the place."""
        standing = self._now
        self._use(standing.base, {**standing.changes, service: {**standing.changes.get(service, {}), **changes}})

    def restore(self, service: str) -> None:
        """Give a service the limits of the configuration back."""
        standing = self._now
        self._use(standing.base, {name: kept for name, kept in standing.changes.items() if name != service})

    def _use(self, base: Setup, changes: Mapping[str, Changes]) -> None:
        if not isinstance(base, Config):
            raise BeaufortError("limits can be changed only of a configuration that was loaded")
        result = _changed(base, changes)
        self._controller.reconfigure(result)
        self._last = _Standing(base, result, changes)


def _changed(config: Config, changes: Mapping[str, Changes]) -> Config:
    services = tuple(_service(service, changes.get(service.name, {})) for service in config.services)
    said = config.document["services"]
    document = {**config.document, "services": {name: {**said[name], **changes.get(name, {})} for name in said}}
    return replace(config, services=services, document=document)


def _service(service: Service, changes: Changes) -> Service:
    try:
        return replace(service, **changes) if changes else service
    except ValueError as error:
        raise ConfigError([f"{service.name}.{error}"]) from None
