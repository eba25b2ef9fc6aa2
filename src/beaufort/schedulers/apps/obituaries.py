"""Which tasks have ended unasked, and why: each is told once, whichever of Marathon's words of it came.

An event tells of one task, if it comes. An app tells only of the last that failed. A list no longer has what has ended.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from beaufort.schedulers.apps.answers import App, Event
from beaufort.schedulers.apps.standing import FAILED

__all__ = ["Obituaries"]

REMEMBERED = 2000
"""Of how many tasks it is remembered that they have ended, so that none is told twice."""

UNHEALTHY = {"unhealthy_instance_kill_event", "unhealthy_task_kill_event"}


class Obituaries:
    """What had ended before the first list is nobody's failure."""

    def __init__(self) -> None:
        self._told: dict[str, None] = {}
        self._ends: dict[str, dict[str, str]] = {}
        self._begun = False

    def hear(self, event: Event) -> None:
        app = event.app_id or event.run_spec_id
        if not app or not event.task_id:
            return
        if event.event_type in UNHEALTHY:
            words = f"killed as it was not healthy: {event.reason}" if event.reason else "killed as it was not healthy"
            self._ends.setdefault(app, {})[event.task_id] = words
        elif event.task_status in FAILED:
            self._ends.setdefault(app, {}).setdefault(event.task_id, _words(event.task_status, event.message))

    def read(self, apps: Iterable[App], alive: Collection[str], dying: Collection[str]) -> list[tuple[str, str]]:
        """App and cause, of each task that has ended unasked since the last list. ``alive``: those that have not ended."""
        found = []
        for app in apps:
            ends, last = self._ends.pop(app.id, {}), app.last_task_failure
            if last is not None and last.state in FAILED:
                ends.setdefault(last.task_id, _words(last.state, last.message))
            for id_, words in ends.items():
                if id_ in alive:
                    self._ends.setdefault(app.id, {})[id_] = words  # the list is older than the word of its end
                elif id_ not in self._told:
                    self._tell(id_)
                    if self._begun and id_ not in dying:
                        found.append((app.id, words))
        self._begun = True
        return found

    def _tell(self, id_: str) -> None:
        self._told[id_] = None
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]


def _words(state: str, message: str) -> str:
    plain = state.removeprefix("TASK_").lower().replace("_", " ")
    return f"{plain}: {message}" if message else plain
