"""From which node containers go, where the scheduler can be told, and where constraints leave only some nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from beaufort.allocate import Allocation, allocate
from beaufort.claims import Claims
from beaufort.model import NODE, Band, Counts, Node, Reach, Resources, Service
from beaufort.placement import Placement
from beaufort.pool import Pool
from beaufort.reserve import Reserve
from beaufort.room import Room


@dataclass(frozen=True, slots=True)
class Want:
    """One service: what it would have, and when those that it has were started, by node."""

    name: str
    priority: int
    wants: int
    size: float = 1.0
    min: int = 0
    since: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    stopping: Mapping[str, int] = field(default_factory=dict)
    reach: Reach | None = None
    remainder: bool = False

    @property
    def service(self) -> Service:
        return Service(self.name, self.priority, min=self.min, resources=Resources(cpu=self.size))

    def counts(self, *, chooses: bool) -> Counts:
        on = {node: len(times) for node, times in self.since.items()}
        held = {node: on.get(node, 0) + self.stopping.get(node, 0) for node in {*on, *self.stopping}}
        since = self.since if chooses else {}
        return Counts(running=sum(on.values()), stopping=sum(self.stopping.values()), on=held, since=since)


def cores(*amounts: float) -> tuple[Node, ...]:
    return tuple(Node(f"n{n}", Resources(cpu=amount), {"zone": "ab"[n % 2]}) for n, amount in enumerate(amounts))


def divided(
    wants: Sequence[Want], nodes: Sequence[Node], *, chooses: bool = True, bands: Sequence[Band] = ()
) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Who gets how many, and who goes off which node."""
    wants = sorted(wants, key=lambda want: want.priority)
    services = [want.service for want in wants]
    pool, claims = Pool.of(services, nodes, {}), Claims(services, bands)
    reach = {want.name: want.reach for want in wants if want.reach is not None}
    room = Room(services, nodes, pool, reach, chooses=chooses)
    claims.most[:] = [want.wants for want in wants]
    claims.least[:] = [want.min for want in wants]
    claims.remainder[:] = [want.remainder for want in wants]
    none = [None] * len(wants)
    room.see(range(len(wants)), [want.counts(chooses=chooses) for want in wants], none, [0] * len(wants))
    found: Allocation = allocate(pool, claims, room, Reserve(services, ()))
    off = {
        wants[service].name: {nodes[node].name: count for node, count in there.items()}
        for service, there in found.off.items()
    }
    return {want.name: int(count) for want, count in zip(wants, found.granted, strict=True)}, off


ONLY_0, ONLY_1 = Reach(frozenset({"n0"})), Reach(frozenset({"n1"}))
OLD, NEW = (10.0,), (90.0,)


