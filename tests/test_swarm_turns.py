"""Who waits for whose nodes when several services grow at once on a Swarm."""

from __future__ import annotations

import asyncio

import pytest

from beaufort.schedulers.cluster.turns import LONGEST, Turns

EAST, WEST = frozenset({"n1"}), frozenset({"n2", "n3"})


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        pytest.param((1, EAST), (2, None), True, id="who may be anywhere, for who may not"),
        pytest.param((1, EAST), (1, EAST), True, id="of one priority, who comes later"),
        pytest.param((2, EAST), (1, None), False, id="nobody for a lower priority"),
        pytest.param((1, None), (2, EAST), False, id="nobody for who may be anywhere"),
        pytest.param((1, EAST), (2, WEST), False, id="nobody for whose nodes it may not use"),
    ],
)
def test_who_waits(
    first: tuple[int, frozenset[str] | None], second: tuple[int, frozenset[str] | None], *, waits: bool
) -> None:
    turns = Turns()
    with turns.taken(*first) as earlier, turns.taken(*second) as later:
        assert list(later.before) == ([earlier.placed] if waits else [])
    with turns.taken(*second) as next_one:
        assert not next_one.before


@pytest.mark.looptime(start=0)
async def test_it_comes_when_the_others_have_their_nodes_or_have_had_their_time() -> None:
    turns = Turns()
    now = asyncio.get_running_loop().time
    with turns.taken(1, EAST) as earlier, turns.taken(2, None) as later:
        began = now()
        await later.come()
        assert now() == began + LONGEST
        earlier.placed.set()
        await later.come()
        assert now() == began + LONGEST
