"""What Marathon asks of the Mesos below it, and what it is told by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from marathon_instances import Instance
from marathon_offers import Offer

__all__ = ["Backend", "Listener", "Status"]


@dataclass(frozen=True, slots=True)
class Status:
    """Of a task on an agent, ``state`` in Mesos's words. ``healthy``: what a health check has told, if that is what is new."""

    task_id: str
    state: str
    agent_id: str = ""
    message: str = ""
    reason: str = ""
    healthy: bool | None = None


class Listener(Protocol):
    def offered(self, offers: Sequence[Offer]) -> None:
        """Each is to be accepted or declined before this returns."""

    def told(self, status: Status) -> None: ...


class Backend(Protocol):
    def attach(self, listener: Listener) -> None:
        """Who is told from now on."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def revive(self) -> None:
        """Offers are wanted, also of what was declined."""

    def accept(self, offer: Offer, instances: Sequence[Instance]) -> None:
        """Starts tasks that have taken their part of it; the rest is given back."""

    def decline(self, offer: Offer, seconds: float) -> None:
        """What it holds is not offered for so long, unless something is added to it."""

    def kill(self, task_id: str, agent_id: str, grace: float | None) -> None:
        """By SIGTERM, and after ``grace`` seconds (Mesos has a default) by SIGKILL."""

    def check(self, instance: Instance) -> None:
        """It runs and has health checks: what they tell is to be told."""
