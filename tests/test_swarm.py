"""The Swarm driver on a real Swarm of three machines: the contract, what is made, what is found and left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beaufort.model import NODE, Cluster, Launch, Reach, Resources
from beaufort.protocols import NoRoom, Rejected, SchedulerError, Unreachable
from beaufort.schedulers.cluster.launch import SwarmLaunch
from beaufort.schedulers.swarm import Swarm as Driver
from certificates import Certificates, certificates
from engine import IMAGE, Engine, engine
from scheduler_contract import SchedulerContract, Snapshots, Stage, all_run, bring, until, watching
from servers import free_port
from swarm_rig import Swarm
from swarm_stage import SwarmStage

MIB = 2**20


@pytest.fixture
def stage(shared_swarm: Swarm, tmp_path: Path) -> Iterator[SwarmStage]:
    stage = SwarmStage(shared_swarm, tmp_path)
    yield stage
    stage.close()


class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self, shared_swarm: Swarm, tmp_path: Path) -> Iterator[Stage]:
        stage = SwarmStage(shared_swarm, tmp_path)
        yield stage
        stage.close()


async def room(snapshots: Snapshots, wanted: dict[str, float]) -> Cluster:
    """The next snapshot in which the nodes have so many cores for us."""
    async for cluster in snapshots:
        if {node.name: node.capacity["cpu"] for node in cluster.nodes} == wanted:
            return cluster
    raise AssertionError("a watch never ends by itself")


# What is made.


async def test_it_gets_what_its_service_says(stage: SwarmStage) -> None:
    script = "id -u; touch /new || touch /stage/new; echo $A; $SAY; exec sleep 1000"
    web = stage.shell(
        "my web/1",
        script,
        user="7:8",
        read_only=True,
        constraints=("node.hostname == n2",),
        max_per_node=2,
        health_command="true",
        health_interval=0.1,
        stop_signal="SIGINT",
        init=True,
        grace=2.5,
        resources=Resources(cpu=0.5, memory=64 * MIB),
        swarm={"Labels": {"team": "shop"}, "TaskTemplate": {"LogDriver": {"Name": "json-file"}}},
    )
    stage.root.chmod(0o777)
    (stage.root / "fifo").chmod(0o666)
    async with stage.scheduler() as scheduler:
        await scheduler.scale(web, 1)
        await stage.settled(web, 1)
        ((machine, listed),) = stage.containers("my web/1")
        found = machine.inspect(listed["Id"])
        logs = machine.send("GET", f"/containers/{listed['Id']}/logs?stdout=1")
        assert machine is stage.swarm.engines["n2"]
        assert [line[8:] for line in logs.splitlines()] == [b"7", b"=b"]
        assert (stage.root / "new").exists()
        host, config = found["HostConfig"], found["Config"]
        assert (host["NanoCpus"], host["Memory"], host["Init"]) == (500_000_000, 64 * MIB, True)
        assert config["StopSignal"] == "SIGINT"
        (service,) = stage.services()
        assert service["Spec"]["Name"].startswith(f"beaufort-{stage.deployment()}-my-web-1-")
        assert service["Spec"]["Labels"]["team"] == "shop"
        assert service["Spec"]["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"] == 3 * 10**9
        assert service["Spec"]["TaskTemplate"]["LogDriver"] == {"Name": "json-file"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"networks": ("nowhere",)}, "network nowhere not found", id="network"),
        pytest.param({"swarm": {"TaskTemplate": {"Placement": {"Constraints": ["a"]}}}}, "", id="verbatim"),
        pytest.param({"ports": ("eighty",)}, r'ports\.0: expected .* got "eighty"', id="known without asking"),
    ],
)
async def test_a_wrong_launch_is_rejected_in_the_manager_s_words(
    stage: SwarmStage, options: dict[str, Any], words: str
) -> None:
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=rf"^web: .*{words}"):
            await scheduler.scale(stage.running("web", "sleep", "1000", **options), 3)
    assert not stage.services()


async def test_a_changed_launch_is_rolled_out_when_it_is_scaled(stage: SwarmStage) -> None:
    web = stage.service("web")
    changed = stage.running("web", "sleep", "2000", init=True)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await until(snapshots, web, all_run(1))
        await scheduler.scale(changed, 2)
        await until(snapshots, web, all_run(2))
        commands = [each["Command"] for _, each in stage.containers("web") if each["State"] == "running"]
        assert len(commands) == 2
        assert all(command.endswith("sleep 2000") for command in commands)


async def test_a_launch_the_rollout_of_which_has_failed_is_mended_by_another(stage: SwarmStage) -> None:
    web, wrong = stage.service("web"), stage.broken("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await until(snapshots, web, all_run(1))
        with pytest.raises(SchedulerError, match=r"^web: "):
            await scheduler.scale(wrong, 2)
        async with asyncio.timeout(30):
            while (stage.services()[0].get("UpdateStatus") or {}).get("State") != "paused":
                await anext(snapshots)
        await scheduler.scale(web, 2)
        await until(snapshots, web, all_run(2))


async def test_what_has_left_the_configuration_is_removed(stage: SwarmStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        await scheduler.scale(web, 0)
        await bring(scheduler, replace(web, name="batch"), 2)
        assert [each["Spec"]["Labels"]["beaufort.service"] for each in stage.services()] == ["batch"]
        async with watching(scheduler) as snapshots:
            await anext(snapshots)
            await scheduler.scale(replace(web, name="batch"), 0)
            await until(snapshots, replace(web, name="batch"), lambda counts: counts.held == 0)
        assert not stage.services()


# What is found, and what is left alone.


async def test_a_service_is_found_by_its_name_and_only_its_replicas_are_changed(stage: SwarmStage) -> None:
    theirs = stage.swarm.make("theirs", 1, Labels={"team": "shop"})
    before = stage.swarm.first.ask("GET", f"/services/{theirs}")["Spec"]
    web = stage.running("web", image=None, service="theirs")
    async with stage.scheduler() as scheduler:
        async with watching(scheduler, web) as snapshots:
            await until(snapshots, web, all_run(1))
            await scheduler.scale(web, 3)
            await until(snapshots, web, all_run(3))
            after = stage.swarm.first.ask("GET", f"/services/{theirs}")["Spec"]
            assert after == {**before, "Mode": {"Replicated": {"Replicas": 3}}}
            stage.swarm.first.ask("DELETE", f"/services/{theirs}")
            await until(snapshots, web, lambda counts: counts.current == 0)
            with pytest.raises(SchedulerError, match=r"^web: there is no service theirs"):
                await scheduler.scale(web, 1)
        assert not stage.services()


async def test_a_service_is_found_by_its_labels_and_not_removed(stage: SwarmStage) -> None:
    labels = {"beaufort.deployment": stage.deployment(), "beaufort.service": "web"}
    theirs = stage.swarm.make("theirs", 0)
    stage.swarm.change(theirs, Labels=labels, Replicas=1)
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        async with watching(scheduler) as snapshots:
            await anext(snapshots)
            await scheduler.scale(replace(web, launch=replace(web.launch, image=None)), 0)
            await until(snapshots, web, lambda counts: counts.held == 0)
    assert [each["ID"] for each in stage.services()] == [theirs]


async def test_a_global_service_is_left_alone(stage: SwarmStage) -> None:
    theirs = stage.swarm.make("theirs", 0, Mode={"Global": {}})
    web = stage.running("web", image=None, service="theirs")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await until(snapshots, web, all_run(3))
        with pytest.raises(Rejected, match=r"^web: the service theirs is not a replicated one, and is left alone"):
            await scheduler.scale(web, 1)
    assert stage.swarm.first.ask("GET", f"/services/{theirs}")["Spec"]["Mode"] == {"Global": {}}


async def test_an_update_by_others_is_waited_for(stage: SwarmStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 2)
        await until(snapshots, web, all_run(2))
        (service,) = stage.services()
        template = service["Spec"]["TaskTemplate"]
        template["ContainerSpec"]["Env"] = ["THEIRS=1"]
        slow = {"Parallelism": 1, "Monitor": 5 * 10**8}
        stage.swarm.change(service["ID"], TaskTemplate=template, UpdateConfig=slow)
        async with asyncio.timeout(30):
            while all_run(2)((await anext(snapshots)).counts["web"]):
                pass
        await scheduler.scale(web, 3)
        (service,) = stage.services()
        assert service["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["THEIRS=1"]
        environments = [machine.inspect(each["Id"])["Config"]["Env"] for machine, each in stage.containers("web")]
        assert sum("THEIRS=1" in env for env in environments) >= 2, "it was over before anything else was changed"
        await until(snapshots, web, all_run(3))


async def test_an_update_that_has_failed_is_left_to_people(stage: SwarmStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await until(snapshots, web, all_run(1))
        (service,) = stage.services()
        template = service["Spec"]["TaskTemplate"]
        template["ContainerSpec"]["Args"] = ["no-such-program"]
        stage.swarm.change(service["ID"], TaskTemplate=template)
        async with asyncio.timeout(30):
            while (stage.services()[0].get("UpdateStatus") or {}).get("State") != "paused":
                await anext(snapshots)
        with pytest.raises(SchedulerError, match=r"^web: its update is paused: update paused due to failure"):
            await scheduler.scale(web, 2)
        (service,) = stage.services()
        assert service["Spec"]["Mode"]["Replicated"]["Replicas"] == 1


# Room.


async def test_what_there_is_no_node_for_is_no_room_and_is_taken_back(stage: SwarmStage) -> None:
    big = replace(stage.service("big"), resources=Resources(cpu=1.5))
    async with stage.scheduler() as scheduler, watching(scheduler, big) as snapshots:
        with pytest.raises(NoRoom, match=r"^big: no suitable node \(insufficient resources on 3 nodes\)"):
            await scheduler.scale(big, 4)
        assert stage.services()[0]["Spec"]["Mode"]["Replicated"]["Replicas"] == 3
        await until(snapshots, big, all_run(3))


async def test_who_is_served_first_gets_a_node_first(stage: SwarmStage) -> None:
    """Where several are to grow at once: to the later ones Swarm could give the only nodes that the first one may use."""
    stage.swarm.set_node("n2", Labels={"zone": "east"})
    one = Resources(cpu=1)
    near = stage.running("near", "sleep", "1000", constraints=("node.labels.zone == east",), init=True, resources=one)
    rest = replace(stage.service("rest"), priority=2, resources=one)
    async with stage.scheduler() as scheduler, watching(scheduler, near, rest) as snapshots:
        await anext(snapshots)
        for _ in range(3):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(scheduler.scale(near, 2))
                tasks.create_task(scheduler.scale(rest, 4))
            for each in (near, rest):
                await scheduler.scale(each, 0)
                await until(snapshots, each, lambda counts: counts.held == 0)
    stage.swarm.set_node("n2", Labels={})


async def test_what_others_reserve_is_no_room(stage: SwarmStage) -> None:
    template = {"ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000"], "Init": True}}
    template |= {"Resources": {"Reservations": {"NanoCPUs": 5 * 10**8}}}
    async with stage.scheduler() as scheduler, watching(scheduler) as snapshots:
        await room(snapshots, {"n1": 2, "n2": 2, "n3": 2})
        theirs = stage.swarm.make("theirs", 3, TaskTemplate=template)
        await room(snapshots, {"n1": 1.5, "n2": 1.5, "n3": 1.5})
        stage.swarm.first.ask("DELETE", f"/services/{theirs}")
        await room(snapshots, {"n1": 2, "n2": 2, "n3": 2})


async def test_nodes_that_no_service_of_ours_may_use_are_no_room(stage: SwarmStage) -> None:
    stage.swarm.set_node("n2", Labels={"zone": "east"})
    web = stage.running("web", "sleep", "1000", constraints=("node.labels.zone == east",))
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        cluster = await anext(snapshots)
        assert [(node.name, node.labels) for node in cluster.nodes] == [("n2", {"zone": "east"})]
        stage.swarm.set_node("n2", Labels={})
        await room(snapshots, {"none": 0})


async def test_where_a_service_may_be_is_told_as_the_swarm_has_it(stage: SwarmStage) -> None:
    stage.swarm.set_node("n2", Labels={"zone": "east"})
    near = stage.running("near", "sleep", "1000", constraints=("node.labels.zone == east",))
    apart = stage.running("apart", "sleep", "1000", max_per_node=1)
    theirs = {"ContainerSpec": {"Image": IMAGE, "Command": ["sleep", "1000"], "Init": True}}
    theirs |= {"Placement": {"Constraints": ["node.hostname != n1"]}}
    stage.swarm.make("theirs", 0, TaskTemplate=theirs)
    found = replace(stage.service("found"), launch=Launch(options=SwarmLaunch(service="theirs")))
    async with (
        stage.scheduler() as scheduler,
        watching(scheduler, near, apart, found, stage.service("any")) as snapshots,
    ):
        assert (await anext(snapshots)).reach == {
            "near": Reach(frozenset({"n2"}), {}, "node.labels.zone == east"),
            "apart": Reach(frozenset({"n1", "n2", "n3"}), {NODE: 1}, "at most 1 each"),
            "found": Reach(frozenset({"n2", "n3"}), {}, "node.hostname != n1"),
        }
        await scheduler.scale(near, 1)
        assert set((await anext(snapshots)).reach) == {"near", "apart", "found"}
    stage.swarm.set_node("n2", Labels={})


# Managers.


async def test_the_next_manager_is_asked_when_one_can_t_be(stage: SwarmStage, shared_engine: Engine) -> None:
    urls = (f"tcp://127.0.0.1:{free_port()}", shared_engine.url, stage.swarm.engines["n2"].url, stage.swarm.first.url)
    async with Driver(deployment=stage.deployment(), url=urls) as scheduler:
        await bring(scheduler, stage.service("web"), 1)


async def test_without_any_manager_it_is_told_of_each(stage: SwarmStage, shared_engine: Engine) -> None:
    nowhere = f"tcp://127.0.0.1:{free_port()}"
    async with Driver(deployment=stage.deployment(), url=(nowhere, shared_engine.url)) as scheduler:
        with pytest.raises(
            Unreachable,
            match=rf"{nowhere} can't be reached: .*; .* can't speak for the Swarm: This node is not a swarm manager",
        ):
            await anext(scheduler.watch(()))
        with pytest.raises(Unreachable):
            await scheduler.scale(stage.service("web"), 1)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


async def test_over_tls(papers: Certificates) -> None:
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    server = ["--tlsverify", f"--tlscacert={papers.ca}", f"--tlscert={papers.cert('server')}"]
    with engine("--host", url, *server, f"--tlskey={papers.key('server')}") as private:
        listen = f"127.0.0.1:{free_port()}"
        private.ask("POST", "/swarm/init", {"ListenAddr": listen, "AdvertiseAddr": listen})
        mine = Driver(url=url, tls_ca=papers.ca, tls_cert=papers.cert("client"), tls_key=papers.key("client"))
        async with mine as scheduler:
            snapshots = scheduler.watch(())
            assert len((await anext(snapshots)).nodes) == 1
            await snapshots.aclose()
        async with Driver(url=url, tls_ca=papers.ca) as stranger:
            with pytest.raises(Unreachable):
                await anext(stranger.watch(()))
