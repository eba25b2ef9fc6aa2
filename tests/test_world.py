"""The model cluster keeps its own books right."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.behaviour import Behaviour, Delay
from beaufort.model import Cluster, Container, ContainerState, Counts, Launch, Node, Resources, Service, Standby
from beaufort.protocols import NoRoom, Rejected, Unreachable
from beaufort.victims import victims
from beaufort.world import Link, World

SLOW = Behaviour(start=Delay(2.0), stop=Delay(3.0))
WEB = Service("web", priority=1, resources=Resources(cpu=0.1))
BATCH = Service("batch", priority=2, resources=Resources(cpu=0.2), group="offline")


def node(name: str, **capacity: float) -> Node:
    return Node(name, Resources(capacity))


def counts(world: World, service: Service) -> Counts:
    """But for the ages, which `test_a_node_tells_the_ages_of_what_it_has` looks at."""
    return replace(world.cluster([service]).counts[service.name], since={})


def test_containers_start_run_and_stop_in_their_time() -> None:
    world = World(behaviour=SLOW)
    story = []
    for now, count in [(0.0, 2), (1.0, 2), (2.0, 2), (2.0, 1), (4.9, 1), (5.0, 1)]:
        world.advance(now)
        world.scale(WEB, count)
        seen = counts(world, WEB)
        story.append((now, seen.starting, seen.running, seen.stopping))
    assert story == [(0, 2, 0, 0), (1, 2, 0, 0), (2, 0, 2, 0), (2, 0, 1, 1), (4.9, 0, 1, 1), (5, 0, 1, 0)]


def test_time_may_pass_in_one_leap_or_in_steps() -> None:
    def history(steps: int) -> tuple[Cluster, float | None]:
        world = World([node("a", containers=9)], Behaviour(Delay(1, 0.5), Delay(1, 0.5), failure_rate=0.1), seed=7)
        world.scale(WEB, 9)
        for step in range(1, steps + 1):
            world.advance(20.0 * step / steps)
        return world.cluster(), world.next_change()

    assert history(1) == history(1000)
    assert history(1)[0].counts["web"].failed > 0


def test_stopping_containers_hold_their_room_and_starting_ones_too() -> None:
    world = World([node("a", cpu=0.3)], SLOW)
    world.scale(WEB, 3)
    with pytest.raises(NoRoom, match=r"batch: started 0 of 1"):
        world.scale(BATCH, 1)
    world.scale(WEB, 1)
    with pytest.raises(NoRoom):
        world.scale(BATCH, 1)
    world.advance(3.0)
    world.scale(BATCH, 1)
    assert world.total.peak["cpu"] == pytest.approx(0.3)
    assert world.groups["offline"].peak == {"cpu": 0.2, "containers": 1}


def test_what_fits_is_started_before_the_rest_is_refused() -> None:
    world = World([node("a", containers=2), node("b", containers=1, cpu=9)])
    with pytest.raises(NoRoom, match=r"started 3 of 5"):
        world.scale(WEB, 5)
    assert counts(world, WEB) == Counts(starting=3, on={"a": 2, "b": 1})
    assert world.node_peaks()["a"]["containers"] == 2


def test_without_nodes_there_is_no_end_of_room_and_no_capacity_to_tell() -> None:
    world = World()
    world.scale(WEB, 1000)
    world.advance(0.0)
    assert world.cluster() == Cluster(0.0, {"web": Counts(running=1000)}, ())
    assert world.total.peak["containers"] == 1000


def test_a_container_that_ends_unasked_is_counted_and_frees_its_room() -> None:
    world = World([node("a", containers=2)])
    world.behaviours["web"] = Behaviour(exits_after=5.0)
    world.scale(WEB, 2)
    world.advance(4.0)
    assert counts(world, WEB).running == 2
    assert world.kill("web", 1, "out of memory") == 1
    assert counts(world, WEB) == Counts(running=1, failed=1, failure="out of memory", on={"a": 1})
    world.advance(5.0)
    assert counts(world, WEB) == Counts(failed=2, failure="exited by itself")
    world.scale(BATCH, 2)
    assert world.kill("nobody") == 0


def test_a_start_may_fail() -> None:
    world = World(behaviour=Behaviour(start=Delay(1.0), exits_after=0.0))
    world.scale(WEB, 1)
    world.advance(1.0)
    assert counts(world, WEB) == Counts(failed=1, failure="did not start")


def test_a_rejected_service_can_still_be_made_smaller() -> None:
    world = World()
    world.scale(WEB, 2)
    world.behaviours["web"] = Behaviour(rejected="no such image")
    with pytest.raises(Rejected, match="web: no such image"):
        world.scale(WEB, 3)
    world.scale(WEB, 1)
    assert counts(world, WEB).current == 1


def test_a_lost_node_takes_its_containers_with_it() -> None:
    world = World([node("a", containers=2), node("b", containers=2)], SLOW)
    world.scale(WEB, 4)
    world.advance(2.0)
    world.scale(WEB, 3)
    assert counts(world, WEB).on == {"a": 2, "b": 2}
    world.lose_node("a")
    left = counts(world, WEB)
    assert (left.on, left.failure) == ({"b": 2}, "node a went away")
    assert left.held == 2
    assert [each.name for each in world.cluster().nodes] == ["b"]
    world.add_node(node("c", containers=1))
    world.scale(WEB, left.current + 1)
    assert counts(world, WEB).on == {"b": 2, "c": 1}


@pytest.mark.parametrize(
    ("link", "readable", "done"),
    [
        pytest.param(Link.UP, True, True, id="up"),
        pytest.param(Link.DOWN, False, False, id="down: nothing is done"),
        pytest.param(Link.HUNG, False, False, id="hung: nothing is done"),
        pytest.param(Link.LOSSY, True, True, id="lossy: done, but not answered"),
    ],
)
def test_link(link: Link, readable: bool, done: bool) -> None:
    world = World()
    world.link = link
    if link is Link.UP:
        world.scale(WEB, 1)
    else:
        with pytest.raises(Unreachable):
            world.scale(WEB, 1)
    if readable:
        world.cluster()
    else:
        with pytest.raises(Unreachable):
            world.cluster()
    world.link = Link.UP
    assert counts(world, WEB).current == done


def test_a_lost_answer_hides_a_refusal_as_well() -> None:
    world = World(behaviour=Behaviour(rejected="no such image"))
    world.link = Link.LOSSY
    with pytest.raises(Unreachable):
        world.scale(WEB, 1)


@pytest.mark.parametrize(
    "wrong",
    [pytest.param({"median": -1.0}, id="median"), pytest.param({"spread": math.nan}, id="spread")],
)
def test_a_delay_is_not_negative(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected 0 or more"):
        Delay(**wrong)


def test_the_past_is_not_kept() -> None:
    world = World(behaviour=Behaviour(failure_rate=1e-6))
    for _ in range(300):
        world.scale(WEB, 100)
        world.advance(world.now + 1.0)
        world.scale(WEB, 0)
        world.advance(world.now + 1.0)
    assert len(world._queue) < 2500  # 30,000 lifetimes were cut short


Step = tuple[str, int, float]
steps = st.lists(
    st.tuples(st.sampled_from(["web", "batch", "kill", "lose", "add"]), st.integers(0, 12), st.floats(0, 5)),
    max_size=30,
)


def take(world: World, step: Step) -> None:
    what, amount, _ = step
    if what in {"web", "batch"}:
        try:
            world.scale(WEB if what == "web" else BATCH, amount)
        except NoRoom as refusal:
            assert "too little" in str(refusal) or "0 nodes" in str(refusal)  # noqa: PT017 - a refusal is one of two good ends
    elif what == "kill":
        world.kill("web", amount)
    elif what == "lose" and world.nodes:
        world.lose_node(world.nodes[amount % len(world.nodes)].name)
    elif what == "add" and len(world.nodes) < 4:
        world.add_node(node(f"n{world.now}-{len(world.nodes)}-{amount}", cpu=0.5, containers=4))


@given(steps, st.floats(0, 2), st.integers(0, 3))
def test_the_books_always_balance(script: list[Step], spread: float, seed: int) -> None:
    """What the tallies say is held is what the counts say; no node ever held more than it has."""
    behaviour = Behaviour(Delay(1, spread), Delay(1, spread), failure_rate=0.1)
    world = World([node("a", cpu=1.0, containers=8), node("b", cpu=0.5)], behaviour, seed)
    limits: dict[str, Resources] = {}
    for step in script:
        limits |= {each.name: each.capacity for each in world.nodes}
        take(world, step)
        web, batch = counts(world, WEB), counts(world, BATCH)
        assert world.total.held.get("containers", 0) == web.held + batch.held
        assert world.total.held.get("cpu", 0) == pytest.approx(0.1 * web.held + 0.2 * batch.held)
        assert (sum(web.on.values()), sum(batch.on.values())) == (web.held, batch.held)
        assert set(web.on) | set(batch.on) <= {each.name for each in world.nodes}
        world.advance(world.now + step[2])
    for name, peaks in world.node_peaks().items():
        for resource, peak in peaks.items():
            assert peak <= limits.get(name, Resources()).get(resource, math.inf) * (1 + 1e-9)


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.1, 3)), max_size=12), st.integers(0, 9), st.floats(0, 2))
def test_those_that_go_are_the_common_rule_s_choice(script: list[tuple[int, float]], keep: int, start: float) -> None:
    world = World(behaviour=Behaviour(start=Delay(start)))
    for count, wait in script:
        world.scale(WEB, count)
        world.advance(world.now + wait)
    before = alive(world)
    world.scale(WEB, keep)
    gone = victims(before, len(before) - keep)
    assert {each.id for each in alive(world) if each in before} == {each.id for each in before if each not in gone}


def alive(world: World) -> list[Container]:
    """The containers that run or start, as a driver of real ones would know them; those begun later have later ids."""
    workload = world._workloads.get("web")
    containers = [*workload.running, *workload.starting] if workload else []
    return [Container(str(id(each)), "web", each.state, started_at=age) for age, each in enumerate(containers)]


def test_states_have_a_set_each() -> None:
    assert {state.value for state in ContainerState} == {"starting", "running", "stopping", "warming", "paused"}


# Standby.

READY = Standby(created=1, paused=2)


def with_standby() -> World:
    world = World([node("a", cpu=1.0, memory=4, containers=9)], SLOW)
    world.scale(KEEPS, 1, READY)
    world.advance(2.0)
    return world


KEEPS = Service("keeps", priority=1, resources=Resources(cpu=0.2, memory=1))


def test_standby_runs_for_a_moment_and_then_keeps_its_memory_alone() -> None:
    world = World([node("a", cpu=1.0, memory=4, containers=9)], SLOW)
    world.scale(KEEPS, 1, READY)
    assert counts(world, KEEPS) == Counts(starting=1, standby=Standby(1), warming=2, on={"a": 3})
    assert world.total.held == pytest.approx({"cpu": 0.6, "memory": 3, "containers": 3})
    world.advance(2.0)
    assert counts(world, KEEPS) == Counts(running=1, standby=READY, on={"a": 1})
    assert world.total.held == pytest.approx({"cpu": 0.2, "memory": 3, "containers": 1})


def test_growth_takes_what_is_paused_then_what_is_made_and_is_quick() -> None:
    world = with_standby()
    world.scale(KEEPS, 4)
    assert counts(world, KEEPS) == Counts(running=1, starting=3, on={"a": 4})
    assert world.total.held == pytest.approx({"cpu": 0.8, "memory": 4, "containers": 4})
    running = []
    for seconds in (2.1, 3.2, 4.0):
        world.advance(seconds)
        running.append(counts(world, KEEPS).running)
    assert running == [3, 4, 4], "the paused ones after a twentieth of the time, the made one after six tenths"


def test_standby_of_another_launch_is_of_no_use() -> None:
    world = with_standby()
    changed = Service("keeps", 1, resources=KEEPS.resources, launch=Launch(command=("other",)))
    world.scale(changed, 2)
    world.advance(2.1)
    assert counts(world, changed) == Counts(running=1, starting=1, on={"a": 2})
    assert world.total.held == pytest.approx({"cpu": 0.4, "memory": 2, "containers": 2})
    assert (world.made_from(KEEPS), world.made_from(changed)) == (1, 1)


def test_standby_goes_at_once() -> None:
    world = with_standby()
    world.scale(KEEPS, 1, Standby(paused=1))
    assert counts(world, KEEPS).standby == Standby(paused=1)
    assert world.total.held["memory"] == 2
    world.lose_node("a")
    assert counts(world, KEEPS) == Counts(failed=1, failure="node a went away"), "what never served has not failed"
