"""The routes for those who watch over Beaufort: whether it lives, whether it can work, and its metrics."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Request, Response, get
from litestar.di import NamedDependency

from beaufort.web.access import ANYBODY, Permission, needs
from beaufort.web.answers import Check, Health, Readiness
from beaufort.web.metrics import CONTENT_TYPE
from beaufort.web.station import Station
from beaufort.wording import counted

__all__ = ["HEALTH"]

OPEN = needs(Permission.NOTHING)

MOST = 20
"""Services without fresh demand that are named."""


@get("/healthz", opt=OPEN, summary="Whether the controller is alive", tags=["health"], sync_to_thread=False)
def healthz() -> Health:
    return Health()


@get(
    "/readyz",
    opt=OPEN,
    summary="Whether the controller can work",
    description="503 while the scheduler can't be read. Demand that is not fresh is told, and is no reason for it.",
    tags=["health"],
    sync_to_thread=False,
)
def readyz(request: Request[Any, Any, Any], station: NamedDependency[Station]) -> Response[Readiness]:
    identity = request.scope.get("user") or ANYBODY
    sighted, stale = station.controller.cluster is not None, station.observer.stale()
    ready = Readiness(
        ready=sighted,
        leader=Check(good=True, detail="the only controller, and so the leader"),
        scheduler=Check(good=sighted, detail="it can be read" if sighted else "it can't be read"),
        sources=Check(good=not stale, detail=_freshness(len(stale), len(station.controller.services))),
        stale=stale[:MOST] if identity.may(Permission.READ) else [],
    )
    return Response(ready, status_code=200 if sighted else 503)


def _freshness(stale: int, services: int) -> str:
    have = "has" if stale == 1 else "have"
    return f"{stale} of {counted(services, 'service')} {have} no fresh demand" if stale else "all are fresh"


@get(
    "/metrics",
    opt=needs(Permission.READ),
    summary="Metrics, for Prometheus",
    tags=["health"],
    media_type="text/plain",
)
async def metrics(station: NamedDependency[Station]) -> Response[bytes]:
    # Writing thousands of lines takes a while, and nothing that is read for it changes under the hands.
    text = await asyncio.to_thread(station.metrics.text, station.snapshot())
    return Response(text, headers={"content-type": CONTENT_TYPE})


HEALTH: list[Any] = [healthz, readyz, metrics]
