"""The herald: tells the feed what happens in a running controller. Events and decisions go out as they come; the states of
services, nodes and the whole are told of when they have changed, a few times a second.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from beaufort import clock
from beaufort.controller import Controller, Setup
from beaufort.journal import Step
from beaufort.model import EMPTY, Counts, Desired, Event, Grant, Node, Pause
from beaufort.web.answers import DecisionRecord, EventRecord, NodePage, ServicePage
from beaufort.web.feed import Feed
from beaufort.web.observer import Observer

__all__ = ["Herald", "Row"]

CALM = 0.1
"""Seconds from a step to the states that it led to: by then its actions are under way, which comes first."""

STATUS_EVERY = 1.0
"""Seconds between one status and the next, at least."""

MANY = 1000
"""Services up to which all of this is so."""

AT_ONCE = 250
"""Services in one entry of the feed at most."""

ROWS, LONGEST = 20_000, 240
"""Rows of the near past that are kept of all services together, and of one."""

Row = tuple[float, float | None, int, int, int]
"""Time, demand, desired, granted, running."""


class Herald:
    """``past`` has the near past of each service as rows, oldest first."""

    def __init__(self, controller: Controller, observer: Observer, feed: Feed) -> None:
        self.past: dict[str, deque[Row]] = {}
        self._controller = controller
        self._observer = observer
        self._feed = feed
        self._stirred = asyncio.Event()
        self._measured: set[str] = set()
        self._seen = _Seen.of(controller)
        self._owing = False
        self._told_at = 0.0

    def hear(self, event: Event) -> None:
        """Something happened."""
        told = EventRecord(at=event.at, kind=event.kind, detail=event.detail, service=event.service)
        self._feed.publish("event", told)
        self._stirred.set()

    def take(self, step: Step, record: DecisionRecord | None) -> None:
        """A step was made; ``record`` is its decision, if it changed something."""
        if record is not None:
            self._feed.publish("decision", record)
        self._measured.update(step.given.samples)
        self._stirred.set()

    async def run(self) -> None:
        """Tell of what has changed, for ever."""
        while True:
            await self._stirred.wait()
            await asyncio.sleep(CALM * self._pace)
            self._stirred.clear()
            self._tell(clock.now())

    @property
    def _pace(self) -> float:
        """With thousands of services there is more to tell, and it is told less often."""
        return max(1.0, len(self._controller.services) / MANY)

    def _tell(self, now: float) -> None:
        controller, before = self._controller, self._seen
        seen = self._seen = _Seen.of(controller)
        present = controller.services
        moved = before.setup is not seen.setup or before.nodes != seen.nodes or before.counts is not seen.counts
        if before.setup is seen.setup:
            changed = (before.changed(seen) | self._measured) & present.keys()
        else:
            changed = set(present)
            self.past = {name: rows for name, rows in self.past.items() if name in present}
        self._measured = set()
        self._tell_services(now, sorted(changed))
        if moved:
            self._feed.publish("nodes", NodePage(at=now, nodes=self._observer.nodes()))
        self._tell_status(now)

    def _tell_services(self, now: float, changed: list[str]) -> None:
        for begin in range(0, len(changed), AT_ONCE):
            services = [self._controller.services[name] for name in changed[begin : begin + AT_ONCE]]
            states = [self._observer.state(service, now) for service in services]
            self._feed.publish("services", ServicePage(at=now, services=states, next=None))
            for state in states:
                demand = None if state.demand is None else state.demand.value
                self._remember(state.name, (now, demand, state.desired, state.granted, state.running))

    def _remember(self, name: str, row: Row) -> None:
        most = max(10, min(LONGEST, ROWS // max(1, len(self._controller.services))))
        rows = self.past.get(name)
        if rows is None or rows.maxlen != most:
            rows = self.past[name] = deque(rows or (), maxlen=most)
        rows.append(row)

    def _tell_status(self, now: float) -> None:
        wait = self._told_at + STATUS_EVERY * self._pace - now
        if wait <= 0:
            self._told_at, self._owing = now, False
            self._feed.publish("status", self._observer.status(self._feed.id))
        elif not self._owing:
            self._owing = True
            asyncio.get_running_loop().call_later(wait, self._stirred.set)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a controller knew at one time. What is the same object has not changed."""

    setup: Setup
    desired: Mapping[str, Desired]
    grants: Mapping[str, Grant]
    counts: Mapping[str, Counts]
    pauses: Mapping[str, Pause]
    nodes: tuple[Node, ...] | None

    @classmethod
    def of(cls, controller: Controller) -> Self:
        decision, cluster = controller.decision, controller.cluster
        counts, nodes = (EMPTY, None) if cluster is None else (cluster.counts, cluster.nodes)
        return cls(controller.setup, decision.desired, decision.grants, counts, dict(controller.pauses), nodes)

    def changed(self, after: _Seen) -> set[str]:
        """The services of which something is not as it was."""
        return {
            *_differing(self.desired, after.desired),
            *_differing(self.grants, after.grants),
            *_differing(self.counts, after.counts),
            *_differing(self.pauses, after.pauses),
        }


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    if before is after:
        return
    yield from (name for name, value in after.items() if before.get(name) is not value)
    yield from (name for name in before if name not in after)
