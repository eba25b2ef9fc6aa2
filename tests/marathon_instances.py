"""Instances of apps, from the wish for one to its end, and how the API tells of them."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from marathon_clock import iso
from marathon_definition import Definition, Json
from marathon_offers import Offer, Placed

__all__ = ["ENDED", "Health", "Instance", "Instances", "app_of"]

ENDED = frozenset({"Killed", "Failed", "Finished", "Error", "Dropped", "Gone", "Unknown"})
STAGED = frozenset({"Provisioned", "Staging"})
TOLD = {
    "Provisioned": "TASK_STAGING",
    "Staging": "TASK_STAGING",
    "Starting": "TASK_STARTING",
    "Running": "TASK_RUNNING",
    "Killing": "TASK_KILLING",
    "Unreachable": "TASK_UNREACHABLE",
    "UnreachableInactive": "TASK_UNREACHABLE",
}


@dataclass(slots=True)
class Health:
    """Times in seconds since the epoch. ``alive`` None: no check has told yet."""

    alive: bool | None = None
    failures: int = 0
    first_success: float | None = None
    last_success: float | None = None
    last_failure: float | None = None

    def told(self, alive: bool, at: float) -> None:
        self.alive = alive
        self.failures = 0 if alive else self.failures + 1
        if alive:
            self.first_success = self.first_success or at
            self.last_success = at
        else:
            self.last_failure = at

    def shown(self, instance: str) -> Json:
        times = {
            "firstSuccess": self.first_success,
            "lastSuccess": self.last_success,
            "lastFailure": self.last_failure,
        }
        told = {name: iso(at) for name, at in times.items() if at is not None}
        return {"alive": bool(self.alive), "consecutiveFailures": self.failures, "instanceId": instance, **told}


@dataclass(slots=True)
class Instance:
    """``goal`` is Running, or Decommissioned once it is to end. ``condition``: Scheduled while no offer was found.

    A task of it that ends while the goal is Running is followed by another one, the next ``incarnation``.
    """

    id: str
    app: Definition
    since: float
    condition: str = "Scheduled"
    goal: str = "Running"
    incarnation: int = 1
    place: Placed | None = None
    agent_id: str = ""
    ports: list[int] = field(default_factory=list)
    staged: float | None = None
    started: float | None = None
    health: Health = field(default_factory=Health)
    killed: bool = False

    @property
    def task_id(self) -> str:
        return f"{self.id}._app.{self.incarnation}"

    @property
    def launched(self) -> bool:
        return self.condition != "Scheduled" and self.condition not in ENDED

    @property
    def counted(self) -> bool:
        """It is one of those that the app is to have."""
        return self.goal == "Running" and self.condition not in ENDED and self.condition != "UnreachableInactive"

    @property
    def ready(self) -> bool:
        return self.counted and self.condition == "Running" and (not self.app.checked or self.health.alive is True)

    @property
    def host(self) -> str:
        return "" if self.place is None else self.place.host

    def placed(self, offer: Offer, at: float) -> None:
        self.place = Placed(offer.host, offer.attributes, offer.region, offer.zone)
        self.agent_id = offer.agent_id
        self.ports = offer.take(self.app.spec, len(self.app.ports))
        self.condition, self.since, self.staged = "Provisioned", at, at

    def again(self, app: Definition, at: float) -> None:
        """It waits for an offer once more."""
        self.app, self.since, self.condition = app, at, "Scheduled"
        self.incarnation += 1
        self.place, self.agent_id, self.ports = None, "", []
        self.staged = self.started = None
        self.health, self.killed = Health(), False

    def shown(self) -> Json:
        """As a task."""
        assert self.place is not None
        times = {"stagedAt": self.staged, "startedAt": self.started}
        where = {"region": self.place.region, "zone": self.place.zone}
        return {
            "appId": self.app.id,
            "healthCheckResults": [self.health.shown(self.id)] if self.health.alive is not None else [],
            "host": self.place.host,
            "id": self.task_id,
            "ipAddresses": [{"ipAddress": "127.0.0.1", "protocol": "IPv4"}] if self.started is not None else [],
            "ports": self.ports,
            "servicePorts": [each.get("servicePort", each.get("port", 0)) for each in self.app.ports],
            "slaveId": self.agent_id,
            "state": TOLD[self.condition],
            "version": iso(self.app.version),
            "localVolumes": [],
            **{name: iso(at) for name, at in times.items() if at is not None},
            **{name: value for name, value in where.items() if value is not None},
        }


class Instances:
    """All that there are, of all apps. One is gone once it has ended."""

    def __init__(self, seed: int) -> None:
        self._all: dict[str, Instance] = {}
        self._apps: defaultdict[str, dict[str, Instance]] = defaultdict(dict)
        self._chance = random.Random(seed)

    def __iter__(self) -> Iterator[Instance]:
        return iter(list(self._all.values()))

    def of(self, app: str) -> list[Instance]:
        return list(self._apps[app].values())

    def task(self, task_id: str) -> Instance | None:
        """By the id of its task as of now, or by its own."""
        instance = self._all.get(task_id.partition("._app.")[0])
        return instance if instance is not None and task_id in {instance.task_id, instance.id} else None

    def add(self, app: Definition, at: float) -> Instance:
        """One more that waits for an offer."""
        name = app.id.removeprefix("/").replace("/", "_")
        made = uuid.UUID(int=self._chance.getrandbits(128), version=1)
        instance = Instance(f"{name}.instance-{made}", app, at)
        self._all[instance.id] = self._apps[app.id][instance.id] = instance
        return instance

    def remove(self, instance: Instance) -> None:
        self._all.pop(instance.id, None)
        self._apps[instance.app.id].pop(instance.id, None)

    def counts(self, app: str) -> Mapping[str, int]:
        """Those that were told to end run until they are gone, if nothing else is told of them. What is neither staged nor
        running, as what starts, is not counted.
        """
        launched = [each for each in self.of(app) if each.launched]
        return {
            "tasksStaged": sum(each.condition in STAGED for each in launched),
            "tasksRunning": sum(each.condition == "Running" for each in launched),
            "tasksHealthy": sum(each.health.alive is True for each in launched),
            "tasksUnhealthy": sum(each.health.alive is False for each in launched),
        }

    def surplus(self, app: Definition, target: int, named: Collection[str]) -> list[Instance]:
        """Those that go, so that ``target`` are left: first the ``named`` ones (their ids), and these in any case."""
        there = [each for each in self.of(app.id) if each.counted]
        sentenced = [each for each in there if each.id in named]
        rest = _ordered((each for each in there if each.id not in named), app)
        return [*sentenced, *rest][: max(len(there) - target, len(sentenced))]


def _ordered(instances: Iterable[Instance], app: Definition) -> list[Instance]:
    """What is not there yet goes before what runs; of what runs, the youngest or the oldest. What waits for an offer, last."""
    sign = 1.0 if app.spec["killSelection"] == "OLDEST_FIRST" else -1.0
    weights = {"Unreachable": 1, "Staging": 2, "Starting": 3, "Running": 4}
    youngest: list[tuple[int, float, int, Instance]] = [
        (weights.get(each.condition, 5), sign * (each.started or each.since), at, each)
        for at, each in enumerate(instances)
    ]
    return [each for *_, each in sorted(youngest, key=lambda one: one[:3])]


def app_of(task_id: str) -> str | None:
    """Of a task's or an instance's id; None where it can't be one."""
    name, separator, _ = task_id.partition(".instance-")
    if not separator:
        name, separator, _ = task_id.rpartition(".")
    return f"/{name.replace('_', '/')}" if separator and name else None
