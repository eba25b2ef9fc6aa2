"""The API as it describes itself, held to that by thousands of requests, most of them wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from running import Running, running
from web_stage import CONFIG

EXAMPLES = int(os.environ.get("BEAUFORT_EXAMPLES", "60"))
"""Requests to each operation."""

CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]

SETTINGS: dict[str, Any] = {
    "max_examples": EXAMPLES,
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("openapi"), CONFIG) as api:
        yield api


@pytest.fixture(scope="module")
def operations(api: Running) -> dict[str, APIOperation[Any, Any, Any, Any]]:
    found = schemathesis.openapi.from_url(f"{api.url}/openapi.json").get_all_operations()
    good = [each.ok() for each in found if isinstance(each, Ok)]
    return {operation.label: operation for operation in good}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_every_answer_is_as_described(
    operations: dict[str, APIOperation[Any, Any, Any, Any]], mode: GenerationMode
) -> None:
    assert len(operations) == 20
    for operation in operations.values():
        try:
            strategy = operation.as_strategy(generation_mode=mode)
            settings(**SETTINGS)(given(case=strategy)(answer))()
        except Unsatisfiable:  # There is nothing about it that could be wrong.
            assert mode is GenerationMode.NEGATIVE


def answer(case: Case[Any]) -> None:
    if case.path == "/v1/events":
        case.query = {**case.query, "follow": "false"}
    if case.path_parameters and len(case.path_parameters["name"]) % 2:
        case.path_parameters["name"] = "web"
    case.call_and_validate(checks=CHECKS, timeout=10)


def test_it_still_works_afterwards(api: Running) -> None:
    assert api.get("/healthz") == {"alive": True}
    assert api.process.poll() is None
