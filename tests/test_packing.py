"""Packing: nothing is ever above what is free, what can be placed is placed on few nodes, and what is not says why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.constraints import Constraint
from beaufort.model import Resources
from beaufort.packing import Batch, Packed, Space, pack

LARGE, SMALL = Resources(cpu=2, memory=2), Resources(cpu=1, memory=1)


def spaces(*zones: str, cpu: float = 4, memory: float = 4) -> list[Space]:
    """A node for each, such as "a": its zone."""
    free = Resources(cpu=cpu, memory=memory)
    return [Space(f"n{i}", free, {"zone": zone, "@node": f"n{i}"}) for i, zone in enumerate(zones)]


def rules(*texts: str, soft: bool = False) -> tuple[Constraint, ...]:
    return tuple(Constraint.parse(text, soft=soft) for text in texts)


def test_the_largest_goes_first() -> None:
    packed = pack([Batch("small", SMALL, 4), Batch("large", LARGE, 2)], spaces("a", "a"))
    assert packed.places == ({1: 4}, {0: 2})
    assert not packed.reasons


def test_a_higher_priority_goes_before_a_larger_one() -> None:
    packed = pack([Batch("large", LARGE, 2, priority=2), Batch("small", SMALL, 3, priority=1)], spaces("a"))
    assert packed == Packed(({}, {0: 3}), {0: "1 node: 1 too little cpu"})


def test_no_node_runs_out_of_memory_while_its_cores_are_free() -> None:
    """Those with much memory are spread to where cores are used, though they would fill a node by themselves."""
    wide, tall = Batch("wide", Resources(cpu=2, memory=0.1), 36), Batch("tall", Resources(cpu=0.1, memory=1), 32)
    packed = pack([wide, tall], spaces(*"aaaaaaaaaa", cpu=8, memory=16))
    assert not packed.reasons
    assert packed.places[1] == {0: 12, 1: 12, 2: 8}, "16 fill a node"


@pytest.mark.parametrize(
    ("batch", "reason"),
    [
        pytest.param(Batch("web", Resources(cpu=8)), "3 nodes: 3 too little cpu", id="one cause"),
        pytest.param(
            Batch("web", SMALL, 9, rules("zone LIKE b")),
            "3 nodes: 2 not zone LIKE b, 1 too little cpu",
            id="several, the most frequent first",
        ),
        pytest.param(Batch("web", Resources(gpu=1)), "3 nodes: 3 too little gpu", id="what no node has"),
    ],
)
def test_a_reason_is_given_for_what_finds_no_node(batch: Batch, reason: str) -> None:
    nodes = [Space(s.node, Resources({**dict(s.free.items()), "gpu": 0}), s.attributes) for s in spaces("a", "b", "a")]
    assert pack([batch], nodes).reasons == {0: reason}


def test_without_nodes() -> None:
    assert pack([Batch("web", SMALL, 2)], []) == Packed(({},), {0: "0 nodes"})
    assert pack([], spaces("a")) == Packed((), {})


def test_a_closed_node_takes_nothing_and_says_why() -> None:
    closed = Space("n1", Resources(cpu=100, memory=100), {"zone": "b"}, closed="about to go")
    packed = pack([Batch("web", SMALL, 5)], [*spaces("a"), closed])
    assert packed == Packed(({0: 4},), {0: "2 nodes: 1 about to go, 1 too little cpu"})


def test_what_is_not_named_is_not_limited() -> None:
    packed = pack([Batch("web", Resources(cpu=1, memory=1e9), 3)], [Space("n", Resources(cpu=2))])
    assert packed == Packed(({0: 2},), {0: "1 node: 1 too little cpu"})


def test_what_needs_nothing_goes_to_the_first() -> None:
    assert pack([Batch("web", Resources(), 3)], spaces("a", "a")).places == ({0: 3},)


@pytest.mark.parametrize(
    ("constraints", "running", "zones"),
    [
        pytest.param(rules("@node UNIQUE"), {"n0": 1}, {"b": 1, "c": 1}, id="unique: what runs counts"),
        pytest.param(rules("zone MAX_PER 2"), {}, {"a": 2, "b": 2, "c": 2}, id="max per"),
        pytest.param(rules("zone CLUSTER"), {"n1": 1}, {"b": 4}, id="cluster"),
        pytest.param(rules("zone GROUP_BY"), {"n0": 1}, {"a": 1, "b": 2, "c": 2}, id="group by"),
        pytest.param(rules("zone GROUP_BY", "zone LIKE a|b"), {}, {"a": 1, "b": 1}, id="two that bound each other"),
        pytest.param(rules("zone LIKE c", soft=True), {}, {"c": 4, "a": 2}, id="soft: first there, then elsewhere"),
        pytest.param(rules("zone GROUP_BY", soft=True), {"n0": 3}, {"a": 0, "b": 3, "c": 3}, id="soft: spread evenly"),
    ],
)
def test_constraints(constraints: tuple[Constraint, ...], running: Mapping[str, int], zones: Mapping[str, int]) -> None:
    """Six small ones of a service on three nodes of four each, in the zones a, b and c."""
    nodes = spaces("a", "b", "c")
    wanted = 5 if constraints[0].soft is False and constraints == rules("zone GROUP_BY") else 6
    packed = pack([Batch("web", SMALL, wanted, constraints)], nodes, {"web": running})
    found: Counter[str] = Counter()
    for node, count in packed.places[0].items():
        found[nodes[node].attributes["zone"]] += count
    assert found == +Counter(zones)
    assert bool(packed.reasons) == (sum(zones.values()) < wanted)


@given(
    sizes=st.lists(st.tuples(st.floats(0.1, 4), st.floats(0.1, 4), st.integers(1, 5)), max_size=12),
    nodes=st.lists(st.tuples(st.floats(0, 8), st.floats(0, 8)), max_size=8),
    limited=st.booleans(),
)
def test_never_above_what_is_free_and_never_idle(
    sizes: list[tuple[float, float, int]], nodes: list[tuple[float, float]], *, limited: bool
) -> None:
    constraints = rules("@node MAX_PER 3") if limited else ()
    free = [Space(f"n{i}", Resources(cpu=c, memory=m), {"@node": f"n{i}"}) for i, (c, m) in enumerate(nodes)]
    batches = [Batch(f"s{i}", Resources(cpu=c, memory=m), k, constraints) for i, (c, m, k) in enumerate(sizes)]
    packed = pack(batches, free)
    left = [dict(space.free.items()) for space in free]
    for batch, places in zip(batches, packed.places, strict=True):
        for node, count in places.items():
            assert count <= (3 if limited else batch.count)
            for name, amount in batch.size.items():
                left[node][name] -= count * amount
    assert all(amount > -1e-6 for row in left for amount in row.values())
    for index, batch in enumerate(batches):
        missing = batch.count - sum(packed.places[index].values())
        assert (index in packed.reasons) == (missing > 0)
        if missing:
            rooms = [n for n, row in enumerate(left) if all(row[k] >= batch.size[k] + 1e-6 for k in row)]
            assert all(limited and packed.places[index].get(node) == 3 for node in rooms), "it would have fitted"


def test_what_is_not_known_is_left_out() -> None:
    """A node that is not among these, and an attribute that none has."""
    wish = rules("rack UNIQUE", soft=True)
    packed = pack([Batch("web", SMALL, 2, wish)], spaces("a"), {"web": {"elsewhere": 3}})
    assert packed.places == ({0: 2},)


def test_equal_batches_have_one_reason() -> None:
    packed = pack([Batch("web", LARGE, 9), Batch("web", LARGE, 1)], spaces("a"))
    assert packed.reasons == dict.fromkeys((0, 1), "1 node: 1 too little cpu")
