"""Which containers to stop, where a driver may choose: the one rule for all drivers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from beaufort.model import NOWHERE, Container, ContainerState

__all__ = ["since", "victims"]


def victims(containers: Sequence[Container], how_many: int, off: Mapping[str, int] = NOWHERE) -> list[Container]:
    """The containers to stop, first to go first: not yet serving, then known idle, then not known, then busy.

    Among equals the youngest goes first, as the least work is lost with it. Before all others go those that are to be
    ``off`` a node (node -> count), in the same order. What is stopping already is never picked, so there may be fewer
    than ``how_many``. The time is no argument: starting times alone give the order of ages.
    """
    first, others = [], []
    left = dict(off)
    for each in _in_order(containers):
        if left.get(each.node, 0) > 0:
            left[each.node] -= 1
            first.append(each)
        else:
            others.append(each)
    return [*first, *others][: max(0, how_many)]


def since(containers: Iterable[Container]) -> dict[str, tuple[float, ...]]:
    """What `model.Counts.since` is of these: node -> when those there were started, first to go first."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for each in _in_order(containers):
        found[each.node].append(each.started_at)
    return {node: tuple(times) for node, times in found.items()}


def _in_order(containers: Iterable[Container]) -> list[Container]:
    return sorted((each for each in containers if each.state is not ContainerState.STOPPING), key=_loss)


def _loss(container: Container) -> tuple[int, float, str]:
    """What is lost by stopping it, smallest first; the id makes the order the same each time."""
    rank = 0 if container.state is ContainerState.STARTING else {False: 1, None: 2, True: 3}[container.busy]
    return rank, -container.started_at, container.id
