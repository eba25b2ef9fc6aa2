"""What is known of an engine's containers is right again after any lost answer, late list or missed event.

An engine that is only a dictionary does what it is asked; its answers, events and lists arrive late or never.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, precondition, rule

from beaufort.model import NO_STANDBY, Counts
from beaufort.schedulers.engine.answers import Actor, Event, Listed
from beaufort.schedulers.engine.client import Address, Client
from beaufort.schedulers.engine.fleet import Fleet
from beaufort.schedulers.engine.freezer import Freezer
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE, Held, Phase
from beaufort.schedulers.engine.keeper import Keeper

LABELS = {DEPLOYMENT: "one", SERVICE: "web"}


@dataclass
class Real:
    """A container as it is, and as a list shows it: an engine tells that one has died before it lists it as dead.

    ``ours``: this Beaufort asked for it, and not an earlier one.
    """

    id: str
    name: str
    state: str
    ours: bool
    removed: bool = False
    shown: str = "created"


def event(action: str, id_: str, name: str, at: int = 0, **more: str) -> Event:
    return Event(action, Actor(id_, {**LABELS, "name": name, **more}), at * 10**9)


def listed(id_: str, name: str, state: str, status: str = "", created: int = 0) -> Listed:
    return Listed(id_, state, [f"/{name}"], status, created, LABELS)


class World(RuleBasedStateMachine):
    reals = Bundle("reals")
    helds = Bundle("helds")

    def __init__(self) -> None:
        super().__init__()
        self.fleet = Fleet("one")
        self.real: dict[str, Real] = {}
        self.events: deque[Event] = deque()
        self.lists: list[tuple[int, list[Listed]]] = []
        self.known = False
        self.delayed: list[Real] = []
        self.dead: set[str] = set()
        self.stopped: set[str] = set()

    # What happens at the engine, and is told later.

    def make(self, name: str, state: str, *, ours: bool) -> Real:
        real = Real(f"id{len(self.real)}", name, "created", ours)
        self.real[name] = real
        self.events.append(event("create", real.id, name))
        if state == "running":
            self.run(real)
        return real

    def run(self, real: Real) -> None:
        if real.state == "created" and not real.removed:
            real.state = real.shown = "running"
            self.events.append(event("start", real.id, real.name))

    @rule(target=reals, state=st.sampled_from(["created", "running"]))
    def another_made(self, state: str) -> Real:
        return self.make(f"other{len(self.real)}", state, ours=False)

    @rule(real=reals)
    def dies(self, real: Real) -> None:
        if real.state == "running":
            real.state = "exited"
            self.events.append(event("die", real.id, real.name, exitCode="137"))

    @rule(real=reals)
    def is_removed(self, real: Real) -> None:
        self.dies(real)
        if not real.removed:
            real.removed = True
            self.events.append(event("destroy", real.id, real.name))

    @rule()
    def does_what_it_was_asked_long_ago(self) -> None:
        if self.delayed:
            self.run(self.delayed.pop())

    # What we ask of it. The answer may be lost, and what was asked be done all the same.

    @precondition(lambda self: self.known)
    @rule(target=helds)
    def begin(self) -> Held:
        return self.begun()

    def begun(self) -> Held:
        return self.fleet.begin("web", 0.0, checked=False)

    @rule(target=reals, held=helds, arrives=st.booleans(), done=st.booleans())
    def create(self, held: Held, arrives: bool, done: bool) -> Real:
        if held.phase is not Phase.WAITING:
            return Real("none", "none", "exited", ours=False, removed=True)
        held.phase = Phase.STARTING
        real = self.make(held.name, "created", ours=True) if done or arrives else Real("", "", "exited", True, True)
        if arrives:
            self.fleet.made(held, real.id)
        return real

    @rule(held=helds, arrives=st.booleans(), done=st.booleans())
    def start(self, held: Held, arrives: bool, done: bool) -> None:
        if held.phase is Phase.STARTING and held.id and not held.asked:
            held.asked = True
            if done or arrives:
                self.run(self.real[held.name])
            else:
                self.delayed.append(self.real[held.name])
            if arrives and self.real[held.name].state == "running":
                self.fleet.runs(held)

    @precondition(lambda self: self.known)
    @rule(target=helds, arrives=st.booleans(), done=st.booleans())
    def grow(self, arrives: bool, done: bool) -> Held:
        held = self.begun()
        self.create(held, arrives=True, done=True)
        self.start(held, arrives, done)
        return held

    @rule(held=helds)
    def mourn(self, held: Held) -> None:
        if held.phase is Phase.ENDED:
            self.fleet.drop(held)
            self.fleet.fail("web", "died")

    @rule(held=helds)
    def its_process_ends(self, held: Held) -> None:
        if held.name in self.real:
            self.dies(self.real[held.name])

    @rule(held=helds)
    def stop(self, held: Held) -> None:
        if held.phase in {Phase.WAITING, Phase.STARTING, Phase.RUNNING}:
            self.fleet.stop(held.container)
            self.stopped.add(held.name)

    # How it is told.

    @rule()
    def hear_all(self) -> None:
        while self.known and self.events:
            self.hear()

    @rule()
    def hear(self) -> None:
        if self.known and self.events:
            told = self.events.popleft()
            self.fleet.apply(told)
            if told.action == "die":
                self.dead.add(told.actor.attributes["name"])

    @rule(late=st.booleans())
    def ask_for_a_list(self, late: bool = False) -> None:
        for each in self.real.values():
            each.shown = each.shown if late else each.state
        found = [listed(each.id, each.name, each.shown) for each in self.real.values() if not each.removed]
        self.lists.append((self.fleet.mark(), found))

    @precondition(lambda self: self.known)
    @rule()
    def get_a_list(self) -> None:
        if self.lists:
            mark, found = self.lists.pop(0)
            self.fleet.listed(found, mark, {})

    @rule()
    def lose_and_find_again(self) -> None:
        """All that was under way is lost, and a new list is read before anything else."""
        self.events.clear()
        self.lists.clear()
        self.fleet.lose()
        self.ask_for_a_list()
        self.known = True
        self.get_a_list()

    # What must hold.

    @invariant()
    def what_we_started_is_held_until_its_end_is_told(self) -> None:
        held = {each.name for each in self.fleet if each.phase is not Phase.SPARE}
        for real in self.real.values():
            assert not real.ours or real.state != "running" or real.name in held, f"{real} runs, and is not held"

    @invariant()
    def what_has_died_does_not_come_back(self) -> None:
        assert not [each for each in self.fleet if each.up and each.name in self.dead]

    @invariant()
    def what_was_stopped_stays_stopped(self) -> None:
        phases = {Phase.STOPPING, Phase.GONE}
        assert not [each for each in self.fleet if each.name in self.stopped and each.phase not in phases]

    def teardown(self) -> None:
        """When all has been told, what is known is what is."""
        if not self.known:
            return
        while self.lists:
            self.get_a_list()
        while self.events:
            self.hear()
        self.ask_for_a_list()
        self.get_a_list()
        for held in self.fleet:
            if held.phase is Phase.ENDED:
                self.fleet.drop(held)
                self.fleet.fail("web", "died")
        there = [each for each in self.real.values() if not each.removed]
        states = Counter(each.state for each in there)
        phases = Counter(each.phase for each in self.fleet)
        up = Counter(each.up for each in self.fleet)
        assert up[True] == states["running"]
        waiting = phases[Phase.WAITING] + sum(1 for each in self.fleet if each.phase is Phase.STARTING and not each.up)
        unmade = sum(1 for each in self.fleet if not each.id)
        assert phases[Phase.SPARE] + waiting + phases[Phase.STOPPING] >= states["created"] + unmade
        ended = {each.id for each in there if each.state == "exited"}
        assert ended <= self.fleet.graves


World.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestWorld = World.TestCase


# The races that are hard to meet by chance.


@pytest.fixture
async def fleet() -> Fleet:
    return Fleet("one")


def serving(fleet: Fleet, *, checked: bool = False) -> Held:
    held = fleet.begin("web", 1.0, checked=checked)
    held.phase = Phase.STARTING
    fleet.made(held, "id")
    fleet.runs(held)
    return held


def counts(fleet: Fleet) -> Counts:
    return fleet.counts(["web"], "here", {})["web"]


async def test_a_list_from_before_an_end_brings_nothing_back(fleet: Fleet) -> None:
    held = serving(fleet)
    mark = fleet.mark()
    fleet.stop(held.container)
    fleet.apply(event("die", "id", held.name, exitCode="143"))
    fleet.listed([listed("id", held.name, "running")], mark, {})
    assert counts(fleet) == Counts()
    assert fleet.graves == {"id"}
    fleet.listed([], fleet.mark(), {})
    assert not fleet.graves, "what is in no list any more needs no removal"


async def test_a_list_that_shows_one_that_has_just_ended_as_running_brings_it_not_back(fleet: Fleet) -> None:
    held = serving(fleet)
    fleet.apply(event("die", "id", held.name, exitCode="3"))
    fleet.listed([listed("id", held.name, "running")], fleet.mark(), {})
    assert (held.phase, held.code) == (Phase.ENDED, 3)
    assert counts(fleet) == Counts(stopping=1, on={"here": 1})


async def test_events_that_come_after_the_list_that_told_the_end_bring_nothing_back(fleet: Fleet) -> None:
    fleet.listed([listed("id", "other", "exited")], fleet.mark(), {})
    for action in ("create", "start"):
        fleet.apply(event(action, "id", "other"))
    assert counts(fleet) == Counts()
    assert fleet.graves == {"id"}
    fleet.apply(event("destroy", "id", "other"))
    assert not fleet.graves


async def test_a_list_from_before_does_not_undo_what_was_told_since(fleet: Fleet) -> None:
    held = serving(fleet, checked=True)
    assert counts(fleet).starting == 1
    mark = fleet.mark()
    fleet.apply(event("health_status: healthy", "id", held.name))
    fleet.listed([listed("id", held.name, "running", "Up 1 second (health: starting)")], mark, {})
    assert counts(fleet).running == 1
    fleet.listed([listed("id", held.name, "running", "Up 2 seconds (unhealthy)")], fleet.mark(), {})
    assert counts(fleet).starting == 1


async def test_a_start_without_an_answer_is_held_until_it_is_known(fleet: Fleet) -> None:
    """It may yet be started; one that the engine was not asked to start will not."""
    asked, made = (fleet.begin("web", 1.0, checked=False) for _ in range(2))
    for held, id_ in ((asked, "a"), (made, "b")):
        held.phase = Phase.STARTING
        fleet.made(held, id_)
    asked.asked = True
    fleet.lose()
    fleet.listed([listed("a", asked.name, "created"), listed("b", made.name, "created")], fleet.mark(), {})
    assert (asked.phase, made.phase) == (Phase.STARTING, Phase.SPARE)
    async with Client(Address("unix:///nowhere")) as client:
        Keeper(client, fleet, Freezer()).trim("web", NO_STANDBY, None)
    assert fleet.graves == {"b"}


async def test_what_was_not_asked_for_when_the_engine_was_lost_is_not_wanted(fleet: Fleet) -> None:
    waiting, unanswered = (fleet.begin("web", 1.0, checked=False) for _ in range(2))
    unanswered.phase = Phase.STARTING
    fleet.lose()
    assert (waiting.phase, unanswered.phase) == (Phase.GONE, Phase.STARTING)
    fleet.listed([], fleet.mark(), {})
    assert counts(fleet) == Counts()


async def test_those_of_one_second_are_as_young_as_the_list_says(fleet: Fleet) -> None:
    fleet.listed([listed(id_, id_, "running", created=7) for id_ in ("young", "middle", "old")], fleet.mark(), {})
    ages = sorted(fleet.current("web"), key=lambda container: container.started_at)
    assert [container.id for container in ages] == ["old", "middle", "young"]


async def test_what_the_engine_gave_another_name_is_still_the_same(fleet: Fleet) -> None:
    held = serving(fleet)
    fleet.listed([listed("id", "renamed", "running")], fleet.mark(), {})
    fleet.apply(event("die", "id", "renamed", exitCode="0"))
    assert held.phase is Phase.ENDED


async def test_failures_are_told_even_if_nothing_is_left(fleet: Fleet) -> None:
    fleet.fail("web", "exited with 1")
    assert fleet.counts([], "here", {}) == {"web": Counts(failed=1, failure="exited with 1")}
    assert fleet.counts(["web"], "here", {"web": 1})["web"] == Counts()
