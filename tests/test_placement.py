"""Where containers are, by word or by guess, and what a trial finds room for."""

from __future__ import annotations

import pytest

from beaufort.model import NODE, Node, Reach, Resources, Service
from beaufort.placement import Placement

SMALL = Service("small", 1, resources=Resources(cpu=1))
LARGE = Service("large", 1, resources=Resources(cpu=2))
NOTHING = Service("nothing", 1)
NODES = (Node("a", Resources(cpu=2)), Node("b", Resources(cpu=3)))


def placement(nodes: tuple[Node, ...] = NODES) -> Placement:
    return Placement((SMALL, LARGE, NOTHING), nodes)


def room(place: Placement, service: int) -> int:
    return sum(count for _, count in place.trial().place(place.kinds.numbers[service], 99))


def test_empty_nodes_hold_what_fits_on_each() -> None:
    place = placement()
    assert [room(place, service) for service in (0, 1)] == [5, 2]
    assert place.alone().tolist()[:2] == [5, 2]
    assert room(place, 2) == 99
    assert place.alone()[2] == float("inf")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([({"a": 1}, 1)], {0: 4, 1: 1}, id="it takes room where it is"),
        pytest.param([({"a": 1}, 1), ({"b": 1}, 1)], {0: 4, 1: 2}, id="it moved"),
        pytest.param([({"a": 2}, 2), ({"a": 1}, 1)], {0: 4, 1: 1}, id="one went"),
        pytest.param([({"elsewhere": 2}, 2)], {0: 5, 1: 2}, id="an unknown node is nobody's room"),
        pytest.param([({}, 2)], {0: 3, 1: 1}, id="untold, it is guessed on the first"),
        pytest.param([({}, 2), ({"b": 2}, 2)], {0: 3, 1: 1}, id="what is told takes the place of the guess"),
        pytest.param([({}, 4), ({}, 3)], {0: 2, 1: 1}, id="guesses are taken back, the last one first"),
        pytest.param([({}, 5), ({}, 1)], {0: 4, 1: 1}, id="of a guess a part stays"),
        pytest.param([({}, 9)], {0: 0, 1: 0}, id="more than there is room for"),
        pytest.param([({"a": 9}, 9)], {0: 3, 1: 1}, id="a node that holds more than it can has no room"),
    ],
)
def test_what_is_seen_takes_room(told: list[tuple[dict[str, int], int]], expected: dict[int, int]) -> None:
    place = placement()
    for on, held in told:
        place.see(0, on, held)
        place.trial()
    assert {service: room(place, service) for service in expected} == expected


def test_what_is_expected_takes_room_until_it_is_seen() -> None:
    place = placement()
    place.see(0, {"a": 1}, 1)
    place.expect(0, 2)
    assert room(place, 0) == 2
    place.expect(0, 0)
    place.expect(0, 1)
    place.trial()
    assert place.where(0) == {0: 2, 1: 2}
    place.see(0, {"a": 1, "b": 3}, 4)
    assert room(place, 0) == 1
    assert place.where(0) == {0: 1, 1: 3}
    place.see(0, {"b": 3, "elsewhere": 1}, 4)
    assert place.where(0) == {1: 3}


def test_a_trial_changes_nothing() -> None:
    place = placement()
    trial = place.trial()
    assert trial.place(place.kinds.numbers[1], 9) == [(0, 1), (1, 1)]
    assert trial.place(place.kinds.numbers[0], 9) == [(1, 1)]
    assert not trial.place(place.kinds.numbers[0], 1)
    assert trial.is_open(place.kinds.numbers[0]) is False
    assert room(place, 0) == 5


def test_those_that_leave_leave_room_of_their_size_only() -> None:
    place = placement((Node("a", Resources(cpu=0.5)), Node("b", Resources(cpu=0.5))))
    trial = place.trial()
    small, large = place.kinds.numbers[0], place.kinds.numbers[1]
    trial.leave(0, 2, {})
    assert trial.place_later(large, 1) == 0
    trial.leave(1, 1, {})
    assert trial.place_later(small, 3) == 3
    assert trial.place_later(small, 3) == 1
    assert trial.place_later(small, 1) == 0


def test_a_closed_node_takes_no_more() -> None:
    place = placement()
    trial = place.trial()
    trial.close(0)
    assert trial.place(place.kinds.numbers[0], 9) == [(1, 3)]


def test_a_resource_that_a_node_does_not_name_is_not_limited_there() -> None:
    place = placement((Node("a", Resources(cpu=1)), Node("b", Resources(memory=5))))
    assert room(place, 0) == 99


def test_what_leaves_from_a_known_node_leaves_room_beside_what_is_free_there() -> None:
    place = placement((Node("a", Resources(cpu=1)), Node("b", Resources(cpu=0.5))))
    trial = place.trial()
    small, large = place.kinds.numbers[0], place.kinds.numbers[1]
    trial.leave_node(0, 1, 0)
    assert trial.place_later(large, 2) == 1
    assert not trial.place(small, 1), "what is free on that node now is for the large one"
    trial.leave_node(0, 1, 0)
    assert trial.touched() == {0}
    assert trial.after(0) == pytest.approx([1.0])
    assert trial.after(1) == pytest.approx([0.5])


def test_what_starts_now_takes_of_what_will_be_too() -> None:
    place = placement((Node("a", Resources(cpu=1)), Node("b", Resources(cpu=0.5))))
    trial = place.trial()
    small, large = place.kinds.numbers[0], place.kinds.numbers[1]
    trial.leave_node(0, 1, 0)
    assert trial.place(small, 2) == [(0, 1)]
    assert trial.place_later(large, 1) == 0
    assert trial.place_later(small, 2) == 1


def test_from_where_they_surely_leave() -> None:
    """The only node that they are on, or all of them; what leaves one node makes room there together."""
    place = placement((Node("a", Resources(cpu=0)), Node("b", Resources(cpu=0))))
    trial = place.trial()
    large = place.kinds.numbers[1]
    assert not trial.leave(0, 2, {0: 2, 1: 1})
    assert trial.place_later(large, 1) == 0
    assert trial.leave(0, 2, {0: 3}) == {0: 3}
    assert trial.leave(0, 3, {1: 2}) == {1: 2}
    assert trial.place_later(large, 3) == 2


def test_room_of_those_who_leave_elsewhere_is_nothing_to_who_may_not_be_there() -> None:
    nodes = tuple(Node(name, Resources(cpu=0.5)) for name in "abc")
    reach = {"small": Reach(frozenset({"a"})), "nothing": Reach(frozenset({"a", "b"}), {NODE: 1})}
    place = Placement((SMALL, LARGE, NOTHING), nodes, reach)
    trial = place.trial()
    small, _, nothing = place.kinds.numbers
    trial.leave(1, 1, {1: 1, 2: 1})
    assert trial.place_later(small, 1) == 0
    trial.leave(1, 1, {1: 1, 0: 1})
    assert trial.place_later(small, 3) == 2
    trial.leave_node(0, 1, 1)
    assert trial.place_later(small, 1) == 0
    assert trial.place(nothing, 9) == [(0, 1), (1, 1)]
