"""The JSON Schema says what the reading does: they come from the same signatures."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from beaufort.config import load
from beaufort.protocols import ConfigError
from beaufort.schema import schema
from mutations import VALID, mutated

SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_schema_and_is_json() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA


def test_everything_that_a_file_can_say_is_valid() -> None:
    VALIDATOR.validate(VALID)


SERVICE: dict[str, Any] = {"priority": 1, "policy": {"type": "remainder"}}


@pytest.mark.parametrize(
    ("config", "valid"),
    [
        pytest.param({"services": {"a": SERVICE}}, True, id="the least"),
        pytest.param({}, False, id="no services"),
        pytest.param({"services": {"a": SERVICE}, "servces": {}}, False, id="unknown key"),
        pytest.param({"services": {"a/b": SERVICE}}, False, id="name"),
        pytest.param({"services": {"a": {**SERVICE, "priority": 0}}}, False, id="bound"),
        pytest.param({"services": {"a": {**SERVICE, "priority": True}}}, False, id="flag for number"),
        pytest.param({"services": {"a": {"priority": 1}}}, False, id="missing key"),
        pytest.param({"services": {"a": {**SERVICE, "min": 1.5}}}, False, id="part of a container"),
        pytest.param({"services": {"a": {**SERVICE, "max": None}}}, True, id="no limit"),
        pytest.param({"services": {"a": {**SERVICE, "grace": "5 lightyears"}}}, False, id="unit"),
        pytest.param({"services": {"a": {**SERVICE, "resources": {"gpu": 1}}}}, True, id="resource of one's own"),
        pytest.param({"services": {"a": {**SERVICE, "resources": {"gpu": "1"}}}}, False, id="resource in words"),
        pytest.param(
            {"services": {"a": {**SERVICE, "resources": {"containers": 1}}}}, False, id="slots of a container"
        ),
        pytest.param({"services": {"a": {**SERVICE, "policy": {"type": "quue"}}}}, False, id="unknown policy"),
        pytest.param({"services": {"a": {**SERVICE, "policy": {"type": "constant"}}}}, False, id="missing option"),
        pytest.param(
            {"services": {"a": {**SERVICE, "policy": {"type": "constant", "count": 1, "x": 1}}}},
            False,
            id="unknown option",
        ),
        pytest.param({"services": {"a": {**SERVICE, "fallback": "hld"}}}, False, id="unknown word"),
        pytest.param(
            {"services": {"a": {**SERVICE, "fallback": {"current_if_higher": 3}}}}, False, id="other name of a key"
        ),
        pytest.param({"services": {"a": SERVICE}, "bands": {"b": {"priorities": [1]}}}, False, id="half a band"),
        pytest.param(
            {"services": {"a": SERVICE}, "scheduler": {"type": "local", "deployment": "x"}}, False, id="not an option"
        ),
    ],
)
def test_the_schema_and_the_reading_agree(config: dict[str, Any], valid: bool) -> None:
    assert VALIDATOR.is_valid(config) is valid
    if valid:
        load(config)
    else:
        with pytest.raises(ConfigError):
            load(config)


@settings(max_examples=300, deadline=None)
@given(config=mutated())
def test_what_loads_is_valid(config: dict[Any, Any]) -> None:
    try:
        load(config)
        plain = json.loads(json.dumps(config, allow_nan=False))
    except (ConfigError, ValueError, TypeError):
        return  # not a configuration, or not one that an editor could hold
    if plain == config:
        VALIDATOR.validate(copy.deepcopy(config))


def test_every_key_is_described() -> None:
    service = SCHEMA["properties"]["services"]["additionalProperties"]
    for section in (SCHEMA, service, service["properties"]["settle"], SCHEMA["properties"]["capacity"]):
        assert section["description"]
        undescribed = [key for key, said in section["properties"].items() if not said.get("description")]
        assert undescribed == []


def test_plugins_are_told_apart_by_their_type() -> None:
    policies = SCHEMA["properties"]["services"]["additionalProperties"]["properties"]["policy"]["oneOf"]
    types = [policy["properties"]["type"]["const"] for policy in policies]
    assert types == sorted(types)
    assert {"constant", "pd-queue", "per-container", "queue", "remainder"} <= set(types)
