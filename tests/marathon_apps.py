"""``/v2/apps``: what is asked for, and what is answered."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import Any

import msgspec
from aiohttp import web

from marathon_clock import iso
from marathon_definition import Definition, Json, absolute, complete, merged
from marathon_listing import EVERYTHING, embedded, found, listed
from marathon_plan import Plan
from marathon_refusals import Refusal, invalid, missing, unknown_app
from marathon_root import app_told
from marathon_scheduler import Scheduler

__all__ = ["AppsApi", "body", "deployed", "is_true", "json"]


def json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


def deployed(plan: Plan, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    found = {"version": iso(plan.version), "deploymentId": plan.id}
    return json(found, status, {**(headers or {}), "Marathon-Deployment-Id": plan.id})


def is_true(request: web.Request, name: str, *, default: bool = False) -> bool:
    return request.query.get(name, str(default)).lower() == "true"


async def body(request: web.Request) -> Any:
    try:
        return msgspec.json.decode(await request.read())
    except msgspec.DecodeError as error:
        raise Refusal(400, "Invalid JSON", details=str(error)) from error


class AppsApi:
    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def routes(self) -> Iterable[web.RouteDef]:
        one = "/v2/apps/{id:.+}"
        return [
            web.get("/v2/apps", self.index),
            web.post("/v2/apps", self.create),
            web.put("/v2/apps", self.replace_several),
            web.patch("/v2/apps", self.patch_several),
            web.post(f"{one}/restart", self.restart),
            web.get(f"{one}/versions", self.versions),
            web.get(one, self.show),
            web.put(one, self.replace),
            web.patch(one, self.patch),
            web.delete(one, self.delete),
        ]

    # Reading.

    async def index(self, request: web.Request) -> web.Response:
        embed = embedded(request.query.getall("embed", []))
        apps = found(self._scheduler, request.query)
        return json({"apps": [listed(self._scheduler, app, embed) for app in apps]})

    async def show(self, request: web.Request) -> web.Response:
        embed = embedded(request.query.getall("embed", []), EVERYTHING)
        written = request.match_info["id"]
        if written.endswith("*"):
            above = "/" + written.rstrip("*").strip("/")
            apps = [app for id_, app in self._scheduler.apps.items() if id_.startswith(above.rstrip("/") + "/")]
            return json({"*": [listed(self._scheduler, app, embed) for app in apps]})
        return json({"app": listed(self._scheduler, self._app(written), embed)})

    async def versions(self, request: web.Request) -> web.Response:
        app = self._app(request.match_info["id"])
        return json({"versions": [iso(each.version) for each in reversed(self._scheduler.history[app.id])]})

    def _app(self, written: str) -> Definition:
        id_ = absolute(written)
        if id_ not in self._scheduler.apps:
            raise unknown_app(id_)
        return self._scheduler.apps[id_]

    # Writing.

    async def create(self, request: web.Request) -> web.Response:
        update = await body(request)
        id_ = _id(update, "")
        if id_ in self._scheduler.apps:
            raise Refusal(409, f"An app with id [{id_}] already exists.")
        app = self._updated(id_, update, {}, partial=False)
        plan = self._change([app], request)
        told = {**app_told(app), "tasksStaged": 0, "tasksRunning": 0, "tasksHealthy": 0, "tasksUnhealthy": 0}
        return json(
            {**told, "deployments": [{"id": plan.id}], "tasks": []},
            201,
            {"Marathon-Deployment-Id": plan.id, "Location": f"/v2/apps{id_}"},
        )

    async def replace(self, request: web.Request) -> web.Response:
        update = await body(request)
        id_ = _id(update, request.match_info["id"])
        known = id_ in self._scheduler.apps
        app = self._updated(id_, update, {}, partial=is_true(request, "partialUpdate", default=True))
        plan = self._change([app], request)
        return deployed(plan) if known else deployed(plan, 201, {"Location": f"/v2/apps{id_}"})

    async def patch(self, request: web.Request) -> web.Response:
        update = await body(request)
        app = self._app(_id(update, request.match_info["id"]))
        return deployed(self._change([self._updated(app.id, update, {}, partial=True)], request))

    async def replace_several(self, request: web.Request) -> web.Response:
        return await self._several(request, partial=is_true(request, "partialUpdate", default=True), create=True)

    async def patch_several(self, request: web.Request) -> web.Response:
        return await self._several(request, partial=True, create=False)

    async def _several(self, request: web.Request, *, partial: bool, create: bool) -> web.Response:
        updates = await body(request)
        if not isinstance(updates, list):
            raise invalid({"": ["error.expected.jsarray"]}, "Invalid JSON")
        changed: dict[str, Definition] = {}
        for at, update in enumerate(updates):
            try:
                id_ = _id(update, "")
                if not create and id_ not in self._scheduler.apps:
                    raise unknown_app(id_)
                changed[id_] = self._updated(id_, update, changed, partial=partial)
            except Refusal as refusal:
                raise _at(refusal, at) from refusal
        return deployed(self._change(changed.values(), request))

    async def delete(self, request: web.Request) -> web.Response:
        app = self._app(request.match_info["id"])
        target = {id_: each for id_, each in self._scheduler.apps.items() if id_ != app.id}
        return deployed(self._scheduler.change(target, force=is_true(request, "force", default=True)))

    async def restart(self, request: web.Request) -> web.Response:
        app = self._app(request.match_info["id"])
        return deployed(self._scheduler.restart(app.id, force=is_true(request, "force")))

    def _updated(self, id_: str, update: Json, others: dict[str, Definition], *, partial: bool) -> Definition:
        """Raises Refusal."""
        scheduler, now = self._scheduler, self._scheduler.clock.now
        before = others.get(id_) or scheduler.apps.get(id_)
        if update.get("version") is not None and before is not None:
            return self._back(before, update)
        apps = {**scheduler.apps, **others}
        if id_ in scheduler.groups or any(id_.startswith(f"{each}/") for each in apps):
            raise invalid({"/": ["Groups and Applications may not have the same identifier."]})
        ports = {id_: [each["port"] for each in app.spec.get("portDefinitions", [])] for id_, app in apps.items()}
        own = ports.pop(id_, [])
        spec = complete(id_, merged(before, update, partial=partial), own, chain.from_iterable(ports.values()))
        return Definition(id_, spec, now, now, now) if before is None else before.replaced(spec, now)

    def _back(self, before: Definition, update: Json) -> Definition:
        """To an earlier version."""
        if update.keys() - {"id", "version"}:
            raise invalid({"/version": ["The 'version' field may only be combined with the 'id' field."]})
        for each in self._scheduler.history[before.id]:
            if iso(each.version) == update["version"]:
                return before.replaced(dict(each.spec), self._scheduler.clock.now)
        raise missing(f"App '{before.id}' does not exist in version {update['version']}")

    def _change(self, apps: Iterable[Definition], request: web.Request) -> Plan:
        apps = list(apps)
        target = {**self._scheduler.apps, **{app.id: app for app in apps}}
        plan = self._scheduler.change(target, force=is_true(request, "force"))
        for app in apps:
            self._scheduler.bus.publish(
                "api_post_event", clientIp=request.remote, uri=request.path, appDefinition=app_told(app)
            )
        return plan


def _id(update: Any, path: str) -> str:
    """The body's own id, or else the path's. Raises Refusal."""
    if not isinstance(update, dict):
        raise invalid({"": ["error.expected.jsobject"]}, "Invalid JSON")
    written = update.get("id") or path
    if not isinstance(written, str):
        raise invalid({"/id": ["error.expected.jsstring"]}, "Invalid JSON")
    if not written:
        raise invalid({"/id": ["error.path.missing"]}, "Invalid JSON")
    return absolute(written)


def _at(refusal: Refusal, index: int) -> Refusal:
    """The same, of one in a list."""
    details = refusal.body.get("details")
    if isinstance(details, list):
        for each in details:
            each["path"] = f"({index}){each['path']}"
    return refusal
