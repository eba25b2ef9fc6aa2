"""Configurations: what is read, what is refused and in which words, and that nothing else ever happens."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from beaufort.config import launch_faults, load
from beaufort.demand.push import Push
from beaufort.demand.trace import Trace
from beaufort.model import Band, Fallback, Launch, Node, RateLimit, Resources, Service, Settling
from beaufort.policies.per_container import PerContainer
from beaufort.policies.remainder import Remainder
from beaufort.protocols import ConfigError
from beaufort.quantity import Secret
from beaufort.reading.reference import Reference
from beaufort.schedulers.local import Local
from beaufort.schedulers.simulated import Simulated
from mutations import PATHS, VALID, mutated

EVERYTHING = (Path(__file__).parent / "everything.yaml").read_text()


def write(folder: Path, text: str) -> Path:
    file = folder / "beaufort.yaml"
    file.write_text(text)
    return file


def refused(source: Mapping[str, Any] | str | Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as error:
        load(source)
    return error.value.faults


def small(**service: object) -> dict[str, Any]:
    """A configuration of one service."""
    return {"services": {"checkout": {"priority": 1, "policy": {"type": "remainder"}, **service}}}


def service_of(**keys: object) -> Service:
    [service] = load(small(**keys)).services
    return service


def test_everything_that_a_file_can_say(tmp_path: Path) -> None:
    file = write(tmp_path, EVERYTHING)
    config = load(file)
    assert config.deployment == "shop"
    assert config.capacity == (Node("pool", Resources(containers=10, cpu=8, memory=16 * 1024**3, gpu=2)),)
    assert config.quotas == {"batch": Resources(containers=4)}
    assert config.bands == (Band("production", 1, 3), Band("rest", 4, 9, preemptible=True))
    assert config.services == (
        Service(
            "checkout",
            priority=1,
            min=1,
            max=10,
            weight=2.0,
            resources=Resources(cpu=0.5, memory=256 * 1024**2, gpu=1),
            settling=Settling(
                tolerance_up=0.05,
                tolerance_down=0.2,
                window_up=1,
                window_down=30,
                limit_up=RateLimit(15, amount=4),
                limit_down=RateLimit(60, share=0.5),
                idle=120,
                activation=3,
                stale_after=45,
                fallback=Fallback(3, if_higher=True),
                ramp=20,
            ),
            launch=Launch(
                ("worker", "--name", "a b"),
                "shop/checkout:1.4",
                {"PORT": "8080", "VERSION": "1.10", "DEBUG": "true"},
                grace=2.0,
            ),
        ),
        Service("reports", priority=4, group="batch", launch=Launch(("nice", "-5", "python"))),
    )
    assert isinstance(config.policies["checkout"], PerContainer)
    assert isinstance(config.policies["reports"], Remainder)
    assert config.sources["checkout"].name == "redis"
    assert isinstance(config.sources["reports"].make(), Push)
    assert isinstance(config.make_scheduler(), Simulated)
    assert config.resync == 2.0
    assert config.path == file
    assert config.document["services"]["checkout"]["stale_after"] == "45s"


def test_what_is_left_out_is_the_default() -> None:
    config = load(small())
    assert config.services == (Service("checkout", priority=1),)
    assert (config.deployment, config.capacity, config.quotas, config.bands) == ("default", (), {}, ())
    assert (config.resync, config.path) == (5.0, None)
    assert config.scheduler.name == "local"
    assert isinstance(config.make_scheduler(), Local)
    assert config.sources["checkout"].name == "push"


def test_the_scope_is_what_the_scaler_decides_about() -> None:
    config = load({**small(), "capacity": {"containers": 3}, "bands": {"all": {"priorities": [1, 5]}}})
    scope = config.scope
    assert (scope.services, scope.policies, scope.capacity) == (config.services, config.policies, config.capacity)
    assert (scope.quotas, scope.bands) == (config.quotas, config.bands)


def test_a_mapping_and_its_file_say_the_same(tmp_path: Path) -> None:
    from_file = load(write(tmp_path, EVERYTHING))
    again = load(from_file.document)
    # A number of the environment is taken as it is written, and the mapping no longer knows that 1.1 was 1.10.
    assert again.services[1:] == from_file.services[1:]
    assert again.services[0].settling == from_file.services[0].settling
    assert (again.capacity, again.quotas, again.bands) == (from_file.capacity, from_file.quotas, from_file.bands)


def test_capacity_by_nodes() -> None:
    config = load({**small(), "capacity": {"nodes": {"a": {"cpu": 4}, "b": {"cpu": "500m", "memory": "1GiB"}}}})
    assert config.capacity == (Node("a", Resources(cpu=4)), Node("b", Resources(cpu=0.5, memory=1024**3)))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("hold", Fallback(), id="hold"),
        pytest.param(3, Fallback(3), id="count"),
        pytest.param({"current-if-higher": 3}, Fallback(3, if_higher=True), id="current if higher"),
    ],
)
def test_fallbacks(written: object, read: Fallback) -> None:
    assert service_of(fallback=written).settling.fallback == read


def test_one_tolerance_is_for_both_ways() -> None:
    settling = service_of(settle={"tolerance": "10%"}).settling
    assert (settling.tolerance_up, settling.tolerance_down) == (0.1, 0.1)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("4 per 15s", RateLimit(15, amount=4), id="amount"),
        pytest.param("50% per 15s", RateLimit(15, share=0.5), id="share"),
        pytest.param("200 % per 1 m", RateLimit(60, share=2), id="share above one, with spaces"),
        pytest.param({"amount": 4, "period": 15}, RateLimit(15, amount=4), id="amount in a mapping"),
        pytest.param({"share": 0.5, "period": "15s"}, RateLimit(15, share=0.5), id="share in a mapping"),
        pytest.param(None, None, id="none"),
    ],
)
def test_rate_limits(written: object, read: RateLimit | None) -> None:
    assert service_of(settle={"limit": {"down": written}}).settling.limit_down == read


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "day.csv").write_text("t_seconds,value\n0,1\n")
    text = "services: {a: {priority: 1, policy: {type: remainder}, demand: {type: trace, file: day.csv}}}"
    config = load(write(tmp_path, text))
    monkeypatch.chdir("/")
    assert isinstance(config.sources["a"].make(), Trace)


SERVICE = "services:\n  checkout:\n    priority: 1\n    policy: {type: remainder}\n"


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        pytest.param("", ["1:1: configuration: expected a mapping with services, got nothing"], id="empty file"),
        pytest.param("# later\n", ["1:1: configuration: expected a mapping with services, got nothing"], id="comment"),
        pytest.param("- a", ["1:1: configuration: expected a mapping with services, got a list"], id="a list"),
        pytest.param("a", ["1:1: configuration: expected a mapping with services, got text"], id="a word"),
        pytest.param(
            "deployment: shop",
            ["1:1: services: missing; expected a mapping of names, each to a mapping with priority, policy"],
            id="no services",
        ),
        pytest.param("services: {}", ["1:11: services: expected at least one service, got none"], id="services empty"),
        pytest.param(
            "services:",
            ["1:10: services: expected a mapping of names, each to a mapping with priority, policy, got nothing"],
            id="services are nothing",
        ),
        pytest.param(
            "services:\n  a: x\n  b:",
            [
                "2:6: a: expected a mapping with priority, policy, got text",
                "3:5: b: expected a mapping with priority, policy, got nothing",
            ],
            id="services that are no mappings",
        ),
        pytest.param(
            "services:\n  a: {}",
            [
                "2:3: a.priority: missing; expected a whole number of 1 or more",
                "2:3: a.policy: missing; expected a mapping with type",
            ],
            id="what a service must have",
        ),
        pytest.param(
            "services:\n  a: {prioritty: 1, policy: {type: remainder}, x: 1}",
            [
                '2:7: a.prioritty: unknown key "prioritty"; did you mean "priority"?',
                (
                    '2:48: a.x: unknown key "x"; expected priority, min, max, weight, group, resources, image, command,'
                    " env, grace, demand, policy, settle, stale_after, fallback, standby"
                ),
            ],
            id="unknown keys",
        ),
        pytest.param(SERVICE + "servces: 1", ['5:1: servces: unknown key "servces"; did you mean "services"?'], id="unknown key at the top"),
        pytest.param(
            SERVICE + "    min: 5\n    max: 3", ["6:10: checkout.max: expected min (5) or more, got 3"], id="min above max"
        ),
        pytest.param(
            SERVICE + "    resources: {cpu: 10 MB, memory: 2 cores, gpu: -1}",
            [
                '5:22: checkout.resources.cpu: expected cores such as 0.5 or 500m, got "10 MB"',
                '5:37: checkout.resources.memory: expected an amount of memory such as 256MiB or 16GB, got "2 cores"',
                "5:51: checkout.resources.gpu: expected a number of 0 or more, got -1",
            ],
            id="units",
        ),
        pytest.param(
            SERVICE + "    resources: {memry: 1GiB, cpus: 1, containers: 1}",
            [
                '5:17: checkout.resources.memry: unknown key "memry"; did you mean "memory"?',
                '5:30: checkout.resources.cpus: unknown key "cpus"; did you mean "cpu"?',
                '5:39: checkout.resources.containers: unknown key "containers"; expected cpu, memory',
            ],
            id="resources that are meant otherwise",
        ),
        pytest.param(
            "services:\n  a: {priority: .nan, weight: .inf, min: true, max: 1_0, grace: 12:30, policy: {type: remainder}}",
            [
                "2:17: a.priority: expected a whole number of 1 or more, got nan",
                "2:31: a.weight: expected a number above 0, got inf",
                "2:42: a.min: expected a whole number of 0 or more, got true",
                '2:53: a.max: expected a whole number of 0 or more, got "1_0"',
                '2:65: a.grace: expected a duration such as 5s or 300ms, got "12:30"',
            ],
            id="numbers that are none",
        ),
        pytest.param(
            SERVICE + '    env: {A: [1], B: true, "C=D": x, E: }',
            [
                "5:14: checkout.env.A: expected text, got a list",
                "5:22: checkout.env.B: expected text, got true",
                "5:28: checkout.env: expected the name of an environment variable, got something else (not shown)",
                "5:41: checkout.env.E: expected text, got nothing",
            ],
            id="environment",
        ),
        pytest.param(
            SERVICE + "    command: echo 'a\n    image: a b",
            [
                ("5:14: checkout.command: expected a command line as a shell would split it or a list, each item text, got"
                " something else (not shown)"),
                '6:12: checkout.image: expected an image such as shop/checkout:1.4, got "a b"',
            ],
            id="launch",
        ),
        pytest.param(
            SERVICE + "    settle: {limit: {up: {amount: 4, share: 5%, period: 1s}, down: 4 in 5s}, tolerance: 110%}",
            [
                "5:26: checkout.settle.limit.up: expected either an amount or a share",
                (
                    '5:68: checkout.settle.limit.down: expected "4 per 15s" or "50% per 15s" or a mapping with period,'
                    ' got "4 in 5s"'
                ),
                (
                    "5:89: checkout.settle.tolerance: expected a share between 0 and 1 such as 0.5 or 50% or a mapping with"
                    ' up, down, got "110%"'
                ),
            ],
            id="settle",
        ),
        pytest.param(
            SERVICE + "    settle: {limit: {down: 0% per 15s}}\n    command: ''\n    demand: {type: redis, list: 010}",
            [
                (
                    '5:28: checkout.settle.limit.down: expected "4 per 15s" or "50% per 15s" or a mapping with period,'
                    ' got "0% per 15s"'
                ),
                (
                    "6:14: checkout.command: expected a command line as a shell would split it or a list, each item text,"
                    ' got ""'
                ),
                '7:33: checkout.demand.list: expected text, got 010; put it in quotes: "010"',
            ],
            id="texts",
        ),
        pytest.param(
            SERVICE + "    fallback: none",
            [
                ("5:15: checkout.fallback: expected hold, a whole number of 0 or more or a mapping with current-if-higher,"
                ' got "none"')
            ],
            id="fallback",
        ),
        pytest.param(
            SERVICE + "    demand: {type: reddis}\nscheduler: {type: locl}",
            [
                '5:20: checkout.demand.type: unknown demand source "reddis"; did you mean "redis"?',
                '6:19: scheduler.type: unknown scheduler "locl"; did you mean "local"?',
            ],
            id="unknown plugins",
        ),
        pytest.param(
            "services:\n  a: {priority: 1, policy: {type: per-container, target: ten}}\n"
            "  b: {priority: 1, policy: {type: per-container, target: -1}}\n"
            "  c: {priority: 1, policy: {type: constant}}",
            [
                '2:58: a.policy.target: expected a number, got "ten"',
                "3:58: b.policy.target: expected a number above 0, got -1.0",
                "4:20: c.policy.count: missing; expected a whole number",
            ],
            id="options of policies",
        ),
        pytest.param(
            SERVICE + "    group: bach\n  b: {priority: 1, policy: {type: remainder}, group: zoo}\n"
            "groups: {batch: {quota: {cpu: 1}}}",
            [
                '5:12: checkout.group: unknown group "bach"; did you mean "batch"?',
                '6:54: b.group: unknown group "zoo"; expected batch',
            ],
            id="unknown groups",
        ),
        pytest.param(
            SERVICE + "    group: batch", ['5:12: checkout.group: unknown group "batch"; there are no groups'], id="no groups"
        ),
        pytest.param(
            SERVICE + "groups: {a: {}, b: 5, c: {quota: {}}}",
            [
                "5:10: groups.a.quota: missing; expected a mapping with containers, cpu, memory",
                "5:20: groups.b: expected a mapping with quota, got 5",
                "5:34: groups.c.quota: expected containers, cpu, memory or another resource, got none",
            ],
            id="groups",
        ),
        pytest.param(
            SERVICE + "bands:\n  a: {priorities: [1, 3]}\n  b: {priorities: [3, 4]}\n  c: {priorities: [6, 5]}\n  d: {priorities: 5}",
            [
                "7:19: bands.b.priorities: expected priorities outside band a (1 to 3), got 3 to 4",
                "8:19: bands.c.priorities: expected the first at most the last, got 6 and 5",
                (
                    "9:19: bands.d.priorities: expected a list of 2: a whole number of 1 or more, a whole number of 1 or more,"
                    " got 5"
                ),
            ],
            id="bands",
        ),
        pytest.param(SERVICE + "capacity: {}", ["5:11: capacity: expected containers, cpu, memory or another resource, got none"], id="no capacity"),
        pytest.param(
            SERVICE + "capacity: {containers: 5, nodes: {a: {cpu: 1}}}",
            ["5:34: capacity.nodes: expected either nodes or a total, got both"],
            id="two capacities",
        ),
        pytest.param(
            SERVICE + "capacity: {nodes: {}}", ["5:19: capacity.nodes: expected at least one node, got none"], id="no nodes"
        ),
        pytest.param(
            "services:\n  5: {priority: 1, policy: {type: remainder}}\n  a/b: {priority: 1, policy: {type: remainder}}",
            [
                '2:3: services: expected text as a key, got 5; put it in quotes: "5"',
                (
                    '3:3: "a/b": expected a name of letters, digits, -, _ and . that begins with a letter or digit'
                    ' (at most 63), got "a/b"'
                ),
            ],
            id="names",
        ),
        pytest.param(
            SERVICE + "  checkout:\n    priority: 2", ["5:3: checkout: duplicate service, first given in line 2"], id="duplicate"
        ),
        pytest.param(
            SERVICE + "    resources:\n    resync: 1s\nresync: 0",
            [
                "5:15: checkout.resources: expected a mapping with cpu, memory, got nothing",
                (
                    '6:5: checkout.resync: unknown key "resync"; expected priority, min, max, weight, group, resources,'
                    " image, command, env, grace, demand, policy, settle, stale_after, fallback, standby"
                ),
                "7:9: resync: expected a duration above 0 such as 5s or 300ms, got 0",
            ],
            id="a key at the wrong level",
        ),
    ],
)  # fmt: skip
def test_every_fault_at_once_each_with_its_place(text: str, faults: list[str], tmp_path: Path) -> None:
    file = write(tmp_path, text)
    assert list(refused(file)) == [f"{file}:{fault}" for fault in faults]


def test_what_cannot_be_read_or_parsed(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.yaml") == (f"{tmp_path}/none.yaml: can't be read: No such file or directory",)
    file = write(tmp_path, "services: {a: }b")
    [fault] = refused(file)
    assert fault.startswith(f"{file}:1:16: YAML syntax: ")


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        pytest.param({}, "services: missing; expected a mapping of names, each to a mapping with priority, policy", id="empty"),
        pytest.param({**small(), "resync": -1}, "resync: expected a duration above 0 such as 5s or 300ms, got -1", id="top"),
        pytest.param(small(max=10**400), "checkout.max: expected a whole number of 0 or more, got a number too large to count with", id="vast"),
        pytest.param(small(image=object()), "checkout.image: expected an image such as shop/checkout:1.4, got a Python object", id="object"),
        pytest.param({"services": {5: {}}}, "services: expected text as a key, got 5", id="name that is no text"),
        pytest.param({5: {}, "services": small()["services"]}, "configuration: expected text as a key, got 5", id="key that is no text"),
    ],
)  # fmt: skip
def test_faults_of_a_mapping_have_the_place_alone(config: dict[Any, Any], fault: str) -> None:
    assert refused(config) == (fault,)


def test_a_mapping_that_holds_itself_is_refused() -> None:
    config = small()
    config["services"]["checkout"]["env"] = config
    config["services"]["checkout"]["resources"] = config["services"]
    assert refused(config) == (
        "checkout.env.services: expected text, got a mapping",
        "checkout.resources.checkout: expected a number of 0 or more, got a mapping",
    )


@pytest.mark.parametrize(
    ("config", "faults"),
    [
        pytest.param(
            {"capacity": {"containers": 10}, "services": {"a": {"min": 8}, "b": {"min": 4}, "c": {}}},
            [
                ("capacity.containers: expected 12 containers or more for the minimums of all services"
                " (a 8 containers, b 4 containers), got 10 containers")
            ],
            id="minimums in slots",
        ),
        pytest.param(
            {
                "capacity": {"containers": 100, "cpu": 4, "memory": "1GiB", "gpu": 1},
                "services": {
                    name: {"min": 1, "resources": {"cpu": 1, "memory": "300MiB", "gpu": 0.5}} for name in "abcde"
                },
            },
            [
                ("capacity.cpu: expected 5 cores or more for the minimums of all services"
                " (a 1 core, b 1 core, c 1 core and 2 more), got 4 cores"),
                ("capacity.gpu: expected 2.5 gpu or more for the minimums of all services"
                " (a 0.5 gpu, b 0.5 gpu, c 0.5 gpu and 2 more), got 1 gpu"),
                ("capacity.memory: expected 1.465GiB of memory or more for the minimums of all services"
                " (a 300MiB of memory, b 300MiB of memory, c 300MiB of memory and 2 more), got 1GiB of memory"),
            ],
            id="minimums in every resource",
        ),
        pytest.param(
            {"capacity": {"nodes": {"a": {"cpu": 2}, "b": {"cpu": 2}}}, "services": {"a": {"min": 5, "resources": {"cpu": 1}}}},
            ["capacity.nodes: expected 5 cores or more for the minimums of all services (a 5 cores), got 4 cores"],
            id="minimums on nodes",
        ),
        pytest.param(
            {"capacity": {"nodes": {"a": {"cpu": 3}, "b": {"cpu": 3}}}, "services": {"a": {"min": 3, "resources": {"cpu": 2}}}},
            ["a.min: expected at most 2, which is what fits on the nodes, got 3"],
            id="minimum that the nodes' edges cut off",
        ),
        pytest.param(
            {
                "groups": {"batch": {"quota": {"containers": 2, "memory": 1000}}},
                "services": {
                    "a": {"min": 2, "group": "batch"},
                    "b": {"min": 1, "group": "batch", "resources": {"memory": 2000}},
                    "c": {"min": 9},
                },
            },
            [
                ("groups.batch.quota.containers: expected 3 containers or more for the minimums of the group"
                " (a 2 containers, b 1 container), got 2 containers"),
                ("groups.batch.quota.memory: expected 1.953KiB of memory or more for the minimums of the group"
                " (b 1.953KiB of memory), got 1000B of memory"),
            ],
            id="minimums in a quota",
        ),
        pytest.param(
            {"capacity": {"cpu": 4}, "services": {"a": {"resources": {"cpu": 8}}}},
            ["a.resources.cpu: expected at most 4 cores, which is the capacity, got 8 cores"],
            id="container beyond the capacity",
        ),
        pytest.param(
            {
                "capacity": {"nodes": {"a": {"cpu": 4, "memory": "8GiB"}, "b": {"cpu": 2, "memory": "16GiB"}}},
                "services": {
                    "a": {"resources": {"memory": "2TiB"}},
                    "b": {"resources": {"cpu": 4, "memory": "16GiB"}},
                    "c": {"resources": {"gpu": 9}},
                },
            },
            [
                "a.resources.memory: expected at most 16GiB of memory, which is the largest node, got 2TiB of memory",
                ("b.resources: expected a size that fits on one node, got 4 cores and 16GiB of memory,"
                " which no node has together"),
            ],
            id="container beyond every node",
        ),
        pytest.param({"capacity": {"containers": 0}, "services": {"a": {"min": 0}}}, [], id="no room, and none needed"),
        pytest.param(
            {"capacity": {"cpu": 0.3}, "services": {"a": {"min": 3, "resources": {"cpu": 0.1}}}}, [], id="tenths that fill it"
        ),
        pytest.param(
            {
                "capacity": {"nodes": {"a": {"cpu": 0.3}, "b": {"containers": 1}}},
                "services": {"a": {"min": 50, "resources": {"cpu": 0.1}}},
            },
            ["a.min: expected at most 4, which is what fits on the nodes, got 50"],
            id="nodes that limit different things",
        ),
    ],
)  # fmt: skip
def test_what_no_division_could_hold(config: dict[str, Any], faults: list[str]) -> None:
    plain = {"priority": 1, "policy": {"type": "remainder"}}
    whole = {**config, "services": {name: {**plain, **keys} for name, keys in config["services"].items()}}
    if faults:
        assert list(refused(whole)) == faults
    else:
        load(whole)


@pytest.mark.parametrize(
    ("scheduler", "key", "value"),
    [
        pytest.param({"type": "marathon", "url": "m"}, "app", "/shop/web", id="an app of a Marathon"),
        pytest.param({"type": "marathon", "url": "m"}, "label", "team=shop", id="its label"),
        pytest.param({"type": "swarm"}, "service", "web", id="a service of a Swarm"),
    ],
)
def test_no_two_services_scale_the_same_thing(scheduler: dict[str, Any], key: str, value: str) -> None:
    section = {"priority": 1, "policy": {"type": "remainder"}}
    services = {
        "a": section | {key: value},
        "b": section,
        "c": section | {key: value},
        "d": section | {key: value + "2"},
    }
    fault = f'c.{key}: expected one that no other service names, got "{value}", which a names'
    assert refused({"scheduler": scheduler, "capacity": {"cpu": 4}, "services": services}) == (fault,)


def test_a_fault_in_one_place_hides_none_elsewhere() -> None:
    config = small(min=20, max=10, weight=0, policy={"type": "quue"}) | {"capacity": {"containers": 10}}
    assert refused(config) == (
        'checkout.policy.type: unknown policy "quue"; did you mean "queue"?',
        "checkout.weight: expected a number above 0, got 0",
        (
            "capacity.containers: expected 20 containers or more for the minimums of all services (checkout 20 containers),"
            " got 10 containers"
        ),
        "checkout.max: expected min (20) or more, got 10",
    )


def test_launching_is_not_a_part_of_loading(tmp_path: Path) -> None:
    text = (
        "services:\n"
        "  a: {priority: 1, policy: {type: remainder}}\n"
        "  b: {priority: 1, policy: {type: remainder}, command: 'true', demand: {type: trace, file: none.csv}}\n"
    )
    file = write(tmp_path, text)
    command, trace = launch_faults(load(file))
    assert command.startswith(f"{file}:2:3: a.command: expected ")
    assert (
        trace
        == f"{file}:3:92: b.demand.file: expected a readable file, got {tmp_path}/none.csv: No such file or directory"
    )


def test_a_scheduler_that_cannot_be_made_is_a_launch_fault() -> None:
    config = load(small() | {"scheduler": {"type": "simulated", "nodes": 1}})
    lost = replace(config, scheduler=replace(config.scheduler, options={"directory": Reference("env:NOT_SET", Path())}))
    assert launch_faults(lost) == ["scheduler.directory: expected the environment variable NOT_SET, which is not set"]
    with pytest.raises(ConfigError, match=r"^scheduler\.directory: "):
        lost.make_scheduler()


def test_a_secret_is_needed_to_launch_and_not_to_load(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load(small(demand={"type": "redis", "list": "jobs", "password": "env:SHOP_PASSWORD"}, command="true"))
    needs = "checkout.demand.password: expected the environment variable SHOP_PASSWORD, which is not set"
    assert launch_faults(config) == [needs]
    monkeypatch.setenv("SHOP_PASSWORD", "hunter2")
    assert launch_faults(config) == []
    assert "hunter2" not in repr(config)


@settings(max_examples=300, deadline=None)
@given(config=mutated())
def test_any_mutation_loads_or_has_faults_with_their_place(config: dict[Any, Any]) -> None:
    try:
        load(config)
    except ConfigError as error:
        assert error.faults  # noqa: PT017 - either outcome is right
        for fault in error.faults:
            place, colon, words = fault.partition(": ")
            assert colon, fault
            assert words, fault
            assert re.fullmatch(r'([\w.\[\]-]|"([^"\\]|\\.)*")+', place), fault


def test_not_a_number_is_nowhere_a_number() -> None:
    for path in PATHS:
        config = copy.deepcopy(VALID)
        holder: Any = config
        for step in path[:-1]:
            holder = holder[step]
        if isinstance(holder[path[-1]], int | float) and not {"env", "command"} & set(path):
            holder[path[-1]] = math.nan
            assert any("got nan" in fault for fault in refused(config)), path


def test_a_secret_is_a_secret_in_the_options_too() -> None:
    assert not isinstance(load(VALID).sources["checkout"].options["password"], Secret | str)
