"""The Mesos driver on a real Mesos: the contract, what a task gets, how it ends, what is found and left alone."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import mesos_rig
from beaufort.model import Cluster, Resources
from beaufort.protocols import NoRoom, Rejected, Unreachable
from beaufort.quantity import Secret
from beaufort.schedulers.mesos import Mesos
from certificates import certificates
from mesos_rig import mesos
from mesos_stage import MesosStage
from relay import relay
from scheduler_contract import (
    ChoosingContract,
    ChoosingStage,
    SchedulerContract,
    Stage,
    all_run,
    bring,
    until,
    watching,
)
from servers import free_port


@pytest.fixture
def stage(shared_mesos: mesos_rig.Mesos, tmp_path: Path) -> Iterator[MesosStage]:
    stage = MesosStage(shared_mesos, tmp_path)
    yield stage
    stage.close()


class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self, shared_mesos: mesos_rig.Mesos, tmp_path: Path) -> Iterator[Stage]:
        stage = MesosStage(shared_mesos, tmp_path)
        yield stage
        stage.close()


class TestChoosing(ChoosingContract):
    @pytest.fixture
    def stage(self, shared_mesos: mesos_rig.Mesos, tmp_path: Path) -> Iterator[ChoosingStage]:
        stage = MesosStage(shared_mesos, tmp_path)
        yield stage
        stage.close()


# What a task gets.


async def test_it_gets_what_its_service_says(stage: MesosStage) -> None:
    script = f"echo $A $PORT $PORT0 $PORT1 > {stage.root}/said; $SAY; exec sleep 1000"
    verbatim = {"labels": {"labels": [{"key": "team", "value": "shop"}]}}
    web = stage.shell("my web/1", script, ports=(0, 8080), grace=2.5, mesos=verbatim)
    async with stage.scheduler("a.b") as scheduler:
        await scheduler.scale(web, 1)
        await stage.settled(web, 1)
    (task,) = stage.mesos.tasks()
    begin, _, end = task["resources"]["ports"].strip("[]").partition("-")
    assert (stage.root / "said").read_text().split() == ["=b", begin, begin, str(int(begin) + 1)]
    assert (task["resources"]["cpus"], task["resources"]["mem"], int(end)) == (0.1, 32, int(begin) + 1)
    labels = {each["key"]: each["value"] for each in task["labels"]}
    assert labels == {"beaufort.deployment": "a.b", "beaufort.service": "my web/1", "team": "shop"}
    assert task["id"].startswith("beaufort.a%2Eb.my%20web%2F1.")
    (framework,) = stage.mesos.frameworks()
    assert framework["failover_timeout"] == 21 * 86400
    assert framework["checkpoint"]


async def test_no_port_is_given_twice(tmp_path: Path) -> None:
    with mesos(agents=1, resources="cpus:4;mem:4096;ports:[31000-31001,31005-31006]") as private:
        stage = MesosStage(private, tmp_path)
        web = stage.running("web", "sleep", "1000", ports=(0,))
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 3)
            await bring(scheduler, web, 4)
            with pytest.raises(NoRoom, match=r"^web: 1 node: 1 too little ports"):
                await scheduler.scale(web, 5)
        numbers = {task["resources"]["ports"] for task in private.tasks()}
        assert numbers == {f"[{number}-{number}]" for number in (31000, 31001, 31005, 31006)}


async def test_with_a_health_check_it_starts_until_it_is_healthy(stage: MesosStage) -> None:
    flag = stage.root / "healthy"
    check: dict[str, Any] = {"health_command": f"test -e {flag}", "health_interval": 0.1, "health_start_period": 60.0}
    web = stage.running("web", "sleep", "1000", **check)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 2)
        assert (await anext(snapshots)).counts["web"].starting == 2
        flag.touch()
        await until(snapshots, web, all_run(2))
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        assert (await anext(snapshots)).counts["web"].running == 2
        flag.unlink()
        counts = await until(snapshots, web, lambda counts: counts.held == 0)
        assert counts.failed == 2
        assert counts.failure.startswith("was killed, as its health check failed: ")


async def test_a_health_check_by_http_asks_at_the_first_port(stage: MesosStage) -> None:
    """What is there is healthy, and what is not there is not."""
    up, log = stage.root / "up", stage.root / "log"
    server = f"cd {stage.root}; exec python3 -m http.server --bind 127.0.0.1 $PORT 2> {log}"
    check: dict[str, Any] = {"health_path": "/up", "health_interval": 0.1, "health_start_period": 60.0}
    web = stage.shell("web", server, ports=(0,), **check)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await asyncio.to_thread(stage.mesos.until, lambda: log.exists() and '"GET /up' in log.read_text())
        assert (await anext(snapshots)).counts["web"].starting == 1
        up.touch()
        await until(snapshots, web, all_run(1))
        up.unlink()
        counts = await until(snapshots, web, lambda counts: counts.held == 0)
        assert counts.failure.startswith("was killed, as its health check failed: ")


async def test_a_health_check_by_tcp_wants_a_connection(stage: MesosStage) -> None:
    """It is Mesos's own, as it is, so that its port is fixed; who listens there is here."""
    port = free_port()
    check = {"type": "TCP", "tcp": {"port": port}, "delay_seconds": 0, "interval_seconds": 0.1}
    web = stage.running("web", "sleep", "1000", mesos={"health_check": {**check, "grace_period_seconds": 60}})
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        assert (await anext(snapshots)).counts["web"].starting == 1
        with socket.create_server(("127.0.0.1", port)):
            await until(snapshots, web, all_run(1))
        counts = await until(snapshots, web, lambda counts: counts.held == 0)
        assert counts.failure.startswith("was killed, as its health check failed: ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"mesos": {"kill_policy": {"grace_period": {"nanoseconds": -1}}}}, "grace_period", id="verbatim"),
        pytest.param({"network": "bridge"}, "network: expected nothing here", id="a network without an image"),
        pytest.param({"constraints": ("zone LIKES a",)}, r'constraints\.0: .*"zone LIKES a"', id="constraint"),
        pytest.param({"mesos": {"task_id": {"value": "x"}}}, r"mesos\.task_id", id="what is ours"),
        pytest.param({"health_path": "/"}, "health_path: expected ports", id="a path and no port"),
        pytest.param({"resources": Resources()}, "resources: missing", id="nothing asked for"),
    ],
)
async def test_a_wrong_launch_is_rejected(stage: MesosStage, options: dict[str, Any], words: str) -> None:
    web = stage.running("web", "sleep", "1000", **options)
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=rf"^web: .*{words}"):
            await scheduler.scale(web, 3)
    assert not stage.mesos.tasks()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("exit 3", "failed: Command exited with status 3", id="exit status"),
        pytest.param("exit 0", "ended by itself: Command exited with status 0", id="success is not asked for either"),
        pytest.param("kill -9 $$", "failed: Command terminated with signal Killed", id="signal"),
    ],
)
async def test_an_end_unasked_is_told_with_its_cause(stage: MesosStage, script: str, words: str) -> None:
    web = stage.shell("web", script)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        for failed in (1, 2):
            await scheduler.scale(web, 1)
            counts = await until(snapshots, web, lambda counts: counts.held == 0)
            assert (counts.failed, counts.failure) == (failed, words)


