"""What the commands print for people: tables of a decision, lines of a replay."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.table import Table

from beaufort.model import NO_COUNTS, Action, Counts, Decision, Service
from beaufort.replay import Replayed

__all__ = ["replayed_lines", "show_plan"]


def show_plan(services: Sequence[Service], counts: Mapping[str, Counts], decision: Decision) -> None:
    """Print what is, what is wished, what is allowed and what is done, highest priority first; then why."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, justify in (("service", "left"), ("priority", "right"), ("running", "right"), ("desired", "right")):
        table.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    table.add_column("granted", justify="right", no_wrap=True)
    table.add_column("now", no_wrap=True)
    moves = {action.service: action for action in decision.actions}
    for service in sorted(services, key=lambda each: each.priority):
        desired, grant = decision.desired[service.name], decision.grants[service.name]
        present = counts.get(service.name, NO_COUNTS)
        table.add_row(
            service.name,
            str(service.priority),
            str(present.current) + (f" (+{present.stopping} stopping)" if present.stopping else ""),
            "rest" if desired.remainder else str(desired.count),
            str(grant.count),
            _move(moves.get(service.name)),
        )
    console = Console(highlight=False)
    console.print(table)
    for name, grant in decision.grants.items():
        console.print(f"[bold]{name}[/] {grant.reason}")
    for name, missing in decision.shortfall.items():
        console.print(f"{name}: {missing} more than the pool can hold")


def replayed_lines(step: Replayed, service: str | None, *, as_json: bool) -> Iterator[str]:
    """The actions of a step as they are decided now, and a mark where that is not what was decided then."""
    actions = [action for action in step.decision.actions if service in (None, action.service)]
    if as_json:
        if actions or not step.same:
            moves = [{"service": a.service, "from": a.current, "to": a.target, "reason": a.reason} for a in actions]
            yield json.dumps({"line": step.line, "at": step.given.now, "same": step.same, "actions": moves})
        return
    at = datetime.fromtimestamp(step.given.now, UTC).strftime("%H:%M:%S.%f")[:-3]
    for action in actions:
        yield f"{at} {action.service} {_move(action)}: {action.reason}"
    if not step.same:
        then = ", ".join(f"{action.service} {_move(action)}" for action in step.actions) or "nothing"
        yield f"{at} line {step.line}: decided otherwise then: {then}"


def _move(action: Action | None) -> str:
    if action is None:
        return ""
    ready = f" (+{action.standby.total} ready)" if action.standby.total else ""
    return f"{action.current} -> {action.target}{ready}"
