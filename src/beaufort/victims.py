"""Which containers to stop, where a driver may choose: the one rule for all drivers."""

from __future__ import annotations

from collections.abc import Sequence

from beaufort.model import Container, ContainerState

__all__ = ["victims"]


def victims(containers: Sequence[Container], how_many: int) -> list[Container]:
    """The containers to stop, first to go first: not yet serving, then known idle, then not known, then busy.

    Among equals the youngest goes first, as the least work is lost with it. What is stopping already is never picked,
    so there may be fewer than ``how_many``. The time is no argument: starting times alone give the order of ages.
    """
    candidates = [each for each in containers if each.state is not ContainerState.STOPPING]
    return sorted(candidates, key=_loss)[: max(0, how_many)]


def _loss(container: Container) -> tuple[int, float, str]:
    """What is lost by stopping it, smallest first; the id makes the order the same each time."""
    rank = 0 if container.state is ContainerState.STARTING else {False: 1, None: 2, True: 3}[container.busy]
    return rank, -container.started_at, container.id
