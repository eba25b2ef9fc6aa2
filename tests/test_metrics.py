"""The metrics, as Prometheus' own tool sees them, and what is shipped that looks at them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from beaufort.journal import Given, Step
from beaufort.model import Action, Cluster, Decision, Desired, Grant, Outcome
from beaufort.web.gauges import OTHERS
from beaufort.web.metrics import NAMED, Metrics
from servers import require
from web_stage import CONFIG, Stage, stage

DEPLOY = Path(__file__).parent.parent / "deploy"
ALERTS = DEPLOY / "prometheus/alerts.yml"
METRICS = Path(__file__).parent.parent / "docs/metrics.md"
DASHBOARD = DEPLOY / "grafana/beaufort.json"


def promtool(*arguments: str | Path, given: str = "") -> str:
    done = subprocess.run(
        [require("promtool"), *arguments], input=given, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def values(text: str) -> dict[str, float]:
    """Every series of an exposition, with its labels as they are written."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


@pytest.fixture
async def played() -> AsyncIterator[Stage]:
    async with stage() as played:
        await played.settled(web=1, rest=5)
        yield played


async def scraped(played: Stage) -> str:
    answer = await played.client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    return answer.text


async def test_prometheus_accepts_them(played: Stage) -> None:
    played.controller.push("web", 3)
    await played.settled(web=3, rest=3)
    promtool("check", "metrics", given=await scraped(played))


async def test_they_say_what_is_so(played: Stage) -> None:
    played.controller.push("web", 4)
    await played.settled(web=4, rest=2)
    played.controller.pause("rest")
    await played.client.get("/v1/nothing")
    said = values(await scraped(played))
    expected = {
        'beaufort_service_desired{service="web"}': 4,
        'beaufort_service_granted{service="web"}': 4,
        'beaufort_service_running{service="web"}': 4,
        'beaufort_service_running{service="rest"}': 2,
        'beaufort_service_demand{service="web"}': 4,
        'beaufort_service_paused{service="rest"}': 1,
        'beaufort_capacity{resource="containers"}': 6,
        'beaufort_held{resource="containers"}': 6,
        'beaufort_preempted_containers_total{service="rest"}': 3,
        'beaufort_actions_total{result="accepted"}': 5,
        'beaufort_api_requests_total{code="404"}': 1,
        'beaufort_events_total{kind="paused"}': 1,
        "beaufort_signal_to_action_seconds_count": 1,
        "beaufort_scheduler_call_seconds_count": 5,
        "beaufort_scheduler_reachable": 1,
        "beaufort_leader": 1,
    }
    assert {name: said.get(name) for name in expected} == expected
    assert 0 <= said['beaufort_service_demand_age_seconds{service="web"}'] < 10
    assert said["beaufort_decision_seconds_count"] == played.serving.station.chronicle.steps
    assert 'beaufort_service_demand{service="rest"}' not in said
    played.controller.cluster = None
    assert values(await scraped(played))["beaufort_scheduler_reachable"] == 0


async def test_many_services_have_few_series() -> None:
    one = {"priority": 2, "policy": {"type": "constant", "count": 0}}
    services = {f"s{number}": one for number in range(NAMED + 50)} | {"web": CONFIG["services"]["web"]}
    async with stage({**CONFIG, "services": services}) as played:
        await played.settled(web=1)
        said = values(await scraped(played))
    labels = [name for name in said if name.startswith("beaufort_service_granted{")]
    assert len(labels) == NAMED + 1
    assert 'beaufort_service_granted{service="web"}' in labels
    assert f'beaufort_service_granted{{service="{OTHERS}"}}' in labels


def test_what_has_left_the_configuration_leaves_the_metrics() -> None:
    metrics = Metrics()
    metrics.name(["web", "gone"])
    for name in ("web", "gone", "stranger"):
        action = Action(name, current=3, target=1, reason="gives way")
        decision = Decision(0.0, {name: Desired(name, 3, "")}, {name: Grant(name, 1, 3, "")}, (action,), {})
        given = Given(0.0, Cluster(0.0), {}, [Outcome(0.0, name, 1, "NoRoom")], {}, resync=False)
        metrics.take(Step(given, same_cluster=False, granted={name: 1}, actions=(action,)), decision, 0.001, [])
    counted = values(exposition(metrics))
    names = {name for name in counted if name.startswith("beaufort_preempted_containers_total{")}
    assert names == {f'beaufort_preempted_containers_total{{service="{name}"}}' for name in ("web", "gone", OTHERS)}
    assert counted['beaufort_actions_total{result="no-room"}'] == 3
    metrics.name(["web"])
    assert 'beaufort_preempted_containers_total{service="gone"}' not in values(exposition(metrics))


def exposition(metrics: Metrics) -> str:
    return generate_latest(metrics.registry).decode()


def test_the_alert_rules_are_good_and_do_what_they_say() -> None:
    assert "rules found" in promtool("check", "rules", ALERTS)
    promtool("test", "rules", DEPLOY / "prometheus/alerts_test.yml")


def expressions() -> list[str]:
    """All that is asked of Prometheus by the rules and the dashboard."""
    rules = yaml.safe_load(ALERTS.read_text())["groups"][0]["rules"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in rules] + [each["expr"] for panel in panels for each in panel["targets"]]


def test_the_dashboard_asks_what_can_be_asked(tmp_path: Path) -> None:
    rules: list[dict[str, Any]] = [
        {"record": f"panel:{number}", "expr": expression.replace("$service", ".*")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", file)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)


async def test_what_is_shipped_asks_for_metrics_that_there_are(played: Stage) -> None:
    played.controller.push("web", 3)
    await played.settled(web=3, rest=3)
    text = await scraped(played)
    told = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE ")}
    there = told | {f"{name}_{part}" for name in told for part in ("bucket", "sum", "count")}
    asked = {name for expression in expressions() for name in re.findall(r"beaufort_\w+", expression)}
    assert len(asked) > 15
    assert asked - there == set()


async def test_every_metric_is_told(played: Stage) -> None:
    played.controller.push("web", 3)
    await played.settled(web=3, rest=3)
    told = METRICS.read_text()
    names = [line.split()[2] for line in (await scraped(played)).splitlines() if line.startswith("# TYPE beaufort_")]
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in told] == []
