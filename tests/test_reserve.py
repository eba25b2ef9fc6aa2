"""What is held ready of each service, by priority, of what the pool leaves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from beaufort.model import NO_STANDBY, Counts, Node, Resources, Service, Standby
from beaufort.pool import Pool
from beaufort.reserve import Reserve
from beaufort.room import Room

HIGH = Service("high", 1, max=6, resources=Resources(memory=2, cpu=1))
LOW = Service("low", 2, resources=Resources(memory=1, cpu=1))
ALL = {"created", "paused", "frozen"}


class Scene:
    """A pool of so much memory and cpu; ``high`` and ``low`` want, and have, so much."""

    def __init__(
        self,
        wanted: Sequence[Standby],
        *,
        there: Sequence[Standby] = (NO_STANDBY, NO_STANDBY),
        warming: Sequence[int] = (0, 0),
        current: Sequence[int] = (0, 0),
        memory: float = 10,
        cpu: float = 100,
    ) -> None:
        services, nodes = (HIGH, LOW), (Node("pool", Resources(memory=memory, cpu=cpu)),)
        self.pool = Pool.of(services, nodes, {})
        self.room = Room(services, nodes, self.pool)
        counts = [Counts(c, standby=t, warming=w) for c, t, w in zip(current, there, warming, strict=True)]
        self.room.see(range(2), counts, [None, None], warming)
        self.reserve = Reserve(services, ALL)
        self.reserve.want(range(2), wanted)
        self.reserve.see(range(2), there, warming)

    def targets(self, base: Sequence[int]) -> list[Standby]:
        """What each should have ready when these counts are granted, and nobody starts or waits."""
        self.reserve.reckon(np.array(base), self.pool, self.room)
        warm = self.reserve.warm.tolist()
        return [self.reserve.target(index, base[index], 0, 0, warm[index]) for index in range(2)]


@pytest.mark.parametrize(
    ("scene", "base", "targets"),
    [
        pytest.param(Scene([Standby(1, 2), Standby(2, 0, 3)]), [0, 0], [Standby(1, 2), Standby(2, 0, 3)], id="all"),
        pytest.param(
            Scene([Standby(0, 2), Standby(0, 3)], memory=5),
            [0, 0],
            [Standby(0, 2), Standby(0, 1)],
            id="the higher priority first",
        ),
        pytest.param(
            Scene([Standby(0, 2), Standby(0, 3)], there=[NO_STANDBY, Standby(0, 3)], memory=5),
            [0, 0],
            [Standby(0, 1), Standby(0, 3)],
            id="what is there is not given up for what is not",
        ),
        pytest.param(
            Scene([Standby(0, 2), Standby(0, 3)], there=[Standby(0, 2), Standby(0, 3)], current=(1, 1), memory=5),
            [1, 1],
            [Standby(0, 1), Standby(0, 0)],
            id="less where less is left",
        ),
        pytest.param(
            Scene([Standby(1, 2, 2), NO_STANDBY], current=(4, 0), memory=99),
            [4, 0],
            [Standby(0, 0, 2), NO_STANDBY],
            id="no more than max",
        ),
        pytest.param(
            Scene([Standby(0, 2), NO_STANDBY], current=(1, 0), cpu=2),
            [1, 0],
            [Standby(0, 1), NO_STANDBY],
            id="as many are warmed as may run",
        ),
        pytest.param(
            Scene([Standby(0, 2), NO_STANDBY], current=(1, 0), warming=(1, 0), cpu=2),
            [1, 0],
            [Standby(0, 1), NO_STANDBY],
            id="what is being warmed runs",
        ),
        pytest.param(
            Scene([Standby(3), Standby(2)], there=[Standby(1), NO_STANDBY]),
            [2, 0],
            [Standby(1), NO_STANDBY],
            id="nothing is made while anybody is still to grow",
        ),
    ],
)
def test_what_is_to_be_ready(scene: Scene, base: list[int], targets: list[Standby]) -> None:
    assert scene.targets(base) == targets


@pytest.mark.parametrize(
    ("there", "starts", "waiting", "target"),
    [
        pytest.param(Standby(2, 2), 0, 0, Standby(2, 2), id="no start"),
        pytest.param(Standby(2, 2), 1, 0, Standby(2, 1), id="what is paused is taken first"),
        pytest.param(Standby(2, 2), 3, 0, Standby(1, 0), id="then what is made"),
        pytest.param(Standby(2, 2), 9, 0, NO_STANDBY, id="then nothing is left"),
        pytest.param(Standby(), 0, 3, Standby(3), id="what waits is made ready"),
        pytest.param(Standby(0, 2), 0, 3, Standby(1, 2), id="beside what is paused"),
        pytest.param(Standby(5), 0, 3, Standby(3), id="and no more"),
    ],
)
def test_what_growth_leaves_ready(there: Standby, starts: int, waiting: int, target: Standby) -> None:
    scene = Scene([Standby(2, 2), NO_STANDBY], there=[there, NO_STANDBY], memory=99)
    scene.reserve.reckon(np.array([1, 0]), scene.pool, scene.room)
    assert scene.reserve.target(0, 1, starts, waiting, 0) == target


@pytest.mark.parametrize(
    ("holds", "possible"),
    [
        pytest.param(ALL, Standby(1, 2, 3), id="all"),
        pytest.param({"created"}, Standby(1), id="made only"),
        pytest.param({"paused"}, Standby(0, 5), id="paused only"),
        pytest.param({"frozen", "created"}, Standby(1, 0, 5), id="no pause"),
        pytest.param((), NO_STANDBY, id="nothing"),
    ],
)
def test_what_a_scheduler_can_hold(holds: set[str], possible: Standby) -> None:
    reserve = Reserve((HIGH, LOW), holds)
    assert reserve.want([0], [Standby(1, 2, 3)]) is bool(holds)
    assert not reserve.want([0], [Standby(1, 2, 3)]), "nothing has changed"
    assert reserve.wanted[0] == possible
    assert reserve.is_wanted is bool(possible.kept)
    reserve.see([0], [Standby(1)], [0])
    assert reserve.concerned(np.array([0, 1])) == ([0, 1] if holds else [1])


def lacking(scene: Scene, asked: Standby, granted: int) -> list[str | list[bool]]:
    bounds = scene.reserve.bounds(0, asked, granted)
    return [bound if isinstance(bound, str) else bound.tolist() for bound in bounds]


@pytest.mark.parametrize(
    ("scene", "base", "bounds"),
    [
        pytest.param(Scene([Standby(1, 2), NO_STANDBY]), [0, 0], [], id="nothing"),
        pytest.param(Scene([Standby(1, 2), NO_STANDBY], memory=3), [0, 0], [[False, True]], id="the pool"),
        pytest.param(
            Scene([Standby(1, 2), NO_STANDBY], current=(5, 0), memory=99),
            [5, 0],
            ["max leaves 1 more to serve"],
            id="max",
        ),
        pytest.param(
            Scene([Standby(1, 2), NO_STANDBY]),
            [1, 0],
            ["none is made while anybody is still to grow"],
            id="growth comes first",
        ),
    ],
)
def test_why_less_is_ready_is_told(scene: Scene, base: list[int], bounds: list[str | list[bool]]) -> None:
    scene.targets(base)
    assert lacking(scene, Standby(1, 2), base[0]) == bounds


@pytest.mark.parametrize(
    ("holds", "spread", "bounds"),
    [
        pytest.param({"created", "paused"}, True, ["none is held where there are several nodes"], id="nodes"),
        pytest.param({"created"}, False, ["the scheduler can hold only created"], id="made only"),
        pytest.param((), False, ["the scheduler can hold none"], id="nothing"),
    ],
)
def test_what_can_not_be_held_ready_is_told(holds: set[str], spread: bool, bounds: list[str]) -> None:
    reserve = Reserve((HIGH, LOW), holds)
    reserve.spread = spread
    reserve.want([0], [Standby(1, 2)])
    assert list(reserve.bounds(0, Standby(1, 2), 0)) == bounds


def test_without_a_limit_all_is_kept() -> None:
    pool = Pool.of((HIGH, LOW), (), {})
    reserve = Reserve((HIGH, LOW), ALL)
    reserve.want([1], [Standby(paused=1000)])
    assert reserve.reckon(np.array([0, 0]), pool, Room((HIGH, LOW), (), pool)).tolist() == []
    assert reserve.target(1, 0, 0, 0, int(reserve.warm[1])) == Standby(paused=1000)


@pytest.mark.parametrize(
    ("target", "waiting", "why"),
    [
        pytest.param(Standby(3, 1), 0, "holds more ready", id="more"),
        pytest.param(Standby(3, 1), 2, "makes ready what waits for room (2)", id="for what waits"),
        pytest.param(Standby(1, 1), 2, "gives up what it held ready", id="less"),
        pytest.param(Standby(2, 0, 1), 0, "what it holds ready may be of an earlier configuration", id="as many"),
    ],
)
def test_why(target: Standby, waiting: int, why: str) -> None:
    scene = Scene([NO_STANDBY, NO_STANDBY], there=[Standby(2, 1), NO_STANDBY])
    assert scene.reserve.why(0, target, waiting) == why