@pytest.mark.parametrize(
    ("wants", "granted", "off"),
    [
        pytest.param(
            [Want("a", 1, 1), Want("b", 2, 4, since={"n0": (50.0, 10.0), "n1": (90.0, 20.0)})],
            {"a": 1, "b": 3},
            {"b": {"n1": 1}},
            id="the youngest",
        ),
        pytest.param(
            [
                Want("a", 1, 1),
                Want("b", 2, 2, since={"n0": (90.0, 95.0)}),
                Want("c", 3, 2, since={"n1": (10.0, 20.0)}),
            ],
            {"a": 1, "b": 2, "c": 1},
            {"c": {"n1": 1}},
            id="of the lowest priority, though it is older",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0),
                Want("b", 2, 1, 2.0, since={"n0": NEW}),
                Want("c", 3, 2, since={"n1": (10.0, 20.0)}),
            ],
            {"a": 1, "b": 1, "c": 0},
            {"c": {"n1": 2}},
            id="two of the lowest priority before one of a higher",
        ),
        pytest.param(
            [Want("a", 1, 1, 2.0), Want("b", 2, 3, since={"n0": (10.0, 20.0), "n1": OLD})],
            {"a": 1, "b": 2},
            {"b": {"n1": 1}},
            id="the fewest",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0),
                Want("b", 2, 2, since={"n0": OLD, "n1": (20.0,)}),
                Want("c", 2, 2, since={"n0": (30.0,), "n1": NEW}),
            ],
            {"a": 1, "b": 1, "c": 1},
            {"b": {"n1": 1}, "c": {"n1": 1}},
            id="of several services together",
        ),
        pytest.param(
            [Want("a", 1, 1, reach=ONLY_0), Want("b", 2, 4, since={"n0": (10.0, 20.0), "n1": (90.0, 95.0)})],
            {"a": 1, "b": 3},
            {"b": {"n0": 1}},
            id="only where it may be",
        ),
        pytest.param(
            [Want("a", 1, 9, reach=ONLY_0), Want("b", 2, 9, since={"n0": (1.0, 2.0), "n1": (3.0, 4.0)})],
            {"a": 2, "b": 2},
            {"b": {"n0": 2}},
            id="as many as fit there",
        ),
        pytest.param(
            [Want("a", 1, 2, 2.0), Want("b", 2, 4, min=3, since={"n0": (1.0, 2.0), "n1": (3.0, 4.0)})],
            {"a": 0, "b": 4},
            {},
            id="nobody where those who must stay are in the way",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0, since={"n0": ()}, min=1),
                Want("b", 1, 1, 2.0, since={"n0": NEW}),
                Want("c", 2, 1, 2.0, min=1, since={"n1": NEW}),
            ],
            {"a": 1, "b": 0, "c": 1},
            {"b": {"n0": 1}},
            id="a minimum at anyone's expense",
        ),
        pytest.param(
            [Want("a", 1, 1), Want("b", 2, 2, since={"n0": (1.0,), "n1": (2.0,)}, stopping={"n0": 1, "n1": 1})],
            {"a": 1, "b": 2},
            {},
            id="what leaves anyway is waited for",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0, reach=ONLY_0),
                Want("b", 2, 1, since={"n0": OLD}, stopping={"n0": 1}),
                Want("c", 2, 1, since={"n1": NEW}),
            ],
            {"a": 1, "b": 0, "c": 1},
            {"b": {"n0": 1}},
            id="what leaves beside it counts",
        ),
        pytest.param(
            [Want("a", 1, 1), Want("b", 2, 2, since={"n0": (1.0, 2.0), "n1": (3.0, 4.0)})],
            {"a": 1, "b": 2},
            {"b": {"n1": 1}},
            id="what is not wanted any more goes where it helps",
        ),
    ],
)
def test_who_goes(wants: list[Want], granted: dict[str, int], off: dict[str, dict[str, int]]) -> None:
    assert divided(wants, cores(2, 2)) == (granted, off)


@pytest.mark.parametrize("chooses", [True, False])
@pytest.mark.parametrize(
    ("wants", "granted"),
    [
        pytest.param(
            [Want("a", 1, 9, reach=ONLY_0), Want("b", 2, 9)], {"a": 2, "b": 2}, id="what its nodes deny is for others"
        ),
        pytest.param(
            [
                Want("a", 1, 12, 2.0, reach=ONLY_0),
                Want("b", 1, 2, 2.0, reach=ONLY_1),
                Want("c", 1, 1, 2.0, reach=ONLY_0),
                Want("r", 1, 9, remainder=True, since={"n1": NEW}),
            ],
            {"a": 1, "b": 1, "c": 0, "r": 0},
            id="what its nodes deny to one after the other",
        ),
        pytest.param(
            [Want("a", 1, 9, reach=Reach(frozenset())), Want("b", 2, 9)], {"a": 0, "b": 4}, id="nowhere at all"
        ),
        pytest.param(
            [Want("a", 1, 9, reach=Reach(frozenset({"n0", "n1"}), {NODE: 1})), Want("b", 2, 9)],
            {"a": 2, "b": 2},
            id="one on each node",
        ),
        pytest.param(
            [Want("a", 1, 9, 0.5, reach=Reach(frozenset({"n0", "n1"}), {"zone": 3, NODE: 2})), Want("b", 2, 9)],
            {"a": 4, "b": 2},
            id="the least of several",
        ),
        pytest.param(
            [
                Want("a", 1, 9, reach=Reach(frozenset({"n0"}), {"rack": 1})),
                Want("b", 2, 2, since={"n0": (1.0,), "n1": (2.0,)}),
            ],
            {"a": 1, "b": 2},
            id="a label that no node has is one value",
        ),
        pytest.param(
            [Want("a", 1, 9, reach=ONLY_1), Want("b", 2, 1, since={"n1": OLD}), Want("c", 3, 2, since={"n0": NEW})],
            {"a": 2, "b": 0, "c": 2},
            id="nobody goes from where it may not be",
        ),
        pytest.param(
            [Want("a", 1, 3, since={"n0": OLD}, reach=ONLY_1), Want("b", 2, 9)],
            {"a": 3, "b": 1},
            id="what is where it may not be stays",
        ),
    ],
)
def test_constraints(wants: list[Want], granted: dict[str, int], *, chooses: bool) -> None:
    assert divided(wants, cores(2, 2), chooses=chooses)[0] == granted


