"""Worlds in which something once went wrong, made as small as they go."""

from __future__ import annotations

import pytest

from beaufort.behaviour import Behaviour, Delay
from beaufort.machines import SimulatedLaunch
from beaufort.model import Fallback, Launch, Node, RateLimit, Resources, Service, Settling
from beaufort.policies.constant import Constant
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.protocols import Policy
from drive import Drive
from plots import MEMORYLESS, Behave, Demand, Happening, Plot


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
    assert rested(Plot((service,), {"s": PerContainer(target=1.0)}, capacity=pool, script=script, begin=1000.0)) == {
        "s": 1
    }


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


def test_a_snapshot_older_than_an_answer_does_not_answer_it() -> None:
    """``high`` has been asked to grow, and is not wanted any more when the answer comes, with a snapshot from just
    before it, in which nothing has started yet. The room is not free for ``low``.
    """
    services = (Service("high", priority=1, settling=MEMORYLESS), Service("low", priority=2, settling=MEMORYLESS))
    plot = Plot(
        services,
        {service.name: PerContainer(target=1.0) for service in services},
        capacity=(Node("pool", Resources(containers=2)),),
        latency=0.5,
        late=True,
        batch=0.5,
        crossing=True,
        script=((0.0, Demand(0, 2.0)), (0.4, Demand(0, 0.0)), (0.0, Demand(1, 2.0))),
    )
    drive = Drive(plot)
    drive.play()
    drive.rest()
    assert drive.world.total.peak["containers"] == 2
    assert drive.counts("low").running == 2


def test_a_quota_that_is_used_up_exactly() -> None:
    """0.3 and 2 x 0.1 cores of 0.5: by floats there is then a little less than nothing left, which nobody needs."""
    services = (
        Service("free", priority=2),
        Service("bound", priority=2, resources=Resources(cpu=0.1), group="g"),
        Service("first", priority=1, min=1, resources=Resources(cpu=0.3), group="g"),
    )
    policies = {"free": Constant(count=1), "bound": Constant(count=3), "first": Constant(count=1)}
    plot = Plot(services, policies, capacity=(Node("pool", Resources(containers=5)),), quotas={"g": Resources(cpu=0.5)})
    assert rested(plot) == {"free": 1, "bound": 2, "first": 1}


def crowded() -> Drive:
    """``first`` asks for two, of which the only node holds one, whatever the configuration says of the pool. ``second``
    would fit, but for the quota that they share.
    """
    services = (
        Service("first", priority=1, resources=TENTH, group="g", settling=MEMORYLESS),
        Service("second", priority=2, group="g", settling=MEMORYLESS),
    )
    plot = Plot(
        services,
        {service.name: PerContainer(target=1.0) for service in services},
        nodes=(Node("node", TENTH),),
        capacity=(Node("pool", Resources(containers=10)),),
        quotas={"g": Resources(containers=2)},
        latency=0.5,
        late=True,
        batch=0.5,
        crossing=True,
        script=((0.0, Demand(0, 2.0)), (0.0, Demand(1, 2.0))),
    )
    drive = Drive(plot)
    drive.play()
    drive.rest()
    return drive


def test_what_was_started_before_the_room_ran_out_is_held() -> None:
    """Though the refusal comes with a snapshot from before, which does not show it."""
    assert crowded().world.groups["g"].peak["containers"] <= 2


def test_a_scheduler_without_room_is_asked_again_ever_more_seldom() -> None:
    """Room that was kept for what was refused has not appeared when it is kept no longer."""
    drive = crowded()
    asked = [at for at, name, target in drive.moves if (name, target) == ("first", 2)]
    assert max(asked) - max(at for at in asked if at < max(asked)) >= 50.0


def test_what_was_stopped_for_a_node_is_not_started_again_on_another() -> None:
    """``first`` could have one more on the small node, where ``second`` is; but it is the younger one of ``second``, on
    the large node, that would stop.
    """
    services = (Service("first", priority=1, resources=TENTH), Service("second", priority=2))
    nodes = (Node("small", Resources(containers=1)), Node("large", Resources(containers=5, cpu=0.3)))
    policies = {service.name: Remainder() for service in services}
    have = rested(Plot(services, policies, nodes=nodes, found={"second": 1}))
    assert have["first"] >= 3
    assert have["second"] >= 1


def test_who_gave_way_does_not_take_the_room_again_before_it_is_taken() -> None:
    """``low`` may be anywhere, and starts again while what it has given up for ``high`` is on its way out. That start is
    done when the room is free, before ``high`` can have asked for it.
    """
    only_a = Launch(options=SimulatedLaunch(constraints=("zone LIKE a",)))
    late = Settling(stale_after=12.0, fallback=Fallback(1))
    services = (Service("low", 2), Service("high", 1, settling=late, launch=only_a))
    nodes = tuple(
        Node(f"n{number}", Resources(containers=slots), {"zone": "ab"[number % 2]})
        for number, slots in enumerate((1, 1, 1, 2))
    )
    policies = {service.name: PerContainer(target=1.0) for service in services}
    plot = Plot(services, policies, nodes=nodes, latency=0.3, late=True, script=((0.0, Demand(0, 3.0)),))
    assert rested(plot) == {"low": 3, "high": 1}


def test_nor_where_no_node_can_be_named() -> None:
    only_a = Launch(options=SimulatedLaunch(constraints=("zone LIKE a",)))
    services = (Service("any", 1, settling=MEMORYLESS), Service("least", 1, min=1, launch=only_a))
    nodes = (
        Node("n0", Resources(containers=1), {"zone": "a"}),
        Node("n1", Resources(containers=2), {"zone": "b"}),
    )
    policies: dict[str, Policy] = {"any": Constant(count=1), "least": PerContainer(target=1.0)}
    plot = Plot(services, policies, nodes=nodes, found={"any": 1}, latency=0.3, late=True, chooses=False)
    assert rested(plot) == {"any": 1, "least": 1}


@pytest.mark.parametrize("chooses", [True, False])
def test_a_minimum_is_started_before_others_take_its_only_node(*, chooses: bool) -> None:
    """``low`` needs what only the first node has, where ``high`` has given way to its minimum."""
    services = (Service("high", 1), Service("low", 2, min=1, resources=Resources(gpu=1)))
    nodes = (Node("n0", Resources(containers=1)), Node("n1", Resources(containers=1, gpu=0)))
    plot = Plot(
        services,
        {service.name: PerContainer(target=1.0) for service in services},
        nodes=nodes,
        found={"high": 1},
        behaviour=Behaviour(stop=Delay(1.0)),
        latency=0.3,
        chooses=chooses,
    )
    assert rested(plot) == {"high": 1, "low": 1}
