"""What a service says of its tasks on a Marathon: what is wrong with it, and the app that is made of it."""

from __future__ import annotations

from typing import Any

import pytest

from beaufort.model import Launch, Resources, Service
from beaufort.schedulers.apps.launch import MarathonLaunch, app, check

SMALL = Resources(cpu=0.5, memory=64 * 2**20)


def service(name: str = "web", *, resources: Resources = SMALL, image: str | None = None, **options: Any) -> Service:
    launch = Launch(("run", "it"), image, {"A": "1"}, 2.5, MarathonLaunch(**options))
    return Service(name, 1, launch=launch, resources=resources)


def finding(image: str | None = None, **options: Any) -> Service:
    return Service("web", 1, launch=Launch(image=image, options=MarathonLaunch(**options)))


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        pytest.param(Service("web", 1, resources=SMALL), "command: missing; expected a command, an image or both, or app", id="nothing"),
        pytest.param(service(resources=Resources(cpu=1)), "resources.memory: missing; expected an amount, as Marathon", id="memory"),
        pytest.param(service(resources=Resources(memory=1)), "resources.cpu: missing; expected an amount, as Marathon", id="cpu"),
        pytest.param(service(resources=Resources(cpu=1, memory=1, tpu=1)), "resources.tpu: expected cpu, memory, disk", id="kind"),
        pytest.param(service(resources=Resources(cpu=1, memory=1, gpu=0.5)), "resources.gpu: expected a whole number", id="gpu"),
        pytest.param(service(network="bridge"), "network: expected nothing here, as there is no image", id="network"),
        pytest.param(service(health_path="/"), "health_path: expected ports to ask at, got none", id="no port"),
        pytest.param(
            service(health_path="/", ports=(0,), health_command="a"), "health_path: expected nothing here", id="two checks"
        ),
        pytest.param(service(constraints=("zone IN a",)), "constraints.0: expected a constraint such as", id="constraint"),
        pytest.param(service(marathon={"instances": 3}), "marathon.instances: expected nothing here, as how many", id="count"),
        pytest.param(
            service(marathon={"labels": {"beaufort.service": "b"}}), "marathon.labels.beaufort.service: expected", id="label"
        ),
        pytest.param(service(marathon={"a": object()}), "marathon: expected what JSON can say: ", id="no JSON"),
        pytest.param(finding(app="shop/web"), 'app: expected an id such as /shop/web, got "shop/web"', id="id"),
        pytest.param(finding(label="team"), 'label: expected a label such as team=shop, got "team"', id="a label alone"),
        pytest.param(
            finding(image="a", app="/web"), 'image: expected nothing here, as app "/web" is there and says it itself', id="both"
        ),
        pytest.param(finding(app="/web", label="a=b"), "label: expected nothing here, as app", id="found twice"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(wrong: Service, fault: str) -> None:
    (found,) = check(wrong)
    assert found.startswith(fault)


def test_a_launch_without_faults() -> None:
    assert check(service()) == check(finding(app="/shop/web.v1")) == check(finding(label="team=shop")) == []


def test_an_app_has_what_its_service_says() -> None:
    made = app(service(constraints=("@hostname MAX_PER 2", "zone GROUP_BY")), "one", 3)
    labels = made.pop("labels")
    assert made == {
        "id": "/beaufort/one/web",
        "args": ["run", "it"],
        "env": {"A": "1"},
        "portDefinitions": [],
        "cpus": 0.5,
        "mem": 64.0,
        "constraints": [["@hostname", "MAX_PER", "2"], ["zone", "GROUP_BY"]],
        "taskKillGracePeriodSeconds": 3,
        "killSelection": "YOUNGEST_FIRST",
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.0},
        "instances": 3,
    }
    assert labels.keys() == {"beaufort.deployment", "beaufort.service", "beaufort.launch"}


def test_ports_are_the_agents_or_the_containers() -> None:
    host = app(service(ports=(0, 80), image="shop/web"), "one", 1)
    assert host["portDefinitions"] == [{"port": 0, "protocol": "tcp"}, {"port": 80, "protocol": "tcp"}]
    assert (host["networks"], host["container"]) == (
        [{"mode": "host"}],
        {"type": "DOCKER", "docker": {"image": "shop/web"}},
    )
    bridge = app(service(ports=(80,), image="shop/web", network="bridge", runtime="mesos"), "one", 1)
    assert "portDefinitions" not in bridge
    assert bridge["networks"] == [{"mode": "container/bridge"}]
    assert (bridge["container"]["type"], bridge["container"]["portMappings"]) == (
        "MESOS",
        [{"containerPort": 80, "hostPort": 0}],
    )
    assert app(service(image="shop/web", network="dcos"), "one", 1)["networks"] == [
        {"mode": "container", "name": "dcos"}
    ]


def test_health_checks() -> None:
    (by_command,) = app(service(health_command="true"), "one", 1)["healthChecks"]
    assert by_command == {"protocol": "COMMAND", "command": {"value": "true"}, "delaySeconds": 0, "intervalSeconds": 5}
    said = service(
        ports=(0,),
        health_path="/up",
        health_interval=0.2,
        health_timeout=1.5,
        health_start_period=9.0,
        health_retries=2,
    )
    (by_http,) = app(said, "one", 1)["healthChecks"]
    assert by_http == {
        "protocol": "MESOS_HTTP",
        "path": "/up",
        "portIndex": 0,
        "delaySeconds": 0,
        "intervalSeconds": 1,
        "timeoutSeconds": 2,
        "gracePeriodSeconds": 9,
        "maxConsecutiveFailures": 2,
    }


def test_what_is_passed_on_verbatim_is_joined_with_ours() -> None:
    made = app(service(marathon={"labels": {"team": "shop"}, "user": "www", "killSelection": "OLDEST_FIRST"}), "one", 1)
    assert (made["labels"]["team"], made["labels"]["beaufort.service"], made["user"]) == ("shop", "web", "www")
    assert made["killSelection"] == "OLDEST_FIRST"


def test_the_label_of_the_launch_changes_with_the_launch_alone() -> None:
    def launch(changed: Service, instances: int = 1) -> str:
        return str(app(changed, "one", instances)["labels"]["beaufort.launch"])

    assert launch(service()) == launch(service(), 7)
    assert (
        len(
            {
                launch(each)
                for each in (
                    service(),
                    service(ports=(0,)),
                    service(image="a"),
                    service(resources=Resources(cpu=1, memory=1)),
                )
            }
        )
        == 4
    )


def test_one_alone_goes_before_the_new_one_comes() -> None:
    assert app(service(), "one", 1)["upgradeStrategy"] == {"minimumHealthCapacity": 0.0, "maximumOverCapacity": 0.0}


@pytest.mark.parametrize("name", ["My Web/1", "my-web-1", "a.b", "x" * 80, "-", "web_1"])
def test_every_name_has_an_id_of_its_own_that_marathon_takes(name: str) -> None:
    ids = [app(service(each), "one", 1)["id"] for each in (name, name + "1", name.upper() + "0")]
    assert len(set(ids)) == 3
    assert check(finding(app=ids[0])) == []
