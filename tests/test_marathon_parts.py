"""The parts of the Marathon driver that ask nobody: what they make of what a Marathon says, and of what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beaufort.model import Launch, Node, Resources, Service
from beaufort.protocols import NoRoom, Rejected, SchedulerError, Unreachable
from beaufort.quantity import Secret
from beaufort.schedulers.apps import launch
from beaufort.schedulers.apps.answers import App, Deployment, Event, Queued
from beaufort.schedulers.apps.capacity import State, capacity
from beaufort.schedulers.apps.change import Kill, Put, View, Wait, change
from beaufort.schedulers.apps.launch import MarathonLaunch
from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.apps.marathons import addresses, credentials, event
from beaufort.schedulers.apps.obituaries import Obituaries
from beaufort.schedulers.apps.sse import Feed
from beaufort.schedulers.apps.standing import Standing, standing
from beaufort.schedulers.apps.turn import Turn
from beaufort.schedulers.apps.words import delayed, unfit
from beaufort.schedulers.marathon import Marathon

LABELS = {"beaufort.deployment": "one", "beaufort.service": "web"}
SMALL = Resources(cpu=0.1, memory=32 * 2**20)


def task(number: int, state: str = "TASK_RUNNING", **more: Any) -> dict[str, Any]:
    """The younger, the higher its number."""
    at = datetime.fromtimestamp(number, UTC).isoformat()
    started = {"startedAt": at} if state in {"TASK_RUNNING", "TASK_KILLING"} else {}
    return {"id": f"web.{number}", "host": "h", "slaveId": "s", "state": state, "stagedAt": at, **started, **more}


def app(instances: int, *tasks: dict[str, Any], id_: str = "/beaufort/one/web", **more: Any) -> App:
    whole = {"id": id_, "instances": instances, "tasks": list(tasks), "labels": LABELS, **more}
    return msgspec.convert(whole, App)


def ids(found: Standing) -> list[str]:
    return [each.id for each in found.serving]


# The stream of events.


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_events_are_read_however_they_are_cut(cut: int) -> None:
    text = b"event: a\r\ndata: {1}\r\n\r\n: alive\n\ndata:2\ndata: 3\n\n\r\ndata: 4"
    feed = Feed()
    assert [*feed.take(text[:cut]), *feed.take(text[cut:])] == [b"{1}", b"2\n3"]
    assert feed.take(b"\n\n") == [b"4"]


@pytest.mark.parametrize(
    ("data", "read"),
    [
        (b'{"eventType": "a", "appId": "/b", "new": 7}', Event(event_type="a", app_id="/b")),
        (b'{"eventType": "a", "appId": null}', Event()),
        (b"<html>", Event()),
    ],
)
def test_an_event_that_is_not_understood_still_says_that_something_has_changed(data: bytes, read: Event) -> None:
    assert event(data) == read


# How an app stands.


def test_what_runs_starts_and_waits() -> None:
    found = standing(app(5, task(1), task(2, "TASK_STAGING"), task(3)), "web", (), by_agent=True)
    assert (found.running, len(found.serving), found.waiting, found.stopping, found.on) == (2, 3, 2, 0, {"s": 3})
    assert ids(found) == ["web.2", "web.3", "web.1"], "in the order in which they would go"


def test_what_has_ended_is_not_there() -> None:
    ended = [task(number, state) for number, state in enumerate(["TASK_FAILED", "TASK_UNREACHABLE", "TASK_KILLED"])]
    assert standing(app(3, *ended), "web", (), by_agent=True) == Standing(3)


def test_what_was_told_to_end_holds_room() -> None:
    found = standing(app(1, task(1), task(2), task(3, "TASK_KILLING")), "web", {"web.1"}, by_agent=False)
    assert (ids(found), found.stopping, found.on) == (["web.2"], 2, {"h": 3})


def test_what_is_beyond_what_is_wanted_is_about_to_go() -> None:
    """As after a restart: nobody here knows which tasks the Beaufort before has named."""
    found = standing(app(1, task(1), task(2), task(3)), "web", (), by_agent=True)
    assert (ids(found), found.stopping, found.waiting) == (["web.1"], 2, 0)


@pytest.mark.parametrize(
    ("results", "runs"),
    [(None, False), ([], False), ([{"alive": True}, {"alive": False}], False), ([{"alive": True}], True)],
)
def test_with_health_checks_it_serves_when_they_say_so(results: list[dict[str, bool]] | None, runs: bool) -> None:
    checked = app(1, task(1, healthCheckResults=results), healthChecks=[{}])
    assert standing(checked, "web", (), by_agent=True).running == runs


def test_an_old_marathon_tells_no_state() -> None:
    staged, running = task(1, "", startedAt=None), task(2, "", startedAt="2020-01-01T00:00:00Z")
    found = standing(app(2, staged, running), "web", (), by_agent=True)
    assert (found.running, len(found.serving)) == (1, 2)


# What is asked for.


def service(**options: Any) -> Service:
    return Service("web", 1, resources=SMALL, launch=Launch(("run",), options=MarathonLaunch(**options)))


def asked(
    app: App, count: int, web: Service | None = None, lacks: str = "", queued: int = 9, *, stuck: bool = False
) -> Kill | Put | Wait | None:
    stands = View(standing(app, "web", (), by_agent=True), lacks, queued, stuck)
    return change(web or service(app=app.id), "one", [app], stands, count)


def asked_of_nothing(web: Service, count: int, *apps: App) -> Kill | Put | Wait | None:
    return change(web, "one", apps, View(Standing()), count)


def test_what_is_so_already_is_not_asked_for() -> None:
    assert asked(app(1, task(1)), 1) is None
    assert asked_of_nothing(service(), 0) is None


def test_more_are_asked_for_by_their_number() -> None:
    assert asked(app(1, task(1)), 3) == Put({"id": "/beaufort/one/web", "instances": 3}, grows=True)


WEB = "/beaufort/one/web"


def test_those_that_go_are_named() -> None:
    """Not yet serving before the youngest."""
    stands = app(3, task(1), task(2, "TASK_STAGING"), task(3))
    assert asked(stands, 1) == Kill(WEB, ("web.2", "web.3"), 1)


@pytest.mark.parametrize(
    ("count", "change"),
    [
        pytest.param(4, Kill(WEB, ("web.3",), 4), id="what starts goes first"),
        pytest.param(3, Kill(WEB, ("web.3",), 4), id="what runs stays as long as it may, and what waits is for later"),
        pytest.param(1, Kill(WEB, ("web.3", "web.2"), 3), id="what runs goes as far as it must"),
        pytest.param(0, Put({"id": WEB, "instances": 0}, grows=False), id="all go"),
    ],
)
def test_what_waits_to_be_launched_has_no_name_to_go_by(count: int, change: Kill | Put) -> None:
    assert asked(app(5, task(1), task(2), task(3, "TASK_STAGING")), count) == change


def test_what_waits_is_waited_for_where_nothing_else_should_go() -> None:
    assert asked(app(3, task(1), task(2)), 2) == Wait()
    assert asked(app(3, task(1), task(2)), 2, stuck=True) == Put({"id": WEB, "instances": 2}, grows=False)


def test_what_waits_no_more_is_not_waited_for() -> None:
    """As the deployment that let it wait was stopped, and Marathon has forgotten it: only its number is left."""
    assert asked(app(3, task(1)), 2, queued=0) == Put({"id": WEB, "instances": 2}, grows=False)
    assert asked(app(3, task(1)), 1, lacks="too little", queued=0) == Put({"id": WEB, "instances": 1}, grows=False)


def test_what_can_not_be_launched_counts_for_nothing() -> None:
    stands = app(3, task(1), task(2))
    assert asked(stands, 2, lacks="too little") is None
    for count in (1, 0):
        fewer = Put({"id": WEB, "instances": count}, grows=False)
        assert asked(stands, count, lacks="too little") == fewer, "a name would make room for it"
    with pytest.raises(NoRoom, match="web: too little"):
        asked(stands, 3, lacks="too little")


def test_an_app_that_is_not_there_is_made() -> None:
    made = asked_of_nothing(service(), 2)
    assert isinstance(made, Put)
    assert (made.app, made.body["instances"], made.grows, made.renews) == ("/beaufort/one/web", 2, True, False)


@pytest.mark.parametrize(
    ("web", "words"),
    [
        pytest.param(service(app="/shop/web"), "web: there is no app /shop/web", id="by its id"),
        pytest.param(service(label="team=shop"), "web: there is no app with the label team=shop", id="by a label"),
        pytest.param(replace(service(), launch=Launch()), "web: command: missing", id="with faults"),
    ],
)
def test_what_can_not_be_made_is_rejected(web: Service, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        asked_of_nothing(web, 1)


def test_two_apps_for_one_service_are_rejected() -> None:
    with pytest.raises(Rejected, match="web: expected one app, got /a and /b"):
        asked_of_nothing(service(label="team=shop"), 1, app(1, id_="/a"), app(1, id_="/b"))


def made(count: int, *tasks: dict[str, Any]) -> App:
    """As ``service()`` would have it made."""
    return msgspec.convert({**launch.app(service(), "one", count), "tasks": list(tasks)}, App)


def test_a_changed_launch_renews_what_we_have_made() -> None:
    assert asked(made(1, task(1)), 1, service()) is None
    renewed = asked(made(1, task(1)), 1, service(ports=(0,)))
    assert isinstance(renewed, Put)
    assert (renewed.renews, renewed.grows, renewed.body["portDefinitions"]) == (
        True,
        False,
        [{"port": 0, "protocol": "tcp"}],
    )
    assert isinstance(asked(made(1, task(1)), 0, service(ports=(0,))), Kill), "what goes is not renewed"


# Why it waits.


def queued(**more: Any) -> Queued:
    return msgspec.convert({"app": {"id": "/a"}, "count": 1, **more}, Queued)


def offers(unused: int, *steps: tuple[str, int, int]) -> Queued:
    told = [{"reason": reason, "declined": declined, "processed": processed} for reason, declined, processed in steps]
    return queued(
        processedOffersSummary={"processedOffersCount": 9, "unusedOffersCount": unused, "rejectSummaryLastOffers": told}
    )


@pytest.mark.parametrize(
    ("waits", "words"),
    [
        pytest.param(queued(), "", id="no offer yet"),
        pytest.param(offers(0, ("InsufficientCpus", 0, 3)), "", id="all offers did"),
        pytest.param(offers(3, ("InsufficientCpus", 2, 3), ("InsufficientMemory", 0, 1)), "", id="one may do"),
        pytest.param(
            offers(3, ("InsufficientMemory", 2, 3), ("UnfulfilledConstraint", 1, 1)),
            "3 nodes: 2 too little memory, 1 not within its constraints",
            id="none does",
        ),
        pytest.param(offers(1, ("SomethingNew", 1, 1)), "1 node: 1 SomethingNew", id="a new reason"),
        pytest.param(offers(1), "no offer of the cluster does", id="an old Marathon says no more"),
    ],
)
def test_why_no_offer_does(waits: Queued, words: str) -> None:
    assert unfit(waits) == words


def test_how_long_marathon_waits_after_failures() -> None:
    assert not delayed(queued(), "x")
    assert not delayed(queued(delay={"timeLeftSeconds": 0, "overdue": True}), "x")
    late = queued(delay={"timeLeftSeconds": 12, "overdue": False})
    assert delayed(late, "failed: no") == "Marathon waits 12 s after failures: failed: no"
    assert delayed(late, "") == "Marathon waits 12 s after failures"


# Who has ended.


def ended(number: int, state: str = "TASK_FAILED", message: str = "exit 1") -> Event:
    return Event(
        event_type="status_update_event", app_id="/a", task_id=f"web.{number}", task_status=state, message=message
    )


def causes(
    obituaries: Obituaries, *tasks: dict[str, Any], alive: Sequence[str] = (), dying: Sequence[str] = (), **more: Any
) -> list[str]:
    return [words for _, words in obituaries.read([app(1, *tasks, id_="/a", **more)], alive, dying)]


def begun() -> Obituaries:
    obituaries = Obituaries()
    assert causes(obituaries) == []
    return obituaries


LAST = {"taskId": "web.1", "state": "TASK_FAILED", "message": "exit 1"}


def test_an_end_is_told_once_by_whatever_told_it() -> None:
    obituaries = begun()
    obituaries.hear(ended(1))
    obituaries.hear(ended(1))
    assert causes(obituaries, lastTaskFailure=LAST) == ["failed: exit 1"]
    obituaries.hear(ended(1))
    assert causes(obituaries, lastTaskFailure=LAST) == []
    obituaries.hear(ended(2, "TASK_LOST", ""))
    assert causes(obituaries, lastTaskFailure=LAST) == ["lost"]


def test_what_failed_before_is_nobodys_failure() -> None:
    obituaries = Obituaries()
    assert causes(obituaries, lastTaskFailure=LAST) == []
    assert causes(obituaries, lastTaskFailure=LAST) == []


def test_what_was_told_to_end_has_not_failed() -> None:
    obituaries = begun()
    obituaries.hear(ended(1, "TASK_FINISHED"))
    obituaries.hear(ended(2, "TASK_KILLED"))
    assert causes(obituaries, dying=["web.1"]) == []


def test_an_event_may_come_before_the_list_that_shows_it() -> None:
    obituaries = begun()
    obituaries.hear(ended(1))
    assert causes(obituaries, task(1), alive=["web.1"]) == []
    assert causes(obituaries) == ["failed: exit 1"]


def test_what_was_not_healthy_has_failed() -> None:
    obituaries = begun()
    obituaries.hear(Event(event_type="unhealthy_task_kill_event", app_id="/a", task_id="web.1", reason="500"))
    obituaries.hear(ended(1, "TASK_KILLED"))
    assert causes(obituaries) == ["killed as it was not healthy: 500"]


# What is known.


def ledger() -> Ledger:
    found = Ledger("one", by_agent=True)
    found.see([app(2, task(1), task(2))], (), found.mark(), 0.0)
    return found


def counts(found: Ledger) -> tuple[int, int, int]:
    each = found.counts((), {})["web"]
    return each.running, each.starting, each.stopping


def test_what_is_accepted_counts_until_a_list_shows_it() -> None:
    found = ledger()
    older = found.mark()
    found.ask("web", 3)
    assert (counts(found), found.is_awaited("web")) == ((2, 1, 0), True)
    found.see([app(2, task(1), task(2))], (), older, 0.0)
    assert counts(found) == (2, 1, 0), "the list was asked for before"
    found.see([app(4, task(1), task(2))], (), found.mark(), 0.0)
    assert (counts(found), found.is_awaited("web")) == ((2, 2, 0), False), "others have changed it"


def test_what_is_killed_is_stopping_until_it_is_gone() -> None:
    found = ledger()
    found.ask("web", 1, ["web.2"])
    assert counts(found) == (1, 0, 1)
    found.see([app(1, task(1), task(2))], (), found.mark(), 0.0)
    assert counts(found) == (1, 0, 1)
    found.see([app(1, task(1))], (), found.mark(), 0.0)
    assert counts(found) == (1, 0, 0)


def test_what_can_not_be_named_yet_holds_its_room() -> None:
    """One of two goes, and another that waits to be launched will."""
    found = Ledger("one", by_agent=True)
    found.see([app(3, task(1), task(2))], (), found.mark(), 0.0)
    found.ask("web", 1, ["web.2"], 2)
    assert counts(found) == (1, 0, 2)


def test_what_was_named_and_has_been_replaced_holds_its_room() -> None:
    """It ended by itself before it was told to, and nobody was told to take back its successor."""
    found = ledger()
    older = found.mark()
    found.ask("web", 1, ["web.2"], 1)
    found.see([app(2, task(1))], (), older, 0.0)
    assert counts(found) == (1, 0, 1)
    found.see([app(2, task(1))], (), found.mark(), 0.0)
    assert counts(found) == (1, 1, 0)


def test_what_waits_for_a_lock_is_counted_as_starting() -> None:
    found = ledger()
    found.ask("web", 0, ["web.1", "web.2"])
    found.see([app(0, task(1), task(2))], (), found.mark(), 0.0)
    found.want("web", 1)
    assert (counts(found), found.is_awaited("web")) == ((0, 1, 2), False)
    found.see([app(0, task(1), task(2))], (), found.mark(), 0.0)
    assert counts(found) == (0, 1, 2)
    found.forget("web")
    assert counts(found) == (0, 0, 2)


def test_the_apps_of_others_are_not_ours() -> None:
    found = Ledger("one", by_agent=True)
    others = app(1, task(1), id_="/shop/web", labels={"team": "shop"})
    elsewhere = app(1, task(1), id_="/beaufort/two/web", labels={**LABELS, "beaufort.deployment": "two"})
    found.see([others, elsewhere], (), found.mark(), 0.0)
    assert (found.counts((), {}), found.is_ours("/shop/web")) == ({}, False)
    assert found.adopt(service(app="/shop/web"))
    assert not found.adopt(service(app="/shop/web"))
    found.see([others, elsewhere], (), found.mark(), 0.0)
    assert counts(found) == (1, 0, 0)
    found.adopt_only([service(label="team=shop")])
    found.see([others, elsewhere], (), found.mark(), 0.0)
    assert counts(found) == (1, 0, 0)


def test_what_was_removed_with_its_tasks_holds_room_for_their_grace() -> None:
    found = ledger()
    found.see([], (), found.mark(), 10.0)
    assert counts(found) == (0, 0, 2)
    found.see([], (), found.mark(), 14.9)
    assert (counts(found), found.counts((), {})["web"].on) == ((0, 0, 2), {"s": 2})
    found.see([], (), found.mark(), 15.0)
    assert found.counts((), {}) == {}


def test_what_is_there_again_was_gone() -> None:
    found = ledger()
    found.see([], (), found.mark(), 10.0)
    found.see([app(1, task(3))], (), found.mark(), 11.0)
    assert counts(found) == (1, 0, 0)


def test_only_what_concerns_us_is_heard() -> None:
    found = ledger()
    assert found.hear(Event(event_type="status_update_event", app_id="/beaufort/one/web", task_id="a"))
    assert found.hear(Event(event_type="instance_changed_event", run_spec_id="/beaufort/one/web"))
    assert found.hear(Event(event_type="deployment_success"))
    assert not found.hear(Event(event_type="status_update_event", app_id="/shop/web", task_id="a"))


def test_only_what_we_have_made_and_is_empty_is_a_stray() -> None:
    found = Ledger("one", by_agent=True)
    found.see([made(0), app(0, id_="/shop/web")], (), found.mark(), 0.0)
    assert [each.id for each in found.strays({"web"})] == []
    assert [each.id for each in found.strays(())] == ["/beaufort/one/web"]
    found.see([made(0, task(1))], (), found.mark(), 0.0)
    assert found.strays(()) == []


@pytest.mark.parametrize(
    ("action", "only"), [("ScaleApplication", True), ("StartApplication", True), ("RestartApplication", False)]
)
def test_which_deployments_only_scale(action: str, only: bool) -> None:
    plan = {
        "id": "d",
        "currentActions": [{"action": "ScaleApplication", "app": "/a"}],
        "steps": [{"actions": [{"action": action}]}],
    }
    deployment = msgspec.convert(plan, Deployment)
    assert (deployment.only_scales, deployment.words) == (only, "d (ScaleApplication /a)")


# One turn.


async def test_one_turn_is_one_call() -> None:
    calls: list[list[int]] = []

    async def send(items: Sequence[int]) -> str:
        calls.append(list(items))
        return f"d{len(calls)}"

    async with asyncio.TaskGroup() as tasks:
        turn = Turn(tasks, send, lambda _: True)
        asked = [tasks.create_task(turn.ask(number)) for number in range(3)]
    assert ([each.result() for each in asked], calls) == (["d1"] * 3, [[0, 1, 2]])


async def test_where_one_can_not_be_the_others_are() -> None:
    async def send(items: Sequence[int]) -> str:
        if 1 in items:
            raise Rejected("no")
        return "yes"

    async with asyncio.TaskGroup() as tasks:
        turn = Turn(tasks, send, lambda error: isinstance(error, Rejected))
        asked = [tasks.create_task(_outcome(turn, number)) for number in range(3)]
    assert [each.result() for each in asked] == ["yes", "Rejected", "yes"]


async def test_where_all_can_not_be_asked_nobody_is_asked_again() -> None:
    calls = []

    async def send(items: Sequence[int]) -> str:
        calls.append(items)
        raise Unreachable("gone")

    async with asyncio.TaskGroup() as tasks:
        turn = Turn(tasks, send, lambda error: isinstance(error, Rejected))
        asked = [tasks.create_task(_outcome(turn, number)) for number in range(2)]
    assert ([each.result() for each in asked], len(calls)) == (["Unreachable"] * 2, 1)


async def _outcome(turn: Turn[int], number: int) -> str:
    try:
        return await turn.ask(number)
    except SchedulerError as error:
        return type(error).__name__


# The nodes.


def scalar(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def test_a_node_has_what_others_leave() -> None:
    agent = {
        "agent_info": {
            "hostname": "h",
            "id": {"value": "s"},
            "attributes": [{"name": "zone", "text": {"value": "a"}}],
            "domain": {"fault_domain": {"region": {"name": "r"}, "zone": {"name": "z"}}},
        },
        "active": True,
        "total_resources": [scalar("cpus", 4), scalar("mem", 1000)],
        "allocated_resources": [scalar("cpus", 2), scalar("mem", 500)],
    }
    drained = {**agent, "agent_info": {"hostname": "i", "id": {"value": "t"}}, "active": False, "deactivated": True}
    lost = {**agent, "agent_info": {"hostname": "j", "id": {"value": "u"}}, "active": False}
    tasks = [
        {
            "task_id": {"value": "a.1"},
            "agent_id": {"value": where},
            "resources": [scalar("cpus", 0.5), scalar("mem", 100)],
        }
        for where in ("s", "t", "s")
    ]
    tasks[2]["task_id"] = {"value": "other.1"}
    state = msgspec.convert(
        {"get_state": {"get_agents": {"agents": [agent, drained, lost]}, "get_tasks": {"tasks": tasks}}}, State
    )
    mib = 2**20
    assert capacity(state, "*", lambda id_, _: id_.startswith("a.")) == (
        Node(
            "s",
            Resources(cpu=2.5, memory=600 * mib),
            {"zone": "a", "@region": "r", "@zone": "z", "hostname": "h", "@hostname": "h", "@agent": "s"},
        ),
        Node("t", Resources(cpu=0.5, memory=100 * mib), {"hostname": "i", "@hostname": "i", "@agent": "t"}),
    )


# Where it is, and how we are let in.


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("m1", "http://m1:8080"),
        ("m1:80", "http://m1:80"),
        ("https://dcos/service/marathon/", "https://dcos/service/marathon"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_where_it_is(url: str, base: str) -> None:
    (found,) = addresses([url], None, None, None)
    assert (found.base, str(found)) == (base, base)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"url": ()}, "url: expected the address of a Marathon, got an empty list", id="none"),
        pytest.param({"url": "zk://a/b"}, 'url: expected http://host:8080 or host:8080, got "zk://a/b"', id="no URL"),
        pytest.param(
            {"url": "http://me:you@m"}, "url: expected an address without a name or a password", id="a password"
        ),
        pytest.param(
            {"url": "http://m", "tls_ca": Path("ca")}, "url: expected https://, as there are cert", id="no TLS"
        ),
        pytest.param({"url": "m", "tls_key": Path("key")}, "tls_cert: expected the certificate that", id="key"),
        pytest.param({"url": "m", "user": "me"}, "user: expected it together with password", id="no password"),
        pytest.param(
            {"url": "m", "user": "me", "password": Secret("a"), "token": Secret("b")},
            "token: expected nothing here",
            id="token",
        ),
        pytest.param({"url": "m", "deployment": ""}, "deployment: expected a name", id="no deployment"),
        pytest.param({"url": "m", "master": "in the cloud"}, "master: expected host:port", id="no master"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        Marathon(**options)


def test_how_we_are_let_in() -> None:
    assert credentials(None, "", None) == {}
    assert credentials("me", "you", None) == {"Authorization": "Basic bWU6eW91"}
    assert credentials(None, "", "abc") == {"Authorization": "token=abc"}