# Where a task goes.


async def test_constraints_are_kept_and_what_finds_no_agent_is_told(stage: MesosStage) -> None:
    web = stage.running("web", "sleep", "1000", constraints=("@agent UNIQUE",))
    spread = stage.running("spread", "sleep", "1000", prefer=("@agent GROUP_BY",))
    async with stage.scheduler() as scheduler, watching(scheduler, web, spread) as snapshots:
        await bring(scheduler, spread, 4)
        await bring(scheduler, web, 2)
        with pytest.raises(NoRoom, match=r"^web: 3 nodes: 3 not @agent UNIQUE"):
            await scheduler.scale(web, 5)
        counts = (await anext(snapshots)).counts
        assert counts["web"].current == 3, "for three there was a node"
        assert set(counts["web"].on.values()) == {1}
        assert sorted(counts["spread"].on.values()) == [1, 1, 2]


async def test_attributes_of_agents_are_asked(tmp_path: Path) -> None:
    domain = {"fault_domain": {"region": {"name": "north"}, "zone": {"name": "n1"}}}
    with mesos(agents=1, attributes="zone:a;rack:7", domain=json.dumps(domain)) as private:
        stage = MesosStage(private, tmp_path)
        where = ("zone LIKE a|b", "rack CLUSTER 7", "hostname LIKE local.*", "@region IS north", "@zone UNLIKE n2")
        near = stage.running("near", "sleep", "1000", constraints=where)
        far = stage.running("far", "sleep", "1000", constraints=("zone UNLIKE a",))
        async with stage.scheduler() as scheduler, watching(scheduler) as snapshots:
            await bring(scheduler, near, 1)
            with pytest.raises(NoRoom, match=r"^far: 1 node: 1 not zone UNLIKE a"):
                await scheduler.scale(far, 1)
            cluster = await anext(snapshots)
            (node,) = cluster.nodes
            told = {"zone": "a", "rack": "7", "@region": "north", "@zone": "n1"}
            assert node.labels == told | {"hostname": "localhost", "@hostname": "localhost", "@agent": node.name}


async def test_too_large_a_task_is_no_room(stage: MesosStage) -> None:
    web = stage.running("web", "sleep", "1000", resources=Resources(cpu=100, memory=2**20))
    async with stage.scheduler() as scheduler:
        with pytest.raises(NoRoom, match=r"^web: 3 nodes: 3 too little cpu"):
            await scheduler.scale(web, 1)
        await bring(scheduler, stage.service("batch"), 1)


# What there is for us.


