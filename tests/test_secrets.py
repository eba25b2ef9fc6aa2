"""Secrets are planted wherever one may be, and looked for wherever anything is told."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from beaufort.log import Log
from beaufort.protocols import Unreachable
from beaufort.roles import Role
from beaufort.schedulers.engine.client import Address, Client
from servers import free_port
from web_stage import CONFIG, stage, token

PLANTED = "planted-secret"
"""What every planted secret begins with. No answer, event, log line or file may hold it."""

SERVICES: dict[str, Any] = {
    **CONFIG["services"],
    "queue": {
        "priority": 2,
        "policy": {"type": "queue", "target_length": 5},
        "env": {"API_KEY": f"{PLANTED}-in-env"},
        "command": ["worker", f"--key={PLANTED}-in-command"],
        "demand": {
            "type": "redis",
            "url": f"redis://user:{PLANTED}-in-url@127.0.0.1:PORT/0",
            "list": "jobs",
        },
    },
    "other": {
        "priority": 2,
        "policy": {"type": "queue", "target_length": 5},
        "demand": {
            "type": "redis",
            "url": "redis://127.0.0.1:PORT/0",
            "list": "jobs",
            "password": "env:QUEUE_PASSWORD",
        },
    },
}

READABLE = [
    "/v1/status",
    "/v1/services",
    "/v1/services/queue",
    "/v1/services/queue/explain",
    "/v1/history",
    "/v1/nodes",
    "/v1/decisions",
    "/v1/events?follow=false",
    "/v1/session",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/",
]


def config() -> Any:
    return {**CONFIG, "services": json.loads(json.dumps(SERVICES).replace("PORT", str(free_port())))}


WRONG: list[Any] = [
    {"services": {"queue": {"demand": {"type": "redis", "password": f"{PLANTED}-inline", "list": "jobs"}}}},
    {"services": {"queue": {"demand": {"type": "redis", "url": f"http://{PLANTED}@host", "list": "jobs"}}}},
    {"services": {"queue": {"env": {"API_KEY": [f"{PLANTED}-in-a-list"]}}}},
    {"services": {"queue": {"env": f"API_KEY={PLANTED}-as-text"}}},
    {"services": {"queue": {"env": {"API_KEY": f"{PLANTED}-with-nul\0"}}}},
    {"services": {"queue": {"env": {f"API_KEY={PLANTED}": "in the name"}}}},
    {"services": {"queue": {"command": f"worker '{PLANTED}-unclosed"}}},
    {"services": {"queue": {"demand": f"redis://user:{PLANTED}@host"}}},
    {"scheduler": {"type": f"tcp://user:{PLANTED}@host"}},
]
"""Configurations that are refused: the refusal is told, and the secret is not."""


async def test_no_secret_is_told_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("QUEUE_PASSWORD", f"{PLANTED}-in-environment")
    file = tmp_path / "tokens.json"
    admin = token(file, Role.ADMIN)
    told: list[str] = []
    journal = tmp_path / "journal"
    with Log(as_json=True) as log, Log(as_json=False) as columns:
        async with stage(config(), tokens=file, token=admin, journal=journal) as played:
            played.controller.journal.listen(log.hear)
            played.controller.journal.listen(columns.hear)
            await played.until(lambda: [event.kind for event in played.events].count("source-failed") == 2)
            client = played.client
            answers = [
                await client.post("/v1/config", params=query, json=wrong)
                for wrong in WRONG
                for query in ({}, {"dry_run": "true"})
            ]
            assert {answer.status_code for answer in answers} == {422}
            answers += [
                await client.post("/v1/config", params={"dry_run": "true"}, json=played.controller.setup.document)
            ]
            answers += [await client.post("/v1/config", json=played.controller.setup.document)]
            answers += [await client.patch("/v1/services/queue", json={"max": 3})]
            answers += [await client.post("/v1/session", json={"token": admin})]
            assert {answer.status_code for answer in answers[-4:]} == {200}
            session = client.cookies.get("beaufort")
            assert session is not None
            for headers in (
                {"authorization": f"Bearer {PLANTED}-token"},
                {"cookie": f"beaufort={PLANTED}", "authorization": "x"},
            ):
                answers += [await client.get("/v1/status", headers=headers)]
            answers += [await client.post("/v1/session", json={"token": f"{PLANTED}-guess"})]
            await played.until(lambda: "audit" in {event.kind for event in played.events})
            answers += [await client.get(path) for path in READABLE]
            assert {answer.status_code for answer in answers[-len(READABLE) :]} == {200}
            told += [answer.text for answer in answers]
            told += [str(answer.headers) for answer in answers if answer.request.url.path != "/v1/session"]
            told += [repr(event) for event in played.events]
    logged = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]
    told += [*capfd.readouterr(), *logged, file.read_text(), journal.read_text()]
    secrets = [PLANTED, admin.split("_", 2)[2], session]
    assert not [text for text in told for secret in secrets if secret in text]
    assert any("source-failed" in text for text in told)


async def test_a_password_in_the_address_of_an_engine_is_not_told() -> None:
    address = Address(f"tcp://user:{PLANTED}@127.0.0.1:{free_port()}")
    async with Client(address) as client:
        with pytest.raises(
            Unreachable, match=r"the engine at tcp://\*\*\*@127\.0\.0\.1:\d+ can't be reached"
        ) as caught:
            await client.open()
    assert PLANTED not in str(caught.value)
