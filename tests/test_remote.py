"""The commands against a running controller: what they print, how they exit, and where their token comes from."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from beaufort.cli import app
from running import Running, running
from servers import free_port
from web_stage import CONFIG

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("remote"), CONFIG) as api:
        yield api


@pytest.fixture
def ask(api: Running) -> Ask:
    """Runs a command against it."""

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, [*arguments], env={"BEAUFORT_URL": api.url} | environment)

    return run


def settled(api: Running, **wanted: int) -> None:
    """Until so many run, as the controller itself says."""
    while True:
        page = api.get("/v1/services")["services"]
        if {each["name"]: each["running"] for each in page if each["name"] in wanted} == wanted:
            return


def test_push_and_explain(api: Running, ask: Ask) -> None:
    pushed = ask("push", "web", "4")
    assert (pushed.exit_code, pushed.stdout) == (0, "web: 4\n")
    settled(api, web=4, rest=2)
    told = ask("explain", "rest").stdout
    assert "pool full (containers)" in told
    assert "gave " in told
    assert " to web, " in told
    data = json.loads(ask("explain", "web", "--json").stdout)
    assert [each["count"] for each in data["stages"]] == [4, 4, 4, 4, 4, 4]
    assert json.loads(ask("push", "web", "4", "--json").stdout) == {"taken": 1, "known": 0}


def test_status_and_top(ask: Ask) -> None:
    said = ask("status").stdout
    assert "stage: 2 services, 6 containers" in said
    assert "room: containers 6 of 6" in said
    assert json.loads(ask("status", "--json").stdout)["sighted"] is True
    table = ask("top", COLUMNS="160").stdout
    assert table.index("web") < table.index("rest")
    assert {each["name"] for each in json.loads(ask("top", "--json").stdout)["services"]} == {"web", "rest"}


def test_pause_and_resume(api: Running, ask: Ask) -> None:
    assert (
        ask("pause", "web", "--direction", "out", "--for", "60").stdout == "web is paused: not made larger, for 60 s\n"
    )
    paused = api.get("/v1/services/web")
    assert paused["service"]["paused"]["direction"] == "out"
    assert 50 < paused["service"]["paused"]["until"] - paused["at"] <= 60
    assert json.loads(ask("resume", "web", "--json").stdout)["paused"] is None


def test_events_so_far(api: Running, ask: Ask) -> None:
    assert "started" in ask("events").stdout
    api.get("/v1/status")
    ask("push", "web", "5")
    of_web = [json.loads(line) for line in ask("events", "--service", "web", "--json").stdout.splitlines()]
    assert {each["service"] for each in of_web} == {"web"}


def test_events_are_followed_through_a_restart(tmp_path: Path) -> None:
    port = free_port()
    listen = ("--listen", f"127.0.0.1:{port}")
    command = [sys.executable, "-m", "beaufort", "events", "-f", "--json", "--url", f"http://127.0.0.1:{port}"]
    with running(tmp_path, CONFIG, *listen) as first:
        follower = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert follower.stdout is not None
        assert follower.stderr is not None
        while not first.get("/metrics", as_text=True).count("beaufort_event_readers 1.0"):
            assert follower.poll() is None
        ask_for(first, "web", 3)
        assert json.loads(follower.stdout.readline())["kind"] == "audit"
    assert "following it again" in follower.stderr.readline()
    with running(tmp_path, CONFIG, *listen) as second:
        while not second.get("/metrics", as_text=True).count("beaufort_event_readers 1.0"):
            assert follower.poll() is None
        ask_for(second, "web", 3)
        for line in follower.stdout:
            if json.loads(line)["kind"] == "audit":
                break
        follower.send_signal(signal.SIGINT)
        follower.communicate(timeout=10)
    assert follower.returncode == 0


def ask_for(api: Running, service: str, value: float) -> None:
    pushed = CliRunner().invoke(app, ["push", service, str(value), "--url", api.url])
    assert pushed.exit_code == 0, pushed.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(["explain", "nope"], 2, "nope: there is no such service", id="no such service"),
        pytest.param(["push", "nope", "1"], 2, "nope: there is no such service", id="nothing to push for"),
        pytest.param(["push", "web", "nan"], 2, "VALUE: expected a number of 0 or more", id="no number"),
        pytest.param(["status", "--url", "nonsense"], 2, "--url: expected something like", id="no URL"),
        pytest.param(["status", "--url", "http://h:x"], 2, "--url: expected something like", id="no port"),
        pytest.param(
            ["status", "--token-file", "/no/file"], 2, "--token-file: expected a readable", id="no token file"
        ),
        pytest.param(
            ["status", "--url", "https://127.0.0.1:1", "--ca", "/no/ca"], 2, "--ca: expected", id="no authority"
        ),
        pytest.param(["status", "--url", "http://127.0.0.1:1"], 1, "no controller answers there", id="nobody there"),
    ],
)
def test_what_is_wrong_is_told_by_the_exit_code(ask: Ask, arguments: list[str], code: int, words: str) -> None:
    result = ask(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert result.stdout == ""


def test_tokens_are_made_listed_used_and_revoked(tmp_path: Path) -> None:
    tokens = ("--tokens", str(tmp_path / "tokens.json"))

    def command(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, [*arguments], env=environment)

    text = command("token", "create", "the dashboard", *tokens).stdout.strip()
    pusher = json.loads(
        command(
            "token", "create", "shop", "--role", "pusher", "--service", "web", "--days", "30", "--json", *tokens
        ).stdout
    )
    listed = command("token", "list", *tokens).stdout
    assert "viewer    the dashboard" in listed
    assert "pusher    shop, for web, 30.0 days left" in listed
    assert text not in listed
    with running(tmp_path, CONFIG, *tokens) as api:
        file = tmp_path / "token"
        file.write_text(text + "\n")
        refused = command("status", "--url", api.url)
        assert (refused.exit_code, "a token is needed" in refused.stderr) == (1, True)
        assert command("status", "--url", api.url, BEAUFORT_TOKEN=text).exit_code == 0
        assert command("status", "--url", api.url, "--token-file", str(file)).exit_code == 0
        assert command("push", "web", "2", "--url", api.url, BEAUFORT_TOKEN=pusher["token"]).exit_code == 0
        not_seen = command("status", "--url", api.url, BEAUFORT_TOKEN=pusher["token"])
        assert "shop is a pusher, which may not see anything" in not_seen.stderr
        assert command("token", "revoke", text.split("_")[1], *tokens).exit_code == 0
        assert command("status", "--url", api.url, BEAUFORT_TOKEN=text).exit_code == 1
    assert json.loads(command("token", "list", "--json", *tokens).stdout)[0]["id"] == pusher["id"]
    assert command("token", "revoke", "nothing", *tokens).exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        pytest.param(["x", "--role", "pusher"], "--service: expected for the role pusher", id="a pusher for nothing"),
        pytest.param(["x", "--service", "web"], "--service: expected for the role pusher", id="a viewer for a service"),
        pytest.param(["a\nb"], "NAME: expected a name that can be printed", id="a name in lines"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str], fault: str) -> None:
    file = tmp_path / "tokens.json"
    result = CliRunner().invoke(app, ["token", "create", *arguments, "--tokens", str(file)])
    assert result.exit_code == 2
    assert fault in result.stderr
    assert not file.exists()


def drawn(terminal: int, wanted: bytes) -> None:
    """Until something is drawn. Fails if it is not for long, whatever else is."""
    seen, until = b"", time.monotonic() + 20
    while wanted not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, until - time.monotonic()))
        assert ready, seen[-4096:]
        seen += os.read(terminal, 4096)


def test_the_live_table_follows_the_stream(tmp_path: Path) -> None:
    with running(tmp_path, CONFIG) as api:
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 200, 0, 0))
        environment = os.environ | {"TERM": "xterm", "COLUMNS": "", "LINES": "", "BEAUFORT_URL": api.url}
        top = subprocess.Popen([sys.executable, "-m", "beaufort", "top"], stdout=theirs, stderr=theirs, env=environment)
        os.close(theirs)
        try:
            drawn(ours, b"gets 1")
            ask_for(api, "web", 4)
            drawn(ours, b"gets 4")
            top.send_signal(signal.SIGINT)
            drawn(ours, b"\x1b[?1049l")
            assert top.wait(10) == 0
        finally:
            top.kill()
            top.wait()
            os.close(ours)


def test_the_client_needs_little() -> None:
    code = "import sys; import beaufort.client, beaufort.follower; print(*sys.modules)"
    loaded: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"litestar", "httpx", "aiohttp", "numpy", "rich"}.isdisjoint(loaded)
