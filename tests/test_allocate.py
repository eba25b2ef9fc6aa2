"""Who gets how many: the rules as tables, and what must hold of any division, against a naive reference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beaufort.allocate import allocate
from beaufort.claims import Claims
from beaufort.division import Division
from beaufort.model import Band, Counts, Node, Resources, Service
from beaufort.pool import Pool
from beaufort.reserve import Reserve
from beaufort.room import Room

NOTHING = Resources()


@dataclass(frozen=True, slots=True)
class Want:
    """One service: what it is, what it would have, and what it holds (on which nodes, where that matters)."""

    name: str
    priority: int
    wants: int
    min: int = 0
    has: int = 0
    weight: float = 1.0
    size: Resources = NOTHING
    group: str | None = None
    remainder: bool = False
    on: Mapping[str, int] = field(default_factory=dict)

    @property
    def service(self) -> Service:
        return Service(
            self.name, self.priority, min=self.min, weight=self.weight, resources=self.size, group=self.group
        )


def slots(count: int) -> tuple[Node, ...]:
    return (Node("pool", Resources(containers=count)),)


def cores(*amounts: float) -> tuple[Node, ...]:
    return tuple(Node(f"n{number}", Resources(cpu=amount)) for number, amount in enumerate(amounts))


def cpu(amount: float) -> Resources:
    return Resources(cpu=amount)


def granted(
    wants: Sequence[Want],
    nodes: Sequence[Node],
    quotas: Mapping[str, Resources] | None = None,
    bands: Sequence[Band] = (),
) -> dict[str, int]:
    ordered = sorted(wants, key=lambda want: want.priority)
    services = [want.service for want in ordered]
    pool = Pool.of(services, nodes, quotas or {})
    claims, room = Claims(services, bands), Room(services, nodes, pool)
    claims.most[:] = [want.wants for want in ordered]
    claims.least[:] = [want.min for want in ordered]
    claims.remainder[:] = [want.remainder for want in ordered]
    counts = [Counts(running=want.has, on=want.on) for want in ordered]
    room.see(range(len(ordered)), counts, [None] * len(ordered), [0] * len(ordered))
    counts_granted = allocate(pool, claims, room, Reserve(services, ())).granted
    return {service.name: int(count) for service, count in zip(services, counts_granted, strict=True)}


@pytest.mark.parametrize(
    ("capacity", "wants", "expected"),
    [
        pytest.param(10, [Want("a", 1, 4), Want("b", 2, 3)], {"a": 4, "b": 3}, id="room for all"),
        pytest.param(10, [Want("a", 1, 8), Want("b", 2, 8)], {"a": 8, "b": 2}, id="the higher priority first"),
        pytest.param(10, [Want("a", 1, 12), Want("b", 2, 8, min=3)], {"a": 7, "b": 3}, id="minimums before all"),
        pytest.param(
            4,
            [Want("a", 1, 9, min=2), Want("b", 2, 9, min=3), Want("c", 3, 9, min=3)],
            {"a": 2, "b": 2, "c": 0},
            id="minimums in priority order where even they do not fit",
        ),
        pytest.param(
            9, [Want("a", 1, 9), Want("b", 1, 9), Want("c", 1, 1)], {"a": 4, "b": 4, "c": 1}, id="fair shares"
        ),
        pytest.param(9, [Want("a", 1, 9), Want("b", 1, 9, weight=2)], {"a": 3, "b": 6}, id="by weight"),
        pytest.param(10, [Want("a", 1, 9, weight=2), Want("b", 1, 9)], {"a": 7, "b": 3}, id="by largest remainder"),
        pytest.param(9, [Want("a", 1, 9), Want("b", 1, 9)], {"a": 5, "b": 4}, id="of equals the first"),
        pytest.param(
            9, [Want("a", 1, 9, has=4), Want("b", 1, 9, has=5)], {"a": 4, "b": 5}, id="of equals who has more keeps it"
        ),
        pytest.param(
            10,
            [Want("a", 1, 6), Want("r", 1, 10, remainder=True), Want("b", 2, 3)],
            {"a": 6, "b": 3, "r": 1},
            id="the remainder comes last whatever its priority",
        ),
        pytest.param(
            9,
            [
                Want("r", 2, 9, remainder=True, weight=2),
                Want("s", 2, 9, remainder=True),
                Want("t", 3, 9, remainder=True),
            ],
            {"r": 6, "s": 3, "t": 0},
            id="remainders by priority and weight",
        ),
        pytest.param(0, [Want("a", 1, 3, min=1)], {"a": 0}, id="no capacity"),
    ],
)
def test_rules(capacity: int, wants: list[Want], expected: dict[str, int]) -> None:
    assert granted(wants, slots(capacity)) == expected


def test_equals_share_the_dominant_resource() -> None:
    """The example of Ghodsi et al., section 4.1: 9 cores and 18 GB give three of the one and two of the other."""
    nodes = (Node("pool", Resources(cpu=9, memory=18)),)
    wants = [
        Want("a", 1, 99, size=Resources(cpu=1, memory=4)),
        Want("b", 1, 99, size=Resources(cpu=3, memory=1)),
    ]
    assert granted(wants, nodes) == {"a": 3, "b": 2}


def test_who_needs_nothing_that_is_short_is_served_in_full() -> None:
    wants = [Want("a", 1, 9, size=cpu(1)), Want("b", 1, 9), Want("c", 1, 9, size=cpu(1))]
    assert granted(wants, (Node("pool", Resources(cpu=4)),)) == {"a": 2, "b": 9, "c": 2}


def test_a_gap_is_filled_by_who_is_small_enough() -> None:
    wants = [Want("large", 1, 9, size=cpu(2)), Want("small", 2, 9, size=cpu(1))]
    assert granted(wants, (Node("pool", Resources(cpu=5)),)) == {"large": 2, "small": 1}


def test_tenths_are_not_lost_to_rounding() -> None:
    assert granted([Want("a", 1, 10, size=cpu(0.1))], cores(1.0)) == {"a": 10}
    assert granted([Want("a", 1, 3, size=cpu(0.1))], cores(0.3)) == {"a": 3}


@pytest.mark.parametrize(
    ("quota", "wants", "expected"),
    [
        pytest.param(3, [Want("a", 1, 5, group="g"), Want("b", 2, 5)], {"a": 3, "b": 5}, id="a quota holds its group"),
        pytest.param(
            3, [Want("a", 1, 5, group="g"), Want("b", 1, 5, group="g")], {"a": 2, "b": 1}, id="shared like a pool"
        ),
        pytest.param(0, [Want("a", 1, 5, group="g", min=1)], {"a": 0}, id="a quota of nothing"),
    ],
)
def test_quotas(quota: int, wants: list[Want], expected: dict[str, int]) -> None:
    assert granted(wants, slots(20), {"g": Resources(containers=quota)}) == expected


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        pytest.param([], {"a": 9, "b": 1, "c": 0}, id="without a band"),
        pytest.param([Band("all", 1, 3)], {"a": 5, "b": 5, "c": 0}, id="none of a band loses to another"),
        pytest.param(
            [Band("all", 1, 3, preemptible=True)], {"a": 9, "b": 1, "c": 0}, id="of a preemptible one they do"
        ),
        pytest.param(
            [Band("low", 2, 3), Band("high", 1, 1)], {"a": 9, "b": 1, "c": 0}, id="bands are taken from the highest"
        ),
    ],
)
def test_bands(bands: list[Band], expected: dict[str, int]) -> None:
    wants = [Want("a", 1, 9, has=5), Want("b", 2, 5, has=5), Want("c", 3, 5)]
    assert granted(wants, slots(10), bands=bands) == expected


SMALL, LARGE = cpu(1), cpu(2)


@pytest.mark.parametrize(
    ("nodes", "wants", "expected"),
    [
        pytest.param(cores(3, 3), [Want("a", 1, 9, size=LARGE)], {"a": 2}, id="fragments are no room"),
        pytest.param(cores(3, 3), [Want("a", 1, 9, size=cpu(4)), Want("b", 2, 9, size=SMALL)], {"a": 0, "b": 6}, id="larger than any node"),
        pytest.param(
            cores(3, 3),
            [Want("a", 1, 9, size=LARGE), Want("b", 2, 9, size=SMALL)],
            {"a": 2, "b": 2},
            id="the smaller fills the gaps",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 1, size=SMALL), Want("b", 2, 4, size=SMALL, has=4, on={"n0": 2, "n1": 2})],
            {"a": 1, "b": 3},
            id="exactly as much as is needed goes",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 1, size=LARGE), Want("b", 2, 4, size=SMALL, has=4, on={"n0": 2, "n1": 2})],
            {"a": 1, "b": 2},
            id="several small ones go for a large one",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 1, size=LARGE), Want("b", 2, 4, min=2, size=SMALL, has=4, on={"n0": 2, "n1": 2})],
            {"a": 0, "b": 4},
            id="nobody goes where it might help nobody",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 1, size=LARGE), Want("b", 2, 2, size=SMALL, has=2, on={"n0": 1, "n1": 1})],
            {"a": 1, "b": 1},
            id="one goes from wherever it is",
        ),
        pytest.param(
            cores(2, 2),
            [
                Want("a", 1, 1, size=SMALL),
                Want("b", 2, 2, size=SMALL, has=2, on={"n0": 2}),
                Want("c", 3, 2, size=SMALL, has=2, on={"n1": 2}),
            ],
            {"a": 1, "b": 2, "c": 1},
            id="the lowest priority goes first",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 4, size=SMALL, has=4, on={"n0": 2, "n1": 2}), Want("b", 2, 2, min=1, size=SMALL)],
            {"a": 3, "b": 1},
            id="a minimum is made room for at anyone's expense",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 1, size=SMALL, has=3, on={"n0": 2, "n1": 1}), Want("b", 2, 9, size=SMALL)],
            {"a": 1, "b": 3},
            id="what leaves anyway makes room too",
        ),
        pytest.param(
            cores(2, 2),
            [Want("a", 1, 9, size=SMALL, has=2), Want("b", 2, 9, size=SMALL)],
            {"a": 4, "b": 0},
            id="places that nobody tells are guessed",
        ),
        pytest.param(cores(2, 2), [Want("a", 1, 5), Want("b", 2, 9, size=SMALL)], {"a": 5, "b": 4}, id="what needs nothing"),
        pytest.param(
            cores(1, 3),
            [Want("r", 1, 9, size=LARGE, remainder=True, has=1, on={"n1": 1}), Want("a", 2, 1, size=LARGE)],
            {"a": 1, "r": 0},
            id="a remainder gives way to all",
        ),
    ],
)  # fmt: skip
def test_nodes(nodes: tuple[Node, ...], wants: list[Want], expected: dict[str, int]) -> None:
    assert granted(wants, nodes) == expected


def test_those_of_a_band_do_not_make_way_for_each_other_on_nodes() -> None:
    wants = [Want("a", 1, 1, size=LARGE), Want("b", 2, 4, size=SMALL, has=3, on={"n0": 2, "n1": 1})]
    assert granted(wants, cores(2, 2), bands=[Band("all", 1, 2)]) == {"a": 0, "b": 4}
    wants = [Want("r", 1, 3, size=SMALL, remainder=True, has=3, on={"n0": 2, "n1": 1}), Want("b", 2, 1, size=LARGE)]
    assert granted(wants, cores(2, 2), bands=[Band("top", 1, 1)]) == {"r": 3, "b": 0}


def test_ten_thousand_services() -> None:
    wants = [Want(f"s{i}", 1 + i % 7, 1 + i % 19, min=i % 2, size=cpu(0.5 + i % 3)) for i in range(10_000)]
    counts = granted(wants, cores(40_000.0))
    used = sum(want.size["cpu"] * counts[want.name] for want in wants)
    assert 40_000 - 2.5 <= used <= 40_000 * (1 + 1e-9)
    assert all(counts[want.name] >= want.min for want in wants)


# Properties.

sizes = st.builds(
    lambda c, m: Resources({name: amount for name, amount in (("cpu", c), ("memory", m)) if amount}),
    st.sampled_from([0.0, 0.1, 0.3, 1.0]),
    st.sampled_from([0, 1, 3]),
)


@st.composite
def problems(draw: st.DrawFn) -> tuple[list[Want], tuple[Node, ...], dict[str, Resources]]:
    wants = []
    for number in range(draw(st.integers(1, 6))):
        most = draw(st.integers(0, 12))
        wants.append(
            Want(
                f"s{number}",
                draw(st.integers(1, 3)),
                most,
                min=draw(st.integers(0, min(2, most))),
                has=draw(st.integers(0, 4)),
                weight=draw(st.sampled_from([1.0, 2.0, 0.5])),
                size=draw(sizes),
                group=draw(st.sampled_from([None, "g"])),
                remainder=draw(st.sampled_from([False, False, True])),
            )
        )
    pool = Resources(containers=draw(st.integers(0, 20)), cpu=draw(st.sampled_from([0.0, 0.3, 1.0, 4.0])), memory=9)
    quotas = draw(st.sampled_from([{}, {"g": Resources(containers=3)}, {"g": Resources(cpu=0.5)}]))
    return wants, (Node("pool", pool),), quotas


def left(
    wants: Sequence[Want], counts: Mapping[str, int], nodes: Sequence[Node], quotas: Mapping[str, Resources], one: Want
) -> bool:
    """Whether one more of ``one`` fits beside ``counts``."""
    whole = [(name, amount, None) for name, amount in nodes[0].capacity.items()]
    limits = whole + [(name, amount, group) for group, quota in quotas.items() for name, amount in quota.items()]
    for name, amount, group in limits:
        users = [want for want in wants if group in {None, want.group}]
        need = one.service.size.get(name) if one in users else 0.0
        used = math.fsum(want.service.size.get(name) * counts[want.name] for want in users)
        if need > 0 and used + need > amount + 1e-7:
            return False
    return True


def within(
    wants: Sequence[Want], counts: Mapping[str, int], nodes: Sequence[Node], quotas: Mapping[str, Resources]
) -> bool:
    for name, amount in nodes[0].capacity.items():
        if sum(want.service.size.get(name) * counts[want.name] for want in wants) > amount + 1e-7:
            return False
    return all(
        sum(w.service.size.get(name) * counts[w.name] for w in wants if w.group == group) <= amount + 1e-7
        for group, quota in quotas.items()
        for name, amount in quota.items()
    )


def order(want: Want) -> tuple[bool, int]:
    return want.remainder, want.priority


@settings(deadline=None)
@given(problems())
def test_what_holds_of_any_division(problem: tuple[list[Want], tuple[Node, ...], dict[str, Resources]]) -> None:
    wants, nodes, quotas = problem
    counts = granted(wants, nodes, quotas)
    assert within(wants, counts, nodes, quotas)
    for want in wants:
        assert 0 <= counts[want.name] <= want.wants
        if counts[want.name] == want.wants:
            continue
        assert not left(wants, counts, nodes, quotas, want), "room is left that it could use"
        if counts[want.name] < want.min:
            kept = {w.name: min(counts[w.name], w.min) if w.priority <= want.priority else 0 for w in wants}
            assert not left(wants, kept, nodes, quotas, want), "its minimum comes before what others have beyond theirs"
        kept = {w.name: min(counts[w.name], w.min) if order(w) > order(want) else counts[w.name] for w in wants}
        assert not left(wants, kept, nodes, quotas, want), "those who come later hold what it could use"


@settings(deadline=None)
@given(problems())
def test_a_division_of_what_was_divided_is_the_same(
    problem: tuple[list[Want], tuple[Node, ...], dict[str, Resources]],
) -> None:
    wants, nodes, quotas = problem
    counts = granted(wants, nodes, quotas)
    settled = [
        Want(w.name, w.priority, w.wants, w.min, counts[w.name], w.weight, w.size, w.group, w.remainder) for w in wants
    ]
    assert granted(settled, nodes, quotas) == counts


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 9)), min_size=1, max_size=6), st.randoms(), st.integers(0, 30)
)
def test_the_order_of_the_services_does_not_matter(
    levels: list[tuple[int, int]], random: object, capacity: int
) -> None:
    """Where weights differ, so that there are no ties."""
    wants = [Want(f"s{i}", priority, most, weight=1 + i / math.pi) for i, (priority, most) in enumerate(levels)]
    shuffled = wants[:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert granted(shuffled, slots(capacity)) == granted(wants, slots(capacity))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from([1.0, 2.0, 3.0]), st.sampled_from([1, 2, 3])),
        min_size=1,
        max_size=6,
    ),
    st.integers(0, 40),
)
def test_inside_a_level_nobody_gets_less_than_the_exact_share(
    level: list[tuple[int, float, int]], capacity: int
) -> None:
    """Rounded down; and nobody who wants more fits into what is left."""
    services = [Service(f"s{i}", 1, weight=weight, resources=cpu(size)) for i, (_, weight, size) in enumerate(level)]
    pool = Pool.of(services, cores(float(capacity)), {})
    wanted = np.array([most for most, _, _ in level], dtype=np.int64)
    division = Division(pool, np.array([w for _, w, _ in level]), np.ones(len(level), np.int64), np.zeros_like(wanted))
    division.raise_to(wanted)
    counts: list[int] = division.counts.tolist()
    left = capacity - sum(count * size for count, (_, _, size) in zip(counts, level, strict=True))
    assert left >= 0
    for count, (most, _, size), exact in zip(counts, level, exact_shares(level, capacity), strict=True):
        assert math.floor(exact + 1e-6) <= count <= most
        assert count == most or size > left


def exact_shares(level: Sequence[tuple[int, float, int]], capacity: int) -> list[float]:
    """By halving: the highest water level at which all fit, in parts of containers."""
    low, high = 0.0, 1000.0
    for _ in range(100):
        middle = (low + high) / 2
        fits = sum(min(most * size, middle * weight) for most, weight, size in level) <= capacity
        low, high = (middle, high) if fits else (low, middle)
    return [min(most, low * weight / size) for most, weight, size in level]


# Nodes, with a scheduler that chooses at random.


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_on_nodes_it_comes_to_rest_and_leaves_nothing_unused(data: st.DataObject) -> None:
    """Whichever containers stop and wherever others start."""
    nodes = cores(*data.draw(st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0]), min_size=2, max_size=4)))
    wants = [
        Want(
            f"s{i}",
            data.draw(st.integers(1, 3)),
            data.draw(st.integers(0, 6)),
            size=cpu(data.draw(st.sampled_from([0.5, 1.0, 2.0]))),
        )
        for i in range(data.draw(st.integers(1, 5)))
    ]
    free = {node.name: node.capacity["cpu"] for node in nodes}
    where: dict[str, dict[str, int]] = {want.name: {} for want in wants}
    for _ in range(60):
        having = [
            Want(w.name, w.priority, w.wants, has=sum(where[w.name].values()), size=w.size, on=dict(where[w.name]))
            for w in wants
        ]
        counts = granted(having, nodes)
        if all(counts[w.name] == w.has for w in having):
            break
        for want in having:
            for _ in range(want.has - counts[want.name]):
                node = data.draw(st.sampled_from(sorted(n for n, c in where[want.name].items() if c)))
                where[want.name][node] -= 1
                free[node] += want.size["cpu"]
        for want in sorted(having, key=lambda w: w.priority):
            for _ in range(counts[want.name] - want.has):
                fitting = sorted(node for node, amount in free.items() if amount >= want.size["cpu"])
                if fitting:
                    node = data.draw(st.sampled_from(fitting))
                    where[want.name][node] = where[want.name].get(node, 0) + 1
                    free[node] -= want.size["cpu"]
    else:
        raise AssertionError(f"still moving: {where}")
    assert min(free.values()) >= 0
    for want in having:
        assert want.has == want.wants or max(free.values()) < want.size["cpu"]


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        pytest.param(
            [
                Want("a", 1, 2, size=SMALL),
                Want("b", 1, 1, size=SMALL),
                Want("c", 2, 4, size=SMALL, has=4, on={"n0": 2, "n1": 2}),
            ],
            {"a": 2, "b": 1, "c": 1},
            id="one after the other takes from the same",
        ),
        pytest.param(
            [
                Want("a", 1, 3, size=SMALL),
                Want("b", 2, 2, size=SMALL, has=2, on={"n0": 2}),
                Want("c", 3, 2, min=1, size=SMALL, has=2, on={"n1": 2}),
            ],
            {"a": 3, "b": 0, "c": 1},
            id="from several",
        ),
        pytest.param(
            [
                Want("a", 1, 1, size=LARGE),
                Want("b", 1, 1, size=SMALL),
                Want("c", 2, 4, size=SMALL, has=4, on={"n0": 2, "n1": 2}),
            ],
            {"a": 1, "b": 1, "c": 1},
            id="for a large one and a small one",
        ),
        pytest.param(
            [
                Want("a", 1, 2, size=LARGE),
                Want("b", 2, 4, size=SMALL, has=3, on={"n0": 2, "n1": 1}),
                Want("c", 3, 9),
            ],
            {"a": 1, "b": 2, "c": 9},
            id="one at a time for a large one",
        ),
        pytest.param(
            [
                Want("r", 1, 4, size=SMALL, remainder=True, has=3, on={"n0": 2, "n1": 1}),
                Want("a", 2, 1, size=LARGE),
                Want("q", 3, 2, size=SMALL, remainder=True),
            ],
            {"r": 2, "a": 1, "q": 0},
            id="remainders are last of all",
        ),
        pytest.param(
            [Want("r", 1, 2, size=SMALL, remainder=True, has=2, on={"n0": 1, "n1": 1}), Want("a", 2, 1, size=LARGE)],
            {"r": 1, "a": 1},
            id="though the totals leave them room",
        ),
        pytest.param(
            [
                Want("a", 1, 1, size=cpu(3)),
                Want("b", 2, 1, size=cpu(3)),
                Want("c", 3, 3, size=SMALL, has=2, on={"n0": 2}),
            ],
            {"a": 0, "b": 0, "c": 3},
            id="nor is it tried again for another of the same size",
        ),
        pytest.param(
            [
                Want("a", 1, 4, size=SMALL),
                Want("b", 2, 2, size=SMALL, has=2, on={"n0": 2}),
                Want("c", 2, 1, size=SMALL, has=1, on={"n1": 1}),
                Want("d", 3, 1, min=1, size=SMALL),
            ],
            {"a": 3, "b": 0, "c": 0, "d": 1},
            id="all that is spare and no more",
        ),
    ],
)
def test_making_way(wants: list[Want], expected: dict[str, int]) -> None:
    assert granted(wants, cores(2, 2)) == expected


HELD = {"n0": 1, "n1": 1}


@pytest.mark.parametrize(
    ("wants", "bands", "expected"),
    [
        pytest.param(
            [Want("a", 1, 1, size=LARGE), Want("b", 2, 2, size=LARGE, has=2, on=HELD)],
            [],
            {"a": 1, "b": 1},
            id="one goes",
        ),
        pytest.param(
            [Want("a", 2, 1, size=LARGE), Want("b", 1, 2, size=LARGE, has=2, on=HELD, remainder=True)],
            [],
            {"a": 1, "b": 1},
            id="a remainder goes though its priority is higher",
        ),
        pytest.param(
            [Want("a", 1, 1, size=LARGE), Want("b", 2, 2, size=LARGE, has=2, on=HELD)],
            [Band("all", 1, 2)],
            {"a": 0, "b": 2},
            id="not inside a band",
        ),
        pytest.param(
            [
                Want("a", 1, 1, size=LARGE),
                Want("c", 1, 1, size=LARGE),
                Want("d", 1, 1, size=LARGE),
                Want("b", 2, 2, min=1, size=LARGE, has=2, on=HELD),
            ],
            [],
            {"a": 1, "c": 0, "d": 0, "b": 1},
            id="down to its minimum",
        ),
        pytest.param(
            [
                Want("a", 1, 2, size=LARGE),
                Want("b", 2, 1, size=LARGE, has=1, on={"n0": 1}),
                Want("c", 3, 1, size=LARGE, has=1, on={"n1": 1}),
            ],
            [],
            {"a": 2, "b": 0, "c": 0},
            id="one service after the other",
        ),
    ],
)
def test_what_the_totals_leave_room_for_but_no_node_does(
    wants: list[Want], bands: list[Band], expected: dict[str, int]
) -> None:
    """Two nodes of three cores hold two containers of two, though the total would hold three."""
    assert granted(wants, cores(3, 3), bands=bands) == expected


def test_only_what_is_short_on_a_node_must_be_cleared_there() -> None:
    nodes = tuple(Node(name, Resources(cpu=2, memory=9)) for name in ("n0", "n1"))
    large = Want("a", 1, 1, size=Resources(cpu=2, memory=1))
    small = Want("b", 2, 2, size=SMALL, has=2, on=HELD)
    assert granted([large, small], nodes) == {"a": 1, "b": 1}


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        pytest.param(
            [
                Want("a", 1, 1, size=LARGE),
                Want("b", 1, 1, size=LARGE),
                Want("c", 1, 1, size=LARGE),
                Want("d", 2, 3, min=2, size=LARGE, has=3, on={"n0": 1, "n1": 1, "n2": 1}),
            ],
            {"a": 1, "b": 1, "c": 0, "d": 2},
            id="down to a minimum, one taker after the other",
        ),
        pytest.param(
            [
                Want("a", 1, 1, size=LARGE),
                Want("b", 1, 1, size=LARGE),
                Want("c", 2, 4, min=4, size=LARGE, has=4, on={f"n{i}": 1 for i in range(4)}),
            ],
            {"a": 0, "b": 0, "c": 4},
            id="minimums stay",
        ),
        pytest.param(
            [
                Want("a", 1, 2, size=LARGE),
                Want("b", 2, 2, min=1, size=LARGE, has=2, on={"n0": 1, "n1": 1}),
                Want("c", 3, 2, min=1, size=LARGE, has=2, on={"n2": 1, "n3": 1}),
            ],
            {"a": 2, "b": 1, "c": 1},
            id="from one service and then from the next",
        ),
    ],
)
def test_the_last_go_first_for_what_only_nodes_lack(wants: list[Want], expected: dict[str, int]) -> None:
    """Four nodes of three cores hold four containers of two, though the total would hold six."""
    assert granted(wants, cores(3, 3, 3, 3)) == expected
