"""The journal: what was known and what was decided, step by step, for people to read and for a replay to check.

It keeps the newest entries in memory; with a file it writes each as a line of JSON as well, from which every decision
can be made again through the same Scaler. Of the configuration it writes only what decides: nothing that could be a
secret.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, BinaryIO, Self

import msgspec

from beaufort.model import Action, Cluster, Decision, Event, Grant, Outcome, Pause, Resources, Sample
from beaufort.protocols import BeaufortError

__all__ = ["Given", "Journal", "Step", "encode"]

KEPT = 1000
"""Steps and events kept in memory."""

DECIDING_KEYS = frozenset(
    {"priority", "min", "max", "weight", "group", "resources", "policy", "settle", "stale_after", "fallback", "standby"}
)
"""The keys of a service that decide. Its demand source and its launch spec do not, and may name secrets."""


@dataclass(frozen=True, slots=True)
class Given:
    """All that goes into one step. ``resync``: every desire was formed anew."""

    now: float
    cluster: Cluster | None
    samples: Mapping[str, Sequence[Sample]]
    outcomes: Sequence[Outcome]
    pauses: Mapping[str, Pause]
    resync: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what went in, and what came out of it. ``granted`` holds the counts that are not as before.

    In the file the cluster is left out (``same_cluster``) where it is the one of the step before.
    """

    given: Given
    same_cluster: bool
    granted: Mapping[str, int]
    actions: tuple[Action, ...]


class Journal:
    """A ring of the newest entries and, if given, a file that all are appended to. Listeners are told of each event, followers of each step."""

    def __init__(self, file: Path | None = None) -> None:
        self.steps: deque[Step] = deque(maxlen=KEPT)
        self.events: deque[Event] = deque(maxlen=KEPT)
        self._file = file
        self._out: BinaryIO | None = None
        self._listeners: list[Callable[[Event], None]] = []
        self._followers: list[Callable[[Step, Decision], None]] = []
        self._cluster: Cluster | None = None
        self._granted: dict[str, int] = {}
        self._grants: Mapping[str, Grant] = {}

    def __enter__(self) -> Self:
        if self._file is not None:
            try:
                self._out = self._file.open("ab", buffering=0)
            except OSError as error:
                raise BeaufortError(f"{self._file}: the journal can't be written: {error.strerror}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._out is not None:
            self._out.close()

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have ``listener`` called with every event from now on, at once: it must return quickly."""
        self._listeners.append(listener)

    def follow(self, follower: Callable[[Step, Decision], None]) -> None:
        """Have ``follower`` called after every step from now on, at once: it must return quickly."""
        self._followers.append(follower)

    def configured(
        self, now: float | None, document: Mapping[str, Any], holds: Collection[str] = (), *, chooses: bool = False
    ) -> None:
        """A configuration is in force from now on; without a time it is the first one. ``holds``, ``chooses``: see
        `scaler.Scope`.
        """
        self._granted, self._grants, self._cluster = {}, {}, None
        self._write({"configured": now, "document": deciding(document), "holds": sorted(holds), "chooses": chooses})

    def stepped(self, given: Given, decision: Decision) -> None:
        """A step was made."""
        worded = {} if decision.grants is self._grants else decision.grants
        granted = {name: grant.count for name, grant in worded.items() if self._granted.get(name) != grant.count}
        self._grants = decision.grants
        same = given.cluster is not None and given.cluster is self._cluster
        self._granted.update(granted)
        self._cluster = given.cluster
        step = Step(given, same, granted, decision.actions)
        self.steps.append(step)
        if self._out is not None:
            self._write({"step": replace(step, given=replace(given, cluster=None)) if same else step})
        for follower in self._followers:
            follower(step, decision)

    def say(self, event: Event) -> None:
        """Something happened."""
        self.events.append(event)
        self._write({"event": event})
        for listener in self._listeners:
            listener(event)

    def _write(self, entry: Mapping[str, Any]) -> None:
        if self._out is None:
            return
        try:
            self._out.write(encode(entry) + b"\n")
        except OSError as error:
            # A full disk must not stop the scaling. What is in memory is kept; the file ends here.
            with contextlib.suppress(OSError):
                self._out.close()
            self._out = None
            at = self.events[-1].at if self.events else 0.0
            self.say(Event(at, "journal-lost", f"{self._file}: {error.strerror}; the journal goes on in memory only"))


def deciding(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a configuration that decides, which is all that a replay needs."""
    kept = {key: document[key] for key in ("capacity", "groups", "bands") if key in document}
    services = document.get("services", {})
    kept["services"] = {
        name: {key: value for key, value in service.items() if key in DECIDING_KEYS}
        for name, service in services.items()
    }
    return kept


def encode(value: object) -> bytes:
    """JSON of our own value types."""
    return msgspec.json.encode(value, enc_hook=_plain)


def _plain(value: object) -> object:
    if isinstance(value, MappingProxyType):
        return dict(value)
    if isinstance(value, Resources):
        return dict(value.items())
    raise NotImplementedError(type(value).__name__)
