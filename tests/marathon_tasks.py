"""``/v2/tasks``, ``/v2/queue``, ``/v2/deployments`` and ``/v2/groups``."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web

from marathon_apps import body, deployed, is_true, json
from marathon_definition import Json, absolute
from marathon_instances import Instance, app_of
from marathon_refusals import Refusal, invalid, missing, unknown_app
from marathon_root import app_told, root
from marathon_scheduler import Scheduler

__all__ = ["TasksApi"]

BOTH = "You cannot use scale and wipe at the same time."
STATES = {"running": "TASK_RUNNING", "staging": "TASK_STAGING"}


class TasksApi:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def routes(self) -> Iterable[web.RouteDef]:
        return [
            web.get("/v2/tasks", self.index),
            web.post("/v2/tasks/delete", self.delete_named),
            web.get("/v2/apps/{id:.+}/tasks", self.of_app),
            web.delete("/v2/apps/{id:.+}/tasks", self.delete_many),
            web.delete("/v2/apps/{id:.+}/tasks/{task:[^/]+}", self.delete_one),
            web.get("/v2/queue", self.queue),
            web.delete("/v2/queue/{id:.+}/delay", self.reset),
            web.get("/v2/deployments", self.deployments),
            web.delete("/v2/deployments/{id}", self.cancel),
            web.get("/v2/groups", self.groups),
            web.get("/v2/groups/{id:.+}", self.groups),
            web.delete("/v2/groups/{id:.+}", self.delete_group),
        ]

    # Tasks. Those of an app that is being removed are not told of any more, while they last.

    async def index(self, request: web.Request) -> web.Response:
        asked = [*request.query.getall("status", []), *request.query.getall("status[]", [])]
        wanted = {STATES[each.lower()] for each in asked if each.lower() in STATES}
        tasks = [
            each.shown() for each in self._scheduler.instances if each.launched and each.app.id in self._scheduler.apps
        ]
        return json({"tasks": [each for each in tasks if not wanted or each["state"] in wanted]})

    async def of_app(self, request: web.Request) -> web.Response:
        written = request.match_info["id"]
        if written.endswith("*"):
            above = "/" + written.rstrip("*").strip("/")
            ids = [id_ for id_ in self._scheduler.apps if id_.startswith(above.rstrip("/") + "/")]
        else:
            ids = [self._known(written)]
        return json({"tasks": [each.shown() for id_ in ids for each in self._launched(id_)]})

    async def delete_many(self, request: web.Request) -> web.Response:
        app, host = self._known(request.match_info["id"]), request.query.get("host", "*")
        return self._delete({app: [each for each in self._launched(app) if host in {"*", each.host}]}, request, "tasks")

    async def delete_one(self, request: web.Request) -> web.Response:
        app, task = self._known(request.match_info["id"]), request.match_info["task"]
        found = [each for each in self._launched(app) if task in {each.id, each.task_id}]
        if not found and not is_true(request, "scale"):
            raise missing(f"Task '{task}' does not exist")
        return self._delete({app: found}, request, "task")

    async def delete_named(self, request: web.Request) -> web.Response:
        """Those that there are no more are left out without a word; what is no id at all is refused."""
        written = await body(request)
        ids = written.get("ids") if isinstance(written, dict) else None
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise invalid({"/ids": ["error.expected.jsarray"]}, "Invalid JSON")
        for each in ids:
            if app_of(each) is None:
                raise Refusal(400, f"Invalid task id '{each}'.")
        named: dict[str, list[Instance]] = {}
        for each in {found.id: found for found in map(self._scheduler.instances.task, ids) if found}.values():
            named.setdefault(each.app.id, []).append(each)
        return self._delete(named, request, "tasks")

    def _known(self, written: str) -> str:
        id_ = absolute(written)
        if id_ not in self._scheduler.apps:
            raise unknown_app(id_)
        return id_

    def _launched(self, app: str) -> list[Instance]:
        return [each for each in self._scheduler.of(app) if each.launched]

    def _delete(self, named: dict[str, list[Instance]], request: web.Request, key: str) -> web.Response:
        if is_true(request, "scale"):
            if is_true(request, "wipe"):
                raise Refusal(400, BOTH)
            return self._scale(named, force=is_true(request, "force"))
        shown = [each.shown() for instances in named.values() for each in instances]
        act = self._scheduler.end if is_true(request, "wipe") else self._scheduler.kill
        for instances in named.values():
            act(instances)
        self._scheduler.soon()
        return json({key: shown} if key == "tasks" else {key: shown[0]})

    def _scale(self, named: dict[str, list[Instance]], *, force: bool) -> web.Response:
        """Those that were told to end before are not counted again."""
        scheduler = self._scheduler
        target = dict(scheduler.apps)
        for app, instances in named.items():
            if not scheduler.of(app):
                raise missing(f"Path '{app}' does not exist")
            if app in target:
                count = sum(each.counted and not each.killed for each in instances)
                spec = {**target[app].spec, "instances": max(0, target[app].instances - count)}
                target[app] = target[app].replaced(spec, scheduler.clock.now)
        ids = {app: [each.id for each in instances] for app, instances in named.items()}
        return deployed(scheduler.change(target, force=force, named=ids))

    # The queue.

    async def queue(self, request: web.Request) -> web.Response:
        unused = "lastUnusedOffers" in request.query.getall("embed", [])
        return json({"queue": [self._waits(app, count, unused=unused) for app, count in self._waiting()]})

    def _waiting(self) -> list[tuple[str, int]]:
        return [(app, len(each)) for app, each in self._scheduler.queue.waiting().items()]

    def _waits(self, app: str, count: int, *, unused: bool) -> Json:
        definition = self._scheduler.apps.get(app) or self._scheduler.of(app)[0].app
        return self._scheduler.queue.shown(definition, count, app_told(definition), unused=unused)

    async def reset(self, request: web.Request) -> web.Response:
        id_ = absolute(request.match_info["id"])
        if not self._scheduler.queue.reset(id_):
            raise missing(f"Application {id_} not found in tasks queue.")
        return web.Response(status=204)

    # Deployments.

    async def deployments(self, request: web.Request) -> web.Response:
        del request
        return json(self._scheduler.deployments.shown())

    async def cancel(self, request: web.Request) -> web.Response:
        id_ = request.match_info["id"]
        if id_ not in self._scheduler.deployments:
            raise missing(f"DeploymentPlan {id_} does not exist")
        if is_true(request, "force"):
            self._scheduler.cancel(id_)
            return web.Response(status=202)
        return deployed(self._scheduler.revert(id_))

    # Groups.

    async def groups(self, request: web.Request) -> web.Response:
        at = "/" + request.match_info.get("id", "").strip("/")
        self._group(at)
        return json(root(self._scheduler.apps, self._scheduler.groups, self._scheduler.clock.now, at))

    async def delete_group(self, request: web.Request) -> web.Response:
        at = self._group("/" + request.match_info["id"].strip("/"))
        target = {id_: app for id_, app in self._scheduler.apps.items() if not id_.startswith(f"{at}/")}
        groups = {each for each in self._scheduler.groups if each != at and not each.startswith(f"{at}/")}
        return deployed(self._scheduler.change(target, force=is_true(request, "force"), groups=groups))

    def _group(self, at: str) -> str:
        if at != "/" and at not in self._scheduler.groups:
            raise missing(f"Group '{at}' does not exist")
        return at
