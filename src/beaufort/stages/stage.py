"""What a demo needs of a scheduler, and name -> stage. The demo knows no more of any of them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from beaufort.protocols import ConfigError
from beaufort.registry import Registry

__all__ = ["STAGES", "Ground", "Stage", "Witness", "choose"]


class Witness(Protocol):
    """Counts the containers without asking Beaufort.

    ``started`` and ``ended``: how many have so far. ``most``: how many lived at one time; None if that is not known.
    """

    @property
    def started(self) -> int: ...
    @property
    def ended(self) -> int: ...
    @property
    def most(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Ground:
    """What one demo plays on. ``scheduler`` is that section of its configuration; ``launch`` is in each service's."""

    deployment: str
    scheduler: Mapping[str, Any]
    launch: Mapping[str, Any]
    witness: Witness


class Stage(Protocol):
    """A scheduler to play on. Its keyword arguments are its options."""

    def opened(self) -> AbstractAsyncContextManager[Ground]:
        """Sets up what a demo needs, and clears away all that it has left, however it ends.

        What an earlier one has left that was killed is cleared away before. Others that live are left alone. Raises
        SchedulerError.
        """
        ...


STAGES: Registry[Stage] = Registry(
    "scheduler",
    "beaufort.stages",
    {
        "docker": "beaufort.stages.docker:DockerStage",
        "local": "beaufort.stages.local:LocalStage",
        "marathon": "beaufort.stages.marathon:MarathonStage",
        "mesos": "beaufort.stages.mesos:MesosStage",
        "swarm": "beaufort.stages.swarm:SwarmStage",
    },
)


def choose(scheduler: str, options: Mapping[str, Any]) -> Stage:
    """The stage of a scheduler, with those options that are not None. Raises ConfigError for what can't be."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        kind = STAGES.find(scheduler)
    except ValueError as error:
        raise ConfigError([f"scheduler: {error}"]) from error
    taken = inspect.signature(kind).parameters
    if faults := [
        f"{name}: expected none, as the scheduler {scheduler} has none" for name in given if name not in taken
    ]:
        raise ConfigError(faults)
    try:
        return kind(**given)
    except ValueError as error:
        raise ConfigError([str(error)]) from error
