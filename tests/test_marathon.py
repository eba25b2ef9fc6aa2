"""The Marathon driver on the stand-in for Marathon, in virtual time: the contract, its calls, and what it finds and leaves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beaufort.model import Reach, Resources, Service
from beaufort.protocols import Rejected, SchedulerError, Unreachable
from beaufort.quantity import Secret
from certificates import certificates
from marathon_client import Client
from marathon_door import Door
from marathon_master import mastered
from marathon_memory import Memory, Node, Program
from marathon_server import MarathonServer
from marathon_stage import THEIRS, MarathonStage, serving, shown, told
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

pytestmark = pytest.mark.looptime


@pytest.fixture
async def stage() -> AsyncIterator[MarathonStage]:
    async with serving() as stage:
        yield stage


@pytest.fixture
async def others(stage: MarathonStage) -> AsyncIterator[Client]:
    async with Client(stage.server.url) as client:
        yield client


class TestContract(SchedulerContract):
    replaces = True

    @pytest.fixture
    async def stage(self) -> AsyncIterator[Stage]:
        async with serving() as stage:
            yield stage


class TestChoosing(ChoosingContract):
    @pytest.fixture
    async def stage(self) -> AsyncIterator[ChoosingStage]:
        memory = Memory(Node(name="a"), Node(name="b"))
        async with MarathonServer(memory) as server, mastered(memory) as master:
            yield MarathonStage(server, memory, master)


async def test_the_nodes_are_told_with_what_others_leave_of_them() -> None:
    memory = Memory(Node(name="a", cpus=2, mem=1024), Node(name="b", cpus=1, mem=512))
    async with MarathonServer(memory) as server, mastered(memory) as master, Client(server.url) as others:
        await others.made(
            "PUT",
            "/v2/apps/shop/web",
            {**THEIRS, "cpus": 0.5, "instances": 1, "constraints": [["@hostname", "CLUSTER", "b"]]},
        )
        stage = MarathonStage(server, memory, master)
        async with stage.scheduler() as scheduler:
            await bring(scheduler, stage.service("web"), 2)
            await asyncio.sleep(10)
            async with watching(scheduler) as snapshots:
                nodes = {node.labels["@hostname"]: node.capacity for node in (await anext(snapshots)).nodes}
    assert nodes == {"a": Resources(cpu=2, memory=2**30), "b": Resources(cpu=0.5, memory=480 * 2**20)}


async def test_the_constraints_of_apps_of_others_are_told_too() -> None:
    memory = Memory(Node(name="a"), Node(name="b", attributes={"rack": "7"}))
    async with MarathonServer(memory) as server, mastered(memory) as master, Client(server.url) as others:
        await others.made("PUT", "/v2/apps/shop/web", {**THEIRS, "constraints": [["hostname", "CLUSTER", "b"]]})
        stage = MarathonStage(server, memory, master)
        web, batch = stage.found("web", app="/shop/web"), stage.service("batch", constraints=("@hostname MAX_PER 2",))
        async with stage.scheduler() as scheduler, watching(scheduler, web, batch) as snapshots:
            reach = (await anext(snapshots)).reach
            assert reach["web"] == Reach(frozenset({"memory-b"}), {}, "hostname CLUSTER b")
            assert reach["batch"].most == {"@hostname": 2}
            await others.settled()
            await others.made("PUT", "/v2/apps/shop/web", {"constraints": [["hostname", "UNIQUE"]]})
            async for cluster in snapshots:
                if cluster.reach["web"].most == {"hostname": 1}:
                    break


async def test_an_app_that_another_service_has_is_told(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    web, again = stage.found("web", app="/shop/web"), stage.found("again", label="team=shop")
    made, same = stage.service("made"), stage.found("same", app="/beaufort/one/made")
    async with stage.scheduler() as scheduler, watching(scheduler, web, again, made, same):
        await bring(scheduler, web, 1)
        with pytest.raises(Rejected, match=r"^again: the app with the label team=shop is that of web$"):
            await scheduler.scale(again, 1)
        await bring(scheduler, made, 1)
        with pytest.raises(Rejected, match=r"^same: the app /beaufort/one/made is that of made$"):
            await scheduler.scale(same, 1)


# Apps of our making.


async def test_an_app_is_made_as_its_service_says(stage: MarathonStage, others: Client) -> None:
    web = stage.service("my web", grace=2.5, constraints=("@hostname GROUP_BY",), marathon={"labels": {"team": "shop"}})
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
    (app,) = (await others.get("/v2/apps?label=beaufort.deployment%3D%3Done"))["apps"]
    assert app["id"].startswith("/beaufort/one/my-web-")
    assert (app["labels"]["beaufort.service"], app["labels"]["team"]) == ("my web", "shop")
    assert (app["instances"], app["cpus"], app["mem"], app["args"]) == (2, 0.1, 32, ["sleep", "1000"])
    assert (app["constraints"], app["taskKillGracePeriodSeconds"]) == ([["@hostname", "GROUP_BY"]], 3)


async def test_what_left_the_configuration_is_removed_when_it_is_empty(stage: MarathonStage, others: Client) -> None:
    web, batch = stage.service("web"), stage.service("batch")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        await bring(scheduler, batch, 1)
        async with watching(scheduler, web) as snapshots:
            await scheduler.scale(Service("batch", 1), 0)
            await until(snapshots, batch, lambda counts: counts.held == 0)
    assert [each["id"] for each in (await others.get("/v2/apps"))["apps"]] == ["/beaufort/one/web"]


async def test_a_changed_launch_is_rolled_out_within_the_room(stage: MarathonStage, others: Client) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 4)
        before = (await shown(others, "/beaufort/one/web"))["versionInfo"]["lastConfigChangeAt"]
        changed = replace(web, launch=replace(web.launch, env={"A": "new"}))
        await bring(scheduler, changed, 4)
        app = await shown(others, "/beaufort/one/web")
        assert app["env"] == {"A": "new"}
        assert app["versionInfo"]["lastConfigChangeAt"] > before
        async with watching(scheduler, web) as snapshots:
            counts = await until(snapshots, web, all_run(4))
            assert counts.failed == 0, "those that made way have not failed"
    assert stage.memory.peak["/beaufort/one/web"] == 4


async def test_one_alone_is_renewed_within_the_room(stage: MarathonStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        await bring(scheduler, stage.service("web", health_command="true"), 1)
    assert stage.memory.peak["/beaufort/one/web"] == 1


async def test_what_others_have_removed_is_made_again(stage: MarathonStage, others: Client) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 2)
        async with watching(scheduler, web) as snapshots:
            await others.ask("DELETE", "/v2/apps/beaufort/one/web")
            await until(snapshots, web, lambda counts: counts.stopping == 2)
            await scheduler.scale(web, 2)
            await until(snapshots, web, all_run(2))


async def test_what_others_have_scaled_is_seen_and_scaled_back(stage: MarathonStage, others: Client) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 3)
        await until(snapshots, web, all_run(3))
        await others.made("PUT", "/v2/apps/beaufort/one/web", {"instances": 1})
        counts = await until(snapshots, web, all_run(1))
        assert counts.failed == 0, "somebody has asked for it"
        await scheduler.scale(web, 3)
        await until(snapshots, web, all_run(3))


# Apps of others.


@pytest.mark.parametrize("found", [{"app": "/shop/web"}, {"label": "team=shop"}], ids=["by its id", "by a label"])
async def test_of_an_app_of_others_only_the_number_is_changed(
    stage: MarathonStage, others: Client, found: dict[str, Any]
) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    before = await shown(others, "/shop/web")
    web = stage.found("web", **found)
    async with stage.scheduler() as scheduler:
        async with watching(scheduler, web) as snapshots:
            await until(snapshots, web, all_run(2))
            for count in (3, 1):
                await scheduler.scale(web, count)
                await until(snapshots, web, all_run(count))
        async with watching(scheduler):
            await scheduler.scale(web, 0)
    after = await shown(others, "/shop/web")
    varying = {
        "instances",
        "version",
        "versionInfo",
        "deployments",
        "tasksRunning",
        "tasksStaged",
        "tasksHealthy",
        "tasks",
    }
    assert {key: before[key] for key in before.keys() - varying} == {key: after[key] for key in after.keys() - varying}
    assert after["versionInfo"]["lastConfigChangeAt"] == before["versionInfo"]["lastConfigChangeAt"]
    assert after["instances"] == 0, "and it is not removed"


async def test_an_app_that_others_have_labelled_is_ours_to_scale(stage: MarathonStage, others: Client) -> None:
    labels = {"beaufort.deployment": "one", "beaufort.service": "web"}
    await others.made("PUT", "/v2/apps/shop/web", {**THEIRS, "labels": labels})
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 3)
        await bring(scheduler, web, 0)
        async with watching(scheduler):
            pass
    assert (await shown(others, "/shop/web"))["instances"] == 0, "it is not removed"


async def test_an_app_of_others_that_is_gone_is_told(stage: MarathonStage, others: Client) -> None:
    web = stage.found("web", app="/shop/web")
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match="web: there is no app /shop/web"):
            await scheduler.scale(web, 1)
        await others.made("PUT", "/v2/apps/shop/web", THEIRS)
        await bring(scheduler, web, 3)


async def test_a_label_that_two_apps_have_is_told(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", THEIRS)
    await others.made("PUT", "/v2/apps/shop/other", {**THEIRS, "id": "/shop/other"})
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=r"web: expected one app, got /shop/.* and /shop/.*"):
            await scheduler.scale(stage.found("web", label="team=shop"), 1)


async def test_any_name_of_a_deployment_and_any_value_of_a_label_will_do(stage: MarathonStage, others: Client) -> None:
    await others.made("PUT", "/v2/apps/shop/web", {**THEIRS, "labels": {"team": "shop, und Büro"}})
    web, batch = stage.found("web", label="team=shop, und Büro"), stage.service("batch")
    async with stage.scheduler("one, and two") as scheduler:
        await bring(scheduler, web, 3)
        await bring(scheduler, batch, 1)
    async with stage.scheduler("one, and two") as scheduler, watching(scheduler, web, batch) as snapshots:
        first = await anext(snapshots)
        assert (first.counts["web"].running, first.counts["batch"].running) == (3, 1)


# What is asked for.


async def test_one_turn_is_one_deployment(stage: MarathonStage) -> None:
    services = [stage.service(name) for name in ("a", "b", "c")]
    async with stage.scheduler() as scheduler, watching(scheduler, *services) as snapshots:
        await stage.together(scheduler, services, 2)
        for each in services:
            await until(snapshots, each, all_run(2), (await anext(snapshots)).counts[each.name])
        assert stage.writes() == ["PUT /v2/apps?partialUpdate=true"]
        await stage.together(scheduler, services, 1)
        assert stage.writes() == ["PUT /v2/apps?partialUpdate=true", "POST /v2/tasks/delete?scale=true"]


async def test_one_that_is_wrong_does_not_hold_back_the_others(stage: MarathonStage) -> None:
    web, broken = stage.service("web"), stage.broken("broken")
    async with stage.scheduler() as scheduler:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scheduler.scale(web, 2))
            with pytest.raises(Rejected, match="broken: "):
                await scheduler.scale(broken, 2)
        await bring(scheduler, web, 2)


async def test_the_youngest_go_whatever_marathon_would_choose(stage: MarathonStage) -> None:
    web = stage.service("web", marathon={"killSelection": "OLDEST_FIRST"})
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
        (oldest,) = stage.ids("web")
        await asyncio.sleep(2)
        await bring(scheduler, web, 3)
        await bring(scheduler, web, 1)
        assert stage.ids("web") == {oldest}


async def test_what_does_not_serve_yet_goes_first(stage: MarathonStage) -> None:
    """Though it is the older one. It is stopped from growing on first, as it would be locked until all serve."""
    app = "/beaufort/one/web"
    web = stage.service("web", health_command="true")
    stage.memory.programs[app] = Program(healthy=None)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        await until(snapshots, web, lambda counts: bool(stage.ids("web")) and counts.starting == 1)
        (sick,) = stage.ids("web")
        stage.memory.programs[app] = Program()
        await scheduler.scale(web, 2)
        await until(snapshots, web, lambda counts: (counts.running, counts.starting) == (1, 1))
        await scheduler.scale(web, 1)
        await until(snapshots, web, all_run(1))
        assert sick not in stage.ids("web")


async def test_where_they_are_is_told_by_the_names_of_the_hosts() -> None:
    async with serving(Memory(Node(name="a", cpus=0.1), Node(name="b", cpus=0.1))) as stage:
        web = stage.service("web")
        async with stage.scheduler() as scheduler:
            await bring(scheduler, web, 2)
            async with watching(scheduler, web) as snapshots:
                assert (await anext(snapshots)).counts["web"].on == {"a": 1, "b": 1}


# Where it is, and how we are let in.


async def test_of_several_any_that_answers_is_asked() -> None:
    async with serving(members=3) as stage:
        web = stage.service("web")
        urls = tuple(stage.server.urls)
        async with stage.scheduler(url=urls) as scheduler, watching(scheduler, web) as snapshots:
            await scheduler.scale(web, 2)
            await until(snapshots, web, all_run(2))
            await stage.server.kill(0)
            stage.server.elect(2)
            while "PUT" not in str(stage.server.members[1].calls + stage.server.members[2].calls):
                await told(scheduler.scale(web, 3))
            await until(snapshots, web, all_run(3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"user": "me", "password": Secret("you")}, "", id="by name"),
        pytest.param({"token": Secret("abc")}, "", id="by token"),
        pytest.param({}, "can't be read: Invalid", id="as nobody"),
        pytest.param({"user": "me", "password": Secret("him")}, "can't be read: Invalid", id="by a wrong password"),
    ],
)
async def test_how_it_lets_us_in(options: dict[str, Any], words: str) -> None:
    door = Door(users={"me": "you"}, tokens=["abc"])
    async with serving(door=door) as stage, stage.scheduler(**options) as scheduler:
        if not words:
            await bring(scheduler, stage.service("web"), 1)
            return
        with pytest.raises(Unreachable, match=words):
            await scheduler.scale(stage.service("web"), 1)


async def test_who_may_only_look_is_told_so() -> None:
    door = Door(users={"me": "you"}, readers=["me"])
    me: dict[str, Any] = {"user": "me", "password": Secret("you")}
    async with serving(door=door) as stage, stage.scheduler(**me) as scheduler:
        with pytest.raises(SchedulerError, match="web: Not Authorized"):
            await scheduler.scale(stage.service("web"), 1)


async def test_over_tls(tmp_path: Path) -> None:
    ours = certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ours.ca)
    context.load_cert_chain(ours.cert("server"), ours.key("server"))
    context.verify_mode = ssl.CERT_REQUIRED
    async with serving(context=context) as stage:
        web = stage.service("web")
        keys: dict[str, Any] = {"tls_ca": ours.ca, "tls_cert": ours.cert("client"), "tls_key": ours.key("client")}
        async with stage.scheduler(**keys) as scheduler:
            await bring(scheduler, web, 1)
        async with stage.scheduler() as scheduler:
            with pytest.raises(Unreachable, match=r"can't be reached: .*certificate"):
                await scheduler.scale(web, 1)


async def test_unreadable_certificates_are_told(tmp_path: Path, stage: MarathonStage) -> None:
    driver = stage.scheduler(url="https://127.0.0.1:1", tls_ca=tmp_path / "none")
    with pytest.raises(SchedulerError, match="can't use the certificates"):
        await driver.__aenter__()
