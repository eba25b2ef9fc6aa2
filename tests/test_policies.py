"""The policies that need no past: a fixed count, the rest, and demand divided by what one container carries."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.model import Counts, Sample, Service, Wish
from beaufort.policies.constant import Constant
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.protocols import Policy, View

SERVICE = Service("web", priority=1)


def view(demand: float | None = None, *, running: int = 0, starting: int = 0) -> View:
    latest = None if demand is None else Sample(0.0, demand)
    return View(0.0, SERVICE, Counts(running=running, starting=starting), latest=latest)


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(Constant(count=1), id="constant"),
        pytest.param(Remainder(), id="remainder"),
        pytest.param(PerContainer(target=1.0), id="per_container"),
    ],
)
def test_each_meets_the_contract(policy: Policy) -> None:
    assert isinstance(policy, Policy)
    assert policy.needs_demand == isinstance(policy, PerContainer)


@pytest.mark.parametrize("count", [pytest.param(0, id="none"), pytest.param(7, id="some")])
def test_constant_wants_its_count_whatever_there_is(count: int) -> None:
    policy = Constant(count=count)
    assert policy.desired(view()) == policy.desired(view(99.0, running=3)) == Wish(count, "constant")


def test_constant_wants_no_less_than_none() -> None:
    with pytest.raises(ValueError, match=r"^count: expected 0 or more, got -1$"):
        Constant(count=-1)


def test_remainder_names_no_count() -> None:
    wish = Remainder().desired(view(99.0, running=3))
    assert wish.remainder
    assert wish.memory is None
    assert wish.reason == "takes what is left over"


@pytest.mark.parametrize(
    ("target", "average", "seen", "wish"),
    [
        pytest.param(10.0, False, view(25.0), Wish(2.5, "demand 25, 10 each"), id="demand by target"),
        pytest.param(10.0, False, view(25.0, running=9), Wish(2.5, "demand 25, 10 each"), id="whatever runs"),
        pytest.param(0.5, False, view(0.0, running=9), Wish(0.0, "demand 0, 0.5 each"), id="no demand"),
        pytest.param(
            0.5, True, view(0.75, running=4), Wish(6.0, "mean 0.75 over 4 running, target 0.5"), id="mean above target"
        ),
        pytest.param(
            0.5,
            True,
            view(0.5, running=4, starting=3),
            Wish(4.0, "mean 0.5 over 4 running, target 0.5"),
            id="at target",
        ),
        pytest.param(0.5, True, view(0.8), Wish(1, "none running, mean 0.8"), id="a mean of none, with demand"),
        pytest.param(
            0.5,
            True,
            view(0.0, starting=2),
            Wish(2, "none running, mean 0"),
            id="a mean of none leaves those that start",
        ),
        pytest.param(0.5, True, view(0.0), Wish(0, "none running, mean 0"), id="a mean of none, nothing there"),
    ],
)
def test_per_container(target: float, average: bool, seen: View, wish: Wish) -> None:
    assert PerContainer(target=target, average=average).desired(seen) == wish


@pytest.mark.parametrize(
    "target",
    [pytest.param(0.0, id="zero"), pytest.param(-1.0, id="negative"), pytest.param(math.nan, id="not a number")],
)
def test_per_container_carries_something(target: float) -> None:
    with pytest.raises(ValueError, match=r"^target: expected a number above 0, got "):
        PerContainer(target=target)


@given(st.floats(0.01, 1e6), st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_more_demand_never_wants_less(target: float, demand: float, more: float) -> None:
    policy = PerContainer(target=target)
    assert policy.desired(view(demand)).count <= policy.desired(view(demand + more)).count
