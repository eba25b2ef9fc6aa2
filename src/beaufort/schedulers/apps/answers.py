"""What a Marathon answers, as far as anything here looks at it. Unknown fields are ignored, as versions add some."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

__all__ = [
    "App",
    "Apps",
    "Deployment",
    "Deployments",
    "Event",
    "Failure",
    "Locked",
    "One",
    "Queue",
    "Queued",
    "Result",
    "Task",
]

EPOCH = datetime.fromtimestamp(0, UTC)


class Health(Struct):
    alive: bool = False


class Task(Struct, rename="camel"):
    """``state`` in Mesos's words; versions before 1.1 don't tell it."""

    id: str
    host: str = ""
    slave_id: str = ""
    state: str = ""
    staged_at: datetime | None = None
    started_at: datetime | None = None
    health_check_results: list[Health] | None = None

    @property
    def began(self) -> float:
        """Seconds since the epoch."""
        return (self.started_at or self.staged_at or EPOCH).timestamp()


class Named(Struct):
    id: str = ""


class Failure(Struct, rename="camel"):
    """Why the last one ended that did so unasked."""

    task_id: str = ""
    state: str = ""
    message: str = ""
    host: str = ""


class App(Struct, rename="camel"):
    """``instances``: how many there are to be. ``deployments``: those that change it now, and lock it until they are done.
    The grace is Mesos's own where the app says nothing of it.
    """

    id: str
    instances: int = 1
    task_kill_grace_period_seconds: float = 3.0
    labels: dict[str, str] = {}
    tasks: list[Task] = []
    deployments: list[Named] = []
    health_checks: list[Any] = []
    constraints: list[list[str]] = []
    last_task_failure: Failure | None = None


class Apps(Struct):
    apps: list[App]


class One(Struct):
    app: App


class Result(Struct, rename="camel"):
    """Of a change: the deployment by which it comes to be."""

    deployment_id: str


class Locked(Struct):
    """Of a change that was refused: the deployments that are in its way."""

    deployments: list[Named] = []


class Act(Struct):
    action: str = ""
    app: str = ""


class Step(Struct):
    actions: list[Act] = []


class Deployment(Struct, rename="camel"):
    id: str
    affected_apps: list[str] = []
    current_actions: list[Act] = []
    steps: list[Step] = []

    @property
    def words(self) -> str:
        now = ", ".join(f"{each.action} {each.app}" for each in self.current_actions)
        return f"{self.id} ({now})" if now else self.id

    @property
    def only_scales(self) -> bool:
        acts = [*self.current_actions, *(act for step in self.steps for act in step.actions)]
        return all(act.action in {"ScaleApplication", "StartApplication"} for act in acts)


Deployments = list[Deployment]


class Declined(Struct, frozen=True):
    """At this step of looking at offers, so many of those that came so far were found not to do, for this ``reason``."""

    reason: str
    declined: int = 0
    processed: int = 0


class Summary(Struct, frozen=True, rename="camel"):
    processed_offers_count: int = 0
    unused_offers_count: int = 0
    reject_summary_last_offers: list[Declined] = []


class Delay(Struct, frozen=True, rename="camel"):
    time_left_seconds: float = 0.0
    overdue: bool = True


class Queued(Struct, rename="camel"):
    """What waits to be launched of one app."""

    app: Named | None = None
    count: int = 0
    delay: Delay = Delay()
    processed_offers_summary: Summary = Summary()


class Queue(Struct):
    queue: list[Queued] = []


class Event(Struct, rename="camel"):
    """One of the stream, by whichever of these it has. ``run_spec_id`` is what newer kinds call the app."""

    event_type: str = ""
    app_id: str = ""
    run_spec_id: str = ""
    task_id: str = ""
    task_status: str = ""
    message: str = ""
    reason: str = ""
    host: str = ""
