"""The dry run: what would be done now, and why, for a state that is given or observed once. Nothing is touched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from beaufort import clock
from beaufort.config import Config, load
from beaufort.demand.push import Push
from beaufort.model import Action, Cluster, Decision, Sample, Service
from beaufort.protocols import BeaufortError, ContainerScheduler, DemandSource, Unreachable
from beaufort.scaler import Scaler
from beaufort.state import State, read_state

__all__ = ["observe", "plan"]

PATIENCE = 5.0
"""Seconds to wait for a first snapshot and for first samples."""


def plan(config: Mapping[str, Any] | str | Path | Config, state: Mapping[str, Any]) -> dict[str, Any]:
    """What would be done in this state, by the same step that ``run`` uses.

    ``state``: ``{"now": 0, "services": {NAME: {"running": 3, "starting": 0, "stopping": 0, "demand": 120}}}``, where a
    ``demand`` of None is no data, and ``capacity`` (or ``nodes``) may stand in for the configuration's. It is taken to
    have stood for long: no stabilisation window or idle time is running, and where there is no data the fallback holds.

    Returns ``{"desired": {NAME: {"count", "reason"}}, "grants": {NAME: {"count", "reason"}},
    "actions": [{"service", "from", "to", "reason"}], "shortfall": {NAME: count}}``; an action that leaves containers ready
    has ``"standby": {"created", "paused", "frozen"}`` too, and one that makes room on nodes ``"off": {NODE: count}``.
    Raises ConfigError with every fault of either.
    """
    settled = config if isinstance(config, Config) else load(config)
    return as_mapping(decide(settled, read_state(state, settled)))


def decide(config: Config, state: State) -> Decision:
    """One step from rest."""
    scope = replace(config.scope, capacity=()) if state.nodes else config.scope
    samples = {name: [Sample(state.now, demand)] for name, demand in state.demand.items()}
    cluster = Cluster(state.now, state.counts, state.nodes, state.reach)
    return Scaler(scope, at_rest=True).step(state.now, cluster, samples)


async def observe(config: Config) -> State:
    """The state as it is now: one snapshot of the scheduler, and one sample of each source that answers in time.

    Raises SchedulerError if the scheduler can't be read, and ConfigError if a source can't be made.
    """
    async with config.make_scheduler() as scheduler:
        sources = {name: maker.make() for name, maker in config.sources.items()}
        try:
            async with asyncio.TaskGroup() as tasks:
                readings = {name: tasks.create_task(_sample(source)) for name, source in sources.items()}
                cluster = await _snapshot(scheduler, config.scope.services)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors  # the snapshot's alone: sources that fail have no sample
    samples = {name: reading.result() for name, reading in readings.items()}
    demand = {name: sample.value for name, sample in samples.items() if sample is not None}
    if config.scope.capacity:
        return State(clock.now(), cluster.counts, demand, config.scope.capacity)
    return State(clock.now(), cluster.counts, demand, cluster.nodes, cluster.reach)


async def _snapshot(scheduler: ContainerScheduler, services: Sequence[Service]) -> Cluster:
    """Raises SchedulerError."""
    try:
        async with asyncio.timeout(PATIENCE), aclosing(scheduler.watch(services)) as snapshots:
            return await anext(snapshots)
    except TimeoutError:
        raise Unreachable(f"the scheduler said nothing for {PATIENCE:g} s") from None


async def _sample(source: DemandSource) -> Sample | None:
    """The first sample, or None where there is none in time: which is no data."""
    if isinstance(source, Push):
        return None  # Nobody pushes here.
    try:
        async with asyncio.timeout(PATIENCE), aclosing(source.samples()) as samples:
            return await anext(samples)
    except (BeaufortError, TimeoutError, StopAsyncIteration):
        return None


def as_mapping(decision: Decision) -> dict[str, Any]:
    """The decision as plain data."""
    return {
        "desired": {name: {"count": each.count, "reason": each.reason} for name, each in decision.desired.items()},
        "grants": {name: {"count": each.count, "reason": each.reason} for name, each in decision.grants.items()},
        "actions": [_action(each) for each in decision.actions],
        "shortfall": dict(decision.shortfall),
    }


def _action(action: Action) -> dict[str, Any]:
    told = {"service": action.service, "from": action.current, "to": action.target, "reason": action.reason}
    told |= {"off": dict(action.off)} if action.off else {}
    return told | {"standby": asdict(action.standby)} if action.standby.total else told
