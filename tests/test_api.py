"""The API over a real connection: what it answers, what it changes, and how it refuses."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beaufort import clock
from web_stage import CONFIG, Stage, stage


@pytest.fixture
async def played() -> AsyncIterator[Stage]:
    async with stage() as played:
        await played.settled(web=1, rest=5)
        yield played


async def service(played: Stage, name: str) -> Any:
    return (await played.client.get(f"/v1/services/{name}")).json()["service"]


async def push(played: Stage, **values: float) -> None:
    body = [{"service": name, "value": value} for name, value in values.items()]
    answer = await played.client.post("/v1/demand", json=body)
    assert (answer.status_code, answer.json()) == (200, {"taken": len(values), "known": 0})


async def test_pushed_demand_moves_containers_and_is_told_everywhere(played: Stage) -> None:
    await push(played, web=4)
    await played.settled(web=4, rest=2)
    web = await service(played, "web")
    assert (web["demand"]["value"], web["desired"], web["granted"], web["running"]) == (4, 4, 4, 4)
    page = (await played.client.get("/v1/services")).json()
    assert [(each["name"], each["running"]) for each in page["services"]] == [("rest", 2), ("web", 4)]
    (pool,) = (await played.client.get("/v1/nodes")).json()["nodes"]
    assert pool["containers"] == {"web": 4, "rest": 2}
    assert (pool["held"], pool["capacity"]) == ({"containers": 6}, {"containers": 6})
    status = (await played.client.get("/v1/status")).json()
    assert (status["containers"], status["sighted"], status["held"]) == (6, True, {"containers": 6})
    assert 0 < status["reaction"]["action_p50"] < status["reaction"]["running_p50"]


async def test_explain_tells_each_stage_and_who_lost_what_to_whom(played: Stage) -> None:
    await push(played, web=4)
    await played.settled(web=4, rest=2)
    told = (await played.client.get("/v1/services/rest/explain")).json()
    stages = {each["stage"]: (each["count"], each["reason"]) for each in told["stages"]}
    assert stages["desired"][0] == 6
    assert stages["granted"] == (2, "pool full (containers)")
    assert stages["running"][0] == 2
    assert [(move["count"], move["with"]) for move in told["gave"]] == [(3, ["web"])]
    web = (await played.client.get("/v1/services/web/explain")).json()
    assert [(move["count"], move["with"]) for move in web["took"]] == [(3, ["rest"])]
    assert web["gave"] == []
    assert "demand 4, 1 each" in web["text"]
    assert {each["stage"]: each["count"] for each in web["stages"]} == {
        "demand": 4,
        "policy": 4,
        "desired": 4,
        "bounds": 4,
        "granted": 4,
        "running": 4,
    }


async def test_explain_names_the_limit_that_a_desire_has_come_to(played: Stage) -> None:
    async def bounds() -> str:
        told = (await played.client.get("/v1/services/web/explain")).json()["stages"]
        return next(str(each["reason"]) for each in told if each["stage"] == "bounds")

    assert await bounds() == "from 1 to 1: its desire, its min"
    await push(played, web=4)
    await played.settled(web=4)
    assert await bounds() == "from 1 to 4: its desire"
    await played.client.patch("/v1/services/web", json={"max": 2})
    await played.settled(web=2)
    assert await bounds() == "from 1 to 2: its desire, its max"


STANDBY: dict[str, Any] = {
    **CONFIG,
    "capacity": {"memory": 3},
    "services": {
        "web": {
            "priority": 1,
            "min": 1,
            "resources": {"memory": 1},
            "standby": {"paused": 4},
            "policy": {"type": "per-container", "target": 1},
        }
    },
}


async def test_explain_tells_why_fewer_are_held_ready_than_there_should_be() -> None:
    async with stage(STANDBY) as played:

        async def until_told(count: int, reason: str) -> None:
            expected = {"stage": "standby", "count": count, "reason": f"of 4 that are to be held ready: {reason}"}
            async with asyncio.timeout(10):
                while expected not in (await played.client.get("/v1/services/web/explain")).json()["stages"]:
                    pass

        await until_told(2, "pool full (memory)")
        await played.client.post("/v1/services/web/pause", json={"direction": "out"})
        await until_told(2, "paused: not made larger")
        await played.client.post("/v1/services/web/resume")
        await played.client.patch("/v1/services/web", json={"max": 3})
        await until_told(2, "max leaves 2 more to serve")


async def test_a_decision_tells_what_was_known_then(played: Stage) -> None:
    await push(played, web=4)
    await played.settled(web=4, rest=2)
    await push(played, web=5)
    await played.settled(web=5, rest=1)
    found = (await played.client.get("/v1/decisions", params={"service": "rest"})).json()["decisions"]
    changes = [next(each for each in record["changes"] if each["service"] == "rest") for record in found]
    shrinking = [(each["granted_before"], each["granted"], each["target"]) for each in changes]
    assert shrinking == [(2, 1, 1), (5, 2, 2), (0, 5, 5)]
    assert found[1]["causes"] == ["demand of web 4"]
    assert changes[1]["reason"] == "gives way to web (priority 1)"
    assert (changes[1]["running"], changes[1]["desired"]) == (5, 6)


async def test_decisions_come_in_pages(played: Stage) -> None:
    for value in (2, 3, 4):
        await push(played, web=value)
        await played.settled(web=value)
    everything = (await played.client.get("/v1/decisions")).json()["decisions"]
    numbers = [record["number"] for record in everything]
    assert numbers == sorted(numbers, reverse=True)
    paged: list[int] = []
    before: int | None = None
    while before is not None or not paged:
        query = {"limit": 2} | ({} if before is None else {"before": before})
        page = (await played.client.get("/v1/decisions", params=query)).json()
        paged += [record["number"] for record in page["decisions"]]
        before = page["next"]
    assert paged == numbers
    since = everything[1]["at"]
    newer = (await played.client.get("/v1/decisions", params={"since": since})).json()["decisions"]
    assert [record["number"] for record in newer] == numbers[:2]


async def test_services_come_in_pages_and_have_a_past(played: Stage) -> None:
    first = (await played.client.get("/v1/services", params={"limit": 1})).json()
    assert ([each["name"] for each in first["services"]], first["next"]) == (["rest"], "rest")
    second = (await played.client.get("/v1/services", params={"after": first["next"]})).json()
    assert ([each["name"] for each in second["services"]], second["next"]) == (["web"], None)
    await push(played, web=3)
    await played.settled(web=3)
    await played.until(lambda: any(row[4] == 3 for row in played.serving.station.herald.past.get("web", ())))
    past = (await played.client.get("/v1/history")).json()["services"]
    assert past["web"][-1][1:] == [3, 3, 3, 3]
    assert [row[0] for row in past["web"]] == sorted(row[0] for row in past["web"])


async def test_pushing_twice_is_pushing_once(played: Stage) -> None:
    at = clock.now() - 1
    sample = {"service": "web", "value": 3, "at": at}
    first = await played.client.post("/v1/demand", json=sample)
    again = await played.client.post("/v1/demand", json=sample)
    older = await played.client.post("/v1/demand", json={**sample, "value": 5, "at": at - 1})
    assert [answer.json() for answer in (first, again, older)] == [
        {"taken": 1, "known": 0},
        {"taken": 0, "known": 1},
        {"taken": 0, "known": 1},
    ]
    await played.settled(web=3)


async def test_thousands_of_samples_in_one_body_as_messagepack(played: Stage) -> None:
    now = clock.now()
    samples = [{"service": "web", "value": 2, "at": now - 10 + index / 1000} for index in range(5000)]
    body = msgspec.msgpack.encode(samples)
    answer = await played.client.post("/v1/demand", content=body, headers={"content-type": "application/msgpack"})
    assert answer.json() == {"taken": 5000, "known": 0}
    await played.settled(web=2)


@pytest.mark.parametrize(
    ("samples", "faults"),
    [
        pytest.param(
            [{"service": "web", "value": 4}, {"service": "nobody", "value": 1}],
            ["nobody: there is no such service; there are web, rest, timed"],
            id="no such service",
        ),
        pytest.param(
            [{"service": "timed", "value": 1}, {"service": "nobody", "value": 1}],
            [
                "timed: its demand is measured by random, not pushed",
                "nobody: there is no such service; there are web, rest, timed",
            ],
            id="every fault at once",
        ),
    ],
)
async def test_a_push_with_a_fault_is_refused_whole(samples: list[dict[str, Any]], faults: list[str]) -> None:
    timed = {"priority": 3, "policy": {"type": "per-container", "target": 1}, "demand": {"type": "random"}}
    async with stage({**CONFIG, "services": {**CONFIG["services"], "timed": timed}}) as played:
        answer = await played.client.post("/v1/demand", json=samples)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["faults"] == faults
        assert (await service(played, "web"))["demand"] is None


@pytest.mark.parametrize(
    ("method", "path", "said", "faults"),
    [
        pytest.param(
            "POST",
            "/v1/demand",
            [{"service": "web", "value": "ten"}, {"service": 5, "value": 1, "vlaue": 2}, {"service": "web"}, None],
            [
                '[0].value: expected a number of 0 or more, got "ten"',
                "[1].service: expected text, got 5",
                "[1].vlaue: unknown key; expected service, value, at, arrivals, rate",
                "[2].value: missing; expected a number of 0 or more",
                "[3]: expected an object, got null",
            ],
            id="samples",
        ),
        pytest.param(
            "POST",
            "/v1/demand",
            {"service": "web", "value": 1, "rate": -1, "at": {}},
            [
                "rate: expected a number of 0 or more, or null, got -1",
                "at: expected a time in seconds since the epoch, or null, got an object",
            ],
            id="one sample",
        ),
        pytest.param("POST", "/v1/session", "a token", ["the body: expected an object, got text"], id="a text"),
        pytest.param("POST", "/v1/demand", 5, ["the body: expected an object or a list, got 5"], id="a number"),
        pytest.param(
            "PATCH",
            "/v1/services/web",
            {"min": -1, "weight": 0},
            [
                "min: expected a whole number from 0 to 1000000, got -1",
                "weight: expected a number above 0, up to 1000000, got 0",
            ],
            id="limits",
        ),
    ],
)
async def test_every_fault_of_a_body_is_told_with_its_place(
    played: Stage, method: str, path: str, said: object, faults: list[str]
) -> None:
    answer = await played.client.request(method, path, json=said)
    assert (answer.status_code, answer.json()["faults"]) == (400, faults)


async def test_faults_beyond_measure_are_not_all_told(played: Stage) -> None:
    unknown = [{"service": f"nobody-{number}", "value": 1} for number in range(5000)]
    for samples in (unknown, [{"service": "web"}] * 5000):
        answer = await played.client.post("/v1/demand", json=samples)
        assert len(answer.json()["faults"]) == 100
        assert answer.json()["detail"].endswith("; and 99 faults more")


async def test_long_numbers_are_short_in_words_and_whole_in_data(played: Stage) -> None:
    await push(played, web=3.83625)
    await played.settled(web=4)
    web = await service(played, "web")
    assert (web["demand"]["value"], web["reason"]) == (3.83625, "wants 4: demand 3.84, 1 each; gets 4")
    why = (await played.client.get("/v1/services/web/explain")).json()
    assert why["stages"][0]["count"] == 3.83625
    assert "demand    3.84  measured" in why["text"]
    causes = [
        cause for each in (await played.client.get("/v1/decisions")).json()["decisions"] for cause in each["causes"]
    ]
    assert "demand of web 3.84" in causes


async def test_what_is_held_ready_is_told() -> None:
    services = {"web": {**CONFIG["services"]["web"], "standby": {"created": 2}}}
    async with stage({**CONFIG, "services": services}) as played:
        await played.settled(web=1)
        await played.until(lambda: played.serving.station.observer.counts["web"].standby.total == 2)
        web = await service(played, "web")
        assert (web["running"], web["standby"], web["warming"]) == (1, 2, 0)
        metrics = (await played.client.get("/metrics")).text
        assert 'beaufort_service_standby{service="web"} 2.0' in metrics


async def test_pause_and_resume(played: Stage) -> None:
    answer = await played.client.post("/v1/services/web/pause", json={"direction": "out"})
    assert answer.json()["paused"] == {"direction": "out", "until": None}
    await push(played, web=4)
    assert "paused: not made larger" in (await service(played, "web"))["reason"]
    assert (await service(played, "web"))["running"] == 1
    answer = await played.client.post("/v1/services/web/resume")
    assert answer.json()["paused"] is None
    await played.settled(web=4)


async def test_a_pause_ends_by_its_time(played: Stage) -> None:
    await played.client.post("/v1/services/web/pause", json={"until": clock.now() + 0.2})
    await push(played, web=4)
    await played.settled(web=4)
    assert [event.detail for event in played.events if event.kind == "resumed"] == ["its time is over"]


async def test_limits_hold_until_the_configuration_changes(played: Stage) -> None:
    await push(played, web=5)
    await played.settled(web=5)
    answer = await played.client.patch("/v1/services/web", json={"max": 2})
    assert (answer.json()["max"], answer.json()["overrides"]) == (2, {"max": 2})
    await played.settled(web=2, rest=4)
    answer = await played.client.patch("/v1/services/web", json={"min": 2, "weight": 3})
    assert answer.json()["overrides"] == {"max": 2, "min": 2, "weight": 3}
    answer = await played.client.post("/v1/config", json=CONFIG)
    assert answer.status_code == 200
    assert (await service(played, "web"))["overrides"] == {}
    await played.settled(web=5)


async def test_a_change_of_limits_is_no_new_sample(played: Stage) -> None:
    await push(played, web=3)
    await played.settled(web=3)
    await played.client.patch("/v1/services/web", json={"max": 2})
    await played.settled(web=2)
    told = (await played.client.get("/v1/services/web")).json()["samples"]
    assert [each["value"] for each in told] == [3.0]


async def test_limits_are_given_back(played: Stage) -> None:
    await push(played, web=5)
    await played.client.patch("/v1/services/web", json={"max": 2})
    await played.settled(web=2)
    answer = await played.client.delete("/v1/services/web/overrides")
    assert (answer.json()["max"], answer.json()["overrides"]) == (None, {})
    await played.settled(web=5)


async def test_limits_that_contradict_each_other_change_nothing(played: Stage) -> None:
    answer = await played.client.patch("/v1/services/web", json={"min": 5, "max": 2})
    assert (answer.status_code, answer.json()["faults"]) == (422, ["web.max: expected min (5) or more, got 2"])
    assert (await service(played, "web"))["min"] == 1


async def test_a_configuration_is_swapped_whole_or_only_planned(played: Stage) -> None:
    other = {**CONFIG, "services": {"web": {"priority": 1, "policy": {"type": "constant", "count": 3}}}}
    plan = (await played.client.post("/v1/config", params={"dry_run": "true"}, json=other)).json()
    assert [(each["service"], each["from"], each["to"]) for each in plan["actions"]] == [("rest", 5, 0), ("web", 1, 1)]
    assert set(played.controller.services) == {"web", "rest"}
    await played.client.post("/v1/config", json=other)
    assert set(played.controller.services) == {"web"}
    await played.settled(web=3)


@pytest.mark.parametrize(
    ("document", "faults"),
    [
        pytest.param(
            {"services": {"web": {"prioritty": 1, "policy": {"type": "constnt"}}}},
            [
                'web.prioritty: unknown key "prioritty"; did you mean "priority"?',
                'web.policy.type: unknown policy "constnt"; did you mean "constant"?',
            ],
            id="the words of check",
        ),
        pytest.param(
            {**CONFIG, "deployment": "other"},
            ["another scheduler or deployment needs a restart"],
            id="another deployment",
        ),
    ],
)
async def test_a_wrong_configuration_is_refused_with_every_fault(
    played: Stage, document: dict[str, Any], faults: list[str]
) -> None:
    for query in ({}, {"dry_run": "true"}):
        answer = await played.client.post("/v1/config", params=query, json=document)
        assert answer.status_code == 422
        assert set(faults) <= set(answer.json()["faults"])
    assert set(played.controller.services) == {"web", "rest"}


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "words"),
    [
        pytest.param("GET", "/v1/services/nope", {}, 404, "nope: there is no such service", id="no such service"),
        pytest.param("GET", "/v1/services/nope/explain", {}, 404, "nope: there is no", id="nothing to explain"),
        pytest.param("POST", "/v1/services/nope/pause", {"json": {}}, 404, "nope: there is no", id="nothing to pause"),
        pytest.param("PATCH", "/v1/services/nope", {"json": {}}, 404, "nope: there is no", id="nothing to limit"),
        pytest.param("GET", "/v1/nothing", {}, 404, "/docs says", id="no such path"),
        pytest.param("DELETE", "/v1/status", {}, 405, "the header Allow", id="no such method"),
        pytest.param("GET", "/v1/services?limit=0", {}, 400, "limit: ", id="a limit too small"),
        pytest.param("GET", "/v1/events?kinds=rumour", {}, 400, "kinds: expected some of", id="no such kind"),
        pytest.param("POST", "/v1/demand", {"content": b"{"}, 415, "expected application/json", id="no type"),
        pytest.param("POST", "/v1/demand", {"json": [{"service": "web"}]}, 400, "value", id="a value missing"),
        pytest.param("POST", "/v1/demand", {"json": {"service": "web", "value": 1, "x": 1}}, 400, "x", id="unknown"),
        pytest.param(
            "POST", "/v1/demand", {"json": {"service": "web", "value": -1}}, 400, "0 or more, got -1", id="below zero"
        ),
        pytest.param("PATCH", "/v1/services/web", {"json": {"max": -1}}, 400, "max", id="a limit below zero"),
        pytest.param("POST", "/v1/services/web/pause", {"json": {"direction": "up"}}, 400, "up", id="no direction"),
        pytest.param(
            "POST", "/v1/config", {"json": [1]}, 400, "the body: expected an object, got a list", id="no configuration"
        ),
        pytest.param("POST", "/v1/services/web/pause", {}, 400, "a body is needed", id="no body"),
        pytest.param(
            "POST", "/v1/services/web/pause", {"json": {"until": 5}}, 422, "to come", id="a pause that is over"
        ),
    ],
)
async def test_errors_are_problems(  # noqa: PLR0917 - the columns of the table
    played: Stage, method: str, path: str, sent: dict[str, Any], status: int, words: str
) -> None:
    answer = await played.client.request(method, path, **sent)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert words in problem["detail"]


async def test_readiness_tells_of_the_scheduler_and_the_sources(played: Stage) -> None:
    ready = await played.client.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["scheduler"]["good"]) == (200, True, True)
    assert ready.json()["sources"] == {"good": False, "detail": "1 of 2 services has no fresh demand"}
    (stale,) = ready.json()["stale"]
    assert (stale["service"], stale["age"]) == ("web", None)
    assert stale["reason"] == played.controller.decision.desired["web"].reason
    await push(played, web=1)
    await played.until(lambda: played.serving.station.chronicle.newest("web") is not None)
    fresh = (await played.client.get("/readyz")).json()
    assert (fresh["sources"], fresh["stale"]) == ({"good": True, "detail": "all are fresh"}, [])
    played.controller.cluster = None
    blind = await played.client.get("/readyz")
    assert (blind.status_code, blind.json()["ready"]) == (503, False)
    assert (await played.client.get("/healthz")).json() == {"alive": True}


async def test_the_api_describes_itself(played: Stage) -> None:
    described = (await played.client.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    routes = {(method, path) for path, item in described["paths"].items() for method in item}
    assert ("patch", "/v1/services/{name}") in routes
    assert set(described["paths"]["/v1/demand"]["post"]["requestBody"]["content"]) == {
        "application/json",
        "application/msgpack",
    }
    manual = await played.client.get("/docs")
    assert manual.headers["content-type"].startswith("text/html")
    assert all(path in manual.text for _, path in routes)
    assert "<script" not in manual.text
    assert "http://" not in manual.text
    assert "https://" not in manual.text


async def test_the_page_has_its_place(played: Stage) -> None:
    answer = await played.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    async with stage(page=False) as bare:
        assert (await bare.client.get("/")).status_code == 404


async def test_a_page_that_was_built_is_served_with_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>The page</title>")
    (tmp_path / "assets/main-1a2b.js").write_text("export {}")
    monkeypatch.setattr("beaufort.web.app.STATIC", tmp_path)
    async with stage() as played:
        index = await played.client.get("/")
        assert "The page" in index.text
        assert (index.headers["content-type"], index.headers["cache-control"]) == (
            "text/html; charset=utf-8",
            "no-cache",
        )
        script = await played.client.get("/assets/main-1a2b.js")
        assert script.headers["content-type"].startswith("text/javascript")
        assert "immutable" in script.headers["cache-control"]
        for path in ("/assets/none.js", "/..%2f..%2fetc%2fpasswd", "/assets/../../secret"):
            assert (await played.client.get(path)).status_code == 404


async def test_what_nobody_foresaw_is_told_without_its_words(played: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the words of a secret")

    # What tells the page of the nodes by itself must not meet it.
    monkeypatch.setattr(played.serving.station.observer, "detail", fail)
    answer = await played.client.get("/v1/services/web")
    assert (answer.status_code, answer.json()["detail"]) == (500, "something is wrong in Beaufort itself: RuntimeError")
    (told,) = [event.detail for event in played.events if event.kind == "api-fault"]
    assert re.fullmatch(r"RuntimeError at test_api\.py:\d+", told)