async def test_what_other_frameworks_use_is_not_ours(stage: MesosStage) -> None:
    web = stage.running("web", "sleep", "1000", resources=Resources(cpu=1, memory=2**30))
    async with stage.scheduler("one") as one, stage.scheduler("two") as two:
        await bring(one, web, 3)
        async with watching(two) as snapshots:
            assert room(await anext(snapshots)) == (9, 9 * 2**30)
        async with watching(one) as snapshots:
            await anext(snapshots)
            assert room(await anext(snapshots)) == (12, 12 * 2**30)
    async with stage.scheduler("one") as one, watching(one, web) as snapshots:
        assert room(await anext(snapshots)) == (12, 12 * 2**30), "an adopted task is ours"


def room(cluster: Cluster) -> tuple[float, float]:
    """Cores and bytes of all nodes."""
    return sum(each.capacity["cpu"] for each in cluster.nodes), sum(each.capacity["memory"] for each in cluster.nodes)


async def test_what_is_reserved_for_our_role_is_ours_and_taken_first(tmp_path: Path) -> None:
    with mesos(agents=1, resources="cpus(shop):1;cpus:1;cpus(lab):2;mem:1024") as private:
        stage = MesosStage(private, tmp_path)
        web = stage.running("web", "sleep", "1000", resources=Resources(cpu=0.75, memory=2**20))
        async with stage.scheduler(role="shop") as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 2)
            assert room(await anext(snapshots))[0] == 2
            with pytest.raises(NoRoom, match="too little cpu"):
                await scheduler.scale(web, 3)
        (agent,) = private.get("/master/slaves")["slaves"]
        used = {
            key: sum(r["scalar"]["value"] for r in each) for key, each in cpus(agent["used_resources_full"]).items()
        }
        assert used == {"shop": 1.0, "*": 0.5}


def cpus(resources: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By whom they are reserved for."""
    found: dict[str, list[dict[str, Any]]] = {}
    for each in resources:
        if each["name"] == "cpus":
            found.setdefault(each["role"], []).append(each)
    return found


# How we are let in.


async def test_credentials_are_shown_and_wrong_ones_refused(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text('{"credentials": [{"principal": "shop", "secret": "open"}]}')
    flags = {"authenticate_http_frameworks": "true", "http_framework_authenticators": "basic"}
    with mesos(agents=1, credentials=str(tmp_path / "credentials"), **flags) as private:
        stage = MesosStage(private, tmp_path)
        web = stage.service("web")
        async with stage.scheduler(principal="shop", secret=Secret("open")) as scheduler:
            await bring(scheduler, web, 1)
        async with stage.scheduler(principal="shop", secret=Secret("sesame")) as scheduler:
            with pytest.raises(Unreachable, match="refuses us: 401") as caught:
                await scheduler.scale(web, 2)
            assert "sesame" not in str(caught.value)


async def test_a_master_that_does_not_lead_sends_us_on(stage: MesosStage) -> None:
    """As Mesos does it: without a scheme, and with the path that was asked for."""

    async def elsewhere(request: web.BaseRequest) -> web.Response:
        return web.Response(status=307, headers={"Location": f"//{stage.mesos.address}{request.path}"})

    follower, port = web.ServerRunner(web.Server(elsewhere)), free_port()
    await follower.setup()
    await web.TCPSite(follower, "127.0.0.1", port).start()
    try:
        async with stage.scheduler(master=f"127.0.0.1:{port}") as scheduler:
            await bring(scheduler, stage.service("web"), 1)
    finally:
        await follower.cleanup()


async def test_over_tls(stage: MesosStage, tmp_path: Path) -> None:
    made = certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=made.ca)
    context.load_cert_chain(made.cert("server"), made.key("server"))
    context.verify_mode = ssl.CERT_REQUIRED
    with relay(stage.mesos.port, context) as line:
        shown: dict[str, Any] = {"tls_ca": made.ca, "tls_cert": made.cert("client"), "tls_key": made.key("client")}
        async with stage.scheduler(master=line.address, **shown) as scheduler:
            await bring(scheduler, stage.service("web"), 1)
        async with stage.scheduler(master=line.address, tls=True) as scheduler:
            with pytest.raises(Unreachable, match="can't be reached"):
                await scheduler.scale(stage.service("web"), 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"master": "somewhere in the cloud"}, "master: expected host:port", id="address"),
        pytest.param({"master": ()}, "master: expected an address", id="no address"),
        pytest.param(
            {"master": "zk://me:secret@a/mesos"},
            "without a name or a password, got one with$",
            id="a password in the open",
        ),
        pytest.param({"master": ("zk://a/mesos", "b:5050")}, "master: expected host:port", id="both kinds"),
        pytest.param({"master": "a", "principal": "shop"}, "principal: expected it together", id="no secret"),
        pytest.param({"master": "a", "deployment": "a/b"}, "deployment: expected a name", id="deployment"),
    ],
)
def test_wrong_options_are_told(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Mesos(**options)
