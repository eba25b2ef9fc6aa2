"""Where the API is served, beside a controller that keeps its signals, and what is not loaded where it is not served."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from beaufort.protocols import BeaufortError
from beaufort.web import Listening
from running import running
from web_stage import CONFIG, stage


def test_a_taken_port_is_told_and_the_next_free_one_is_used() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Listening(listen=f"127.0.0.1:{port}").bind() as bound:
            assert port < bound.getsockname()[1] <= port + 100


async def test_an_answer_is_sent_at_once() -> None:
    """Else the body of an answer waits until its head has been acknowledged: 40 ms for who asks again and again."""
    asked = asyncio.get_running_loop().create_future()

    def opened(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    bound = Listening(listen="127.0.0.1:0").bind()
    async with await asyncio.start_server(opened, sock=bound):
        _, writer = await asyncio.open_connection(*bound.getsockname())
        assert await asked
        writer.close()


async def test_a_taken_port_is_said_aloud() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with stage(listen=f"127.0.0.1:{port}") as played:
            (said,) = [event.detail for event in played.events if event.kind == "serving"] or [""]
            assert re.fullmatch(rf"http://127\.0\.0\.1:\d+; http://127\.0\.0\.1:{port} is taken", said)
            assert (await played.client.get("/healthz")).status_code == 200


def test_an_address_that_is_not_of_this_machine_is_told() -> None:
    with pytest.raises(BeaufortError, match=r"--listen 192\.0\.2\.1:80: "):
        Listening(listen="192.0.2.1:80", insecure=True).bind()


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        pytest.param("localhost", "http://127.0.0.1:8712", id="localhost"),
        pytest.param("127.0.0.1:80", "http://127.0.0.1:80", id="an address"),
        pytest.param("[::1]:80", "http://[::1]:80", id="an address of version 6"),
    ],
)
def test_addresses_are_read(listen: str, url: str) -> None:
    listening = Listening(listen=listen)
    assert listening.url(listening.port) == url


def test_sigterm_ends_it_while_somebody_follows_the_events(tmp_path: Path) -> None:
    with running(tmp_path, CONFIG) as api:
        with urllib.request.urlopen(f"{api.url}/v1/events", timeout=10) as stream:
            api.process.send_signal(signal.SIGTERM)
            assert b"event: closing" in stream.read()
        assert api.process.wait(10) == 0


def test_sigint_ends_it_and_sighup_swaps_the_configuration(tmp_path: Path) -> None:
    with running(tmp_path, CONFIG) as api:
        api.config.write_text(json.dumps({**CONFIG, "services": {"web": CONFIG["services"]["web"]}}))
        api.process.send_signal(signal.SIGHUP)
        assert api.wait_for("reconfigured")["detail"] == "1 service"
        assert [each["name"] for each in api.get("/v1/services")["services"]] == ["web"]
        api.process.send_signal(signal.SIGINT)
        assert api.process.wait(10) == 0


@pytest.mark.parametrize("command", ["run", "demo"])
def test_what_is_not_safe_is_wrong_input(tmp_path: Path, command: str) -> None:
    file = tmp_path / "beaufort.yaml"
    file.write_text(json.dumps(CONFIG))
    arguments = [command, *([str(file)] if command == "run" else []), "--listen", "0.0.0.0:0"]
    done = subprocess.run(
        [sys.executable, "-m", "beaufort", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={"XDG_STATE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 2
    expected = {
        "run": "--listen 0.0.0.0:0: other machines can reach it, so --tls-cert and --tls-key are needed",
        "demo": "--listen: expected an address of this machine alone for a demo, got 0.0.0.0:0",
    }
    assert expected[command] in done.stderr


def test_without_the_api_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    file = tmp_path / "beaufort.yaml"
    file.write_text(json.dumps(CONFIG))
    code = (
        "import sys, threading, os, signal\n"
        "from beaufort import daemon\n"
        "from beaufort.cli import app\n"
        f"sys.argv = ['beaufort', 'run', {str(file)!r}, '--no-api', '--dry-run']\n"
        "threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM)).start()\n"
        "app(standalone_mode=False)\n"
        "print('loaded', sorted({'litestar', 'uvicorn', 'prometheus_client', 'httptools'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "loaded []"


async def test_a_server_that_fails_does_not_stop_the_scaling(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no more sockets")

    monkeypatch.setattr("beaufort.web.server._Server.serve", fail)
    async with stage() as played:
        await played.until(lambda: "api-lost" in {event.kind for event in played.events})
        played.controller.push("web", 2)
        await played.settled(web=2)


async def test_closing_waits_for_no_reader_that_stalls() -> None:
    async with stage() as played:
        with socket.create_connection(("127.0.0.1", played.port)) as stalled:
            stalled.sendall(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
            feed = played.serving.station.feed
            await played.until(lambda: feed.readers == 1)
            for _ in range(3000):
                feed.publish("event", {"filler": "x" * 4096})
            async with asyncio.timeout(5):
                await played.serving.close()
