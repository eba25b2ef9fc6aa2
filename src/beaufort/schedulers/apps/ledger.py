"""What is known of a Marathon: the apps that are ours, how they stand, what was asked of them, and the nodes.

It is told what Marathon says and what we ask for, and asks nothing itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from beaufort.constraints import Constraint, understood
from beaufort.model import Counts, Node, Service
from beaufort.schedulers.apps.answers import App, Event, Queued
from beaufort.schedulers.apps.departed import Departed
from beaufort.schedulers.apps.launch import LAUNCH, said
from beaufort.schedulers.apps.obituaries import Obituaries
from beaufort.schedulers.apps.standing import NOTHING, Standing, is_alive, standing
from beaufort.schedulers.apps.words import delayed
from beaufort.schedulers.engine.held import DEPLOYMENT, SERVICE
from beaufort.victims import since

__all__ = ["Ledger"]


@dataclass(frozen=True, slots=True)
class _Asked:
    """So many are wanted, and no list has shown it. ``stamp``: when Marathon accepted it, by the ledger's count; None before.
    ``left``: how many it has been asked for, if these are more for now.
    """

    count: int
    stamp: int | None
    left: int


class Ledger:
    """Apps are ours by their labels, or because the configuration names them: ``adopted``, by their ids, and ``labelled``, by
    a label; both lead to the name of ours. ``lacking``: why what waits of a service can't be launched, if so. ``by_agent``: whether nodes are called by the
    ids of their agents, or by hosts.

    ``touched`` is set at the next change, and then replaced by another; ``looked`` after each list.
    """

    def __init__(self, deployment: str, *, by_agent: bool) -> None:
        self.touched, self.looked = asyncio.Event(), asyncio.Event()
        self.failed: Counter[str] = Counter()
        self.failure: dict[str, str] = {}
        self.adopted: dict[str, str] = {}
        self.labelled: dict[tuple[str, str], str] = {}
        self.lacking: Mapping[str, str] = {}
        self.nodes: tuple[Node, ...] = ()
        self.deployment = deployment
        self._by_agent = by_agent
        self._apps: dict[str, list[App]] = {}
        self._standing: dict[str, Standing] = {}
        self._queue: dict[str, Queued] = {}
        self._asked: dict[str, _Asked] = {}
        self._dying: dict[str, int] = {}
        self._obituaries = Obituaries()
        self._departed = Departed()
        self._stamp = 0

    def touch(self) -> None:
        """Tells whoever watches that something has changed, or only that it has been looked at."""
        touched, self.touched = self.touched, asyncio.Event()
        touched.set()

    def _look(self) -> None:
        looked, self.looked = self.looked, asyncio.Event()
        looked.set()

    # What is known.

    def apps(self, name: str) -> Sequence[App]:
        """The apps of one of our services; more than one is somebody's mistake."""
        return self._apps.get(name, ())

    def standing(self, name: str) -> Standing:
        return self._standing.get(name, NOTHING)

    def queued(self, name: str) -> Queued:
        """What waits in Marathon's launch queue, as far as it has been asked."""
        return self._queue.get(name, Queued())

    def locks(self, name: str) -> set[str]:
        """The deployments that lock it."""
        return {each.id for app in self.apps(name) for each in app.deployments}

    def is_awaited(self, name: str) -> bool:
        """Whether what was asked for has not been seen yet."""
        return name in self._asked and self._asked[name].stamp is not None

    @property
    def waits(self) -> bool:
        """Whether there is to be more of anything than there is."""
        return any(each.waiting for each in self._standing.values())

    def waiting(self) -> list[str]:
        return [name for name, each in self._standing.items() if each.waiting]

    def strays(self, watched: Collection[str]) -> list[App]:
        """Those that we have made, that are of none of these services, and of which there is nothing."""
        found = [app for name, apps in self._apps.items() if name not in watched for app in apps]
        return [app for app in found if is_made(app) and not app.instances and not any(map(is_alive, app.tasks))]

    def is_ours(self, app: str) -> bool:
        return any(each.id == app for apps in self._apps.values() for each in apps)

    def have_made(self, ids: Iterable[str]) -> bool:
        """Whether all of these apps are of our making."""
        made = {app.id for apps in self._apps.values() for app in apps if is_made(app)}
        return made.issuperset(ids)

    def counts(self, services: Iterable[str], before: Mapping[str, int]) -> dict[str, Counts]:
        """By service, of these and of all that is held. ``before``: the failures that are not to be counted."""
        names = dict.fromkeys([*services, *self._standing, *self._asked, *self.failed])
        return {name: self._count(name, before.get(name, 0)) for name in names}

    def _count(self, name: str, before: int) -> Counts:
        each, asked = self.standing(name), self._asked.get(name)
        there, failed = len(each.serving), self.failed[name] - before
        wanted = there if name in self.lacking else each.wanted
        current = wanted if asked is None else asked.count
        running = min(each.running, current)
        # What was accepted and is not seen yet goes on to hold what it holds: a task that was named may have been replaced.
        going = there
        if asked is not None:
            going = max(there, wanted if asked.stamp is None else max(asked.left, wanted - each.stopping))
        staying = each.serving[max(0, there - current) :]
        return Counts(
            running=running,
            starting=current - running,
            stopping=each.stopping + max(0, going - current),
            failed=failed,
            failure=self._why(name) if failed else "",
            on=each.on,
            since=since(staying),
        )

    def constraints(self) -> dict[str, tuple[Constraint, ...]]:
        """By service, of the apps that others have made: what of them can be understood here."""
        theirs = [(name, app) for name, apps in self._apps.items() for app in apps if not is_made(app)]
        return {name: understood(app.constraints) for name, app in theirs}

    def on(self) -> dict[str, Mapping[str, int]]:
        """Service -> node -> how many are there."""
        return {name: each.on for name, each in self._standing.items()}

    def _why(self, name: str) -> str:
        """The last failure, and that Marathon waits because of it."""
        cause = self.failure.get(name, "")
        return delayed(self.queued(name), cause) or cause

    # What we do.

    def adopt(self, service: Service) -> bool:
        """Has the app that a service names be ours. True if it was not."""
        launch, before = said(service), (len(self.adopted), len(self.labelled))
        if launch.app is not None:
            self.adopted[launch.app] = service.name
        elif launch.label is not None:
            key, _, value = launch.label.partition("=")
            self.labelled[key, value] = service.name
        return before != (len(self.adopted), len(self.labelled))

    def adopt_only(self, services: Iterable[Service]) -> None:
        self.adopted, self.labelled = {}, {}
        for service in services:
            self.adopt(service)

    def want(self, name: str, count: int) -> None:
        """It has been decided on, and is sent as soon as it can be."""
        self._asked[name] = _Asked(count, None, count)
        self.touch()

    def ask(self, name: str, count: int, killed: Iterable[str] = (), left: int = 0) -> None:
        """Marathon has accepted it. ``killed``: the tasks that it was told to end. ``left``: how many are wanted for now."""
        self._stamp += 1
        self._asked[name] = _Asked(count, self._stamp, left)
        self._dying |= dict.fromkeys(killed, self._stamp)
        self._stand(name)
        self.touch()

    def forget(self, name: str) -> None:
        """What was wanted of it can't be had."""
        if self._asked.pop(name, None) is not None:
            self.touch()

    def lack(self, lacking: Mapping[str, str]) -> None:
        """What can't be launched, and why."""
        if lacking.keys() != self.lacking.keys():
            self.touch()
        self.lacking = lacking

    def fail(self, name: str, words: str, count: int = 1) -> None:
        self.failed[name] += count
        self.failure[name] = words
        self.touch()

    # What Marathon says.

    def hear(self, event: Event) -> bool:
        """Whether something of ours may not be as it was."""
        app = event.app_id or event.run_spec_id
        if app and not self.is_ours(app) and app not in self.adopted:
            return False
        self._obituaries.hear(event)
        return True

    def mark(self) -> int:
        """To be taken before a list is asked for: what is asked of Marathon after it may not be in the list."""
        return self._stamp

    def owner(self, app: App) -> str | None:
        """Which service of ours it is of."""
        if app.labels.get(DEPLOYMENT) == self.deployment and SERVICE in app.labels:
            return app.labels[SERVICE]
        if app.id in self.adopted:
            return self.adopted[app.id]
        return next((self.labelled[label] for label in app.labels.items() if label in self.labelled), None)

    def taken(self, service: Service) -> str:
        """The service that has the app that this one names, or nothing."""
        launch = said(service)
        key, _, value = (launch.label or "").partition("=")
        for name, apps in self._apps.items():
            for app in apps:
                if name != service.name and (app.id == launch.app or (key and app.labels.get(key) == value)):
                    return name
        return ""

    def see(self, apps: Iterable[App], queue: Iterable[Queued], mark: int, now: float) -> None:
        """All apps that may be ours, and what waits of them."""
        before, self._apps = self._apps, {}
        for app in apps:
            if (name := self.owner(app)) is not None:
                self._apps.setdefault(name, []).append(app)
        waiting = {each.app.id: each for each in queue if each.app is not None}
        self._queue = {name: waiting[app.id] for name, apps in self._apps.items() for app in apps if app.id in waiting}
        alive = {task.id for apps in self._apps.values() for app in apps for task in app.tasks if is_alive(task)}
        self._bury(alive)
        self._dying = {id_: stamp for id_, stamp in self._dying.items() if id_ in alive or stamp > mark}
        self._asked = {name: asked for name, asked in self._asked.items() if asked.stamp is None or asked.stamp > mark}
        self._standing = {}
        for name in self._apps:
            self._stand(name)
        every = [app for apps in self._apps.values() for app in apps]
        self._departed.see(before, every, now, by_agent=self._by_agent)
        self._standing = self._departed.added(self._standing)
        self._look()
        self.touch()

    def _stand(self, name: str) -> None:
        for app in self.apps(name):
            self._standing[name] = standing(app, name, self._dying, by_agent=self._by_agent)

    def _bury(self, alive: set[str]) -> None:
        owners = {app.id: name for name, apps in self._apps.items() for app in apps}
        every = [app for apps in self._apps.values() for app in apps]
        for id_, words in self._obituaries.read(every, alive, self._dying):
            self.failed[owners[id_]] += 1
            self.failure[owners[id_]] = words

    def lose(self) -> None:
        """Marathon can't be read."""
        self._look()
        self.touch()


def is_made(app: App) -> bool:
    """Whether we have made it, and others have not."""
    return LAUNCH in app.labels