@pytest.mark.parametrize(
    ("wants", "granted", "off"),
    [
        pytest.param(
            [Want("a", 1, 1, 2.0), Want("b", 2, 2, 2.0, since={"n0": NEW, "n1": OLD})],
            {"a": 1, "b": 1},
            {"b": {"n0": 1}},
            id="the youngest of one",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0),
                Want("b", 2, 1, 2.0, since={"n0": NEW}),
                Want("c", 2, 1, 2.0, since={"n1": OLD}),
            ],
            {"a": 1, "b": 0, "c": 1},
            {"b": {"n0": 1}},
            id="the youngest of several",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0),
                Want("b", 2, 1, 2.0, since={"n0": OLD}),
                Want("c", 2, 1, 2.0, since={"n1": NEW}),
            ],
            {"a": 1, "b": 1, "c": 0},
            {"c": {"n1": 1}},
            id="the youngest of several, whoever it is",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0),
                Want("d", 1, 1, 1.5),
                Want("b", 2, 2, 2.0, min=1, since={"n0": OLD, "n1": NEW}),
            ],
            {"a": 1, "d": 0, "b": 1},
            {"b": {"n1": 1}},
            id="down to a minimum",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.0),
                Want("b", 2, 1, 2.0, since={"n0": NEW}),
                Want("c", 3, 1, 2.0, since={"n1": OLD}),
            ],
            {"a": 1, "b": 1, "c": 0},
            {"c": {"n1": 1}},
            id="the lowest priority",
        ),
        pytest.param(
            [
                Want("a", 1, 2, 2.0),
                Want("b", 2, 1, 2.0, since={"n0": NEW}),
                Want("c", 3, 1, 2.0, since={"n1": OLD}),
            ],
            {"a": 2, "b": 0, "c": 0},
            {"b": {"n0": 1}, "c": {"n1": 1}},
            id="one after the other",
        ),
        pytest.param(
            [Want("a", 1, 1, 2.0), Want("b", 2, 2, 2.0, min=2, since={"n0": NEW, "n1": OLD})],
            {"a": 0, "b": 2},
            {},
            id="not below a minimum",
        ),
        pytest.param(
            [Want("a", 2, 1, 2.0), Want("b", 1, 2, 2.0, since={"n0": NEW, "n1": OLD})],
            {"a": 0, "b": 2},
            {},
            id="no higher priority",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 2.6),
                Want("b", 2, 1, 0.75, since={"n0": OLD}),
                Want("c", 2, 1, 1.0, since={"n0": OLD}),
                Want("d", 3, 1, 0.5, since={"n0": OLD}, min=1),
                Want("e", 1, 1, 3.0, since={"n1": OLD}, min=1),
            ],
            {"a": 0, "b": 1, "c": 1, "d": 1, "e": 1},
            {},
            id="nobody where all together would not be enough",
        ),
        pytest.param(
            [
                Want("a", 1, 1, 1.75),
                Want("b", 2, 1, 1.5, since={"n0": OLD}),
                Want("c", 3, 1, 0.25, since={"n0": OLD}),
                Want("e", 1, 1, 2.0, since={"n1": OLD}, min=1),
            ],
            {"a": 1, "b": 0, "c": 1, "e": 1},
            {"b": {"n0": 1}},
            id="nobody who is not needed",
        ),
        pytest.param(
            [
                Want("a", 1, 3, 1.5, since={"n0": OLD}, reach=ONLY_0),
                Want("b", 2, 2, since={"n0": NEW, "n1": OLD}),
                Want("e", 1, 1, since={"n1": OLD}, min=1),
            ],
            {"a": 2, "b": 1, "e": 1},
            {"b": {"n0": 1}},
            id="not its own for itself",
        ),
    ],
)
def test_who_goes_for_what_only_nodes_lack(
    wants: list[Want], granted: dict[str, int], off: dict[str, dict[str, int]]
) -> None:
    """Two nodes of three cores, where the totals would do."""
    assert divided(wants, cores(3, 3)) == (granted, off)


def test_who_is_down_to_its_minimum_is_not_asked_by_the_next() -> None:
    wants = [
        Want("a", 1, 1, 1.8),
        Want("c", 1, 1, 1.8),
        Want("b", 2, 2, 2.0, min=1, since={"n0": OLD, "n1": NEW}),
        Want("e", 1, 1, 1.25, min=1, since={"n2": NEW}),
    ]
    assert divided(wants, cores(3, 3, 3)) == ({"a": 1, "c": 0, "e": 1, "b": 1}, {"b": {"n1": 1}})


