"""Whole steps of services that hold containers ready: when they are made, used and given up, and for whom."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beaufort.model import (
    NO_COUNTS,
    NO_STANDBY,
    Counts,
    Direction,
    Launch,
    Node,
    Pause,
    Resources,
    Service,
    Standby,
)
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.scaler import Scope
from play import SWIFT, Play, running

ALL = frozenset({"created", "paused", "frozen"})
TWO = Standby(paused=2)


def service(name: str, priority: int, standby: Standby = NO_STANDBY, most: int | None = None) -> Service:
    return Service(name, priority, max=most, resources=Resources(memory=1), settling=SWIFT, standby=standby)


def play(*services: Service, memory: int, holds: frozenset[str] = ALL, **counts: Counts) -> Play:
    """One whose pool has slots in plenty. ``rest`` takes the remainder."""
    policies = {each.name: Remainder() if each.name == "rest" else PerContainer(target=1.0) for each in services}
    return Play(
        Scope(services, policies, (Node("pool", Resources(memory=memory, containers=100)),), holds=holds), **counts
    )


def with_ready(running: int, standby: Standby, warming: int = 0, failed: int = 0) -> Counts:
    return Counts(running=running, standby=standby, warming=warming, failed=failed)


# Made, when nobody is still to grow.


def test_standby_is_made_when_all_have_grown() -> None:
    scene = play(service("high", 1, Standby(1, 2)), memory=9)
    assert scene.step({"high": 3}) == {"high": (0, 3)}
    assert scene.ready() == {"high": NO_STANDBY}
    assert scene.see(accepted=["high"], high=running(3)) == {"high": (3, 3)}
    assert scene.ready() == {"high": Standby(1, 2)}
    assert scene.why("high") == "holds more ready"
    assert scene.see(accepted=["high"], high=with_ready(3, Standby(1), warming=2)) == {}
    assert scene.see(high=with_ready(3, Standby(1, 2))) == {}


def test_a_standing_tells_why_fewer_are_held_ready() -> None:
    scene = play(service("high", 1, TWO), memory=4)
    scene.step({"high": 3})
    scene.see(accepted=["high"], high=running(3))
    assert scene.scaler.standing(scene.now, "high").unready == "pool full (memory)"
    scene.step(pauses={"high": Pause()})
    assert scene.scaler.standing(scene.now, "high").unready == "paused: left as it is"


def test_what_was_asked_for_is_not_asked_for_again() -> None:
    scene = play(service("high", 1, TWO), memory=9, high=running(1))
    assert scene.step({"high": 1}) == {"high": (1, 1)}
    assert scene.step() == {}
    assert scene.see(accepted=["high"], high=with_ready(1, NO_STANDBY, warming=2)) == {}
    for _ in range(3):
        assert scene.see(high=with_ready(1, NO_STANDBY, warming=2)) == {}
    assert scene.see(high=with_ready(1, TWO)) == {}


@pytest.mark.parametrize(
    ("memory", "kept"),
    [
        pytest.param(9, 2, id="room for all"),
        pytest.param(4, 1, id="room for one"),
        pytest.param(3, 0, id="no room"),
    ],
)
def test_what_is_paused_needs_its_memory(memory: int, kept: int) -> None:
    scene = play(service("high", 1, TWO), memory=memory, high=running(3))
    assert scene.step({"high": 3}) == ({"high": (3, 3)} if kept else {})
    assert scene.ready() == ({"high": Standby(paused=kept)} if kept else {})


def test_what_is_made_and_not_started_needs_no_memory() -> None:
    scene = play(service("high", 1, Standby(2)), memory=3, high=running(3))
    scene.step({"high": 3})
    assert scene.ready() == {"high": Standby(2)}


def test_standby_and_what_serves_are_never_more_than_max() -> None:
    scene = play(service("high", 1, Standby(2, 2), most=4), memory=20, high=running(1))
    scene.step({"high": 1})
    assert scene.ready() == {"high": Standby(1, 2)}
    assert scene.see(accepted=["high"], high=with_ready(1, Standby(1, 2))) == {}
    assert scene.step({"high": 4}) == {"high": (1, 4)}
    assert scene.ready() == {"high": NO_STANDBY}


@pytest.mark.parametrize(
    ("holds", "ready"),
    [
        pytest.param(frozenset({"created"}), Standby(1), id="can't pause"),
        pytest.param(frozenset({"paused"}), Standby(paused=3), id="can't freeze"),
        pytest.param(frozenset({"frozen"}), Standby(frozen=3), id="freezes only"),
        pytest.param(ALL, Standby(1, 1, 2), id="all"),
    ],
)
def test_only_what_the_scheduler_holds_is_asked_for(holds: frozenset[str], ready: Standby) -> None:
    scene = play(service("high", 1, Standby(1, 1, 2)), memory=9, holds=holds, high=running(1))
    scene.step({"high": 1})
    assert scene.ready() == {"high": ready}


def test_a_scheduler_that_holds_nothing_is_asked_for_nothing() -> None:
    scene = play(service("high", 1, Standby(1, 2)), memory=9, holds=frozenset(), high=running(1))
    assert scene.step({"high": 1}) == {}


@pytest.mark.parametrize(
    ("there", "moves"),
    [
        pytest.param(NO_STANDBY, {}, id="nothing is made"),
        pytest.param(Standby(1, 2), {"high": (1, 1)}, id="what is found goes"),
    ],
)
def test_on_several_nodes_nothing_is_held(there: Standby, moves: dict[str, tuple[int, int]]) -> None:
    nodes = tuple(Node(name, Resources(memory=9, containers=9)) for name in ("a", "b"))
    high = service("high", 1, Standby(1, 2))
    found = Counts(running=1, standby=there, on={"a": 1})
    scene = Play(Scope((high,), {"high": PerContainer(target=1.0)}, nodes, holds=ALL), high=found)
    assert scene.step({"high": 1}) == moves
    assert scene.ready() == dict.fromkeys(moves, NO_STANDBY)
    assert scene.see(accepted=list(moves), high=Counts(running=1, on={"a": 1})) == {}


def test_on_several_nodes_what_waits_is_not_made_ready() -> None:
    nodes = tuple(Node(name, Resources(memory=2, containers=9)) for name in ("a", "b"))
    services = (service("high", 1), service("low", 2))
    policies = {each.name: PerContainer(target=1.0) for each in services}
    low = Counts(running=4, on={"a": 2, "b": 2})
    scene = Play(Scope(services, policies, nodes, holds=ALL), low=low)
    assert scene.step({"high": 2, "low": 4}) == {"low": (4, 2)}


# Used.


def test_growth_takes_what_is_paused_and_its_memory_is_not_counted_twice() -> None:
    scene = play(service("high", 1, TWO), memory=4, high=running(1))
    assert scene.step({"high": 1}) == {"high": (1, 1)}
    assert scene.see(accepted=["high"], high=with_ready(1, TWO)) == {}
    assert scene.step({"high": 4}) == {"high": (1, 4)}
    assert scene.ready() == {"high": NO_STANDBY}


def test_what_waits_keeps_what_it_will_start_from() -> None:
    """Though all of the memory is granted to others: it is granted to these."""
    scene = play(service("high", 1, TWO), service("low", 2), memory=5, high=with_ready(1, TWO), low=running(2))
    assert scene.step({"high": 5, "low": 2}) == {"high": (1, 3), "low": (2, 0)}
    assert scene.ready()["high"] == Standby(2), "for the two that wait"


def test_what_is_going_is_not_counted_on() -> None:
    scene = play(service("high", 1, TWO), service("low", 2), memory=4, high=running(1))
    scene.step({"high": 1, "low": 0})
    assert scene.see(accepted=["high"], high=with_ready(1, TWO)) == {}
    assert scene.step({"high": 1, "low": 2}) == {"high": (1, 1), "low": (0, 1)}
    assert scene.ready()["high"] == Standby(paused=1)
    scene.see(accepted=["high", "low"], high=with_ready(1, TWO), low=running(1))
    assert scene.step({"high": 3, "low": 1}) == {"high": (1, 2)}, "of the two that are there one is going"


def test_what_others_hold_paused_is_no_room() -> None:
    scene = play(service("high", 1), service("low", 2, TWO), memory=4, high=running(1), low=with_ready(0, TWO))
    assert scene.step({"high": 3, "low": 0}) == {"high": (1, 2), "low": (0, 0)}
    assert scene.ready()["low"] == Standby(paused=1)
    assert scene.see(accepted=["high", "low"], high=running(2), low=with_ready(0, Standby(paused=1))) == {
        "high": (2, 3)
    }


# Given up.


def test_a_real_need_takes_the_memory_of_what_is_paused_before_a_remainder_gives_way() -> None:
    scene = play(
        service("high", 1, TWO),
        service("mid", 2),
        service("rest", 3),
        memory=6,
        high=with_ready(1, TWO),
        rest=running(3),
    )
    assert scene.step({"high": 1, "mid": 2}) == {"high": (1, 1), "mid": (0, 0)}
    assert scene.ready() == {"high": NO_STANDBY, "mid": Standby(2)}
    assert scene.why("high") == "gives up what it held ready"
    assert scene.see(accepted=["high", "mid"], high=running(1), mid=with_ready(0, Standby(2))) == {"mid": (0, 2)}
    assert scene.ready() == {"mid": NO_STANDBY}


def test_a_remainder_grows_only_past_what_is_kept_ready() -> None:
    scene = play(service("high", 1, TWO), service("rest", 3), memory=6, high=with_ready(1, TWO))
    assert scene.step({"high": 1}) == {"rest": (0, 3)}


def test_standby_is_lowered_with_the_configuration() -> None:
    scene = play(service("high", 1, Standby(paused=1)), memory=9, high=with_ready(1, Standby(2, 3)))
    assert scene.step({"high": 1}) == {"high": (1, 1)}
    assert scene.ready() == {"high": Standby(paused=1)}


# While somebody waits.


def test_what_waits_for_room_is_made_ready_and_goes_with_the_wish() -> None:
    scene = play(service("high", 1), service("low", 2), memory=5, low=running(5))
    assert scene.step({"high": 2, "low": 5}) == {"low": (5, 3), "high": (0, 0)}
    assert scene.ready() == {"low": NO_STANDBY, "high": Standby(2)}
    assert scene.why("high") == "makes ready what waits for room (2)"
    stopping = Counts(running=3, stopping=2)
    assert scene.see(accepted=["high", "low"], high=with_ready(0, Standby(2)), low=stopping) == {}
    assert scene.step({"high": 1}) == {"high": (0, 0), "low": (3, 3)}
    assert scene.ready() == {"high": Standby(1), "low": Standby(1)}
    high, low = with_ready(0, Standby(1)), with_ready(3, Standby(1))
    assert scene.see(accepted=["high", "low"], high=high, low=low) == {"high": (0, 1), "low": (3, 4)}
    assert scene.ready() == {"high": NO_STANDBY, "low": NO_STANDBY}


def test_nothing_is_refilled_while_anybody_waits() -> None:
    scene = play(service("high", 1), service("low", 2, Standby(2)), service("other", 3, TWO), memory=5, low=running(4))
    assert scene.step({"high": 2, "low": 4, "other": 0}) == {"low": (4, 3), "high": (0, 1)}
    assert scene.ready() == {"low": NO_STANDBY, "high": Standby(1)}


# Failures.


def test_a_failing_service_makes_no_more_standby() -> None:
    scene = play(service("high", 1, TWO), memory=9, high=running(1))
    assert scene.step({"high": 1}) == {"high": (1, 1)}
    scene.see(accepted=["high"], high=with_ready(1, NO_STANDBY, failed=2))
    asked = [scene.see(high=with_ready(1, NO_STANDBY, failed=2)) for _ in range(20)]
    assert asked == [{}] * 20


def test_a_rejected_service_makes_no_more_standby() -> None:
    scene = play(service("high", 1, TWO), memory=9, high=running(1))
    assert scene.step({"high": 2}) == {"high": (1, 2)}
    assert scene.step(outcomes=[scene.outcome("high", "Rejected", "no such image")]) == {}
    assert [scene.see(high=running(1), after=10.0) for _ in range(5)] == [{}] * 5


def test_what_could_not_be_told_is_asked_for_again() -> None:
    scene = play(service("high", 1, TWO), memory=9, high=running(1))
    assert scene.step({"high": 1}) == {"high": (1, 1)}
    assert scene.step(outcomes=[scene.outcome("high", "SchedulerError", "lost")]) == {}
    again = [scene.see(high=running(1), after=1.0) for _ in range(5)]
    assert {"high": (1, 1)} in again


# Others.


def test_strangers_that_are_only_ready_are_turned_out() -> None:
    scene = play(service("high", 1), memory=3, gone=with_ready(0, Standby(1, 2)))
    assert scene.step({"high": 2}) == {"gone": (0, 0), "high": (0, 0)}
    assert scene.ready() == {"gone": NO_STANDBY, "high": Standby(2)}
    assert scene.step() == {}
    gone, high = NO_COUNTS, with_ready(0, Standby(2))
    assert scene.see(accepted=["gone", "high"], gone=gone, high=high) == {"high": (0, 2)}


def test_a_paused_service_keeps_what_it_has_ready() -> None:
    scene = play(service("high", 1, TWO), memory=9, high=with_ready(1, Standby(paused=1)))
    assert scene.step({"high": 1}, pauses={"high": Pause(Direction.BOTH)}) == {}
    assert scene.step() == {"high": (1, 1)}
    assert scene.ready() == {"high": TWO}


def test_what_is_ready_is_looked_at_once_when_the_launch_has_changed() -> None:
    high = service("high", 1, TWO)
    scene = play(high, memory=9, high=with_ready(1, TWO))
    assert scene.step({"high": 1}) == {}
    after = replace(high, launch=Launch(command=("other",)))
    policies = {"high": PerContainer(target=1.0)}
    nodes = (Node("pool", Resources(memory=9, containers=100)),)
    scene.scaler = scene.scaler.reconfigured(Scope((after,), policies, nodes, holds=ALL), scene.now)
    assert scene.step() == {"high": (1, 1)}
    assert scene.ready() == {"high": TWO}
    assert scene.why("high") == "what it holds ready may be of an earlier configuration"
    assert scene.see(accepted=["high"], high=with_ready(1, TWO)) == {}


def test_what_is_ready_of_an_earlier_launch_is_no_room_to_grow_into() -> None:
    high = service("high", 1, TWO)
    scene = play(high, memory=4, high=with_ready(1, TWO))
    assert scene.step({"high": 1}) == {}
    after = replace(high, launch=Launch(command=("other",)))
    policies = {"high": PerContainer(target=1.0)}
    nodes = (Node("pool", Resources(memory=4, containers=100)),)
    scene.scaler = scene.scaler.reconfigured(Scope((after,), policies, nodes, holds=ALL), scene.now)
    assert scene.step({"high": 4}) == {"high": (1, 2)}
    assert scene.ready() == {"high": Standby(2)}
    assert scene.see(accepted=["high"], high=with_ready(2, Standby(2))) == {"high": (2, 4)}


def test_a_controller_that_finds_all_ready_does_nothing() -> None:
    scene = play(service("high", 1, Standby(1, 1, 1)), memory=9, high=with_ready(1, Standby(1, 1, 1)))
    assert scene.step({"high": 1}) == {}
    assert scene.see(high=with_ready(1, Standby(1, 2))) == {}, "one kind of paused container will do for the other"


def test_why_fewer_are_ready_is_told() -> None:
    scene = play(service("high", 1, Standby(0, 4)), service("low", 2), memory=3)
    scene.step({"high": 1, "low": 0})
    scene.see(accepted=["high"], high=with_ready(1, TWO))
    assert scene.scaler.standing(scene.now, "high").unready == "pool full (memory)"
    assert scene.scaler.standing(scene.now, "low").unready is None
    scene.step(pauses={"high": Pause(Direction.OUT)})
    assert scene.scaler.standing(scene.now, "high").unready == "paused: not made larger"


def test_growth_that_comes_before_what_is_ready_is_told() -> None:
    scene = play(service("high", 1, Standby(2)), memory=9)
    scene.step({"high": 3})
    assert scene.scaler.standing(scene.now, "high").unready == "none is made while anybody is still to grow"
