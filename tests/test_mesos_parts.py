"""The parts of the Mesos driver that need no Mesos: the stream, resources, states of tasks, and what a task is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from beaufort.model import Counts, Launch, Resources, Service
from beaufort.protocols import Unreachable
from beaufort.schedulers.framework.amounts import Stock, amounts, counted
from beaufort.schedulers.framework.answers import Status, Value
from beaufort.schedulers.framework.launch import MesosLaunch, task_info
from beaufort.schedulers.framework.leader import whereabouts
from beaufort.schedulers.framework.names import new_id, owner
from beaufort.schedulers.framework.recordio import RecordIO
from beaufort.schedulers.framework.tasks import Tasks

MIB = 2**20
SMALL = Resources(cpu=0.1)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100], ids=lambda size: f"pieces of {size}")
def test_records_come_in_pieces_of_any_size(size: int) -> None:
    stream = b'2\n{}0\n11\n{"a":"1\n2"}\n3\nabc'
    records = RecordIO()
    pieces = [stream[begin : begin + size] for begin in range(0, len(stream), size)]
    assert [record for piece in pieces for record in records.feed(piece)] == [b"{}", b'{"a":"1\n2"}', b"abc"]


@pytest.mark.parametrize(
    "stream", [pytest.param(b"<html>\n", id="a word"), pytest.param(b"1" * 30, id="a number without an end")]
)
def test_what_is_no_record_is_refused(stream: bytes) -> None:
    with pytest.raises(ValueError, match="expected the length of a record"):
        list(RecordIO().feed(stream))


def scalar(name: str, value: float, role: str = "*", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, "role": role, **more}


def ports(*ranges: tuple[int, int]) -> dict[str, Any]:
    found = [{"begin": begin, "end": end} for begin, end in ranges]
    return {"name": "ports", "type": "RANGES", "ranges": {"range": found}, "role": "*"}


@pytest.mark.parametrize(
    ("resource", "found"),
    [
        pytest.param(scalar("cpus", 2), {"cpu": 2}, id="cores"),
        pytest.param(scalar("mem", 64), {"memory": 64 * MIB}, id="megabytes"),
        pytest.param(scalar("gpus", 1), {"gpu": 1}, id="gpu"),
        pytest.param(scalar("tapes", 3), {"tapes": 3}, id="others by their own name"),
        pytest.param(ports((31000, 31001), (32000, 32000)), {"ports": 3}, id="ports"),
        pytest.param(scalar("cpus", 2, "shop"), {"cpu": 2}, id="reserved for us"),
        pytest.param(scalar("cpus", 2, "lab"), {}, id="reserved for others"),
        pytest.param(scalar("cpus", 2, reservations=[{"role": "shop"}]), {"cpu": 2}, id="reserved, in newer words"),
        pytest.param(scalar("cpus", 2, reservations=[{"role": "lab"}]), {}, id="for others, in newer words"),
        pytest.param(scalar("disk", 9, disk={"volume": {}}), {}, id="a volume"),
        pytest.param(scalar("cpus", 2, revocable={}), {}, id="what may be taken back"),
        pytest.param({"name": "os", "type": "SET", "set": {"item": ["a"]}, "role": "*"}, {}, id="a set"),
    ],
)
def test_what_there_is_for_a_role(resource: dict[str, Any], found: dict[str, float]) -> None:
    assert amounts([resource], "shop") == Resources(found)


def test_what_is_taken_of_offers_is_exact() -> None:
    stock = Stock([scalar("cpus", 0.3), scalar("cpus", 0.2, "shop"), ports((5, 6), (9, 9))], "shop")
    taken, numbers = stock.take(Resources(cpu=0.25), 2)
    assert [(each["role"], each["scalar"]["value"]) for each in taken if each["name"] == "cpus"] == [
        ("shop", 0.2),
        ("*", 0.05),
    ]
    assert numbers == [5, 6]
    taken, numbers = stock.take(Resources(cpu=0.25), 1)
    assert [each["scalar"]["value"] for each in taken if each["name"] == "cpus"] == [0.25]
    assert numbers == [9]


def test_what_a_master_sums_up() -> None:
    assert counted({"cpus": 0.5, "mem": 32.0, "ports": "[5-6, 9-9]"}) == Resources(cpu=0.5, memory=32 * MIB, ports=3)


@pytest.mark.parametrize("service", ["web", "a.b", "my web/1", "50%", "ä", "."])
def test_a_task_s_id_says_whose_it_is(service: str) -> None:
    id_ = new_id("one.two", service)
    assert owner(id_) == ("one.two", service)
    assert "/" not in id_
    assert new_id("one.two", service) != id_


def test_ids_of_others_are_nobody_s() -> None:
    assert owner("marathon.web.1") is None
    assert owner("beaufort-probe.1") is None


def said(id_: str, state: str, **more: Any) -> Status:
    return Status(Value(id_), state, Value("S1"), **more)


@pytest.mark.parametrize(
    ("states", "counts"),
    [
        pytest.param(["TASK_STARTING"], Counts(starting=1, on={"S1": 1}), id="starts"),
        pytest.param(["TASK_RUNNING"], Counts(running=1, on={"S1": 1}), id="runs"),
        pytest.param(["TASK_RUNNING", "TASK_KILLING"], Counts(stopping=1, on={"S1": 1}), id="others stop it"),
        pytest.param(["TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"], Counts(), id="and it has stopped"),
        pytest.param(
            ["TASK_RUNNING", "TASK_UNREACHABLE"],
            Counts(failed=1, failure="is on an agent that can't be reached"),
            id="unreachable",
        ),
        pytest.param(
            ["TASK_RUNNING", "TASK_UNREACHABLE", "TASK_RUNNING"],
            Counts(running=1, failed=1, failure="is on an agent that can't be reached", on={"S1": 1}),
            id="unreachable and back",
        ),
        pytest.param(["TASK_RUNNING", "TASK_LOST"], Counts(failed=1, failure="was lost"), id="lost"),
        pytest.param(["TASK_RUNNING", "TASK_GONE"], Counts(failed=1, failure="was lost with its agent"), id="gone"),
        pytest.param(["TASK_DROPPED"], Counts(failed=1, failure="was never started"), id="dropped"),
    ],
)
def test_states_of_a_task(states: list[str], counts: Counts) -> None:
    tasks = Tasks("one")
    task = tasks.begin("web", SMALL, 1.0, checked=False)
    tasks.launched(task, "S1")
    for state in states:
        tasks.apply(said(task.id, state))
    since = {"S1": (1.0,)} if counts.current else {}
    assert tasks.counts(["web"], {})["web"] == replace(counts, since=since)


def test_a_task_of_another_deployment_is_not_ours() -> None:
    tasks = Tasks("one")
    tasks.apply(said(new_id("two", "web"), "TASK_RUNNING"))
    tasks.apply(said("somebody-s", "TASK_RUNNING"))
    assert not list(tasks)


def test_what_has_ended_and_is_not_known_is_nobody_s_failure() -> None:
    tasks = Tasks("one")
    tasks.apply(said(new_id("one", "web"), "TASK_FAILED"))
    assert tasks.counts(["web"], {})["web"] == Counts()


# What a task is made of, where no containerizer is at hand.


def made(image: str | None = "shop/web:1", *command: str, **options: Any) -> dict[str, Any]:
    service = Service("web", 1, resources=SMALL, launch=Launch(command, image, options=MesosLaunch(**options)))
    return task_info(service, {}, [], [31000, 31001][: len(options.get("ports", ()))])


@pytest.mark.parametrize(
    ("options", "container"),
    [
        pytest.param({}, {"type": "DOCKER", "docker": {"image": "shop/web:1", "network": "HOST"}}, id="docker"),
        pytest.param(
            {"network": "bridge", "ports": (80, 0)},
            {
                "type": "DOCKER",
                "docker": {
                    "image": "shop/web:1",
                    "network": "BRIDGE",
                    "port_mappings": [
                        {"host_port": 31000, "container_port": 80, "protocol": "tcp"},
                        {"host_port": 31001, "container_port": 31001, "protocol": "tcp"},
                    ],
                },
            },
            id="docker in a bridge network",
        ),
        pytest.param(
            {"network": "shop-net"},
            {
                "type": "DOCKER",
                "docker": {"image": "shop/web:1", "network": "USER", "port_mappings": []},
                "network_infos": [{"name": "shop-net"}],
            },
            id="docker in a named network",
        ),
        pytest.param(
            {"runtime": "mesos", "network": "shop-net", "ports": (80,)},
            {
                "type": "MESOS",
                "mesos": {"image": {"type": "DOCKER", "docker": {"name": "shop/web:1"}}},
                "network_infos": [
                    {
                        "name": "shop-net",
                        "port_mappings": [{"host_port": 31000, "container_port": 80, "protocol": "tcp"}],
                    }
                ],
            },
            id="mesos's own containerizer",
        ),
    ],
)
def test_containers(options: dict[str, Any], container: dict[str, Any]) -> None:
    assert made(**options)["container"] == container


def test_the_command_of_an_image_is_its_arguments() -> None:
    assert made("shop/web:1", "--fast")["command"]["arguments"] == ["--fast"]
    assert "value" not in made("shop/web:1", "--fast")["command"]
    assert made(None, "sleep", "9")["command"]["value"] == "sleep"


@pytest.mark.parametrize(
    ("options", "port"),
    [
        pytest.param({"ports": (80,)}, 31000, id="host"),
        pytest.param({"ports": (80,), "network": "bridge"}, 80, id="bridge"),
    ],
)
def test_health_by_http(options: dict[str, Any], port: int) -> None:
    check = made(health_path="/up", health_interval=0.5, **options)["health_check"]
    assert check == {
        "type": "HTTP",
        "http": {"port": port, "path": "/up"},
        "delay_seconds": 0,
        "interval_seconds": 0.5,
    }


@pytest.mark.parametrize(
    ("written", "secure", "addresses"),
    [
        pytest.param("here", False, ("http://here:5050",), id="a name"),
        pytest.param(["10.0.0.1:80", "b"], True, ("https://10.0.0.1:80", "https://b:5050"), id="several, by TLS"),
        pytest.param("http://b/", True, ("http://b:5050",), id="a scheme is kept"),
        pytest.param("[::1]:5051", False, ("http://[::1]:5051",), id="IPv6"),
    ],
)
def test_where_masters_are(written: Any, addresses: tuple[str, ...], *, secure: bool) -> None:
    assert whereabouts(written, secure=secure).addresses == addresses


async def test_a_zookeeper_that_is_not_there_is_unreachable() -> None:
    where = whereabouts("zk://127.0.0.1:1/mesos/", secure=False)
    assert str(where) == "zk://127.0.0.1:1/mesos"
    with pytest.raises(Unreachable, match="the leading master can't be found at zk://"):
        await where.find()