def test_who_has_more_than_it_may_on_a_node_gets_no_more_there() -> None:
    capped = Reach(frozenset({"n0", "n1"}), {NODE: 1})
    wants = [Want("a", 1, 3, since={"n0": (1.0, 2.0)}, reach=capped), Want("b", 2, 9, since={"n1": (1.0, 2.0)})]
    assert divided(wants, cores(4, 2)) == ({"a": 3, "b": 1}, {"b": {"n1": 1}})


def test_it_is_divided_anew_only_so_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left undone then is only less than could be had."""
    wants = [Want("a", 1, 9, reach=ONLY_0), Want("b", 2, 9)]
    monkeypatch.setattr("beaufort.allocate.ANEW", 1)
    assert divided(wants, cores(2, 2)) == ({"a": 2, "b": 2}, {})
    monkeypatch.setattr("beaufort.allocate.ANEW", 0)
    assert divided([*wants, Want("c", 3, 1, since={"n1": OLD})], cores(2, 2)) == ({"a": 2, "b": 1, "c": 1}, {})


def test_on_a_single_node_too() -> None:
    nowhere = Want("a", 1, 3, reach=Reach(frozenset()))
    assert divided([nowhere, Want("b", 2, 9)], cores(4)) == ({"a": 0, "b": 4}, {})


def test_who_can_not_be_told_is_asked_for_one_at_a_time_for_what_is_capped() -> None:
    """Two of ``b`` could both have gone from the same node, where only one of ``a`` may be."""
    capped = Want("a", 1, 2, reach=Reach(frozenset({"n0", "n1"}), {NODE: 1}))
    wants = [capped, Want("b", 2, 4, since={"n0": (1.0, 2.0), "n1": (3.0, 4.0)})]
    assert divided(wants, cores(2, 2), chooses=False)[0] == {"a": 1, "b": 3}
    assert divided(wants, cores(2, 2), chooses=True) == ({"a": 2, "b": 2}, {"b": {"n0": 1, "n1": 1}})


def test_in_a_band_nobody_goes_for_another() -> None:
    wants = [Want("a", 1, 1), Want("b", 2, 4, since={"n0": (1.0, 2.0), "n1": (3.0, 4.0)})]
    assert divided(wants, cores(2, 2), bands=[Band("all", 1, 2)]) == ({"a": 0, "b": 4}, {})
    large = [Want("a", 1, 1, 2.0), Want("b", 2, 2, 2.0, since={"n0": OLD, "n1": NEW})]
    assert divided(large, cores(3, 3), bands=[Band("all", 1, 2)]) == ({"a": 0, "b": 2}, {})


def test_what_was_asked_to_go_is_not_asked_again() -> None:
    """While it is not seen, it is on its way from the node that was named."""
    service = Service("b", 2, resources=Resources(cpu=1))
    placement = Placement([service], cores(2, 2), chooses=True)
    placement.see(0, {"n0": 2, "n1": 1}, 3, {"n0": (9.0, 1.0), "n1": (5.0,)})
    placement.expect_off(0, {"n0": 1})
    assert placement.standing(0) == {0: (1.0,), 1: (5.0,)}
    assert list(placement.going()) == [(0, 0, 1)]
    placement.see(0, {"n0": 2, "n1": 1, "elsewhere": 1}, 4, {"n0": (1.0,), "n1": (5.0,), "elsewhere": (1.0,)})
    assert placement.standing(0) == {0: (1.0,), 1: (5.0,)}
    assert list(placement.going()) == [(0, 0, 1)], "now it is seen to go"
    placement.seen(0)
    placement.see(0, {"n0": 1, "n1": 1}, 2, {"n0": (1.0,), "n1": (5.0,)})
    assert not list(placement.going())


def test_how_many_could_be_there_at_most() -> None:
    services = [Service(name, 1, resources=Resources(cpu=1)) for name in "abcd"]
    both = frozenset({"n0", "n1"})
    reach = {"b": ONLY_0, "c": Reach(both, {NODE: 2}), "d": Reach(both, {NODE: 2, "zone": 1})}
    assert Placement(services, cores(4, 1), reach).alone().tolist() == [5, 4, 3, 2]


def test_those_served_last_go_first_though_levels_are_taken_together() -> None:
    """And one decision looks for several that go together only so often; the next one goes on."""
    nodes = cores(*[3.0] * 40)
    small = [Want(f"s{n}", 2 + n, 2, since={f"n{n}": (1.0, 2.0)}) for n in range(40)]
    granted, off = divided([Want("a", 1, 20, 2.0), *small], nodes)
    assert granted["a"] == 20
    assert set(off) == {f"s{n}" for n in range(20, 40)}
    granted, off = divided([Want("a", 1, 40, 2.0), *small], nodes)
    assert granted["a"] == 32
    assert len(off) == 32
