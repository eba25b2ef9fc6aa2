"""What is held, and what may start into what is free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from beaufort.model import Counts, Node, Resources, Service, Standby
from beaufort.pool import Pool
from beaufort.room import Room

HIGH = Service("high", 1, resources=Resources(cpu=2))
LOW = Service("low", 2, resources=Resources(cpu=1))


def room(counts: Sequence[Counts], asked: Sequence[int | None] = (None, None), cpu: float = 10) -> Room:
    nodes = (Node("pool", Resources(cpu=cpu)),)
    seen = Room((HIGH, LOW), nodes, Pool.of((HIGH, LOW), nodes, {}))
    seen.see(range(2), counts, asked, [each.warming for each in counts])
    return seen


@pytest.mark.parametrize(
    ("counts", "asked", "current", "staying", "held"),
    [
        pytest.param(Counts(running=2, starting=1), None, 3, 3, 3, id="running and starting"),
        pytest.param(Counts(running=2, stopping=3), None, 2, 2, 5, id="what stops holds its room"),
        pytest.param(Counts(running=2), 5, 2, 5, 5, id="what was asked for holds room before it is seen"),
        pytest.param(Counts(running=2, stopping=1), 5, 2, 5, 6, id="besides what stops"),
        pytest.param(Counts(running=4), 1, 4, 1, 4, id="what was asked to go holds room until it has gone"),
        pytest.param(
            Counts(running=4, standby=Standby(3)), None, 4, 4, 4, id="what is made and not started holds none"
        ),
        pytest.param(Counts(running=4, warming=2), None, 4, 4, 6, id="what is being warmed runs"),
    ],
)
def test_what_is_held(counts: Counts, asked: int | None, current: int, staying: int, held: int) -> None:
    seen = room([counts, Counts()], [asked, None])
    assert (seen.current[0], seen.staying[0], seen.held[0]) == (current, staying, held)
    assert seen.stopping[0] == counts.stopping


@pytest.mark.parametrize(
    ("counts", "target", "starts"),
    [
        pytest.param([Counts(), Counts()], [3, 4], [3, 4], id="room for all"),
        pytest.param([Counts(), Counts()], [4, 4], [4, 2], id="the higher priority first"),
        pytest.param([Counts(), Counts(running=9)], [2, 9], [0, 0], id="no room yet"),
        pytest.param([Counts(), Counts(running=6, stopping=3)], [2, 7], [0, 0], id="room that is waited for is kept"),
        pytest.param([Counts(), Counts(running=6, stopping=2)], [1, 7], [1, 0], id="what is free is taken"),
        pytest.param([Counts(), Counts(running=12)], [1, 12], [0, 0], id="a pool that is overfull"),
    ],
)
def test_growth_is_into_free_room(counts: list[Counts], target: list[int], starts: list[int]) -> None:
    seen, wanted = room(counts), np.array(target, dtype=np.int64)
    growing = np.flatnonzero(wanted > seen.current)
    found = np.zeros(2, dtype=np.int64)
    found[growing] = seen.starts(wanted, growing, np.zeros(len(growing), dtype=bool))
    assert found.tolist() == starts


def test_what_is_asked_holds_room_at_once() -> None:
    seen = room([Counts(running=1), Counts(running=2)])
    seen.ask(np.array([0, 1]), np.array([3, 1]), np.array([0, 1]))
    assert seen.staying.tolist() == [3, 1]
    assert seen.held.tolist() == [3, 3]
    assert seen.current.tolist() == [1, 2]


def test_tenths_fill_a_pool() -> None:
    tenth = Service("tenth", 1, resources=Resources(cpu=0.1))
    nodes = (Node("pool", Resources(cpu=0.3)),)
    seen = Room((tenth,), nodes, Pool.of((tenth,), nodes, {}))
    seen.see([], [], [], [])
    assert seen.starts(np.array([5]), np.array([0]), np.array([False])).tolist() == [3]


def test_on_nodes_what_is_asked_for_takes_a_place() -> None:
    nodes = (Node("a", Resources(cpu=2)), Node("b", Resources(cpu=2)))
    seen = Room((HIGH, LOW), nodes, Pool.of((HIGH, LOW), nodes, {}))
    assert seen.placement is not None
    seen.see(range(2), [Counts(), Counts(running=1, on={"a": 1})], [None, None], [0, 0])
    seen.ask(np.array([1]), np.array([3]), np.array([0]))
    assert not seen.placement.trial().place(seen.placement.kinds.numbers[0], 1) or seen.placement.where(1) == {
        0: 2,
        1: 1,
    }


@pytest.mark.parametrize(
    ("kept", "useful", "starts"),
    [
        pytest.param(0, 0, 2, id="new ones need all"),
        pytest.param(1, 1, 3, id="a paused one has its memory"),
        pytest.param(3, 3, 5, id="more of them"),
        pytest.param(9, 9, 5, id="but no slot"),
        pytest.param(3, 0, 2, id="what was made of something else, or is going, is no use"),
    ],
)
def test_what_is_paused_takes_what_it_does_not_hold(kept: int, useful: int, starts: int) -> None:
    """Room for two beside those that are paused, and five slots."""
    web = Service("web", 1, resources=Resources(memory=1))
    nodes = (Node("pool", Resources(memory=2 + kept, containers=5)),)
    seen = Room((web,), nodes, Pool.of((web,), nodes, {}))
    seen.see([0], [Counts(standby=Standby(paused=kept))], [None], [0])
    assert seen.free.tolist() == pytest.approx([5, 2])
    assert seen.starts(np.array([8]), np.array([0]), np.array([useful])).tolist() == [starts]
    assert seen.fits(0, 9) == 2
