"""The routes by which a page logs in and out. The token goes in once; from then on a cookie stands for it."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody

from beaufort.roles import Role
from beaufort.web.access import ANYBODY, Permission, needs
from beaufort.web.answers import Answer
from beaufort.web.doorkeeper import SESSION, Doorkeeper
from beaufort.web.problems import Refused
from beaufort.web.requests import Asked
from beaufort.web.station import Station

__all__ = ["SESSIONS"]

OPEN = needs(Permission.NOTHING)

Asking = Request[Any, Any, Any]


class Login(Asked, frozen=True, kw_only=True):
    token: str


class Who(Answer, frozen=True, kw_only=True):
    """``asked``: whether tokens are asked for here. ``role`` null: nobody has logged in."""

    asked: bool
    name: str
    role: Role | None
    services: list[str] | None


@get("/v1/session", opt=OPEN, summary="Who this is", tags=["session"], sync_to_thread=False)
def who(request: Asking, doorkeeper: NamedDependency[Doorkeeper]) -> Who:
    identity = request.scope.get("user") or ANYBODY
    services = None if identity.services is None else sorted(identity.services)
    return Who(
        asked=doorkeeper.asks,
        name=identity.name,
        role=identity.role,
        services=services,
    )


@post("/v1/session", opt=OPEN, status_code=200, summary="Log a page in with a token", tags=["session"])
async def login(
    request: Asking, station: NamedDependency[Station], doorkeeper: NamedDependency[Doorkeeper], data: JSONBody[Login]
) -> Response[Who]:
    address = request.client.host if request.client else "unknown"
    token = await doorkeeper.prove(data.token, address)
    if token.role is Role.PUSHER:
        raise Refused(403, f"{token.name} is a pusher, which sees nothing")
    cookie = Cookie(
        key=doorkeeper.cookie,
        value=doorkeeper.open(token),
        max_age=int(SESSION),
        httponly=True,
        secure=doorkeeper.secure,
        samesite="strict",
    )
    station.controller.report("audit", f"{token.name} (token {token.id}) from {address}: login of a page")
    return Response(Who(asked=True, name=token.name, role=token.role, services=None), cookies=[cookie])


@delete("/v1/session", opt=OPEN, status_code=200, summary="Log a page out", tags=["session"], sync_to_thread=False)
def logout(request: Asking, doorkeeper: NamedDependency[Doorkeeper]) -> Response[Who]:
    doorkeeper.close(request.headers.get("cookie", ""))
    gone = Cookie(
        key=doorkeeper.cookie, value="", max_age=0, httponly=True, secure=doorkeeper.secure, samesite="strict"
    )
    return Response(Who(asked=doorkeeper.asks, name=ANYBODY.name, role=None, services=None), cookies=[gone])


SESSIONS: list[Any] = [who, login, logout]
