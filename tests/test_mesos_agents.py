"""The Mesos driver while agents of a real Mesos go, can't be reached, come back, and are about to go."""

from __future__ import annotations

from pathlib import Path

import pytest

from beaufort.protocols import NoRoom
from mesos_rig import mesos
from mesos_run import ROOM, really, running
from mesos_stage import MesosStage
from relay import relay
from scheduler_contract import Snapshots, all_run, bring, until, watching

QUICK = {"agent_ping_timeout": "1secs", "max_agent_ping_timeouts": "1"}
"""A master gives up on an agent after two seconds without an answer."""


async def cpu(snapshots: Snapshots, agent: str, cores: float) -> None:
    """Returns when the agent has so many cores for us."""
    async for cluster in snapshots:
        if {node.name: node.capacity["cpu"] for node in cluster.nodes}[agent] == pytest.approx(cores):
            return


async def test_an_agent_that_is_gone_takes_its_tasks_along(tmp_path: Path) -> None:
    with mesos(agents=2) as private:
        stage = MesosStage(private, tmp_path)
        web = stage.running("web", "sleep", "1000", constraints=("@agent MAX_PER 2",))
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 4)
            private.ask({"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": private.agents()[0]}}})
            counts = await until(snapshots, web, lambda counts: counts.held == 2)
            assert (counts.running, counts.failed) == (2, 2)
            assert "lost with its agent, which an operator has removed" in counts.failure
            with pytest.raises(NoRoom, match=r"^web: .*1 not @agent MAX_PER 2"):
                await scheduler.scale(web, 3)
            async for cluster in snapshots:
                if len(cluster.nodes) == 1:
                    break


async def test_an_agent_that_is_drained_has_no_more_room(tmp_path: Path) -> None:
    with mesos(agents=2) as private:
        stage = MesosStage(private, tmp_path)
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 2)
            drained = stage.on("web")
            private.ask({"type": "DRAIN_AGENT", "drain_agent": {"agent_id": {"value": drained}}})
            counts = await until(snapshots, web, lambda counts: counts.held == 0)
            assert counts.failed == 0, "they were asked to stop"
            await bring(scheduler, web, 2)
            assert stage.on("web") != drained
            await cpu(snapshots, drained, 0)


async def test_before_maintenance_nothing_more_is_started(tmp_path: Path) -> None:
    """All agents of the rig are on one machine, so that it concerns all."""
    with mesos(agents=2) as private, relay(private.port) as line:
        stage = MesosStage(private, tmp_path)
        web = stage.service("web")
        async with stage.scheduler(master=line.address) as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 2)
            private.maintain()
            await cpu(snapshots, stage.on("web"), 0.2)
            with pytest.raises(NoRoom, match=r"^web: 2 nodes: 2 about to go"):
                await scheduler.scale(web, 3)
            for agent in private.agents():
                await cpu(snapshots, agent, 0.2 if agent == stage.on("web") else 0)
            assert (await anext(snapshots)).counts["web"].running == 2, "what runs is left to run"
            assert "ACCEPT_INVERSE_OFFERS" in line.calls
            ours = private.frameworks()[0]["id"]
            assert private.consents() == {ours: "ACCEPT"}, "the operator sees that nothing of ours stands in the way"


async def test_tasks_that_can_t_be_reached_are_not_counted_until_they_are_again(tmp_path: Path) -> None:
    with mesos(agents=1, **QUICK) as private:
        agent, stage = private.add(), MesosStage(private, tmp_path)
        web = stage.running("web", "sleep", "1000", constraints=("@agent MAX_PER 2",))
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 4)
            agent.hang()
            counts = await until(snapshots, web, lambda counts: counts.held == 2)
            assert (counts.running, counts.failed) == (2, 2)
            assert counts.failure.startswith("is on an agent that can't be reached")
            with pytest.raises(NoRoom, match=r"^web: .*1 not @agent MAX_PER 2"):
                await scheduler.scale(web, 3)
            agent.go_on()
            counts = await until(snapshots, web, all_run(4))
            assert set(counts.on.values()) == {2}
            assert really(private) == {"web": 4}
            await bring(scheduler, web, 1)
        assert really(private) == {"web": 1}


async def test_what_was_started_in_their_place_makes_way_when_they_are_back(tmp_path: Path) -> None:
    with mesos(agents=0, **QUICK) as private:
        agent = private.add()
        async with running(private.address, tmp_path) as run:
            run.want(3)
            await run.reaches(3, 3)
            private.add()
            agent.hang()
            await run.until(lambda: (web := run.counts("web")) is not None and web.held < 3)
            await run.reaches(3, 3)
            agent.go_on()
            await run.until(
                lambda: sum(counts.held for name in ("web", "batch") if (counts := run.counts(name))) > ROOM
            )
            await run.reaches(3, 3)
        assert really(private) == {"web": 3, "batch": 3}


async def test_an_agent_that_dies_alone_comes_back_with_its_tasks(tmp_path: Path) -> None:
    """As it does when it is given a newer program. The master waits for it as long as for one that can't be reached."""
    with mesos(agents=0) as private:
        agent, stage = private.add(), MesosStage(private, tmp_path)
        web = stage.service("web")
        async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
            await bring(scheduler, web, 2)
            before = private.processes()
            agent.kill()
            async for cluster in snapshots:
                if not cluster.nodes:
                    break
            agent.start()
            async for cluster in snapshots:
                if cluster.nodes:
                    break
            assert cluster.counts["web"].running == 2
            assert cluster.counts["web"].failed == 0
            await bring(scheduler, web, 3)
        assert set(before) < set(private.processes())
