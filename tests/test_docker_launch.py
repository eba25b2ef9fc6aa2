"""What a service says of its containers on a Docker Engine: what is wrong with it, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.engine.answers import Image, Settings
from beaufort.schedulers.engine.launch import DockerLaunch, body, check, has_check

DIGEST = "sha256:" + "0123456789abcdef" * 4


def service(**options: Any) -> Service:
    return Service("web", 1, launch=Launch(image="shop/web:1", options=DockerLaunch(**options)))


def faults(image: str | None = "shop/web:1", resources: Resources | None = None, **options: Any) -> list[str]:
    launch = Launch(image=image, options=DockerLaunch(**options))
    return check(Service("web", 1, launch=launch, resources=resources or Resources()))


@pytest.mark.parametrize(
    "image",
    [
        "busybox",
        "shop/checkout:1.4",
        "Registry.example.com:5000/a/b_c/d__e/f--g:V1.2-x_",
        "localhost/a",
        f"shop/web@{DIGEST}",
        f"127.0.0.1:5000/shop/web:1@{DIGEST}",
    ],
)
def test_an_image(image: str) -> None:
    assert faults(image) == []


@pytest.mark.parametrize(
    "image", ["", " ", "Shop", "a b", "a:", "a@sha256:1", "a/:1", "https://a/b", "a:b:c", "-a", "a\n"]
)
def test_no_image(image: str) -> None:
    (fault,) = faults(image)
    assert fault.startswith("image: expected an image such as shop/checkout:1.4 or name@sha256:..., got ")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({"image": None}, "image: missing; expected an image such as shop/checkout:1.4", id="no image"),
        pytest.param({"ports": (80, "81/what")}, "ports.1: expected 80, ", id="kind of port"),
        pytest.param({"ports": ("0",)}, "ports.0: expected 80, ", id="port 0"),
        pytest.param({"ports": ("80:70000",)}, "ports.0: expected 80, ", id="port too large"),
        pytest.param({"ports": ("there:80:80",)}, "ports.0: expected 80, ", id="a host by its name"),
        pytest.param(
            {"ports": ("8080:80",)}, "ports.0: expected max: 1, as only one container can have port 8080", id="fixed"
        ),
        pytest.param({"volumes": ("/a:/b", "a")}, "volumes.1: expected ", id="volume without a target"),
        pytest.param({"volumes": ("a/b:/c",)}, "volumes.0: expected ", id="relative volume"),
        pytest.param(
            {"ulimits": {"nofile": "many"}}, 'ulimits.nofile: expected "soft" or "soft:hard", got "many"', id="ulimit"
        ),
        pytest.param({"stop_signal": "9 9"}, "stop_signal: expected a signal such as SIGQUIT", id="signal"),
        pytest.param({"resources": Resources(cpu=0.001)}, "resources.cpu: expected 0.01 or more", id="cpu"),
        pytest.param({"resources": Resources(memory=1e6)}, "resources.memory: expected 6MiB or more", id="memory"),
        pytest.param(
            {"docker": {"Image": "b"}}, "docker.Image: expected nothing here, as image is the key", id="image twice"
        ),
        pytest.param(
            {"docker": {"Labels": {"beaufort.service": "b"}}},
            "docker.Labels.beaufort.service: expected nothing",
            id="label",
        ),
        pytest.param(
            {"docker": {"HostConfig": {"RestartPolicy": {"Name": "always"}}}},
            "docker.HostConfig.RestartPolicy: expected nothing here, as Beaufort is the restart",
            id="restart",
        ),
        pytest.param({"docker": {"HostConfig": {"AutoRemove": True}}}, "docker.HostConfig.AutoRemove: ", id="remove"),
        pytest.param({"busy_file": "run/busy"}, "busy_file: expected a path inside the container", id="busy file"),
        pytest.param(
            {"busy_file": "/dev/shm/busy"},
            "busy_file: expected a place that the engine can look into, which /dev is not, got",
            id="busy file where engines mount",
        ),
        pytest.param(
            {"busy_file": "/run/busy", "docker": {"HostConfig": {"Tmpfs": {"/run/": ""}}}},
            "busy_file: expected a place that the engine can look into, which /run/ is not, got",
            id="busy file in a tmpfs",
        ),
        pytest.param(
            {
                "busy_file": "/run/a/busy",
                "docker": {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Target": "/run/a"}, {"Type": "volume"}]}},
            },
            "busy_file: expected a place that the engine can look into, which /run/a is not, got",
            id="busy file in a tmpfs that is a mount",
        ),
        pytest.param({"busy_http": "/busy"}, 'busy_http: expected a port and a path such as "8080/busy"', id="no port"),
        pytest.param(
            {"busy_file": "/busy", "busy_http": "80/busy"},
            "busy_http: expected nothing here, as busy_file is the way",
            id="busy in two ways",
        ),
        pytest.param(
            {"busy_file": "/busy", "drain_timeout": 9.0},
            "drain_timeout: expected grace (10 s) or more, got 9 s",
            id="drain below grace",
        ),
        pytest.param(
            {"drain_timeout": 10.0}, "drain_timeout: expected busy_file or busy_http beside it", id="drain of whom"
        ),
        pytest.param(
            {"docker": {"Labels": {"beaufort.drain": "1"}}},
            "docker.Labels.beaufort.drain: expected nothing here, as drain_timeout is the key",
            id="drain twice",
        ),
        pytest.param({"docker": {"A": object()}}, "docker: expected what JSON can say: ", id="no JSON"),
    ],
)
def test_a_fault_is_told_with_its_place(options: dict[str, Any], fault: str) -> None:
    (found,) = faults(**options)
    assert found.startswith(fault)


def test_all_faults_are_told_at_once() -> None:
    assert len(faults(None, Resources(cpu=0.001), ports=("a", "b"), volumes=("c",), docker={"Image": "d"})) == 6


def test_a_fixed_port_for_one() -> None:
    assert (
        check(replace(service(ports=("8080:80", "127.0.0.1:81:81/udp", "[::1]:82:82", "127.0.0.1::83", 84)), max=1))
        == []
    )


def test_the_least_that_is_made() -> None:
    assert body(Service("web", 1, launch=Launch(image="a")), "one") == {
        "Image": "a",
        "Labels": {"beaufort.deployment": "one", "beaufort.service": "web"},
        "HostConfig": {"RestartPolicy": {"Name": "no"}},
        "StopTimeout": 10,
    }


@pytest.mark.parametrize(
    ("options", "made"),
    [
        pytest.param({"entrypoint": "run"}, {"Entrypoint": ["run"]}, id="entrypoint as text"),
        pytest.param({"entrypoint": ("run", "it")}, {"Entrypoint": ("run", "it")}, id="entrypoint as a list"),
        pytest.param(
            {"health_command": ("a", "b"), "health_retries": 2, "health_timeout": 0.5, "health_start_period": 3.0},
            {
                "Healthcheck": {
                    "Test": ["CMD", "a", "b"],
                    "Retries": 2,
                    "Timeout": 500_000_000,
                    "StartPeriod": 3_000_000_000,
                }
            },
            id="health check",
        ),
        pytest.param(
            {"health_interval": 1.0},
            {"Healthcheck": {"Interval": 1_000_000_000}},
            id="the image's health check, more often",
        ),
        pytest.param(
            {"busy_file": "/busy", "drain_timeout": 10.5},
            {
                "Labels": {"beaufort.deployment": "one", "beaufort.service": "web", "beaufort.drain": "11"},
                "StopTimeout": 10,
            },
            id="drain",
        ),
        pytest.param({"docker": {"Tty": True, "Domainname": "x"}}, {"Tty": True, "Domainname": "x"}, id="verbatim"),
        pytest.param({"docker": {"Env": ["B=2"]}}, {"Env": ["B=2"]}, id="verbatim lists replace"),
        pytest.param({"docker": {"StopTimeout": 0}}, {"StopTimeout": 0}, id="verbatim wins"),
    ],
)
def test_what_is_made(options: dict[str, Any], made: dict[str, Any]) -> None:
    found = body(service(**options), "one")
    assert {key: found[key] for key in made} == made


@pytest.mark.parametrize(
    ("options", "made"),
    [
        pytest.param(
            {"ports": (80, "127.0.0.1:8080:80", "[::1]:53:53/udp", "127.0.0.1::90")},
            {
                "PortBindings": {
                    "80/tcp": [{"HostIp": "", "HostPort": ""}, {"HostIp": "127.0.0.1", "HostPort": "8080"}],
                    "53/udp": [{"HostIp": "::1", "HostPort": "53"}],
                    "90/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
                }
            },
            id="ports",
        ),
        pytest.param({"networks": ("a", "b")}, {"NetworkMode": "a"}, id="the first network"),
        pytest.param({"ulimits": {"core": -1}}, {"Ulimits": [{"Name": "core", "Soft": -1, "Hard": -1}]}, id="ulimit"),
        pytest.param(
            {"log_options": {"tag": "x"}}, {"LogConfig": {"Type": None, "Config": {"tag": "x"}}}, id="log options"
        ),
        pytest.param({"docker": {"HostConfig": {"Privileged": True}}}, {"Privileged": True}, id="verbatim is joined"),
    ],
)
def test_what_is_made_of_it_for_the_machine(options: dict[str, Any], made: dict[str, Any]) -> None:
    found = body(service(**options), "one")["HostConfig"]
    assert {key: found[key] for key in made} == made
    assert found["RestartPolicy"] == {"Name": "no"}


@pytest.mark.parametrize(("grace", "seconds"), [(0.0, 0), (0.1, 1), (1.0, 1), (2.5, 3)])
def test_grace_is_in_whole_seconds_and_zero_is_zero(grace: float, seconds: int) -> None:
    assert body(Service("web", 1, launch=Launch(image="a", grace=grace)), "one")["StopTimeout"] == seconds


@pytest.mark.parametrize(
    ("made_of", "inherited", "checked"),
    [
        pytest.param({}, None, False, id="none"),
        pytest.param({}, {"Test": ["CMD", "a"]}, True, id="the image's"),
        pytest.param({"Healthcheck": {"Interval": 1}}, {"Test": ["CMD", "a"]}, True, id="the image's, at other times"),
        pytest.param({"Healthcheck": {"Test": ["NONE"]}}, {"Test": ["CMD", "a"]}, False, id="turned off"),
        pytest.param({"Healthcheck": {"Test": ["CMD", "a"]}}, None, True, id="its own"),
    ],
)
def test_whether_it_has_a_health_check(
    made_of: dict[str, Any], inherited: dict[str, object] | None, checked: bool
) -> None:
    assert has_check(made_of, Image("sha256:1", Settings(healthcheck=inherited))) is checked
    assert has_check({}, Image("sha256:1")) is False


@given(st.text(max_size=30), st.one_of(st.text(max_size=20), st.integers()))
def test_any_text_is_right_or_told(text: str, limit: str | int) -> None:
    options = DockerLaunch(ports=(text,), volumes=(text,), ulimits={"x": limit}, stop_signal=text)
    written = Service("web", 1, max=1, launch=Launch(image=text, options=options))
    if not check(written):
        body(written, "one")


def test_a_date_is_no_json_of_docker_s() -> None:
    """A plain date in YAML is one; it becomes text, which the engine takes or refuses."""
    assert faults(docker={"Labels": {"since": date(2026, 1, 1)}}) == []
