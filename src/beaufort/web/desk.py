"""The desk: where requests for a change are checked, done, and written down with who asked and from where."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import msgspec

from beaufort import clock, dryrun
from beaufort.config import Config, launch_faults, load
from beaufort.controller import Controller
from beaufort.model import Direction
from beaufort.protocols import BeaufortError, ConfigError
from beaufort.state import State
from beaufort.web.access import Identity
from beaufort.web.answers import Plan
from beaufort.web.complaints import MOST
from beaufort.web.observer import Observer
from beaufort.web.overrides import Overrides
from beaufort.web.problems import Refused
from beaufort.web.requests import Limits, PauseRequest, Pushed, PushedSample
from beaufort.wording import counted

__all__ = ["Asker", "Desk"]

PUSHERS = 10_000
"""Who has pushed what from where is written down once each, and for so many at most."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and from which address."""

    identity: Identity
    address: str

    def __str__(self) -> str:
        token = f" (token {self.identity.token})" if self.identity.token else ""
        return f"{self.identity.name}{token} from {self.address}"


class Desk:
    """Changes one controller, for the event loop's own thread. A configuration is read in another thread: it may be long."""

    def __init__(self, controller: Controller, observer: Observer, overrides: Overrides) -> None:
        self._controller = controller
        self._observer = observer
        self._overrides = overrides
        self._pushers: set[tuple[str, str, str]] = set()

    def push(self, samples: Sequence[PushedSample], asker: Asker) -> Pushed:
        """Take all of them, or none: every fault is told."""
        faults = (fault for sample in samples for fault in self._faults(sample, asker.identity))
        if told := list(islice(faults, MOST)):
            raise ConfigError(list(dict.fromkeys(told)))
        taken = 0
        for sample in samples:
            taken += self._controller.push(
                sample.service, sample.value, sample.at, arrivals=sample.arrivals, rate=sample.rate
            )
        for service in {sample.service for sample in samples}:
            self._note_pusher(service, asker)
        return Pushed(taken=taken, known=len(samples) - taken)

    def _faults(self, sample: PushedSample, identity: Identity) -> list[str]:
        if identity.services is not None and sample.service not in identity.services:
            return [f"{sample.service}: {identity.name} may not push for it"]
        try:
            self._controller.pushed(sample.service)
            sample.check()
        except BeaufortError as error:
            return [str(error)]
        except ValueError as error:
            return [f"{sample.service}: {error}"]
        return []

    def _note_pusher(self, service: str, asker: Asker) -> None:
        who = asker.identity.name, asker.address, service
        if who not in self._pushers and len(self._pushers) < PUSHERS:
            self._pushers.add(who)
            self._audit(asker, "pushes demand from now on", service)

    def pause(self, service: str, request: PauseRequest, asker: Asker) -> None:
        if request.until is not None and request.until <= clock.now():
            raise ConfigError([f"until: expected a time to come, got {clock.told(request.until)}"])
        until = "" if request.until is None else f" until {clock.told(request.until)}"
        self._audit(asker, f"pause, {request.direction}{until}", service)
        self._controller.pause(service, Direction(request.direction), request.until)

    def resume(self, service: str, asker: Asker) -> None:
        self._audit(asker, "resume", service)
        self._controller.resume(service)

    def limit(self, service: str, limits: Limits, asker: Asker) -> None:
        """Change limits of a service until the configuration changes. Raises ConfigError with its place."""
        changes = {key: value for key, value in msgspec.structs.asdict(limits).items() if value is not msgspec.UNSET}
        self._overrides.change(service, changes)
        said = ", ".join(f"{key} {'without limit' if value is None else value}" for key, value in changes.items())
        self._audit(asker, f"limits changed: {said or 'none'}", service)

    def restore(self, service: str, asker: Asker) -> None:
        """Give a service the limits of the configuration back."""
        self._overrides.restore(service)
        self._audit(asker, "limits as in the configuration again", service)

    async def configure(self, document: Mapping[str, Any], asker: Asker) -> None:
        """Swap the configuration whole. Raises ConfigError with every fault."""
        before = self._config()
        config = await asyncio.to_thread(_accepted, document, before)
        if self._controller.setup is not before:
            raise Refused(409, "the configuration has been changed meanwhile: look again")
        self._controller.reconfigure(config)
        self._audit(asker, f"the configuration swapped for another, of {counted(len(config.services), 'service')}")

    async def plan(self, document: Mapping[str, Any]) -> Plan:
        """What a configuration would cause. Raises ConfigError with every fault."""
        newest = self._observer.chronicle.newest
        demand = {name: sample.value for name in self._controller.services if (sample := newest(name)) is not None}
        cluster = self._controller.cluster
        counts, nodes = ({}, ()) if cluster is None else (cluster.counts, cluster.nodes)
        state = State(clock.now(), counts, demand, nodes)
        return await asyncio.to_thread(_planned, document, self._config(), state)

    def _config(self) -> Config:
        setup = self._controller.setup
        if not isinstance(setup, Config):
            raise BeaufortError("the configuration can be swapped only for one that was loaded")
        return setup

    def _audit(self, asker: Asker, what: str, service: str | None = None) -> None:
        self._controller.report("audit", f"{asker}: {what}", service)


def _accepted(document: Mapping[str, Any], before: Config) -> Config:
    config = load(document, folder=before.top.document.folder)
    if not config.succeeds(before):
        raise ConfigError(["another scheduler or deployment needs a restart"])
    if faults := launch_faults(config):
        raise ConfigError(faults)
    return config


def _planned(document: Mapping[str, Any], before: Config, state: State) -> Plan:
    config = _accepted(document, before)
    here = replace(state, nodes=config.capacity or state.nodes)
    return Plan(**dryrun.as_mapping(dryrun.decide(config, here)))
