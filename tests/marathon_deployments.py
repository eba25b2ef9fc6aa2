"""The deployments that run. Each locks the apps that it changes, for as long as it takes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from marathon_bus import Bus
from marathon_definition import Json
from marathon_plan import Apps, Plan
from marathon_work import Ground, Work, work

__all__ = ["Deployment", "Deployments"]


class Deployment:
    """``step`` is counted from 1, and 0 before it has begun."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.step = 0
        self.works: list[Work] = []


class Telling(Ground, Protocol):
    def told_root(self, apps: Apps, version: float) -> Json: ...


class Deployments:
    """``over`` is told of each plan that has come to its end."""

    def __init__(self, ground: Telling, bus: Bus, over: Callable[[Plan], None]) -> None:
        self._ground = ground
        self._bus = bus
        self._over = over
        self._all: dict[str, Deployment] = {}

    def __contains__(self, id_: str) -> bool:
        return id_ in self._all

    def __getitem__(self, id_: str) -> Deployment:
        return self._all[id_]

    def locking(self, apps: Collection[str]) -> list[str]:
        """The ids of those that change any of these apps."""
        return [id_ for id_, each in self._all.items() if each.plan.affected & set(apps)]

    def shown(self) -> list[Json]:
        return [each.plan.listed(max(1, each.step)) for each in self._all.values() if each.plan.steps]

    def start(self, plan: Plan) -> None:
        self._all[plan.id] = Deployment(plan)

    def cancel(self, id_: str) -> None:
        """It just ends; what it has asked for stays asked for."""
        plan = self._all.pop(id_).plan
        self._publish("deployment_failed", plan, id=plan.id, reason="The upgrade has been cancelled")
        self._over(plan)

    def turn(self) -> None:
        for each in list(self._all.values()):
            while each.plan.id in self._all and self._stepped(each):
                pass

    def _stepped(self, deployment: Deployment) -> bool:
        """Goes on to the next step, if this one is done."""
        done = [each.done() for each in deployment.works]
        if not all(done):
            return False
        plan = deployment.plan
        if deployment.works:
            self._step("deployment_step_success", deployment)
        if deployment.step == len(plan.steps):
            del self._all[plan.id]
            self._publish("deployment_success", plan, id=plan.id)
            self._over(plan)
            return False
        deployment.step += 1
        deployment.works = [work(action, self._ground) for action in plan.steps[deployment.step - 1]]
        self._step("deployment_info", deployment)
        for each in deployment.works:
            each.begin()
        return True

    def _step(self, kind: str, deployment: Deployment) -> None:
        actions = deployment.plan.steps[deployment.step - 1]
        self._publish(kind, deployment.plan, currentStep={"actions": [action.shown() for action in actions]})

    def _publish(self, kind: str, plan: Plan, **more: object) -> None:
        told = plan.shown(lambda apps: self._ground.told_root(apps, plan.version))
        self._bus.publish(kind, plan=told, **more)
