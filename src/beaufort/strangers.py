"""Strangers: containers of ours whose service is not in the configuration. They are turned out.

How large they are is not known, so that nothing may start until they have gone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from beaufort.model import Action, Counts, Outcome

__all__ = ["Strangers"]


class Strangers:
    """Those that there are, and which of them have been asked to go. ``held``: name -> how many hold room."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self._current: dict[str, int] = {}
        self._asked: set[str] = set()
        self._answered: set[str] = set()

    def see(self, counts: Mapping[str, Counts], known: Collection[str]) -> bool:
        """A new snapshot. True if it shows other strangers than before. A request that was answered may be repeated."""
        strangers = {
            name: counts[name] for name in counts if name not in known and counts[name].present + counts[name].stopping
        }
        holding = {name: each.held + each.standby.kept for name, each in strangers.items()}
        before, self.held = self.held, {name: held for name, held in holding.items() if held}
        self._current = {name: each.current for name, each in strangers.items() if each.present}
        answered, self._answered = self._answered, set()
        self._asked = (self._asked - answered) & strangers.keys()
        return before != self.held or bool(answered)

    def conclude(self, outcome: Outcome) -> None:
        if outcome.service in self._asked:
            self._answered.add(outcome.service)

    def turn_out(self) -> list[Action]:
        """What is to be asked of the scheduler now."""
        leaving = {name: count for name, count in self._current.items() if name not in self._asked}
        self._asked |= leaving.keys()
        return [Action(name, count, 0, "is not in the configuration") for name, count in leaving.items()]
