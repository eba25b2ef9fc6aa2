"""What is to be asked of Marathon so that a service has so many containers. A function of what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from beaufort.model import Service
from beaufort.protocols import NoRoom, Rejected
from beaufort.schedulers.apps.answers import App
from beaufort.schedulers.apps.launch import LAUNCH, app, check, said
from beaufort.schedulers.apps.ledger import is_made
from beaufort.schedulers.apps.standing import Standing
from beaufort.victims import victims

__all__ = ["Kill", "Put", "View", "Wait", "change"]


@dataclass(frozen=True, slots=True)
class View:
    """What is known of an app. ``lacks``: why what waits to be launched can't be, if it can't: then it counts for nothing.
    ``queued``: how many really wait; others are only wanted, as the deployment that had them wait was stopped.
    ``is_stuck``: what waits has waited for so long that nobody knows when it is launched. ``off``: of these nodes so many
    are to go first. ``taken``: the service that has the app that this one names, if one has.
    """

    standing: Standing
    lacks: str = ""
    queued: int = 0
    is_stuck: bool = False
    off: Mapping[str, int] = field(default_factory=dict)
    taken: str = ""


@dataclass(frozen=True, slots=True)
class Kill:
    """These tasks of an app are to end, and as many fewer are wanted: so many are ``left``."""

    app: str
    tasks: tuple[str, ...]
    left: int


@dataclass(frozen=True, slots=True)
class Put:
    """An app is to be like this. ``grows``: it is to have more tasks. ``renews``: its tasks are to be made anew."""

    body: Mapping[str, Any]
    grows: bool
    renews: bool = False

    @property
    def app(self) -> str:
        return str(self.body["id"])


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be asked for before more is known."""


def change(service: Service, deployment: str, apps: Sequence[App], view: View, count: int) -> Kill | Put | Wait | None:
    """None where it is so already. Raises Rejected for what can't be, NoRoom for what Marathon can't launch."""
    name = service.name
    if len(apps) > 1:
        raise Rejected(f"{name}: expected one app, got {' and '.join(each.id for each in apps)}")
    if not apps:
        return _made(service, deployment, view, count)
    found, there = apps[0], len(view.standing.serving)
    if count and is_made(found) and (anew := _renewed(service, deployment, found, count)) is not None:
        return anew
    if view.lacks and count >= there:
        if count > there:
            raise NoRoom(f"{name}: {view.lacks}")
        return None if view.queued else Put({"id": found.id, "instances": count}, grows=False)
    if count < view.standing.wanted:
        return _fewer(found.id, view, count)
    return Put({"id": found.id, "instances": count}, grows=True) if count > view.standing.wanted else None


def _fewer(app: str, view: View, count: int) -> Kill | Put | Wait:
    """Those that go are named. What waits to be launched has no name, and Marathon would end others in its place: so it is
    launched first, and then it is the first to go. What can't be launched would be as soon as a name makes room for it:
    there Marathon has to choose, and so it does where all go, where nothing waits in its queue, or what does is stuck.
    """
    serving, wanted = view.standing.serving, view.standing.wanted
    if view.standing.waiting and (view.lacks or view.is_stuck or not view.queued or not count):
        return Put({"id": app, "instances": count}, grows=False)
    starting = len(serving) - view.standing.running
    going = victims(serving, min(wanted - count, max(len(serving) - count, starting)), view.off)
    return Kill(app, tuple(each.id for each in going), wanted - len(going)) if going else Wait()


def _made(service: Service, deployment: str, view: View, count: int) -> Put | None:
    if count == 0:
        return None
    launch = said(service)
    if launch.is_found:
        sought = launch.app if launch.app is not None else f"with the label {launch.label}"
        if view.taken:
            raise Rejected(f"{service.name}: the app {sought} is that of {view.taken}")
        raise Rejected(f"{service.name}: there is no app {sought}")
    if faults := check(service):
        raise Rejected(f"{service.name}: {'; '.join(faults)}")
    return Put(app(service, deployment, count), grows=True)


def _renewed(service: Service, deployment: str, found: App, count: int) -> Put | None:
    """What an app of ours is to be from now on, if it was made of something else."""
    if said(service).is_found or check(service):
        return None
    body = app(service, deployment, count)
    if body["labels"][LAUNCH] == found.labels[LAUNCH]:
        return None
    return Put({**body, "id": found.id}, grows=count > found.instances, renews=True)
