"""`beaufort run` as a process: its signals, its configuration file, its journal, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from beaufort.cli import app

CONFIG: dict[str, Any] = {
    "deployment": "daemon-test",
    "resync": 0.2,
    "capacity": {"containers": 4},
    "services": {
        "web": {"priority": 1, "command": ["sleep", "600"], "policy": {"type": "constant", "count": 1}},
        "rest": {"priority": 2, "command": ["sleep", "600"], "policy": {"type": "remainder"}},
    },
}


class Daemon:
    """A `beaufort run --json` whose events are read one by one."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.config = folder / "beaufort.yaml"
        command = [sys.executable, "-m", "beaufort", "run", str(self.config), "--json", "--no-api", *options]
        environment = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)

    def wait_for(self, kind: str, service: str | None = None) -> dict[str, Any]:
        """The next event of the kind. Fails when the process ends without one."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event: dict[str, Any] = json.loads(line)
            if event["event"] == kind and service in (None, event.get("service")):
                return event
        pytest.fail(f"ended without {kind}: {self.process.stderr.read().decode() if self.process.stderr else ''}")

    def write(self, config: dict[str, Any]) -> None:
        fresh = self.config.with_suffix(".new")
        fresh.write_text(json.dumps(config))
        fresh.rename(self.config)

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        return code


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons on one configuration; at the end whatever runs of the deployment is stopped."""
    daemons: list[Daemon] = []
    (tmp_path / "beaufort.yaml").write_text(json.dumps(CONFIG))

    def begin(*options: str) -> Daemon:
        daemons.append(Daemon(tmp_path, *options))
        return daemons[-1]

    yield begin
    for daemon in daemons:
        if daemon.process.returncode is None:
            daemon.end(signal.SIGKILL)
    last = Daemon(tmp_path, "--stop-containers")
    last.wait_for("sighted")
    assert last.end(signal.SIGTERM) == 0
    assert not running(tmp_path)


def settled(start: Callable[..., Daemon], *options: str) -> Daemon:
    """A daemon whose four containers run: those of `rest` are started last."""
    daemon = start(*options)
    daemon.wait_for("action", "rest")
    while "--dry-run" not in options and len(running(daemon.folder)) < 4:
        assert daemon.process.poll() is None
    return daemon


def running(folder: Path) -> set[int]:
    """The processes that carry the mark of this deployment below the folder, by pid: from the system, not from us."""
    mark = f"BEAUFORT_CONTAINER={folder}".encode()
    found = set()
    for each in Path("/proc").iterdir():
        try:
            if each.name.isdigit() and any(
                part.startswith(mark) for part in (each / "environ").read_bytes().split(b"\0")
            ):
                found.add(int(each.name))
        except OSError:
            continue
    return found


def test_sigterm_leaves_the_containers_and_the_next_run_adopts_them(
    start: Callable[..., Daemon], tmp_path: Path
) -> None:
    daemon = settled(start)
    assert daemon.end(signal.SIGTERM) == 0
    left = running(tmp_path)
    assert len(left) == 4
    again = start("--journal", str(tmp_path / "journal"))
    again.wait_for("sighted")
    again.write({**CONFIG, "services": {**CONFIG["services"], "third": {**CONFIG["services"]["web"], "priority": 3}}})
    again.wait_for("action", "third")  # So it has decided, and what it adopted stayed as it was.
    assert len(running(tmp_path) & left) == 3


def test_killed_and_restarted_it_takes_no_action(start: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = settled(start)
    daemon.end(signal.SIGKILL)
    left = running(tmp_path)
    again = start()
    again.wait_for("sighted")
    assert again.end(signal.SIGTERM) == 0
    assert running(tmp_path) == left


def test_a_second_one_of_the_same_deployment_is_refused(start: Callable[..., Daemon]) -> None:
    settled(start)
    second = start().process
    _, said = second.communicate(timeout=30)
    assert second.returncode == 1
    assert said.startswith(b"beaufort: ")
    assert b"Traceback" not in said


def test_stop_containers_stops_them_all(start: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = settled(start, "--stop-containers")
    assert len(running(tmp_path)) >= 1
    assert daemon.end(signal.SIGTERM) == 0
    assert not running(tmp_path)


def test_a_changed_file_and_sighup_swap_the_configuration(start: Callable[..., Daemon]) -> None:
    daemon = settled(start)
    daemon.write(with_count(2))
    assert "1 -> 2" in daemon.wait_for("action", "web")["detail"]
    daemon.write(with_count(3))
    daemon.process.send_signal(signal.SIGHUP)
    assert "2 -> 3" in daemon.wait_for("action", "web")["detail"]


def test_a_faulty_configuration_is_refused_and_the_old_one_stays(start: Callable[..., Daemon]) -> None:
    daemon = settled(start)
    daemon.write({**CONFIG, "capacity": {"containers": "ten"}, "servces": {}})
    refused = daemon.wait_for("config-refused")["detail"]
    assert "capacity.containers: expected" in refused
    assert "servces: unknown key" in refused
    daemon.write({**CONFIG, "scheduler": {"type": "simulated"}})
    assert "restart" in daemon.wait_for("config-refused")["detail"]
    daemon.write(with_count(2))
    daemon.wait_for("action", "web")


def test_dry_run_says_what_it_would_do_and_does_nothing(start: Callable[..., Daemon], tmp_path: Path) -> None:
    daemon = settled(start, "--dry-run")
    assert daemon.end(signal.SIGTERM) == 0
    assert not running(tmp_path)


def test_a_command_that_cannot_start_is_told_once_and_holds_only_its_service(start: Callable[..., Daemon]) -> None:
    services = {**CONFIG["services"], "web": {**CONFIG["services"]["web"], "command": ["/no/such/program"]}}
    daemon = settled(start)
    daemon.write(
        {**CONFIG, "services": {**services, "web": {**services["web"], "policy": {"type": "constant", "count": 2}}}}
    )
    assert "/no/such/program" in daemon.wait_for("action-failed", "web")["detail"]


def test_the_journal_is_replayed_to_the_same_decisions(start: Callable[..., Daemon], tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    daemon = settled(start, "--journal", str(journal))
    daemon.write(with_count(3))
    daemon.wait_for("action", "web")
    assert daemon.end(signal.SIGTERM) == 0
    result = CliRunner().invoke(app, ["replay", str(journal)])
    assert result.exit_code == 0, result.output
    assert "web 1 -> " in result.stdout
    altered = journal.read_text().replace('"granted":{"web":1', '"granted":{"web":2', 1)
    assert altered != journal.read_text()
    journal.write_text(altered)
    assert CliRunner().invoke(app, ["replay", str(journal)]).exit_code == 1


def test_faults_of_the_configuration_are_exit_code_2(start: Callable[..., Daemon], tmp_path: Path) -> None:
    (tmp_path / "beaufort.yaml").write_text("services: {web: {priority: 0, policy: {type: constnt}}}")
    process = start().process
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"web.priority: expected" in said
    assert b'did you mean "constant"?' in said
    (tmp_path / "beaufort.yaml").write_text(json.dumps(CONFIG))


def with_count(count: int) -> dict[str, Any]:
    web = {**CONFIG["services"]["web"], "policy": {"type": "constant", "count": count}}
    return {**CONFIG, "services": {**CONFIG["services"], "web": web}}
