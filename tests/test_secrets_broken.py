"""Configurations that hold secrets and are broken in random ways: whatever is said of them, no secret is in it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from beaufort.config import launch_faults, load
from beaufort.protocols import ConfigError
from mutations import leaves, scalars

PLANTED = "hunter2"
"""Every planted secret has it."""

SECRETS: dict[str, Any] = {
    "scheduler": {"type": "docker", "url": f"tcp://me:{PLANTED}@127.0.0.1:1", "registries": "env:NO_SUCH_SECRET"},
    "capacity": {"containers": 4},
    "services": {
        "queue": {
            "priority": 1,
            "min": 1,
            "image": "shop/worker:1",
            "command": ["worker", f"--key={PLANTED}"],
            "env": {"API_KEY": PLANTED, "URL": f"https://me:{PLANTED}@example/?key={PLANTED}"},
            "demand": {"type": "redis", "url": f"redis://me:{PLANTED}@127.0.0.1:1/0", "list": "jobs"},
            "policy": {"type": "queue", "target_length": 5},
        },
        "line": {
            "priority": 2,
            "image": "shop/worker:1",
            "command": f"worker --key '{PLANTED}'",
            "env": {"API_KEY": f"*{PLANTED}"},
            "demand": {"type": "redis", "list": "jobs", "password": PLANTED},
            "policy": {"type": "queue", "target_length": 5},
        },
    },
}
PATHS = [path for path in leaves(SECRETS) if path]
TEXTS = [yaml.safe_dump(SECRETS), json.dumps(SECRETS)]
SCHEDULERS = ["docker", "local", "simulated", "swarm", "mesos"]
VARIABLES = {"API_KEY", "URL"}


def queue(**keys: Any) -> dict[str, Any]:
    """The secrets, with a few keys of one service replaced."""
    return {**SECRETS, "services": {"queue": {**SECRETS["services"]["queue"], **keys}}}


def at(config: Any, path: tuple[Any, ...]) -> Any:
    """What is there, or None."""
    for step in path:
        try:
            config = config[step]
        except (KeyError, IndexError, TypeError):
            return None
    return config


TEXT_DISTORTIONS: dict[str, Callable[[str], Any]] = {
    "nul": lambda text: f"{text}\0",
    "quote": lambda text: f"{text}'",
    "space": lambda text: f" {text}",
}
MAPPING_DISTORTIONS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "lines": lambda parts: "\n".join(f"{key}={part}" for key, part in parts.items()),
    "pairs": lambda parts: [f"{key}={part}" for key, part in parts.items()],
    "names": lambda parts: {f"{key}={part}": part for key, part in parts.items()} if set(parts) <= VARIABLES else parts,
    "alone": lambda parts: next((part for part in parts.values() if PLANTED in str(part)), parts),
}


def distorted(value: Any, how: str) -> Any:
    """The same in a form that nobody wants."""
    if how == "list":
        return [value]
    distort: Any = (TEXT_DISTORTIONS if isinstance(value, str) else MAPPING_DISTORTIONS).get(how)
    return distort(value) if distort is not None and isinstance(value, str | dict) else {"value": value}


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """One to three parts are dropped, renamed, replaced or distorted."""
    config = copy.deepcopy(SECRETS)
    config["scheduler"]["type"] = draw(st.sampled_from(SCHEDULERS))
    for _ in range(draw(st.integers(1, 3))):
        *above, key = draw(st.sampled_from(PATHS))
        holder = at(config, tuple(above))
        if not isinstance(holder, dict | list) or at(holder, (key,)) is None:
            continue
        how = draw(st.sampled_from(["drop", "rename", "replace", "list", *TEXT_DISTORTIONS, *MAPPING_DISTORTIONS]))
        if how == "drop":
            del holder[key]
        elif how == "rename" and isinstance(holder, dict):
            holder[draw(st.text(max_size=5))] = holder.pop(key)
        elif how == "replace":
            holder[key] = draw(scalars)
        else:
            holder[key] = distorted(holder[key], how)
    return config


def told(source: Mapping[str, Any] | Path) -> str:
    """All that is said of a configuration, by ``check`` as by the API."""
    try:
        return "\n".join(launch_faults(load(source)))
    except ConfigError as error:
        return "\n".join([*error.faults, str(error), repr(error)])


@settings(deadline=None)
@given(broken())
@example(queue(env=f"API_KEY={PLANTED}"))
@example(queue(env={"API_KEY": f"{PLANTED}\0"}))
@example(queue(env={f"API_KEY={PLANTED}": "x"}))
@example(queue(env=[f"API_KEY={PLANTED}"]))
@example(queue(command=f"worker '{PLANTED}"))
@example(queue(command=["worker", f"{PLANTED}\0"]))
@example(queue(demand=f"redis://me:{PLANTED}@host"))
def test_a_broken_configuration_tells_no_secret(config: dict[str, Any]) -> None:
    assert PLANTED not in told(config)


@settings(deadline=None)
@given(st.data())
def test_a_file_with_a_slip_of_the_finger_tells_no_secret(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    place = data.draw(st.integers(0, len(text)))
    slip = data.draw(st.sampled_from([*":{}[]&*!|>'\"%@`#?,- \t\0", ": ", "- ", "*", "!", "\n"]))
    dropped = data.draw(st.integers(0, 1))
    file = tmp_path_factory.getbasetemp() / "slip.yaml"
    file.write_text(text[:place] + slip + text[place + dropped :])
    assume(not _is_a_name(file))
    assert PLANTED not in told(file)


def _is_a_name(file: Path) -> bool:
    """Whether a slip has made a key of a secret: what is written where a name should be is told as one."""
    try:
        data = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, ValueError):
        return False
    return any(PLANTED in str(path[-1]) for path in leaves(data) if path)
