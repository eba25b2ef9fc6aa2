"""Marathon itself, without its HTTP API: apps, deployments and their locks, and the instances, by offers of a Mesos."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from marathon_backend import Backend, Status
from marathon_bus import Bus
from marathon_clock import Clock, iso
from marathon_definition import Definition, Json
from marathon_deployments import Deployments
from marathon_instances import ENDED, Instance, Instances
from marathon_news import News
from marathon_offers import Offer
from marathon_plan import Apps, Plan, planned
from marathon_queue import LaunchQueue
from marathon_refusals import locked
from marathon_root import root
from marathon_settings import Settings

__all__ = ["Scheduler"]

CONDITIONS = {
    "TASK_STAGING": "Staging",
    "TASK_STARTING": "Starting",
    "TASK_RUNNING": "Running",
    "TASK_KILLING": "Killing",
    "TASK_KILLED": "Killed",
    "TASK_FAILED": "Failed",
    "TASK_FINISHED": "Finished",
    "TASK_ERROR": "Error",
    "TASK_DROPPED": "Dropped",
    "TASK_GONE": "Gone",
    "TASK_GONE_BY_OPERATOR": "Gone",
    "TASK_UNREACHABLE": "Unreachable",
    "TASK_LOST": "Unreachable",
    "TASK_UNKNOWN": "Unknown",
}
DELAYING = {"Dropped", "Error", "Failed", "Gone", "Finished"}
UNREACHABLE = {"Unreachable", "UnreachableInactive"}
FAILURES = {"Dropped", "Error", "Failed", "Gone", "Unreachable"}


class Scheduler:
    """``apps`` are as they are to be; ``history`` has their versions, ``groups`` all groups but the root."""

    def __init__(self, settings: Settings, backend: Backend) -> None:
        self.settings = settings
        self.clock = Clock()
        self.bus = Bus(self.clock, settings.seed, settings.shuffle)
        self.instances = Instances(settings.seed)
        self.queue = LaunchQueue(settings, self.clock, self.instances, backend, self._started)
        self.apps: dict[str, Definition] = {}
        self.groups: set[str] = set()
        self.history: dict[str, list[Definition]] = {}
        self.news = News(self.bus)
        self.deployments = Deployments(self, self.bus, self._over)
        self._backend = backend
        self._chance = random.Random(settings.seed)
        self._turning = False
        self._checked: set[str] = set()
        self._checking = False  # from the first app on
        self._waiting: list[Callable[[], None]] = []
        self._leading = True
        backend.attach(self)

    # Leadership: what Mesos tells without a leader is heard by the next one.

    def lead(self, leading: bool) -> None:
        self._leading = leading
        self.queue.lead(leading)
        if leading:
            waiting, self._waiting = self._waiting, []
            for each in waiting:
                each()
            self.turn()

    def close(self) -> None:
        self.clock.close()
        self.bus.cut()

    # Changes.

    def change(
        self,
        target: Apps,
        *,
        force: bool = False,
        named: Mapping[str, Collection[str]] | None = None,
        groups: set[str] | None = None,
    ) -> Plan:
        """One deployment for all that is different. Raises Refusal if an app is locked, and then changes nothing."""
        id_ = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        plan = planned(id_, self.clock.now, dict(self.apps), dict(target), named or {})
        conflicts = self.deployments.locking(plan.affected)
        if conflicts and not force:
            raise locked(conflicts)
        self.apps = dict(target)
        self.groups = (self.groups if groups is None else groups) | {each for app in target for each in _above(app)}
        for app in plan.affected & target.keys():
            self.history.setdefault(app, []).append(target[app])
        for each in conflicts:
            self.cancel(each, purge=not self.settings.purges_late)
        self.bus.publish("group_change_success", groupId="/", version=iso(plan.version))
        self.deployments.start(plan)
        if not self._checking:
            self._checking = True
            self.clock.later(self.settings.scale_apps, self._scale_apps)
        self.soon()
        return plan

    def cancel(self, id_: str, *, purge: bool = True) -> None:
        """It ends where it is. What it let wait for an offer waits no more, until somebody looks at the app again."""
        affected = self.deployments[id_].plan.affected
        self.deployments.cancel(id_)
        for each in self.instances:
            if purge and self.settings.purges and each.app.id in affected and each.condition == "Scheduled":
                self._gone(each, "Killed")
        self.soon()

    def revert(self, id_: str) -> Plan:
        """A new deployment back to what was before this one, for the apps that it changes."""
        plan = self.deployments[id_].plan
        target = dict(self.apps)
        for app in plan.affected:
            before, now = plan.original.get(app), self.apps.get(app)
            if before is None:
                target.pop(app, None)
            else:
                spec = dict(before.spec)
                target[app] = before if now is None else now.replaced(spec, self.clock.now)
        return self.change(target, force=True)

    def restart(self, app: str, *, force: bool) -> Plan:
        before, now = self.apps[app], max(self.clock.now, self.apps[app].version + 0.001)
        return self.change({**self.apps, app: Definition(app, before.spec, now, now, now)}, force=force)

    def told_root(self, apps: Apps, version: float) -> Json:
        return root(apps, self.groups, version)

    # What follows from a change.

    def soon(self) -> None:
        """All that has changed in this turn of the loop is looked at once."""
        if not self._turning:
            self._turning = True
            self.clock.soon(self.turn)

    def turn(self) -> None:
        self._turning = False
        if not self._leading:
            return
        self.deployments.turn()
        checked, self._checked = self._checked & self.apps.keys(), set()
        for app in checked:
            if not self.deployments.locking({app}):
                self._keep(self.apps[app])
        self.queue.turn()

    def _keep(self, app: Definition) -> None:
        """What has ended is replaced, and what is too much ends; of an app that is locked, that is for its deployment."""
        self.end(self.surplus(app, app.instances, frozenset()))
        there = sum(each.condition != "UnreachableInactive" for each in self.of(app.id))
        self.schedule(app, app.instances - there)

    def _scale_apps(self) -> None:
        self._checked |= self.apps.keys()
        self.soon()
        self.clock.later(self.settings.scale_apps, self._scale_apps)

    def _over(self, plan: Plan) -> None:
        for app in plan.original.keys() - self.apps.keys():
            if app in plan.affected:
                self.bus.publish("app_terminated_event", appId=app)
                self.news.failures.pop(app, None)
                self.history.pop(app, None)
        self.soon()

    # Instances.

    def of(self, app: str) -> list[Instance]:
        return self.instances.of(app)

    def surplus(self, app: Definition, target: int, named: frozenset[str]) -> list[Instance]:
        return self.instances.surplus(app, target, named)

    def schedule(self, app: Definition, count: int) -> None:
        for _ in range(count):
            self.news.changed(self.instances.add(app, self.clock.now))
        if count > 0:
            self.soon()

    def end(self, instances: Iterable[Instance]) -> None:
        for each in instances:
            each.goal = "Decommissioned"
            if each.launched:
                self._kill(each)
            else:
                self._gone(each, "Killed")

    def kill(self, instances: Iterable[Instance]) -> None:
        """Their tasks end, and others follow."""
        for each in instances:
            self._kill(each)

    def _kill(self, instance: Instance) -> None:
        if instance.condition in UNREACHABLE:
            self._expunge_later(instance, 0.0)
        elif not instance.killed:
            instance.killed = True
            self._send(instance)

    def _send(self, instance: Instance) -> None:
        """Again and again, as a message may be lost."""
        self._backend.kill(instance.task_id, instance.agent_id, _grace(instance.app))
        self._later(instance, self.settings.kill_retry, self._send)

    def _started(self, instance: Instance) -> None:
        self.news.changed(instance)
        self._later(instance, self.settings.launch_timeout, self._overdue)

    def _overdue(self, instance: Instance) -> None:
        if instance.started is None:
            self._kill(instance)

    def _later(self, instance: Instance, seconds: float, what: Callable[[Instance], None]) -> None:
        """Unless its task is gone by then."""
        task = instance.task_id

        def do() -> None:
            if self.instances.task(task) is instance and instance.launched:
                what(instance)

        self.clock.later(seconds, do)

    # What Mesos tells.

    def offered(self, offers: Sequence[Offer]) -> None:
        self.queue.offered(offers)

    def told(self, status: Status) -> None:
        if not self._leading:
            self._waiting.append(lambda: self.told(status))
            return
        instance = self.instances.task(status.task_id)
        condition = CONDITIONS[status.state]
        if instance is None:
            self._unknown(status, condition)
        else:
            self._moved(instance, condition, status)
            if status.healthy is not None and condition == "Running":
                self._health(instance, alive=status.healthy)
        self.soon()

    def _unknown(self, status: Status, condition: str) -> None:
        if condition in ENDED:
            self.news.unknown(status, condition)
        elif condition != "Unreachable":
            self._backend.kill(status.task_id, status.agent_id, None)

    def _moved(self, instance: Instance, condition: str, status: Status) -> None:
        ignored = condition == "Killing" and not self.settings.task_killing
        if ignored or condition == instance.condition:
            return
        self.news.status(instance, status)
        if condition in FAILURES:
            self.news.failed(instance, status, self.clock.now)
        if condition in ENDED:
            self._ended(instance, condition)
            return
        if instance.condition in UNREACHABLE:
            self._checked.add(instance.app.id)
        came = condition == "Running" and instance.started is None
        instance.condition, instance.since = condition, self.clock.now
        if came:
            instance.started = self.clock.now
            self._came(instance)
        if condition == "Unreachable":
            self._unreachable(instance)
        self.news.changed(instance)

    def _came(self, instance: Instance) -> None:
        if instance.app.checked:
            self._backend.check(instance)
        else:
            self.queue.came_up(instance.app)

    def _ended(self, instance: Instance, condition: str) -> None:
        if condition in DELAYING:
            self.queue.failed(instance.app)
        app = self.apps.get(instance.app.id)
        if app is None or instance.goal != "Running":
            self._gone(instance, condition)
            return
        instance.condition, instance.since = condition, self.clock.now
        self.news.changed(instance)
        instance.again(app, self.clock.now)
        self.news.changed(instance)

    def _gone(self, instance: Instance, condition: str) -> None:
        instance.condition, instance.since = condition, self.clock.now
        self.instances.remove(instance)
        self.news.changed(instance)
        self.soon()

    def _health(self, instance: Instance, *, alive: bool) -> None:
        """A task that fails too many checks in a row is killed, unless it is young and was never healthy."""
        before, check = instance.health.alive, instance.app.spec["healthChecks"][0]
        grace = instance.health.first_success is None and (
            self.clock.now - (instance.started or self.clock.now) < check["gracePeriodSeconds"]
        )
        if grace and not alive:
            return
        instance.health.told(alive, self.clock.now)
        if alive is not before:
            self.news.health(instance, alive=alive)
        if alive and before is None:
            self.queue.came_up(instance.app)
        if not alive and 0 < check["maxConsecutiveFailures"] <= instance.health.failures and not instance.killed:
            self._unhealthy(instance)

    def _unhealthy(self, instance: Instance) -> None:
        self.news.unhealthy(instance)
        self.queue.failed(instance.app)
        self._kill(instance)

    # What can't be reached.

    def _unreachable(self, instance: Instance) -> None:
        strategy = instance.app.spec["unreachableStrategy"]
        if instance.goal != "Running":
            self._expunge_later(instance, 0.0)
        elif strategy != "disabled":
            self._later(instance, strategy["inactiveAfterSeconds"], self._inactive)
            self._expunge_later(instance, strategy["expungeAfterSeconds"])

    def _inactive(self, instance: Instance) -> None:
        if instance.condition == "Unreachable":
            instance.condition, instance.since = "UnreachableInactive", self.clock.now
            self._checked.add(instance.app.id)
            self.news.changed(instance)
            self.soon()

    def _expunge_later(self, instance: Instance, seconds: float) -> None:
        self._later(instance, seconds, self._expunge)

    def _expunge(self, instance: Instance) -> None:
        if instance.condition in UNREACHABLE:
            self._checked.add(instance.app.id)
            self._gone(instance, "Unknown")


def _grace(app: Definition) -> float | None:
    seconds = app.spec.get("taskKillGracePeriodSeconds")
    return None if seconds is None else float(seconds)


def _above(app: str) -> Iterable[str]:
    """The groups that it is in, but the root."""
    parts = app.split("/")[1:-1]
    return ["/" + "/".join(parts[: length + 1]) for length in range(len(parts))]
