"""Which containers go first when some must stop."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.model import Container, ContainerState
from beaufort.victims import since, victims


def container(name: str, age: float, state: str = "running", *, busy: bool | None = None, node: str = "") -> Container:
    return Container(name, "web", ContainerState(state), 1000.0 - age, busy, node)


STARTING = container("starting", 90.0, "starting", busy=True)
IDLE = container("idle", 80.0, busy=False)
UNKNOWN = container("unknown", 70.0)
BUSY = container("busy", 60.0, busy=True)
STOPPING = container("stopping", 50.0, "stopping", busy=False)


@pytest.mark.parametrize(
    ("containers", "how_many", "expected"),
    [
        pytest.param(
            [BUSY, UNKNOWN, IDLE, STARTING], 4, ["starting", "idle", "unknown", "busy"], id="least loss first"
        ),
        pytest.param([BUSY, STARTING, IDLE], 1, ["starting"], id="not yet serving before idle"),
        pytest.param([container("old", 9.0), container("new", 1.0)], 1, ["new"], id="youngest first"),
        pytest.param([container("b", 5.0), container("a", 5.0)], 1, ["a"], id="id breaks the tie"),
        pytest.param([STOPPING, BUSY], 2, ["busy"], id="never what is stopping"),
        pytest.param([IDLE], 0, [], id="none asked"),
        pytest.param([IDLE], -1, [], id="fewer than none asked"),
        pytest.param([], 3, [], id="none there"),
    ],
)
def test_order(containers: list[Container], how_many: int, expected: list[str]) -> None:
    assert [victim.id for victim in victims(containers, how_many)] == expected


ON_A, ON_B = container("on a", 9.0, node="a"), container("on b", 8.0, node="b")
NEW_ON_A, STOPS = container("new on a", 1.0, "starting", node="a"), container("stops", 1.0, "stopping", node="b")
SPREAD = [ON_A, ON_B, NEW_ON_A, STOPS]


@pytest.mark.parametrize(
    ("how_many", "off", "expected"),
    [
        pytest.param(2, {}, ["new on a", "on b"], id="nowhere named"),
        pytest.param(2, {"b": 1}, ["on b", "new on a"], id="those of the node first"),
        pytest.param(2, {"a": 2}, ["new on a", "on a"], id="of a node the least loss first"),
        pytest.param(1, {"a": 2, "b": 1}, ["new on a"], id="never more than are to go"),
        pytest.param(2, {"b": 9}, ["on b", "new on a"], id="more than there are"),
        pytest.param(1, {"c": 1}, ["new on a"], id="a node without any"),
    ],
)
def test_those_of_a_named_node_go_first(how_many: int, off: dict[str, int], expected: list[str]) -> None:
    assert [victim.id for victim in victims(SPREAD, how_many, off)] == expected


def test_ages_are_told_in_the_order_of_going() -> None:
    assert since(SPREAD) == {"a": (999.0, 991.0), "b": (992.0,)}


populations = st.lists(
    st.builds(
        Container,
        id=st.text("abc", min_size=1),
        service=st.just("web"),
        state=st.sampled_from(ContainerState),
        started_at=st.floats(0, 100),
        busy=st.sampled_from([None, True, False]),
    ),
    max_size=12,
    unique_by=lambda each: each.id,
)


@given(populations, st.integers(0, 14))
def test_choice_is_whole_and_does_not_depend_on_the_order_given(
    containers: list[Container],
    how_many: int,
) -> None:
    chosen = victims(containers, how_many)
    stoppable = [each for each in containers if each.state is not ContainerState.STOPPING]
    assert len(chosen) == min(how_many, len(stoppable))
    assert not Counter(each.id for each in chosen) - Counter(each.id for each in stoppable)
    assert victims(sorted(containers, key=lambda each: each.id), how_many) == chosen
    assert victims(containers, how_many + 1)[: len(chosen)] == chosen, "asking for more must not change the first ones"


@given(populations, st.integers(1, 14))
def test_nothing_kept_would_be_a_smaller_loss(containers: list[Container], how_many: int) -> None:
    chosen = victims(containers, how_many)
    kept = [each for each in containers if each not in chosen and each.state is not ContainerState.STOPPING]
    for victim in chosen:
        if victim.state is ContainerState.STARTING:
            continue
        assert all(each.state is not ContainerState.STARTING for each in kept)
        if victim.busy:
            assert all(each.busy for each in kept)
        assert not any(
            each.state is victim.state and each.busy is victim.busy and each.started_at > victim.started_at
            for each in kept
        )
