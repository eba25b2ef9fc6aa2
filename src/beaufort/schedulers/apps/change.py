"""What is to be asked of Marathon so that a service has so many containers. A function of what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from beaufort.model import Service
from beaufort.protocols import Rejected
from beaufort.schedulers.apps.answers import App
from beaufort.schedulers.apps.launch import LAUNCH, app, check, said
from beaufort.schedulers.apps.ledger import is_made
from beaufort.schedulers.apps.standing import Standing

__all__ = ["Kill", "Put", "change"]


@dataclass(frozen=True, slots=True)
class Kill:
    """These tasks of an app are to end, and as many fewer are wanted."""

    app: str
    tasks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Put:
    """An app is to be like this. ``grows``: it is to have more tasks. ``renews``: its tasks are to be made anew."""

    body: Mapping[str, Any]
    grows: bool
    renews: bool = False

    @property
    def app(self) -> str:
        return str(self.body["id"])


def change(  # noqa: PLR0913 - all that it depends on
    service: Service, deployment: str, apps: Sequence[App], standing: Standing, count: int, *, withdraws: bool
) -> Kill | Put | None:
    """None where it is so already. ``withdraws``: whether Marathon, asked for fewer, takes back first what has not been
    launched. Raises Rejected for what can't be.
    """
    name = service.name
    if len(apps) > 1:
        raise Rejected(f"{name}: expected one app, got {' and '.join(each.id for each in apps)}")
    if not apps:
        return _made(service, deployment, count)
    found = apps[0]
    if count and is_made(found) and (anew := _renewed(service, deployment, found, count)) is not None:
        return anew
    leaving = standing.serving[: max(0, standing.wanted - count)]
    if leaving and len(leaving) == standing.wanted - count and not (withdraws and standing.waiting):
        return Kill(found.id, tuple(each.id for each in leaving))
    if count != standing.wanted:
        return Put({"id": found.id, "instances": count}, grows=count > standing.wanted)
    return None


def _made(service: Service, deployment: str, count: int) -> Put | None:
    if count == 0:
        return None
    launch = said(service)
    if launch.is_found:
        sought = launch.app if launch.app is not None else f"with the label {launch.label}"
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
