"""Who asks, and what that role may do. Which permission a route needs is said at the route."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from beaufort.roles import Role
from beaufort.web.problems import Refused

__all__ = ["ANYBODY", "Identity", "Permission", "guard", "needs"]


class Permission(StrEnum):
    NOTHING = "nothing"
    """For everybody, asked for a token or not."""
    READ = "read"
    PUSH = "push"
    OPERATE = "operate"
    CONFIGURE = "configure"


GRANTED = {
    Role.VIEWER: {Permission.NOTHING, Permission.READ},
    Role.PUSHER: {Permission.NOTHING, Permission.PUSH},
    Role.OPERATOR: {Permission.NOTHING, Permission.READ, Permission.PUSH, Permission.OPERATE},
    Role.ADMIN: set(Permission),
}


WORDS = {
    Permission.READ: "see anything",
    Permission.PUSH: "push demand",
    Permission.OPERATE: "pause services or change limits",
    Permission.CONFIGURE: "swap the configuration",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """``services``: those that a pusher may push for; None is all. ``token``: its id, or None where none is asked for."""

    name: str
    role: Role | None
    services: frozenset[str] | None = None
    token: str | None = None

    def may(self, permission: Permission) -> bool:
        return permission is Permission.NOTHING or (self.role is not None and permission in GRANTED[self.role])


ANYBODY = Identity("nobody", None)
"""Who has shown no token where one is asked for."""


def needs(permission: Permission) -> dict[str, Any]:
    """The options of a route."""
    return {"permission": permission}


def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """A route that says nothing needs the most."""
    permission = handler.opt.get("permission", Permission.CONFIGURE)
    identity = connection.scope.get("user") or ANYBODY
    if identity.may(permission):
        return
    if identity.role is None:
        raise Refused(401, "a token is needed", {"www-authenticate": 'Bearer realm="beaufort"'})
    article = "an" if identity.role in {Role.OPERATOR, Role.ADMIN} else "a"
    raise Refused(403, f"{identity.name} is {article} {identity.role}, which may not {WORDS[permission]}")
