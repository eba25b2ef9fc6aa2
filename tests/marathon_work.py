"""How one action of a deployment is carried out: begun once, looked at after each change, until it is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Protocol

from marathon_definition import Definition
from marathon_instances import Instance
from marathon_plan import Action

__all__ = ["Ground", "Work", "work"]


class Ground(Protocol):
    """What an action may do to instances."""

    def of(self, app: str) -> list[Instance]: ...

    def surplus(self, app: Definition, target: int, named: frozenset[str]) -> list[Instance]: ...

    def schedule(self, app: Definition, count: int) -> None: ...

    def end(self, instances: Iterable[Instance]) -> None: ...


class Work(Protocol):
    def begin(self) -> None: ...

    def done(self) -> bool:
        """Does what can be done now. True once there is nothing more to do."""


class Start:
    """With no instance; the scaling is a step of its own."""

    def begin(self) -> None:
        return

    def done(self) -> bool:
        return True


class Stop:
    def __init__(self, action: Action, ground: Ground) -> None:
        self._app = action.app
        self._ground = ground

    def begin(self) -> None:
        self._ground.end(self._ground.of(self._app.id))

    def done(self) -> bool:
        return not self._ground.of(self._app.id)


class Scale:
    """First those that are too many end, and are gone; then as many as are missing come up, and are healthy."""

    def __init__(self, action: Action, ground: Ground) -> None:
        self._app = action.app
        self._named = action.named
        self._ground = ground
        self._ending: set[str] = set()
        self._before: set[str] = set()
        self._missing: int | None = None

    def begin(self) -> None:
        going = self._ground.surplus(self._app, self._app.instances, self._named)
        self._ending = {each.id for each in going}
        self._ground.end(going)

    def done(self) -> bool:
        there = self._ground.of(self._app.id)
        if self._ending & {each.id for each in there}:
            return False
        counted = [each for each in there if each.counted]
        if self._missing is None:
            self._missing = max(0, self._app.instances - len(counted))
            self._before = {each.id for each in counted}
        self._ground.schedule(self._app, self._app.instances - len(counted))
        return self._come(counted) >= self._missing

    def _come(self, counted: list[Instance]) -> int:
        """An instance of before that died meanwhile is replaced, and counts no more."""
        return sum(each.ready and each.id not in self._before for each in counted)


class Restart:
    """New ones come up beside the old ones, as far as the upgrade strategy has room; each that is up ends an old one."""

    def __init__(self, action: Action, ground: Ground) -> None:
        self._app = action.app
        self._ground = ground
        strategy = action.app.spec["upgradeStrategy"]
        target = action.app.instances
        self._least = math.ceil(target * strategy["minimumHealthCapacity"])
        self._most = math.floor(target * (1 + strategy["maximumOverCapacity"]))
        if self._least == self._most == target:
            self._most += 1

    def begin(self) -> None:
        if not self._app.instances:
            return
        old, _ = self._split()
        self._ground.end(each for each in old if not each.launched)
        running = [each for each in old if each.counted]
        self._ground.end(running[: max(0, len(running) - self._least)])

    def done(self) -> bool:
        """An app of no instances is restarted already; those that are too many end when somebody looks at it again."""
        if not self._app.instances:
            return True
        old, new = self._split()
        counted = [each for each in new if each.counted]
        ready = sum(each.ready for each in counted)
        living = [each for each in old if each.counted]
        self._ground.end(living[: max(0, len(living) + ready - self._least)])
        old, _ = self._split()
        room = self._most - len(old) - len(counted)
        self._ground.schedule(self._app, min(room, self._app.instances - len(counted)))
        return not old and ready >= self._app.instances

    def _split(self) -> tuple[list[Instance], list[Instance]]:
        there = self._ground.of(self._app.id)
        old = [each for each in there if each.app.configured != self._app.configured]
        return old, [each for each in there if each.app.configured == self._app.configured]


def work(action: Action, ground: Ground) -> Work:
    kinds: dict[str, Callable[[Action, Ground], Work]] = {
        "StartApplication": lambda *_: Start(),
        "StopApplication": Stop,
        "ScaleApplication": Scale,
        "RestartApplication": Restart,
    }
    return kinds[action.kind](action, ground)
