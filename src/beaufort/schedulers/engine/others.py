"""What the machine of an engine has left for us: all of it, less the limits of the containers that are not ours."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from beaufort.model import Node, Resources
from beaufort.schedulers.engine.answers import Info, Inspected, Limits, Listed
from beaufort.schedulers.engine.client import Client, Refusal

__all__ = ["Others"]

HOLDING = {"running", "paused", "restarting"}
PERIOD = 100_000
"""Microseconds: the period of a cpu quota where none is given."""


class Others:
    """The containers that are not ours. One without limits can't be reckoned with, and counts as nothing."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._limits: dict[str, Resources] = {}

    def forget(self, id_: str) -> None:
        """Its limits may be others now."""
        self._limits.pop(id_, None)

    async def look(self, containers: Sequence[Listed]) -> None:
        """Learns the limits of those that are new in this list."""
        holding = {each.id for each in containers if each.state in HOLDING}
        for id_ in holding - self._limits.keys():
            with suppress(Refusal):  # it has gone in the meantime
                self._limits[id_] = _held(
                    (await self._client.ask("GET", f"/containers/{id_}/json", Inspected)).host_config
                )
        self._limits = {id_: held for id_, held in self._limits.items() if id_ in holding}

    def node(self, info: Info) -> Node:
        held = {name: sum(each.get(name) for each in self._limits.values()) for name in ("cpu", "memory")}
        labels = dict(label.partition("=")[::2] for label in info.labels or ())
        room = Resources(cpu=max(0.0, info.cores - held["cpu"]), memory=max(0.0, info.mem_total - held["memory"]))
        return Node(info.name, room, labels)


def _held(limits: Limits) -> Resources:
    quota = limits.cpu_quota / (limits.cpu_period or PERIOD)
    return Resources(
        cpu=max(0.0, limits.nano_cpus / 1e9 or quota),
        memory=max(0, limits.memory or limits.memory_reservation),
    )
