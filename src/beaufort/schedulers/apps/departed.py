"""The tasks of apps that others have removed: Marathon tells of them no more, though they are still given their grace, and
hold their room as long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from beaufort.schedulers.apps.answers import App
from beaufort.schedulers.apps.standing import NOTHING, Standing, is_alive, places

__all__ = ["Departed"]

SLOW = 2.0
"""Seconds that Marathon and an agent may take beyond a task's grace."""


@dataclass(frozen=True, slots=True)
class _Left:
    service: str
    on: Counter[str]
    until: float


class Departed:
    """By the ids of their apps: one that is there again has only been made when they were gone."""

    def __init__(self) -> None:
        self._left: dict[str, _Left] = {}

    def see(self, before: Mapping[str, Iterable[App]], after: Iterable[App], now: float, *, by_agent: bool) -> None:
        """``before``: the apps of the last list, by service."""
        there = {app.id for app in after}
        for service, apps in before.items():
            for app in apps:
                if app.id not in there and any(map(is_alive, app.tasks)):
                    until = now + app.task_kill_grace_period_seconds + SLOW
                    self._left.setdefault(app.id, _Left(service, places(app, by_agent=by_agent), until))
        self._left = {id_: each for id_, each in self._left.items() if id_ not in there and now < each.until}

    def added(self, standings: Mapping[str, Standing]) -> dict[str, Standing]:
        found = dict(standings)
        for each in self._left.values():
            known = found.get(each.service, NOTHING)
            on = each.on + Counter(known.on)
            found[each.service] = replace(known, stopping=known.stopping + each.on.total(), on=dict(on))
        return found
