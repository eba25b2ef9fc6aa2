"""All that the API answers from: one controller as seen from the web, with what is kept of it, and the tasks that tell."""

from __future__ import annotations

import asyncio
import traceback
from pathlib import Path

from beaufort import clock
from beaufort.controller import Controller, Setup
from beaufort.journal import Step
from beaufort.model import Decision
from beaufort.web.chronicle import Chronicle
from beaufort.web.desk import Desk
from beaufort.web.feed import Feed
from beaufort.web.gauges import Snapshot
from beaufort.web.herald import Herald
from beaufort.web.metrics import Metrics
from beaufort.web.observer import Observer
from beaufort.web.overrides import Overrides

__all__ = ["Station"]

MOST_READERS = 1000
"""Readers of the feed at one time."""


class Station:
    """Made before the controller runs, so that it misses nothing."""

    def __init__(self, controller: Controller, most_readers: int = MOST_READERS) -> None:
        self.controller = controller
        self.most_readers = most_readers
        self.chronicle = Chronicle()
        self.feed = Feed()
        self.metrics = Metrics()
        overrides = Overrides(controller)
        self.observer = Observer(controller, self.chronicle, overrides)
        self.desk = Desk(controller, self.observer, overrides)
        self.herald = Herald(controller, self.observer, self.feed)
        self._setup: Setup | None = None
        controller.journal.follow(self._stepped)
        controller.journal.listen(self.herald.hear)
        controller.journal.listen(self.metrics.heard)

    async def run(self) -> None:
        """Tell what happens, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.herald.run(), name="herald")
            tasks.create_task(self.feed.run(), name="feed")

    def fault(self, error: Exception) -> None:
        """The API has a fault of its own. Its words may hold anything, so only its kind and its place are told."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        self.controller.report("api-fault", f"{type(error).__name__}{place}")

    def _stepped(self, step: Step, decision: Decision) -> None:
        # The step is still going on, and what it decided is to be acted on first.
        asyncio.get_running_loop().call_soon(self._take, step, decision)

    def _take(self, step: Step, decision: Decision) -> None:
        if self._setup is not self.controller.setup:
            self._setup = self.controller.setup
            services = self.observer.services()
            self.chronicle.know({service.name: service.priority for service in services})
            self.metrics.name(service.name for service in services)
        record = self.chronicle.take(step, decision, clock.now())
        self.metrics.take(step, decision, self.controller.deciding, self.chronicle.reactions.drain())
        self.herald.take(step, record)

    def snapshot(self) -> Snapshot:
        """What the metrics are written from."""
        controller, status = self.controller, self.observer.status(self.feed.id)
        newest = {name: self.chronicle.newest(name) for name in controller.services}
        return Snapshot(
            at=clock.now(),
            services=tuple(controller.services),
            decision=controller.decision,
            counts=self.observer.counts,
            newest={name: sample for name, sample in newest.items() if sample is not None},
            paused=frozenset(controller.pauses),
            sighted=status.sighted,
            capacity=status.capacity,
            held=status.held,
            readers=self.feed.readers,
            dropped=self.feed.dropped,
        )
