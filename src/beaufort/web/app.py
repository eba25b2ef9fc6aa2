"""The application: the routes together, over one station."""

from __future__ import annotations

from importlib.metadata import version

from litestar import Litestar, Router
from litestar.di import Provide
from litestar.openapi.config import OpenAPIConfig

from beaufort.web.access import guard
from beaufort.web.body import Body
from beaufort.web.changes import CHANGES, asker
from beaufort.web.doorkeeper import Doorkeeper
from beaufort.web.health import HEALTH
from beaufort.web.manual import MANUAL, READ, Manual
from beaufort.web.page import PAGE, STATIC, Files
from beaufort.web.problems import HANDLERS
from beaufort.web.reads import READS
from beaufort.web.sessions import SESSIONS
from beaufort.web.station import Station

__all__ = ["application"]

LARGEST = 1024 * 1024
"""Bytes of a request's body, at most: some ten thousand samples."""


def application(station: Station, doorkeeper: Doorkeeper, *, page: bool = True) -> Litestar:
    """The API of one controller, and with ``page`` the page."""
    shared: dict[str, object] = {"station": station, "doorkeeper": doorkeeper, "files": Files(STATIC)}
    return Litestar(
        route_handlers=[*READS, *CHANGES, *SESSIONS, *HEALTH, *MANUAL, *(PAGE if page else ())],
        dependencies={name: _given(value) for name, value in shared.items()}
        | {"asker": Provide(asker, sync_to_thread=False)},
        guards=[guard],
        exception_handlers=HANDLERS,
        request_class=Body,
        request_max_body_size=LARGEST,
        openapi_config=OpenAPIConfig(
            title="Beaufort",
            version=version("beaufort"),
            render_plugins=[Manual(path="/")],
            openapi_router=Router("/docs", route_handlers=[], opt=READ, include_in_schema=False),
        ),
        logging_config=None,
    )


def _given(value: object) -> Provide:
    def give() -> object:
        return value

    return Provide(give, sync_to_thread=False)
