"""What a service says of its containers on a Swarm: what is wrong with it, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.cluster.launch import NEVER, SwarmLaunch, check, spec

SECOND = 10**9


def service(name: str = "web", *, resources: Resources | None = None, **options: Any) -> Service:
    launch = Launch(("run", "it"), "shop/web:1", {"A": "1"}, 2.5, SwarmLaunch(**options))
    return Service(name, 1, launch=launch, resources=resources or Resources())


def adopting(image: str | None = None, **options: Any) -> Service:
    return Service("web", 1, launch=Launch(image=image, options=SwarmLaunch(service="shop_web", **options)))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        pytest.param(Service("web", 1), "image: missing; expected an image such as shop/checkout:1.4, or service", id="no image"),
        pytest.param(Service("web", 1, launch=Launch(image="Shop")), "image: expected an image such as", id="image"),
        pytest.param(service(ports=(80, "81/what")), 'ports.1: expected 80 or "8080:80"', id="kind of port"),
        pytest.param(service(ports=("127.0.0.1:80:80",)), 'ports.0: expected 80 or "8080:80"', id="port of one address"),
        pytest.param(service(volumes=("a/b:/c",)), "volumes.0: expected ", id="relative volume"),
        pytest.param(service(constraints=("zone == a",)), 'constraints.0: expected "node.labels.zone', id="constraint"),
        pytest.param(service(stop_signal="9 9"), "stop_signal: expected a signal such as SIGQUIT", id="signal"),
        pytest.param(service(resources=Resources(cpu=0.001)), "resources.cpu: expected 0.01 or more", id="cpu"),
        pytest.param(service(resources=Resources(gpu=0.5)), "resources.gpu: expected a whole number", id="part of a gpu"),
        pytest.param(service(swarm={"Name": "b"}), "swarm.Name: expected nothing here, as Beaufort", id="name"),
        pytest.param(service(swarm={"Mode": {"Global": {}}}), "swarm.Mode: expected nothing here, as how many", id="mode"),
        pytest.param(
            service(swarm={"TaskTemplate": {"RestartPolicy": {"Condition": "any"}}}),
            "swarm.TaskTemplate.RestartPolicy: expected nothing here, as Beaufort is the restart",
            id="restart",
        ),
        pytest.param(
            service(swarm={"Labels": {"beaufort.launch": "b"}}), "swarm.Labels.beaufort.launch: expected nothing", id="label"
        ),
        pytest.param(service(swarm={"A": object()}), "swarm: expected what JSON can say: ", id="no JSON"),
        pytest.param(
            adopting(image="a"), 'image: expected nothing here, as service "shop_web" is there and says it itself', id="both"
        ),
        pytest.param(adopting(user="7"), "user: expected nothing here, as service", id="said twice"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(wrong: Service, fault: str) -> None:
    (found,) = check(wrong)
    assert found.startswith(fault)


def test_what_is_right_has_no_faults() -> None:
    every = (
        "node.id==a",
        "node.hostname != n1",
        "node.ip==10.0.0.0/8",
        "node.role == worker",
        "engine.labels.os == x y",
    )
    assert check(service(ports=(80, "8080:80", "53:53/udp"), constraints=every, volumes=("/a:/b:ro", "v:/c"))) == []
    assert check(adopting()) == []


def test_the_least_that_is_made() -> None:
    made = spec(Service("web", 1, launch=Launch(image="a")), "one")
    labels = {"beaufort.deployment": "one", "beaufort.service": "web"}
    digest = made["Labels"].pop("beaufort.launch")
    assert made == {
        "Name": "beaufort-one-web",
        "Labels": labels,
        "TaskTemplate": {
            "ContainerSpec": {"Image": "a", "Labels": labels, "StopGracePeriod": 10 * SECOND},
            "RestartPolicy": {"Condition": "any", "Delay": NEVER * SECOND},
        },
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    assert len(digest) == 16


def test_all_that_can_be_said_without_words_of_swarm() -> None:
    amounts = Resources(cpu=0.5, memory=64 * 2**20, gpu=2)
    made = spec(
        service(
            resources=amounts,
            entrypoint="enter",
            ports=(80, "8080:81", "53:53/udp"),
            networks=("front",),
            volumes=("/a:/b:ro", "v:/c"),
            user="7",
            read_only=True,
            constraints=("node.role == worker",),
            spread=("node.labels.rack",),
            max_per_node=2,
            health_command="true",
            health_interval=0.5,
            stop_signal="SIGINT",
            init=True,
        ),
        "one",
    )
    template = made["TaskTemplate"]
    container = {name: value for name, value in template.pop("ContainerSpec").items() if name != "Labels"}
    assert container == {
        "Image": "shop/web:1",
        "Command": ["enter"],
        "Args": ["run", "it"],
        "Env": ["A=1"],
        "User": "7",
        "ReadOnly": True,
        "StopSignal": "SIGINT",
        "StopGracePeriod": 3 * SECOND,
        "Init": True,
        "Mounts": [
            {"Type": "bind", "Source": "/a", "Target": "/b", "ReadOnly": True},
            {"Type": "volume", "Source": "v", "Target": "/c"},
        ],
        "Healthcheck": {"Test": ["CMD-SHELL", "true"], "Interval": SECOND // 2},
    }
    both = {"NanoCPUs": SECOND // 2, "MemoryBytes": 64 * 2**20}
    assert template == {
        "Resources": {
            "Limits": both,
            "Reservations": {**both, "GenericResources": [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 2}}]},
        },
        "RestartPolicy": {"Condition": "any", "Delay": NEVER * SECOND},
        "Placement": {
            "Constraints": ("node.role == worker",),
            "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.rack"}}],
            "MaxReplicas": 2,
        },
        "Networks": [{"Target": "front", "Aliases": ["web"]}],
    }
    assert made["EndpointSpec"]["Ports"] == [
        {"Protocol": "tcp", "TargetPort": 80},
        {"Protocol": "tcp", "TargetPort": 81, "PublishedPort": 8080},
        {"Protocol": "udp", "TargetPort": 53, "PublishedPort": 53},
    ]


def test_what_is_said_verbatim_is_joined() -> None:
    words = {
        "Labels": {"team": "shop"},
        "TaskTemplate": {"LogDriver": {"Name": "none"}, "ContainerSpec": {"TTY": True}},
    }
    made = spec(service(swarm=words), "one")
    assert made["Labels"].keys() == {"team", "beaufort.deployment", "beaufort.service", "beaufort.launch"}
    assert made["TaskTemplate"]["LogDriver"] == {"Name": "none"}
    assert made["TaskTemplate"]["ContainerSpec"]["TTY"] is True
    assert made["TaskTemplate"]["ContainerSpec"]["Image"] == "shop/web:1"


def test_the_label_tells_one_launch_from_another() -> None:
    first, again, other = (spec(service(user=user), "one")["Labels"]["beaufort.launch"] for user in ("7", "7", "8"))
    assert first == again != other


@pytest.mark.parametrize("name", ["my web/1", "a" * 80, "web_", "wéb"])
def test_a_name_that_swarm_would_not_have_becomes_another(name: str) -> None:
    made, other = (spec(service(each), "one")["Name"] for each in (name, f"{name}!"))
    assert made.startswith("beaufort-one-")
    assert len(made) <= 63
    assert all(c.isalnum() or c == "-" for c in made)
    assert made != other
