"""Worlds in which something once went wrong, made as small as they go."""

from __future__ import annotations

import pytest

from beaufort.behaviour import Behaviour
from beaufort.model import Node, RateLimit, Resources, Service, Settling
from beaufort.policies.constant import Constant
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from drive import Drive
from plots import Behave, Demand, Happening, Plot


def rested(plot: Plot) -> dict[str, int]:
    """What runs of each service when the plot has been played and its end has been left alone."""
    drive = Drive(plot)
    drive.play()
    drive.rest()
    return {name: drive.counts(name).running for name in drive.services}


TENTH = Resources(cpu=0.1)
UNEVEN = (Node("small", Resources(containers=1)), Node("large", Resources(containers=4, cpu=0.3)))


@pytest.mark.parametrize(
    ("settling", "happening"),
    [
        pytest.param(Settling(), Behave(0, Behaviour(exits_after=0.0)), id="the calm after failures"),
        pytest.param(Settling(limit_up=RateLimit(10.0, amount=1)), None, id="the period of a rate limit"),
    ],
)
def test_what_has_ended_does_not_wake_again(settling: Settling, happening: Happening | None) -> None:
    """A step at the very time for which it asked to be woken must not ask for that time again."""
    script = ((0.0, happening), (0.1, Demand(0, 4.0))) if happening else ((0.1, Demand(0, 4.0)),)
    service = Service("s", priority=1, settling=settling)
    pool = (Node("pool", Resources(containers=1)),)
    assert rested(Plot((service,), {"s": PerContainer(target=1.0)}, capacity=pool, script=script)) == {"s": 1}


def test_a_remainder_is_placed_after_all_others() -> None:
    """Though its priority is higher: here four containers fit, though the slots in total are five."""
    services = (Service("low", priority=2, resources=TENTH), Service("rest", priority=1, resources=TENTH))
    assert rested(Plot(services, {"low": Constant(count=1), "rest": Remainder()}, nodes=UNEVEN)) == {
        "low": 1,
        "rest": 3,
    }


def test_room_on_a_node_that_was_full_is_found_again() -> None:
    services = (Service("high", priority=1, resources=TENTH), Service("low", priority=2, resources=TENTH))
    nodes = (Node("a", Resources(containers=1)), Node("b", Resources(containers=2, cpu=0.1)))
    policies = {"high": Constant(count=1), "low": Constant(count=2)}
    assert rested(Plot(services, policies, nodes=nodes, found={"low": 2})) == {"high": 1, "low": 1}
