"""The routes that only look."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, PathParameter, QueryParameter
from litestar.types import ASGIApp

from beaufort import clock
from beaufort.web.access import Permission, needs
from beaufort.web.account import account
from beaufort.web.answers import (
    Account,
    DecisionPage,
    DecisionRecord,
    History,
    NodePage,
    ServiceDetail,
    ServicePage,
    Status,
    StreamEntry,
)
from beaufort.web.feed import KINDS
from beaufort.web.problems import Refused, refusal
from beaufort.web.station import Station
from beaufort.web.stream import Stream

__all__ = ["READS"]

READ = needs(Permission.READ)
MOST = 1000

Limit = Annotated[int, QueryParameter(ge=1, le=MOST, description="How many to answer at most.")]
After = Annotated[str | None, QueryParameter(description="The name that the page before ended with.")]
Name = Annotated[str, PathParameter(description="The name of a service.")]

MISSING = {404: refusal("There is no such service.")}


@get("/v1/status", opt=READ, summary="The whole at a glance", tags=["state"], sync_to_thread=False)
def status(station: NamedDependency[Station]) -> Status:
    return station.observer.status(station.feed.id)


@get("/v1/services", opt=READ, summary="All services, by name", tags=["state"], sync_to_thread=False)
def services(station: NamedDependency[Station], limit: Limit = 500, after: After = None) -> ServicePage:
    now = clock.now()
    names, following = _page(station, limit, after)
    states = [station.observer.state(station.controller.services[name], now) for name in names]
    return ServicePage(at=now, services=states, next=following)


@get(
    "/v1/history", opt=READ, summary="The near past of all services, to be drawn", tags=["state"], sync_to_thread=False
)
def history(station: NamedDependency[Station], limit: Limit = 500, after: After = None) -> History:
    names, following = _page(station, limit, after)
    rows = {name: [[*row] for row in station.herald.past.get(name, ())] for name in names}
    return History(at=clock.now(), services=rows, next=following)


def _page(station: Station, limit: int, after: str | None) -> tuple[list[str], str | None]:
    names = sorted(name for name in station.controller.services if after is None or name > after)
    return names[:limit], names[limit - 1] if len(names) > limit else None


@get(
    "/v1/services/{name:str}", opt=READ, summary="One service", tags=["state"], responses=MISSING, sync_to_thread=False
)
def service(station: NamedDependency[Station], name: Name) -> ServiceDetail:
    return station.observer.detail(known(station, name))


@get(
    "/v1/services/{name:str}/explain",
    opt=READ,
    summary="Why a service has the count that it has",
    tags=["state"],
    responses=MISSING,
    sync_to_thread=False,
)
def explain(station: NamedDependency[Station], name: Name) -> Account:
    return account(station.observer, known(station, name))


@get(
    "/v1/nodes",
    opt=READ,
    summary="The machines, or the one pool, and what they hold",
    tags=["state"],
    sync_to_thread=False,
)
def nodes(station: NamedDependency[Station]) -> NodePage:
    return NodePage(at=clock.now(), nodes=station.observer.nodes())


@get(
    "/v1/decisions",
    opt=READ,
    summary="The newest decisions that changed something",
    tags=["past"],
    sync_to_thread=False,
)
def decisions(
    station: NamedDependency[Station],
    service: Annotated[str | None, QueryParameter(description="Only those that changed this service.")] = None,
    since: Annotated[float | None, QueryParameter(description="Only those from this time on.")] = None,
    before: Annotated[
        int | None, QueryParameter(description="Only those with a smaller number: the next page.")
    ] = None,
    limit: Limit = 100,
) -> DecisionPage:
    found: list[DecisionRecord] = []
    for record in station.chronicle.told(service, since, before):
        if len(found) == limit:
            return DecisionPage(at=clock.now(), decisions=found, next=found[-1].number)
        found.append(record)
    return DecisionPage(at=clock.now(), decisions=found, next=None)


@get(
    "/v1/events",
    opt=READ,
    summary="What happens, as server-sent events",
    description="Resumes after the id in Last-Event-ID. A reader that is too slow is dropped, and told.",
    tags=["past"],
    media_type="text/event-stream",
    sync_to_thread=False,
    responses={
        200: ResponseSpec(
            StreamEntry, generate_examples=False, description="The stream.", media_type="text/event-stream"
        )
    },
)
def events(
    station: NamedDependency[Station],
    kinds: Annotated[
        str | None, QueryParameter(description=f"Which of {', '.join(KINDS)}, with commas; all by default.")
    ] = None,
    follow: Annotated[bool, QueryParameter(description="Go on for ever; else end after what there is.")] = True,
    last: Annotated[
        str | None, QueryParameter(description="As Last-Event-ID, for those who can't set headers.")
    ] = None,
    last_event_id: Annotated[str | None, HeaderParameter(name="Last-Event-ID", description="The last id seen.")] = None,
) -> ASGIApp:
    wanted = set(KINDS if kinds is None else kinds.split(","))
    if unknown := sorted(wanted - set(KINDS)):
        raise Refused(400, f"kinds: expected some of {', '.join(KINDS)}, got {', '.join(unknown)}")
    if station.feed.readers >= station.most_readers:
        raise Refused(503, f"{station.most_readers} readers follow the events already", {"retry-after": "10"})
    return Stream(station.feed, wanted, last_event_id or last, follow=follow)  # type: ignore[return-value]


def known(station: Station, name: str) -> str:
    """The name of a service that is there."""
    if name not in station.controller.services:
        raise Refused(404, f"{name}: there is no such service")
    return name


READS: list[Any] = [status, services, history, service, explain, nodes, decisions, events]
