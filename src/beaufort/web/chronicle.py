"""The chronicle: the near past of a running controller, in bounded memory. It is told of every step, and keeps the decisions
that changed something, the newest samples, and how long demand took to become containers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import islice

from beaufort.journal import Step
from beaufort.model import NO_COUNTS, Action, Decision, Sample
from beaufort.web.answers import Change, DecisionRecord
from beaufort.web.reactions import Reactions
from beaufort.wording import figure

__all__ = ["Chronicle"]

DECISIONS = 1000
"""Decisions that are kept at most."""

CHANGES = 20_000
"""Changes that the kept decisions hold together at most: a decision may change ten thousand services."""

SAMPLES = 20
"""Newest samples that are kept of each service."""

NAMED = 5
"""How many services the cause of a decision names."""


class Chronicle:
    """``steps`` counts all decisions; ``decisions`` has the newest that changed something, oldest first."""

    def __init__(self) -> None:
        self.steps = 0
        self.decisions: deque[DecisionRecord] = deque()
        self.samples: dict[str, deque[Sample]] = {}
        self.reactions = Reactions()
        self._priorities: Mapping[str, int] = {}
        self._kept = 0
        self._number = 0
        self._granted: dict[str, int] = {}

    def take(self, step: Step, decision: Decision, now: float) -> DecisionRecord | None:
        """A step was made, and acted on at ``now``. Returns its record, if it changed something."""
        self.steps += 1
        for name, samples in step.given.samples.items():
            kept = self.samples.setdefault(name, deque(maxlen=SAMPLES))
            # The newest one is given again when the configuration has changed.
            kept.extend(samples[1:] if kept and kept[-1] == samples[0] else samples)
        self.reactions.take(step, decision, now)
        if not step.granted and not step.actions:
            return None
        record = self._record(step, decision)
        self._granted.update(step.granted)
        self._keep(record)
        return record

    def know(self, services: Mapping[str, int]) -> None:
        """Only these services are there from now on, with these priorities."""
        self._priorities = services
        self.samples = {name: samples for name, samples in self.samples.items() if name in services}
        self._granted = {name: count for name, count in self._granted.items() if name in services}
        self.reactions.forget(services)

    def newest(self, service: str) -> Sample | None:
        samples = self.samples.get(service)
        return samples[-1] if samples else None

    def told(self, service: str | None, since: float | None, before: int | None) -> Iterator[DecisionRecord]:
        """Newest first; only those of a service, from a time on, and with a smaller number, where that is given."""
        for record in reversed(self.decisions):
            if since is not None and record.at < since:
                return
            if before is not None and record.number >= before:
                continue
            if service is None or any(change.service == service for change in record.changes):
                yield record

    def _record(self, step: Step, decision: Decision) -> DecisionRecord:
        self._number += 1
        actions = {action.service: action for action in step.actions}
        names = [*step.granted, *(name for name in actions if name not in step.granted)]
        changes = [self._change(name, step, decision, actions.get(name)) for name in names]
        return DecisionRecord(number=self._number, at=step.given.now, causes=list(_causes(step)), changes=changes)

    def _change(self, name: str, step: Step, decision: Decision, action: Action | None) -> Change:
        cluster, sample = step.given.cluster, self.newest(name)
        counts = NO_COUNTS if cluster is None else cluster.counts.get(name, NO_COUNTS)
        desired, grant = decision.desired.get(name), decision.grants.get(name)
        granted = 0 if grant is None else grant.count
        return Change(
            service=name,
            priority=self._priorities.get(name, 1),
            demand=None if sample is None else sample.value,
            demand_at=None if sample is None else sample.at,
            desired=0 if desired is None else desired.count,
            granted=granted,
            granted_before=self._granted.get(name, granted if name not in step.granted else 0),
            running=counts.running,
            starting=counts.starting,
            stopping=counts.stopping,
            standby=counts.standby.total,
            target=None if action is None else action.target,
            ready=0 if action is None else action.standby.total,
            reason=action.reason if action is not None else ("" if grant is None else grant.reason),
        )

    def _keep(self, record: DecisionRecord) -> None:
        self.decisions.append(record)
        self._kept += len(record.changes)
        while len(self.decisions) > DECISIONS or (self._kept > CHANGES and len(self.decisions) > 1):
            self._kept -= len(self.decisions.popleft().changes)


def _causes(step: Step) -> Iterator[str]:
    """What a step took in, in words."""
    given = step.given
    if given.samples:
        named = ", ".join(
            f"{name} {figure(samples[-1].value)}" for name, samples in islice(given.samples.items(), NAMED)
        )
        more = len(given.samples) - NAMED
        yield f"demand of {named}" + (f" and {more} more" if more > 0 else "")
    if given.cluster is not None and not step.same_cluster:
        yield "a new snapshot of the scheduler"
    for outcome in islice((outcome for outcome in given.outcomes if outcome.error), NAMED):
        yield f"the scheduler refused {outcome.service} {outcome.target}: {outcome.detail}"
    if given.resync:
        yield "the regular look at everything"
