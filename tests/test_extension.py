"""A service's section has the keys that the configured scheduler adds, and no others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from beaufort.config import launch_faults, load
from beaufort.protocols import ConfigError
from beaufort.reading.signature import Signature
from beaufort.schedulers.engine.launch import DockerLaunch
from beaufort.schema import schema
from beaufort.sections import ServiceSection


def config(scheduler: Mapping[str, Any] | None, **service: Any) -> dict[str, Any]:
    section = {"priority": 1, "policy": {"type": "constant", "count": 1}, **service}
    return {"services": {"web": section}, **({} if scheduler is None else {"scheduler": scheduler})}


def test_what_the_scheduler_adds_is_in_the_launch() -> None:
    written = config({"type": "docker"}, image="a", ports=[80, "8080:80"], health_interval="2s", docker={"Tty": True})
    (web,) = load(written).services
    assert web.launch.options == DockerLaunch(ports=(80, "8080:80"), health_interval=2.0, docker={"Tty": True})
    assert web.launch.image == "a"


def test_where_nothing_of_it_is_said_there_is_nothing() -> None:
    (web,) = load(config({"type": "docker"}, image="a")).services
    assert web.launch.options is None


@pytest.mark.parametrize(
    ("scheduler", "service", "faults"),
    [
        pytest.param(
            {"type": "docker"},
            {"portz": [80], "priority": 0},
            [
                'web.portz: unknown key "portz"; did you mean "ports"?',
                "web.priority: expected a whole number of 1 or more, got 0",
            ],
            id="the near miss may be a key of the scheduler's",
        ),
        pytest.param(
            {"type": "docker"},
            {"ports": [0], "read_only": "yes", "min": -1},
            [
                "web.min: expected a whole number of 0 or more, got -1",
                "web.ports[0]: expected a whole number between 1 and 65535 or text, got 0",
                'web.read_only: expected true or false, got "yes"',
            ],
            id="all at once",
        ),
        pytest.param(None, {"read_only": True}, ['web.read_only: unknown key "read_only"'], id="not for the default"),
        pytest.param({"type": "local"}, {"init": True}, ['web.init: unknown key "init"'], id="not for another"),
        pytest.param(
            {"type": "docker", "url": 7},
            {"init": True},
            ["scheduler.url: expected text, got 7"],
            id="whatever else is wrong with the scheduler",
        ),
        pytest.param({"type": "dokcer"}, {}, ['scheduler.type: unknown scheduler "dokcer"'], id="no such scheduler"),
        pytest.param({"type": 3}, {}, ["scheduler.type: expected "], id="not even a name"),
        pytest.param({}, {}, ["scheduler.type: missing; expected "], id="none named"),
    ],
)
def test_faults(scheduler: Mapping[str, Any] | None, service: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config(scheduler, **service))
    found = sorted(caught.value.faults)
    assert len(found) == len(faults)
    assert all(said.startswith(fault) for said, fault in zip(found, faults, strict=True)), found


def test_a_service_that_is_no_mapping_is_told_once() -> None:
    with pytest.raises(ConfigError, match=r"^web: expected a mapping with priority, policy, got nothing$"):
        load({"scheduler": {"type": "docker"}, "services": {"web": None}})


def test_what_only_the_driver_knows_is_told_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "b.yaml"
    file.write_text(
        "scheduler: {type: docker}\n"
        "services:\n"
        "  web: {priority: 1, policy: {type: remainder}, image: A, ports: [80, '8080:80'],\n"
        "    docker: {HostConfig: {AutoRemove: true}}}\n"
    )
    image, port, remove = launch_faults(load(file))
    assert image == f'{file}:3:56: web.image: expected an image such as shop/checkout:1.4 or name@sha256:..., got "A"'
    assert port.startswith(f"{file}:3:71: web.ports[1]: expected max: 1, as only one container can have port 8080")
    assert remove.startswith(f"{file}:4:39: web.docker.HostConfig.AutoRemove: expected nothing here")


def test_the_schema_has_the_keys_of_every_scheduler() -> None:
    web = schema()["properties"]["services"]["additionalProperties"]
    assert web["properties"]["ports"]["description"].startswith("80 is published at a free port")
    assert web["properties"]["priority"] == Signature(ServiceSection).schema()["properties"]["priority"]
    assert "options" not in web["properties"]
    assert web["additionalProperties"] is False
