"""The commands that need no running controller: what they print, and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from beaufort.cli import app

GOOD: dict[str, Any] = {
    "capacity": {"containers": 4},
    "services": {
        "web": {"priority": 1, "min": 1, "command": "sleep 60", "policy": {"type": "per-container", "target": 10}},
        "rest": {"priority": 2, "command": "sleep 60", "policy": {"type": "remainder"}},
    },
}

FAULTY = """\
capacity: {containers: ten}
services:
  web:
    prioritty: 1
    min: 5
    max: 3
    resources: {cpu: 10 MB}
    policy: {type: per-contaner, target: 10}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "beaufort.yaml"
    file.write_text(json.dumps(GOOD))
    return file


def test_check_of_a_good_file(config: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(config)])
    assert (result.exit_code, result.stdout) == (0, f"{config}: good (2 services)\n")
    result = CliRunner().invoke(app, ["check", str(config), "--json"])
    assert (result.exit_code, json.loads(result.stdout)) == (0, {"good": True, "faults": []})


def test_check_tells_every_fault_at_once_with_its_line(config: Path) -> None:
    config.write_text(FAULTY)
    result = CliRunner().invoke(app, ["check", str(config)])
    assert result.exit_code == 2
    assert result.stdout == ""
    lines = [line.removeprefix(f"{config}:").split(":")[0] for line in result.stderr.splitlines()]
    assert lines == ["1", "4", "6", "7", "8"]
    assert 'did you mean "priority"?' in result.stderr
    assert 'did you mean "per-container"?' in result.stderr
    as_json = CliRunner().invoke(app, ["check", str(config), "--json"])
    assert as_json.exit_code == 2
    assert json.loads(as_json.stdout)["faults"] == result.stderr.splitlines()


def test_check_knows_what_the_scheduler_could_not_launch(config: Path) -> None:
    services = {**GOOD["services"], "rest": {"priority": 2, "image": "batch:1", "policy": {"type": "remainder"}}}
    config.write_text(json.dumps({**GOOD, "services": services}))
    result = CliRunner().invoke(app, ["check", str(config)])
    assert result.exit_code == 2
    assert "rest.command: expected" in result.stderr
    assert "rest.image: expected none" in result.stderr


def test_schema_is_json_schema() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["$schema"].endswith("2020-12/schema")


def test_plan_without_a_state_observes_once_and_touches_nothing(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    trace = tmp_path / "trace.csv"
    trace.write_text("t_seconds,value\n0,25\n")
    web = {**GOOD["services"]["web"], "demand": {"type": "trace", "file": str(trace)}}
    config.write_text(json.dumps({**GOOD, "services": {**GOOD["services"], "web": web}}))
    result = CliRunner().invoke(app, ["plan", str(config), "--json"])
    assert result.exit_code == 0, result.output
    moves = [(action["service"], action["from"], action["to"]) for action in json.loads(result.stdout)["actions"]]
    assert moves == [("web", 0, 3), ("rest", 0, 1)]
    again = CliRunner().invoke(app, ["plan", str(config), "--json"])
    assert json.loads(again.stdout)["actions"] == json.loads(result.stdout)["actions"]


def test_replay_of_what_is_no_journal_is_wrong_input(config: Path) -> None:
    result = CliRunner().invoke(app, ["replay", str(config)])
    assert result.exit_code == 2
    assert f"{config}:1: expected an entry of a journal" in result.stderr


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("beaufort ")


@pytest.mark.parametrize("code", ["import beaufort", "import beaufort.cli"])
def test_the_start_is_light(code: str) -> None:
    heavy = {"numpy", "structlog", "redis", "msgspec", "yaml", "aiohttp", "litestar", "uvicorn", "opentelemetry"}
    loaded = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert heavy.isdisjoint(loaded.stdout.split())
