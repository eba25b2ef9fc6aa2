"""What is made of what a manager tells: how a service stands, what the nodes have left, and what was forgotten."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from beaufort.model import NODE, Counts, Reach
from beaufort.schedulers.cluster.answers import Node, Service, Task
from beaufort.schedulers.cluster.capacity import capacity, names, reserved
from beaufort.schedulers.cluster.constraints import may_use, reach
from beaufort.schedulers.cluster.launch import NEVER
from beaufort.schedulers.cluster.ledger import Ledger
from beaufort.schedulers.cluster.standing import obituary

GIB = 2**30
LABELS = {"beaufort.deployment": "one", "beaufort.service": "web", "beaufort.launch": "1"}


def node(name: str = "n1", **changes: Any) -> Node:
    told = {
        "ID": f"id-{name}",
        "Spec": {"Availability": "active", "Role": "worker", "Labels": {"zone": "east"}},
        "Description": {
            "Hostname": name,
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 4 * 10**9, "MemoryBytes": 8 * GIB},
            "Engine": {"Labels": {"disk": "fast"}},
        },
        "Status": {"State": "ready", "Addr": "10.0.0.7"},
    }
    told |= {key: {**told[key], **value} for key, value in changes.items()}  # type: ignore[dict-item]
    return msgspec.convert(told, Node)


def task(id_: str, state: str, desired: str = "running", *, on: str = "n1", slot: int = 1, **spec: Any) -> Task:
    status = {"State": state, **spec.pop("status", {})}
    made = datetime(2026, 1, 1, tzinfo=UTC)
    told = {"ID": id_, "CreatedAt": made, "ServiceID": "web", "Slot": slot, "DesiredState": desired, "Status": status}
    told |= {"NodeID": f"id-{on}" if on else "", "Spec": spec}
    return msgspec.convert(told, Task)


def parked(id_: str, desired: str = "ready", *, slot: int = 1) -> Task:
    return task(id_, "ready", desired, slot=slot, RestartPolicy={"Condition": "any", "Delay": NEVER * 10**9})


@pytest.mark.parametrize(
    ("constraint", "holds"),
    [
        pytest.param("node.labels.zone == east", True, id="label"),
        pytest.param("node.labels.zone==EAST", True, id="in any case"),
        pytest.param("node.labels.zone != east", False, id="not"),
        pytest.param("node.labels.rack == 1", False, id="no such label"),
        pytest.param("node.labels.rack != 1", True, id="not a label that is not there"),
        pytest.param("engine.labels.disk == fast", True, id="label of the engine"),
        pytest.param("node.hostname == n1", True, id="name"),
        pytest.param("node.id != id-n1", False, id="id"),
        pytest.param("node.role == manager", False, id="role"),
        pytest.param("node.ip == 10.0.0.0/24", True, id="network"),
        pytest.param("node.ip != 10.0.0.7", False, id="address"),
        pytest.param("node.platform.os == linux", True, id="system"),
        pytest.param("node.platform.arch == arm", False, id="architecture"),
        pytest.param("node.moon == full", True, id="what nobody knows yet"),
    ],
)
def test_a_constraint(constraint: str, *, holds: bool) -> None:
    assert may_use({"TaskTemplate": {"Placement": {"Constraints": [constraint]}}}, node()) is holds


@pytest.mark.parametrize(
    ("platforms", "fits"),
    [
        pytest.param([], True, id="any"),
        pytest.param([{"OS": "linux", "Architecture": "amd64"}], True, id="by another name"),
        pytest.param([{"OS": "windows", "Architecture": "amd64"}], False, id="system"),
        pytest.param([{"OS": "linux", "Architecture": "arm64"}, {"OS": "linux"}], True, id="one of them"),
    ],
)
def test_a_platform(platforms: list[dict[str, str]], *, fits: bool) -> None:
    assert may_use({"TaskTemplate": {"Placement": {"Platforms": platforms}}}, node()) is fits


NAMED = {"id-n1": "n1", "id-n2": "n2"}


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        pytest.param({}, None, id="anywhere"),
        pytest.param({"Constraints": ["node.role != nothing"]}, None, id="a constraint that all keep"),
        pytest.param(
            {"Constraints": ["node.hostname == n2"]},
            Reach(frozenset({"n2"}), {}, "node.hostname == n2"),
            id="a constraint",
        ),
        pytest.param(
            {"MaxReplicas": 2}, Reach(frozenset({"n1", "n2"}), {NODE: 2}, "at most 2 each"), id="so many each"
        ),
        pytest.param(
            {"Platforms": [{"OS": "windows"}], "Constraints": ["node.hostname == n1"]},
            Reach(frozenset(), {}, "node.hostname == n1, its platform"),
            id="a platform",
        ),
    ],
)
def test_where_a_service_may_be(placement: dict[str, Any], expected: Reach | None) -> None:
    nodes = [node("n1"), node("n2", Description={"Hostname": "n2", "Platform": {"OS": "linux"}})]
    assert reach({"TaskTemplate": {"Placement": placement}}, nodes, NAMED) == expected


@pytest.mark.parametrize(
    ("port", "placement", "most"),
    [
        pytest.param({"PublishMode": "host", "PublishedPort": 80}, {}, 1, id="the node's"),
        pytest.param({"PublishMode": "host", "PublishedPort": 80}, {"MaxReplicas": 2}, 1, id="and so many each"),
        pytest.param({"PublishMode": "host"}, {"MaxReplicas": 2}, 2, id="whichever is free on the node"),
        pytest.param({"PublishMode": "ingress", "PublishedPort": 80}, {}, None, id="that of all nodes"),
    ],
)
def test_a_port_of_the_node_is_had_once(port: dict[str, Any], placement: dict[str, Any], most: int | None) -> None:
    spec = {"TaskTemplate": {"Placement": placement}, "EndpointSpec": {"Ports": [port]}}
    found = reach(spec, [node("n1")], NAMED)
    assert (found and found.most.get(NODE)) == most


def test_capacity_is_what_others_have_not_reserved() -> None:
    size = {"Reservations": {"NanoCPUs": 10**9, "MemoryBytes": GIB}}
    (left,) = capacity(
        [node()], {}, reserved([task("a", "running", Resources=size), task("b", "starting", Resources=size)]), []
    )
    assert dict(left.capacity.items()) == {"cpu": 2, "memory": 6 * GIB}
    assert left.labels == {"zone": "east", "disk": "fast"}


@pytest.mark.parametrize(
    ("changes", "cores"),
    [
        pytest.param({}, 4, id="active"),
        pytest.param({"Status": {"State": "unknown"}}, 4, id="not known since the leader changed"),
        pytest.param({"Status": {"State": "down"}}, 0, id="down"),
        pytest.param({"Spec": {"Availability": "drain"}}, 0, id="drained"),
        pytest.param({"Spec": {"Availability": "pause"}}, 1, id="paused: what ours hold there"),
    ],
)
def test_which_nodes_are_room(changes: dict[str, Any], cores: float) -> None:
    (found,) = capacity([node(**changes)], {"id-n1": {"cpu": 1.0}}, {}, [])
    assert (found.name, found.capacity["cpu"]) == ("n1" if cores else "none", cores)


def test_without_any_node_nobody_knows() -> None:
    assert capacity([], {}, {}, []) == ()


def test_a_kind_that_a_node_has_not_is_none_of_it() -> None:
    gpu = {"Resources": {"GenericResources": [{"DiscreteResourceSpec": {"Kind": "gpu", "Value": 2}}]}}
    plain, better = capacity([node("n1"), node("n2", Description={"Hostname": "n2", **gpu})], {}, {}, [])
    assert (plain.capacity["gpu"], better.capacity["gpu"]) == (0, 2)


def test_nodes_of_one_name_are_told_apart() -> None:
    first, second = node(), node()
    second.id = "id-other"
    assert names([first, second]) == {"id-n1": "n1-id-n1", "id-other": "n1-id-other"}


class Told:
    """A ledger of one deployment, a service of it, and lists one second after the other."""

    def __init__(self, *nodes: Node) -> None:
        self.ledger = Ledger("one")
        self.ledger.see_services([Service("web", {"Name": "beaufort-one-web", "Labels": LABELS})])
        self.ledger.see_nodes(nodes or [node()])
        self.now = 0.0

    def see(self, *tasks: Task, after: float = 1.0) -> Counts:
        self.now += after
        self.ledger.see_tasks(tasks, self.ledger.mark(), self.now, whole=False)
        return self.ledger.counts(["web"], {})["web"]


@pytest.mark.parametrize(
    ("tasks", "counts"),
    [
        pytest.param([], Counts(), id="nothing"),
        pytest.param([task("a", "pending", on="")], Counts(starting=1), id="no node yet"),
        pytest.param([task("a", "preparing")], Counts(starting=1, on={"n1": 1}), id="starting"),
        pytest.param([task("a", "running")], Counts(running=1, on={"n1": 1}), id="running"),
        pytest.param([task("a", "running", "remove")], Counts(stopping=1, on={"n1": 1}), id="taken back"),
        pytest.param([task("a", "running", "shutdown")], Counts(stopping=1, on={"n1": 1}), id="replaced"),
        pytest.param([task("a", "pending", "remove", on="")], Counts(), id="taken back in time"),
        pytest.param([task("a", "shutdown", "remove")], Counts(), id="stopped"),
        pytest.param([task("a", "failed", "shutdown"), parked("b")], Counts(), id="failed long ago"),
        pytest.param([task("a", "running", on="n2")], Counts(), id="on a node that is down"),
    ],
)
def test_counts(tasks: list[Task], counts: Counts) -> None:
    assert Told(node(), node("n2", Status={"State": "down"})).see(*tasks) == counts


def test_a_failure_is_counted_once_and_its_cause_told() -> None:
    told = Told()
    told.see(task("a", "running"))
    failed = task(
        "a", "failed", "shutdown", status={"Err": "task: non-zero exit (137)", "ContainerStatus": {"ExitCode": 137}}
    )
    for _ in range(2):
        counts = told.see(failed, parked("b"))
        assert (counts.held, counts.failed, counts.failure) == (0, 1, "exited with 137 (SIGKILL)")
    assert told.ledger.lacking() == ["web"]
    assert told.see(failed, parked("b", "remove")).held == 0, "it was never to be started"
    assert told.ledger.lacking() == []


@pytest.mark.parametrize(
    ("state", "status", "words"),
    [
        pytest.param("complete", {}, "exited with 0", id="well"),
        pytest.param("failed", {"Err": "task: non-zero exit (3)", "ContainerStatus": {"ExitCode": 3}}, "exited with 3", id="badly"),
        pytest.param("rejected", {"Err": "No such image: a"}, "No such image: a", id="never started"),
        pytest.param("failed", {}, "failed", id="nobody knows why"),
        pytest.param("running", {}, None, id="not at all"),
    ],
)  # fmt: skip
def test_an_obituary(state: str, status: dict[str, Any], words: str | None) -> None:
    assert obituary(task("a", state, "shutdown", status=status)) == words


def test_what_is_on_a_lost_node_has_failed() -> None:
    told = Told(node(), node("n2"))
    told.see(
        task("a", "running"), task("b", "running", on="n2", slot=2), task("c", "running", "remove", on="n2", slot=3)
    )
    told.ledger.see_nodes([node(), node("n2", Status={"State": "down"})])
    lost = [task("b", "running", "shutdown", on="n2", slot=2), task("c", "running", "remove", on="n2", slot=3)]
    counts = told.see(task("a", "running"), *lost, parked("d", slot=2))
    assert counts == Counts(running=1, failed=1, failure="its node n2 is down", on={"n1": 1})
    assert [each.name for each in told.ledger.nodes] == ["n1"]


def test_what_swarm_forgets_while_it_stops_holds_its_room_for_its_grace() -> None:
    told = Told()
    grace = {"StopGracePeriod": 5 * 10**9}
    told.see(task("a", "running", "remove", ContainerSpec=grace), task("b", "running", slot=2, ContainerSpec=grace))
    assert told.see(task("b", "running", slot=2)) == Counts(running=1, stopping=1, on={"n1": 2})
    assert told.see(task("b", "running", slot=2), after=5).stopping == 1
    assert told.see(task("b", "running", slot=2), after=1) == Counts(running=1, on={"n1": 1})


def test_what_was_asked_for_is_counted_until_it_is_seen() -> None:
    told = Told()
    told.see(task("a", "running"), task("b", "running", slot=2))
    told.ledger.ask("web", 4, told.now)
    assert told.ledger.counts(["web"], {})["web"] == Counts(running=2, starting=2, on={"n1": 2})
    told.ledger.ask("web", 1, told.now)
    assert told.ledger.counts(["web"], {})["web"] == Counts(running=1, stopping=1, on={"n1": 2})
    mark = told.ledger.mark() - 1
    told.ledger.see_tasks([task("a", "running")], mark, told.now, whole=False)
    assert told.ledger.is_awaited("web"), "that list may be older than the request"
    told.see(task("a", "running"), task("b", "running", "remove", slot=2))
    assert not told.ledger.is_awaited("web")
    told.ledger.ask("web", 9, told.now)
    told.see(task("a", "running"), after=2)
    assert not told.ledger.is_awaited("web"), "what Swarm has not done by now it will not do"


def test_a_service_is_ours_by_its_labels_its_name_or_its_tasks() -> None:
    ledger = Ledger("one")
    ledger.adopted = {"shop_web": "web"}
    ledger.see_services(
        [
            Service("1", {"Name": "a", "Labels": {**LABELS, "beaufort.service": "batch"}}),
            Service("2", {"Name": "shop_web"}),
            Service("3", {"Name": "shop_web_2"}),
            Service("4", {"Name": "b", "Labels": {**LABELS, "beaufort.deployment": "two"}}),
        ]
    )
    assert [each.id for each in ledger.services("web")] == ["2"]
    assert [each.id for each in ledger.services("batch")] == ["1"]
    assert ledger.found == ["2"]
    ledger.see_nodes([node()])
    gone = task("a", "running", "remove", ContainerSpec={"Labels": {**LABELS, "beaufort.service": "gone"}})
    ledger.see_tasks([gone], ledger.mark(), 0.0, whole=True)
    assert ledger.counts([], {})["gone"].stopping == 1
