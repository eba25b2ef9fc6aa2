"""Which nodes a service may use, from its constraints."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from beaufort.constraints import faults, parsed, understood
from beaufort.model import Node, Reach, Resources
from beaufort.reach import Reaches

NOTHING = Resources()
NODES = tuple(
    Node(name, NOTHING, labels)
    for name, labels in {"a1": {"zone": "a"}, "a2": {"zone": "a"}, "b1": {"zone": "b"}, "none": {}}.items()
)


@pytest.mark.parametrize(
    ("hard", "on", "nodes", "most"),
    [
        pytest.param(["zone LIKE a"], {}, "a1 a2", {}, id="like"),
        pytest.param(["zone UNLIKE a"], {}, "b1 none", {}, id="unlike"),
        pytest.param(["zone CLUSTER b"], {}, "b1", {}, id="cluster of a value"),
        pytest.param(["zone IS b"], {}, "b1", {}, id="is"),
        pytest.param(["zone CLUSTER"], {}, "a1 a2 b1", {}, id="cluster: the first may choose"),
        pytest.param(["zone CLUSTER"], {"a1": 1}, "a1 a2", {}, id="cluster: the others follow"),
        pytest.param(["zone UNIQUE"], {"a1": 1}, "a1 a2 b1", {"zone": 1}, id="unique"),
        pytest.param(["zone MAX_PER 3"], {}, "a1 a2 b1", {"zone": 3}, id="max per"),
        pytest.param(["zone MAX_PER 3", "zone MAX_PER 2"], {}, "a1 a2 b1", {"zone": 2}, id="the least"),
        pytest.param(["zone GROUP_BY"], {"a1": 9}, "a1 a2 b1", {}, id="group by: only that there is a value"),
        pytest.param(["zone LIKE a", "zone UNLIKE a"], {}, "", {}, id="nowhere"),
    ],
)
def test_where_it_may_be(hard: list[str], on: Mapping[str, int], nodes: str, most: dict[str, int]) -> None:
    found = Reaches({"web": parsed(hard, ["zone LIKE b"])}).of(NODES, {"web": on})
    assert found == {"web": Reach(frozenset(nodes.split()), most, ", ".join(hard))}


def test_what_may_be_anywhere_is_not_told() -> None:
    reaches = Reaches({"any": (), "better": parsed([], ["zone LIKE a"])})
    assert not reaches.of(NODES, {})
    assert not Reaches({"web": parsed(["zone LIKE a"], [])}).of((), {}), "while no node is known"


def test_it_is_worked_out_anew_only_when_something_has_changed() -> None:
    reaches = Reaches({"web": parsed(["zone LIKE a"], []), "near": parsed(["zone CLUSTER"], [])})
    first = reaches.of(NODES, {"web": {"a1": 1}})
    assert reaches.of(tuple(NODES), {"web": {"a1": 2}}) is first, "where the others are does not matter to it"
    followed = reaches.of(NODES, {"near": {"b1": 1}})
    assert followed["near"].nodes == {"b1"}
    moved = reaches.of(NODES[1:], {"near": {"b1": 1}})
    assert moved["web"].nodes == {"a2"}


def test_faults_are_told_with_their_place() -> None:
    told = list(faults(constraints=["zone LIKE a", "zone NEAR b", "zone IS"], prefer=["zone UNIQUE 2"]))
    assert [fault.partition(": ")[0] for fault in told] == ["constraints.1", "constraints.2", "prefer.0"]


def test_what_others_wrote_counts_as_far_as_it_is_understood() -> None:
    written = [
        ["zone", "LIKE", "a b|c"],
        ["zone", "UNIQUE"],
        ["zone", "NEAR", "b"],
        ["zone", "LIKE", "(?"],
        ["zone"],
        [],
    ]
    assert understood(written) == parsed(["zone LIKE a b|c", "zone UNIQUE"], [])
