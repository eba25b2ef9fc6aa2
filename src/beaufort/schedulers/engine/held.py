"""One container on an engine, as far as is known: what is wanted of it, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from beaufort.model import Container, ContainerState

__all__ = ["ALIVE", "CURRENT", "DEPLOYMENT", "SERVICE", "SPEC", "Held", "Phase"]

DEPLOYMENT, SERVICE = "beaufort.deployment", "beaufort.service"
"""The labels by which a container is ours."""

SPEC = "beaufort.spec"
"""The label that says what it was made from: what is ready is of use only to a service that is still like that."""

ALIVE = {"running", "paused", "restarting"}


class Phase(Enum):
    SPARE = "made, or being made, and not to be started yet"
    WARMING = "being made and started, only to be paused then"
    PAUSED = "started, and paused until it is needed"
    LEAVING = "was paused, and is being removed"
    WAITING = "to be started, and nothing asked of the engine yet"
    STARTING = "being made and started, or not healthy"
    RUNNING = "serves"
    STOPPING = "asked to end"
    ENDED = "ended unasked, and it is being asked why"
    GONE = "not held any more"


CURRENT = {Phase.WAITING, Phase.STARTING, Phase.RUNNING}
STATES = {
    Phase.WAITING: ContainerState.STARTING,
    Phase.STARTING: ContainerState.STARTING,
    Phase.RUNNING: ContainerState.RUNNING,
    Phase.STOPPING: ContainerState.STOPPING,
    Phase.ENDED: ContainerState.STOPPING,
}


@dataclass(eq=False, slots=True)
class Held:
    """One container. Without an ``id`` the engine is not known to have made it.

    ``up``: its process runs. ``checked``: it has a health check, and serves when that says so. ``code``: its exit code.
    ``kill_at``: it was asked to stop by the Beaufort before, which gave it until then (seconds since the epoch).
    ``drain_until``: it was busy when it was asked to stop, and may go on until then.
    ``sent``: the engine has been asked to make it. ``asked``: it has been asked to start it. ``working``: something is
    being asked of the engine about it. ``spec``: what it was made from. ``serves``: its health check says so. ``still``:
    how it was paused, a kind of standby, if it was. ``stamp``: when it last changed, in the fleet's count.
    """

    name: str
    service: str
    phase: Phase
    id: str = ""
    started_at: float = 0.0
    up: bool = False
    checked: bool = False
    code: int | None = None
    kill_at: float | None = None
    drain_until: float | None = None
    sent: bool = False
    asked: bool = False
    working: bool = False
    spec: str = ""
    serves: bool = False
    still: str = ""
    stamp: int = 0

    @property
    def container(self) -> Container:
        return Container(self.name, self.service, STATES[self.phase], self.started_at)
