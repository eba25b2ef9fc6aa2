"""Replay: every decision of a journal made again, by the same Scaler, from what was known at the time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from beaufort.config import load
from beaufort.journal import Given, Step
from beaufort.model import Action, Cluster, Decision, Event, Resources
from beaufort.protocols import ConfigError
from beaufort.scaler import Scaler

__all__ = ["Replayed", "replay"]


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of a journal: one of the three, as ``Journal`` writes them."""

    configured: float | None = None
    document: dict[str, Any] | None = None
    holds: frozenset[str] = frozenset()
    chooses: bool = False
    step: Step | None = None
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A step of the journal, and the decision that it leads to now. ``grants`` are those that differ from before."""

    line: int
    given: Given
    decision: Decision
    granted: Mapping[str, int]
    actions: tuple[Action, ...]

    @property
    def same(self) -> bool:
        """Whether it was decided so then, too."""
        counts = {name: self.decision.grants[name].count for name in self.granted if name in self.decision.grants}
        then, now = (
            [(action.service, action.current, action.target, action.standby) for action in actions]
            for actions in (self.actions, self.decision.actions)
        )
        return counts == dict(self.granted) and then == now


def replay(file: Path) -> Iterator[Replayed]:
    """Yields every step of the journal with its decision made again. Raises ConfigError naming a line that is no entry.

    A last line that was cut off (the machine went down) ends the replay.
    """
    scaler: Scaler | None = None
    cluster: Cluster | None = None
    for number, line in _lines(file):
        if line.document is not None:
            scope = replace(load(line.document).scope, holds=line.holds, chooses=line.chooses)
            if line.configured is None or scaler is None:
                scaler, cluster = Scaler(scope), None
            else:
                scaler = scaler.reconfigured(scope, line.configured)
        elif line.step is not None:
            if scaler is None:
                raise ConfigError([f"{file}:{number}: a step before any configuration"])
            given = line.step.given if not line.step.same_cluster else replace(line.step.given, cluster=cluster)
            cluster = given.cluster
            if given.resync:
                scaler.look_again()
            decision = scaler.step(given.now, given.cluster, given.samples, given.outcomes, given.pauses)
            yield Replayed(number, given, decision, line.step.granted, line.step.actions)


def _lines(file: Path) -> Iterator[tuple[int, _Line]]:
    decoder = msgspec.json.Decoder(_Line, dec_hook=_made)
    try:
        with file.open("rb") as text:
            for number, line in enumerate(text, 1):
                try:
                    yield number, decoder.decode(line)
                except msgspec.MsgspecError as error:
                    if number > 1 and not line.endswith(b"\n"):
                        return
                    raise ConfigError([f"{file}:{number}: expected an entry of a journal: {error}"]) from error
    except OSError as error:
        raise ConfigError([f"{file}: can't be read: {error.strerror}"]) from error


def _made(kind: type, value: Any) -> Any:
    if kind is Resources:
        return Resources(value)
    raise NotImplementedError(kind.__name__)
