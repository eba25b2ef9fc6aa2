"""The routes that change something. The desk does it; here it is read and answered."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, delete, patch, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from beaufort import clock
from beaufort.web.access import ANYBODY, Permission, needs
from beaufort.web.answers import Plan, ServiceState
from beaufort.web.body import EitherWay
from beaufort.web.desk import Asker
from beaufort.web.problems import refusal
from beaufort.web.reads import MISSING, Name, known
from beaufort.web.requests import Limits, PauseRequest, Pushed, PushedSample
from beaufort.web.station import Station

__all__ = ["CHANGES", "asker"]

OPERATE = needs(Permission.OPERATE)

WRONG = {422: refusal("Every fault, with its place."), 409: refusal("It can't be done now.")}

Asking = NamedDependency[Asker]


def asker(request: Request[Any, Any, Any]) -> Asker:
    """Who asks, as the gate has found out."""
    address = request.client.host if request.client else "unknown"
    return Asker(request.scope.get("user") or ANYBODY, address)


@post(
    "/v1/demand",
    opt=needs(Permission.PUSH),
    status_code=200,
    summary="Tell the demand of services whose demand is pushed",
    description="One sample or a list; all are taken, or none. Telling twice is telling once, by the time.",
    tags=["changes"],
    operation_class=EitherWay,
    responses=WRONG,
    sync_to_thread=False,
)
def demand(
    asker: Asking, station: NamedDependency[Station], data: JSONBody[PushedSample | list[PushedSample]]
) -> Pushed:
    return station.desk.push(data if isinstance(data, list) else [data], asker)


@post(
    "/v1/services/{name:str}/pause",
    opt=OPERATE,
    status_code=200,
    summary="Leave a service as it is, in one direction or both",
    tags=["changes"],
    responses=MISSING,
    sync_to_thread=False,
)
def pause(asker: Asking, station: NamedDependency[Station], name: Name, data: JSONBody[PauseRequest]) -> ServiceState:
    station.desk.pause(known(station, name), data, asker)
    return _state(station, name)


@post(
    "/v1/services/{name:str}/resume",
    opt=OPERATE,
    status_code=200,
    summary="End a pause",
    tags=["changes"],
    responses=MISSING,
    sync_to_thread=False,
)
def resume(asker: Asking, station: NamedDependency[Station], name: Name) -> ServiceState:
    station.desk.resume(known(station, name), asker)
    return _state(station, name)


@patch(
    "/v1/services/{name:str}",
    opt=OPERATE,
    summary="Change limits of a service, until the configuration changes",
    tags=["changes"],
    responses=MISSING | WRONG,
    sync_to_thread=False,
)
def limit(asker: Asking, station: NamedDependency[Station], name: Name, data: JSONBody[Limits]) -> ServiceState:
    station.desk.limit(known(station, name), data, asker)
    return _state(station, name)


@delete(
    "/v1/services/{name:str}/overrides",
    opt=OPERATE,
    status_code=200,
    summary="Give a service the limits of the configuration back",
    tags=["changes"],
    responses=MISSING | WRONG,
    sync_to_thread=False,
)
def restore(asker: Asking, station: NamedDependency[Station], name: Name) -> ServiceState:
    station.desk.restore(known(station, name), asker)
    return _state(station, name)


@post(
    "/v1/config",
    opt=needs(Permission.CONFIGURE),
    status_code=200,
    summary="Swap the configuration whole, or say what that would cause",
    tags=["changes"],
    responses=WRONG,
)
async def configure(
    asker: Asking,
    station: NamedDependency[Station],
    data: JSONBody[dict[str, Any]],
    dry_run: Annotated[bool, QueryParameter(description="Change nothing: answer with the plan.")] = False,
) -> Plan:
    plan = await station.desk.plan(data)
    if not dry_run:
        await station.desk.configure(data, asker)
    return plan


def _state(station: Station, name: str) -> ServiceState:
    return station.observer.state(station.controller.services[name], clock.now())


CHANGES: list[Any] = [demand, pause, resume, limit, restore, configure]
