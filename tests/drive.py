"""A controller without clock and loop: drives the real Scaler and a model world through a plot, moment by moment.

It keeps the contracts that the real controller and drivers keep, and lets observers see each decision and each change.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from heapq import heappop, heappush

from beaufort.model import Action, Cluster, Counts, Decision, Node, Outcome, Sample, Service
from beaufort.protocols import HEARTBEAT, NoRoom, SchedulerError, Unreachable
from beaufort.scaler import Scaler, Scope
from beaufort.schedulers.simulated import Simulated
from beaufort.world import Link, World
from plots import Behave, Connect, Crash, Demand, Happening, Join, Kill, Lose, Plot, Silence, Sound

REPEAT = 10.0
"""Seconds after which a source says again what has not changed."""
REST = 500.0
"""Seconds for which nothing happens after a plot: enough for all windows, delays and back-offs to end."""
SPINNING = 60
"""More steps than this at one instant are a loop that feeds itself."""


class Observer:
    """Sees what goes on; a property overrides what it needs, and asserts there."""

    def decided(self, drive: Drive, decision: Decision) -> None:
        """A step was taken; its actions have not been issued yet."""

    def scaled(self, drive: Drive, action: Action, started: int) -> None:
        """The scheduler did what an action asked, and ``started`` so many containers by it."""


class Drive:
    """One plot being played. ``world`` is the truth, ``scaler`` the decider, ``cluster`` what it sees (None: blind)."""

    def __init__(self, plot: Plot, *observers: Observer, kills: bool = True) -> None:
        self.plot = plot
        self.world = World(plot.nodes, plot.behaviour, plot.seed)
        self.services = {service.name: service for service in plot.services}
        self.demand: dict[str, float] = {}
        self.silent: set[str] = set()
        self.last = Decision(plot.begin, {}, {}, (), {})
        self.moves: list[tuple[float, str, int]] = []
        self.refused: list[Outcome] = []
        self.now = plot.begin
        self._observers = observers
        self._kills = kills
        self._steps = self._asked = self._joined = 0
        for name, count in plot.found.items():
            with suppress(NoRoom):
                self.world.scale(self.service(name), count)
        self.world.advance(plot.begin)
        self.restart()

    def service(self, name: str) -> Service:
        return self.services.get(name) or Service(name, priority=1)

    def counts(self, name: str) -> Counts:
        """The truth, whatever the link."""
        link, self.world.link = self.world.link, Link.UP
        counts = self.world.cluster(self.services.values()).counts.get(name, Counts())
        self.world.link = link
        return counts

    def restart(self) -> None:
        """A new controller, which knows the plot's configuration and nothing else. What was under way is lost."""
        plot = self.plot
        self.scaler = Scaler(
            Scope(plot.services, plot.policies, plot.capacity, plot.quotas, plot.bands, Simulated.holds, plot.chooses)
        )
        self.cluster: Cluster | None = None
        self.rejected: set[str] = set()
        self._baseline: dict[str, int] = {}
        self._read_at = self.now
        self._outcomes: list[Outcome] = []
        self._accepted: list[Outcome] = []
        self._under_way: list[tuple[float, int, Action, Outcome | None]] = []
        self.sampled: dict[str, float] = {}
        self.began = self.now
        self._sample_at = {name: self.now for name in self.demand if name not in self.silent}

    def play(self) -> None:
        """The whole script."""
        for gap, happening in self.plot.script:
            self.run(self.now + gap)
            self._happen(happening)
        self.run(self.now)

    def rest(self) -> None:
        """Mend everything, then let nothing happen for REST seconds."""
        self.world.behaviours.clear()
        for name in self.silent.copy():
            self._sound(name)
        self._connect(Link.UP)
        self.run(self.now + REST)

    def run(self, until: float) -> None:
        while (due := self._due()) <= until:
            self._steps = self._steps + 1 if due <= self.now else 0
            assert self._steps < SPINNING, f"spins at {due}: {self.moves[-9:]}"
            self.now = max(self.now, due)
            self._moment()
        self.now = until
        self.world.advance(until)

    # One moment.

    def _due(self) -> float:
        times = [self._read_at, self.scaler.wake_at, *self._sample_at.values()]
        change = self.world.next_change()
        times += [] if change is None else [change]
        times += [self._under_way[0][0]] if self._under_way else []
        return self.now if self._outcomes else max(self.now, min(times))

    def _moment(self) -> None:
        self.world.advance(self.now)
        if self.plot.crossing and self._under_way and self._under_way[0][0] <= self.now:
            self._read()  # the moment before: nothing of what is done below is in it
        while self._under_way and self._under_way[0][0] <= self.now:
            _, _, action, outcome = heappop(self._under_way)
            self._answer(outcome or self._do(action))
        samples = {name: [self._sample(name)] for name, at in self._sample_at.items() if at <= self.now}
        if self.world.changed:
            self._read_at = min(self._read_at, self.now + self.plot.batch)
        if self._read_at <= self.now:
            self._read()
        outcomes, self._outcomes = self._outcomes, []
        self._step(samples, outcomes)

    def _sample(self, name: str) -> Sample:
        self._sample_at[name] = self.now + REPEAT
        self.sampled[name] = self.now
        return Sample(self.now, self.demand[name])

    def _read(self) -> None:
        self._read_at = self.now + HEARTBEAT
        try:
            cluster = self.world.cluster(self.services.values())
        except Unreachable:
            self.cluster = None
            return
        if self.cluster is None:
            self._baseline = {name: counts.failed for name, counts in cluster.counts.items()}
        counts = {
            name: replace(each, failed=each.failed - self._baseline.get(name, 0))
            for name, each in cluster.counts.items()
        }
        self.cluster = replace(cluster, counts=counts)
        self._outcomes += self._accepted
        self._accepted = []

    def _step(self, samples: dict[str, list[Sample]], outcomes: Iterable[Outcome]) -> None:
        self.rejected |= {outcome.service for outcome in outcomes if outcome.error == "Rejected"}
        self.last = decision = self.scaler.step(self.now, self.cluster, samples, outcomes)
        for observer in self._observers:
            observer.decided(self, decision)
        for action in decision.actions:
            self.moves.append((self.now, action.service, action.target))
            self._issue(action)

    def _issue(self, action: Action) -> None:
        outcome = None if self.plot.late and self.plot.latency else self._do(action)
        self._asked += 1
        if self.plot.latency:
            heappush(self._under_way, (self.now + self.plot.latency, self._asked, action, outcome))
        elif outcome is not None:
            self._answer(outcome)

    def _answer(self, outcome: Outcome) -> None:
        """What may have been accepted is told with the next snapshot, which shows it; as the real controller does."""
        (self._outcomes if outcome.error in {"Rejected", "NoRoom"} else self._accepted).append(outcome)

    def _do(self, action: Action) -> Outcome:
        before = self.counts(action.service).current
        error: SchedulerError | None = None
        try:
            self.world.scale(self.service(action.service), action.target, action.standby, action.off)
        except SchedulerError as raised:
            error = raised
        if self.world.changed:
            self._read_at = min(self._read_at, self.now + self.plot.batch)
        name = type(error).__name__ if error else None
        outcome = Outcome(self.now, action.service, action.target, name, str(error or ""))
        if error is not None:
            self.refused.append(outcome)
        for observer in self._observers:
            observer.scaled(self, action, self.counts(action.service).current - before)
        return outcome

    # What happens.

    def _happen(self, happening: Happening) -> None:
        match happening:
            case Demand(number, value):
                self.demand[self._name(number)] = value
                self._sound(self._name(number))
            case Silence(number):
                self.silent.add(self._name(number))
                self._sample_at.pop(self._name(number), None)
            case Sound(number):
                self._sound(self._name(number))
            case Crash(number, many):
                self.world.kill(self._name(number), many)
            case Behave(number, behaviour):
                self.world.behaviours[self._name(number)] = behaviour
            case Connect(link):
                self._connect(link)
            case Kill():
                if self._kills:
                    self.restart()
            case Lose() | Join():
                self._rebuild(happening)

    def _name(self, number: int) -> str:
        return self.plot.services[number % len(self.plot.services)].name

    def _sound(self, name: str) -> None:
        self.silent.discard(name)
        if name in self.demand:
            self._sample_at[name] = self.now

    def _connect(self, link: Link) -> None:
        self.world.link = link
        self._read_at = self.now

    def _rebuild(self, happening: Lose | Join) -> None:
        nodes = self.world.nodes
        if isinstance(happening, Join) and len(nodes) < 4:
            self._joined += 1
            self.world.add_node(self._joining(f"joined-{self._joined}"))
        elif isinstance(happening, Lose) and len(nodes) > 1:
            self.world.lose_node(nodes[happening.node % len(nodes)].name)
        self._read_at = self.now

    def _joining(self, name: str) -> Node:
        first = self.plot.nodes[0]
        return replace(first, name=name, labels={**first.labels, "@hostname": name})
