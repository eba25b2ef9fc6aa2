"""The dry run: `beaufort.plan` with a state that is given, and the command around it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import beaufort
from beaufort.cli import app

POOL_OF_TEN = {"containers": 10}


def a_config(**services: dict[str, Any]) -> dict[str, Any]:
    return {"capacity": POOL_OF_TEN, "services": services}


def per_container(priority: int, **keys: Any) -> dict[str, Any]:
    return {"priority": priority, "policy": {"type": "per-container", "target": 10}, **keys}


def remainder(priority: int, **keys: Any) -> dict[str, Any]:
    return {"priority": priority, "policy": {"type": "remainder"}, **keys}


SHOP = a_config(checkout=per_container(1, min=1, max=9), reports=remainder(2, min=1))


def moves(answer: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(action["service"], action["from"], action["to"]) for action in answer["actions"]]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param(
            {"checkout": {"running": 3, "demand": 75}, "reports": {"running": 7}},
            [("reports", 7, 2)],
            id="lower priority gives way first, by exactly what is needed",
        ),
        pytest.param(
            {"checkout": {"running": 3, "demand": 75}, "reports": {"running": 2, "stopping": 5}},
            [],
            id="what is stopping still holds its room",
        ),
        pytest.param(
            {"checkout": {"running": 3, "demand": 75}, "reports": {"running": 2, "stopping": 3}},
            [("checkout", 3, 5)],
            id="growth takes the part that is free",
        ),
        pytest.param(
            {"checkout": {"running": 3, "demand": 75}, "reports": {"running": 2}},
            [("checkout", 3, 8)],
            id="growth into free room at once",
        ),
        pytest.param(
            {"checkout": {"running": 8, "demand": 20}, "reports": {"running": 2}},
            [("checkout", 8, 2)],
            id="shrink first, the remainder grows when the room is free",
        ),
        pytest.param(
            {"checkout": {"running": 5, "demand": None}, "reports": {"running": 5}}, [], id="no data is not zero"
        ),
        pytest.param(
            {"checkout": {"running": 8, "demand": 80}, "reports": {"running": 2}}, [], id="in balance nothing is done"
        ),
        pytest.param({}, [("checkout", 0, 1), ("reports", 0, 9)], id="from nothing"),
    ],
)
def test_actions(state: dict[str, Any], expected: list[tuple[str, int, int]]) -> None:
    assert moves(beaufort.plan(SHOP, {"now": 0, "services": state})) == expected


@pytest.mark.parametrize(
    ("standby", "found", "running", "expected"),
    [
        pytest.param({"paused": 1, "frozen": 2}, {}, 3, [(3, {"paused": 1, "frozen": 2})], id="lacks"),
        pytest.param({"created": 1}, {}, 3, [], id="local containers are not made beforehand"),
        pytest.param({"paused": 1}, {"paused": 3}, 3, [(3, {"paused": 1})], id="has too much"),
        pytest.param({"paused": 1}, {"paused": 1}, 3, [], id="is as it should be"),
        pytest.param({"paused": 2}, {"paused": 2}, 2, [(3, {"paused": 1})], id="is used"),
    ],
)
def test_standby_is_planned(
    standby: dict[str, int], found: dict[str, int], running: int, expected: list[tuple[int, dict[str, int]]]
) -> None:
    config = a_config(web=per_container(1, standby=standby))
    answer = beaufort.plan(config, {"services": {"web": {"running": running, "standby": found, "demand": 30}}})
    found_actions = [
        (action["to"], {kind: count for kind, count in action["standby"].items() if count})
        for action in answer["actions"]
    ]
    assert found_actions == expected


def test_answer_has_counts_and_reasons() -> None:
    answer = beaufort.plan(SHOP, {"services": {"checkout": {"running": 3, "demand": 200}, "reports": {"running": 7}}})
    assert answer["desired"]["checkout"]["count"] == 9
    assert answer["grants"]["checkout"]["count"] == 9
    assert answer["grants"]["reports"]["count"] == 1
    assert "priority 1" in answer["actions"][0]["reason"]
    assert answer["shortfall"] == {}
    json.dumps(answer)


def test_shortfall_is_what_the_pool_cannot_hold() -> None:
    config = a_config(a=per_container(1, min=1), b=per_container(2, min=2))
    answer = beaufort.plan(config, {"services": {"a": {"demand": 120}, "b": {"demand": 50}}})
    assert answer["grants"]["a"]["count"] == 8
    assert answer["grants"]["b"]["count"] == 2
    assert answer["shortfall"] == {"a": 4, "b": 3}


@pytest.mark.parametrize(
    "capacity",
    [
        pytest.param({"capacity": {"containers": 4}}, id="a total"),
        pytest.param({"nodes": {"one": {"containers": 2}, "two": {"containers": 2}}}, id="nodes by name"),
        pytest.param(
            {"nodes": [{"name": "one", "containers": 2}, {"name": "two", "containers": 2}]}, id="nodes listed"
        ),
    ],
)
def test_capacity_in_the_state_goes_before_the_configurations(capacity: dict[str, Any]) -> None:
    answer = beaufort.plan(SHOP, {"services": {"checkout": {"demand": 20}}, **capacity})
    assert {name: grant["count"] for name, grant in answer["grants"].items()} == {"checkout": 2, "reports": 2}


def test_fit_is_answered_per_node() -> None:
    config = {"services": {"big": per_container(1, resources={"cpu": 0.6})}}
    state = {"services": {"big": {"demand": 100}}, "nodes": {"one": {"cpu": 1}, "two": {"cpu": 1}}}
    assert beaufort.plan(config, state)["grants"]["big"]["count"] == 2


def test_faults_of_the_state_are_told_at_once_with_their_places() -> None:
    state = {"services": {"checkout": {"running": -1, "demand": "many"}, "chekout": {}}, "capacity": {"cpu": "10 MB"}}
    with pytest.raises(beaufort.ConfigError) as caught:
        beaufort.plan(SHOP, state)
    places = sorted(fault.split(": ")[1] for fault in caught.value.faults)
    assert places == ["capacity.cpu", "checkout.demand", "checkout.running", "chekout"]
    assert 'did you mean "checkout"?' in str(caught.value)


class TestCommand:
    @pytest.fixture
    def config(self, tmp_path: Path) -> str:
        file = tmp_path / "beaufort.yaml"
        file.write_text(json.dumps(SHOP))
        return str(file)

    @pytest.fixture
    def state(self, tmp_path: Path) -> Path:
        file = tmp_path / "state.json"
        file.write_text(json.dumps({"services": {"checkout": {"running": 3, "demand": 75}, "reports": {"running": 7}}}))
        return file

    def test_json_is_what_the_function_answers(self, config: str, state: Path) -> None:
        result = CliRunner().invoke(app, ["plan", config, "--state", str(state), "--json"])
        assert result.exit_code == 0
        assert json.loads(result.stdout) == beaufort.plan(config, json.loads(state.read_text()))

    def test_table_shows_the_move_and_why(self, config: str, state: Path) -> None:
        result = CliRunner().invoke(app, ["plan", config, "--state", str(state)])
        assert result.exit_code == 0
        assert "7 -> 2" in result.stdout
        assert "checkout wants 8: demand 75" in result.stdout

    def test_faults_of_the_state_have_lines_and_exit_code_2(self, config: str, tmp_path: Path) -> None:
        file = tmp_path / "wrong.json"
        file.write_text('{"services": {\n  "checkout": {"running": "three"}}}')
        result = CliRunner().invoke(app, ["plan", config, "--state", str(file)])
        assert result.exit_code == 2
        assert f"{file}:2:27: checkout.running: expected" in result.stderr

    def test_missing_file_is_wrong_input(self, config: str) -> None:
        result = CliRunner().invoke(app, ["plan", config, "--state", "/nowhere.json"])
        assert result.exit_code == 2
        assert "/nowhere.json: can't be read" in result.stderr

    @pytest.mark.parametrize(
        ("scheduler", "words"),
        [
            pytest.param({"type": "docker", "url": "tcp://127.0.0.1:1"}, "127.0.0.1:1", id="docker"),
            pytest.param(
                {"type": "marathon", "url": "127.0.0.1:1"}, "the Marathon at http://127.0.0.1:1", id="marathon"
            ),
            pytest.param({"type": "mesos", "master": "127.0.0.1:1"}, "the master at http://127.0.0.1:1", id="mesos"),
        ],
    )
    def test_a_scheduler_that_cannot_be_reached_is_told_in_a_line(
        self, scheduler: dict[str, Any], words: str, tmp_path: Path
    ) -> None:
        file = tmp_path / "beaufort.yaml"
        section = remainder(1, image="a", resources={"cpu": 0.1, "memory": "32MiB"})
        file.write_text(json.dumps(a_config(web=section) | {"scheduler": scheduler}))
        result = CliRunner().invoke(app, ["plan", str(file)])
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("beaufort: ")
        assert words in result.stderr
