"""The Docker driver on a real engine: the contract, what a container gets, how it ends, what is found and left alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from beaufort.model import Cluster, Resources, Service
from beaufort.protocols import NoRoom, Rejected, SchedulerError, Unreachable
from beaufort.schedulers.docker import Docker
from certificates import Certificates, certificates
from docker_stage import DockerStage
from engine import Engine, engine
from scheduler_contract import SchedulerContract, Snapshots, Stage, StandbyContract, all_run, bring, until, watching
from servers import free_port

MIB = 2**20


@pytest.fixture
def stage(shared_engine: Engine, tmp_path: Path) -> Iterator[DockerStage]:
    stage = DockerStage(shared_engine, tmp_path)
    yield stage
    stage.close()


class TestContract(SchedulerContract):
    @pytest.fixture
    def stage(self, shared_engine: Engine, tmp_path: Path) -> Iterator[Stage]:
        stage = DockerStage(shared_engine, tmp_path)
        yield stage
        stage.close()


class TestStandby(StandbyContract):
    driver = Docker

    @pytest.fixture
    def stage(self, shared_engine: Engine, tmp_path: Path) -> Iterator[Stage]:
        stage = DockerStage(shared_engine, tmp_path)
        yield stage
        stage.close()


# What a container gets.


async def test_it_gets_what_its_service_says(stage: DockerStage) -> None:
    script = "id -u; touch /new || touch /stage/new; ulimit -n; echo $A; $SAY; exec sleep 1000"
    web = stage.shell(
        "my web/1",
        script,
        user="7:8",
        read_only=True,
        cap_drop=("ALL",),
        cap_add=("CHOWN",),
        ulimits={"nofile": "100:200", "core": 0},
        stop_signal="SIGINT",
        log_driver="json-file",
        log_options={"max-size": "1m"},
        networks=("none",),
        health_command="true",
        health_interval=30.0,
        docker={"Labels": {"team": "shop"}, "HostConfig": {"ShmSize": MIB}, "Tty": False},
        init=True,
        grace=2.5,
    )
    web = replace(web, resources=Resources(cpu=0.5, memory=64 * MIB))
    stage.root.chmod(0o777)
    (stage.root / "fifo").chmod(0o666)
    async with stage.scheduler() as scheduler:
        await scheduler.scale(web, 1)
        await stage.settled(web, 1)
    (listed,) = stage.containers("my web/1")
    found = stage.engine.inspect(listed["Id"])
    config, host = found["Config"], found["HostConfig"]
    logs = stage.engine.send("GET", f"/containers/{listed['Id']}/logs?stdout=1")
    assert [line[8:] for line in logs.splitlines()] == [b"7", b"100", b"=b"]
    assert (stage.root / "new").exists()
    said = {"beaufort.deployment": "one", "beaufort.service": "my web/1", "team": "shop"}
    assert config["Labels"] == {**said, "beaufort.spec": config["Labels"]["beaufort.spec"]}
    assert listed["Names"][0].startswith("/beaufort-one-my-web-1-")
    assert (host["NanoCpus"], host["Memory"], host["ShmSize"]) == (500_000_000, 64 * MIB, MIB)
    assert (host["CapDrop"], host["CapAdd"], host["Init"], host["NetworkMode"]) == (["ALL"], ["CHOWN"], True, "none")
    assert {each["Name"]: (each["Soft"], each["Hard"]) for each in host["Ulimits"]} == {
        "nofile": (100, 200),
        "core": (0, 0),
    }
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m"}}
    assert host["RestartPolicy"]["Name"] == "no"
    assert not host["AutoRemove"]
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGINT", 3)
    assert config["Healthcheck"] == {"Test": ["CMD-SHELL", "true"], "Interval": 30_000_000_000}


async def test_ports_and_networks(tmp_path: Path) -> None:
    """In a network apart, as it makes bridges and listens at ports."""
    with engine(apart=True) as private:
        stage = DockerStage(private, tmp_path)
        for name in ("front", "back"):
            private.ask("POST", "/networks/create", {"Name": name, "Internal": False})
        web = stage.running(
            "web", "sleep", "1000", ports=(80, "127.0.0.1:8080:81", "53/udp"), networks=("front", "back")
        )
        other = replace(stage.running("other", "sleep", "1000", ports=("127.0.0.1:8080:81",)), max=1)
        lost = stage.running("lost", "sleep", "1000", networks=("front", "no-such-network"))
        async with stage.scheduler() as scheduler:
            await bring(scheduler, replace(web, max=1), 1)
            with pytest.raises(NoRoom, match=r"^other: .*(port is already allocated|address already in use)"):
                await scheduler.scale(other, 1)
            with pytest.raises(Rejected, match=r"^lost: network no-such-network not found"):
                await scheduler.scale(lost, 2)
        (listed,) = private.containers()
        found = private.inspect(listed["Id"])["NetworkSettings"]
        assert set(found["Networks"]) == {"front", "back"}
        assert int(found["Ports"]["80/tcp"][0]["HostPort"]) > 0
        assert found["Ports"]["81/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": "8080"}]
        assert found["Ports"]["53/udp"]
        stage.close()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"user": "nobody-here"}, "unable to find user nobody-here", id="user"),
        pytest.param({"networks": ("nowhere",)}, "network nowhere not found", id="network"),
        pytest.param({"cap_add": ("FLY",)}, "FLY", id="capability"),
        pytest.param({"docker": {"HostConfig": {"ShmSize": "much"}}}, "json: cannot unmarshal string", id="verbatim"),
        pytest.param({"ports": ("eighty",)}, r'ports\.0: expected .* got "eighty"', id="known without asking"),
    ],
)
async def test_a_wrong_launch_is_rejected_in_the_engine_s_words(
    stage: DockerStage, options: dict[str, Any], words: str
) -> None:
    web = stage.running("web", "sleep", "1000", **options)
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=rf"^web: .*{words}"):
            await scheduler.scale(web, 3)
    assert not stage.containers("web")


async def test_more_cores_than_there_are_is_rejected(stage: DockerStage) -> None:
    web = replace(stage.service("web"), resources=Resources(cpu=1000))
    async with stage.scheduler() as scheduler:
        with pytest.raises(Rejected, match=r"^web: .*CPUs"):
            await scheduler.scale(web, 1)


async def test_with_a_health_check_it_starts_until_it_is_healthy(stage: DockerStage) -> None:
    web = stage.shell(
        "web",
        "exec sleep 1000",
        init=True,
        health_command=("test", "-e", "/stage/healthy"),
        health_interval=0.1,
        health_retries=1,
    )
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 2)
        async with asyncio.timeout(30):
            while not all("health: starting" in each["Status"] for each in stage.containers("web")):
                await anext(snapshots)
        assert (await anext(snapshots)).counts["web"].starting == 2
        (stage.root / "healthy").touch()
        await until(snapshots, web, all_run(2))
        async with stage.scheduler() as another, watching(another, web) as found:
            assert (await anext(found)).counts["web"].running == 2
        (stage.root / "healthy").unlink()
        await until(snapshots, web, lambda counts: counts.starting == 2)
        async with stage.scheduler() as another, watching(another, web) as found:
            assert (await anext(found)).counts["web"].starting == 2
        await scheduler.scale(web, 0)
        assert (await until(snapshots, web, lambda counts: counts.held == 0)).failed == 0


# How it ends.


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("exit 3", "exited with 3 after ", id="exit status"),
        pytest.param("exit 0", "exited with 0 after ", id="success is not asked for either"),
        pytest.param("kill -SEGV $$; kill -9 $$", "exited with ", id="signal"),
        pytest.param(
            "exec dd if=/dev/zero of=/dev/null bs=64M", "out of memory: exited with 137 (SIGKILL)", id="memory"
        ),
    ],
)
async def test_an_end_unasked_is_told_with_its_cause(stage: DockerStage, script: str, words: str) -> None:
    web = stage.shell("web", f"echo first; echo last words; {script}")
    web = replace(web, resources=Resources(memory=16 * MIB))
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        for failed in (1, 2):
            await scheduler.scale(web, 1)
            counts = await until(snapshots, web, lambda counts: counts.held == 0)
            assert counts.failed == failed
            assert counts.failure.startswith(words)
            assert "; it said at last: first / last words" in counts.failure
        await stage.gone("web")


async def test_one_that_others_remove_is_told(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await bring(scheduler, web, 2)
        (one, _) = stage.containers("web")
        stage.engine.ask("DELETE", f"/containers/{one['Id']}?force=1")
        counts = await until(snapshots, web, lambda counts: counts.held == 1)
        assert (counts.running, counts.failed) == (1, 1)
        assert counts.failure == "exited with 137 (SIGKILL), and was removed by someone else"


async def test_the_youngest_goes_first(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        oldest: list[dict[str, Any]] = []
        for count in (1, 2, 3):
            await bring(scheduler, web, count)
            oldest = oldest or stage.containers("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
    assert [each["Id"] for each in stage.containers("web") if each["State"] == "running"] == [oldest[0]["Id"]]


async def test_room_is_made_before_it_is_started(stage: DockerStage) -> None:
    """What is wanted no more before the engine was asked for it costs nothing, and one that was half made goes."""
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await bring(scheduler, web, 1)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(scheduler.scale(web, 30))
            await until(snapshots, web, lambda counts: counts.current == 30)
            tasks.create_task(scheduler.scale(web, 2))
        counts = await until(snapshots, web, lambda counts: counts.current == 2)
        assert counts.held < 20
        await until(snapshots, web, all_run(2))
        await scheduler.scale(web, 0)
        await stage.gone("web")


# What is found.


async def test_what_was_left_half_made_is_used_for_nothing_and_goes(stage: DockerStage) -> None:
    labels = {"beaufort.deployment": "one", "beaufort.service": "web"}
    stage.engine.run("sleep", "1000", start=False, Labels=labels)
    ended = stage.engine.run("true", Labels=labels)
    stage.engine.ask("POST", f"/containers/{ended}/wait")
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        async with watching(scheduler, web) as snapshots:
            counts = (await anext(snapshots)).counts["web"]
            assert (counts.held, counts.standby.created, counts.failed) == (0, 1, 0)
            await anext(snapshots)
            assert len(stage.containers("web")) == 2, "who only watches touches nothing"
        await bring(scheduler, web, 1)
        await stage.gone("web", but=1)
    assert stage.containers("web")[0]["State"] == "running"


async def test_who_only_watches_leaves_what_ends(stage: DockerStage) -> None:
    web = stage.service("web")
    async with stage.scheduler() as scheduler:
        await bring(scheduler, web, 1)
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await anext(snapshots)
        await stage.kill("web")
        await until(snapshots, web, lambda counts: counts.failed == 1)
        await anext(snapshots)
        assert [each["State"] for each in stage.containers("web")] == ["exited"]


async def test_a_stop_goes_on_and_is_not_begun_again(stage: DockerStage) -> None:
    slow = stage.shell("slow", "trap '$SAY' TERM; $SAY; while :; do sleep 0.05; done", grace=2.0)
    async with stage.scheduler() as scheduler:
        await bring(scheduler, slow, 2)
        await stage.settled(slow, 2)
        await scheduler.scale(slow, 1)
        await stage.settled(slow, 1)
    async with stage.scheduler() as scheduler, watching(scheduler, slow) as snapshots:
        counts = (await anext(snapshots)).counts["slow"]
        assert (counts.running, counts.stopping) == (1, 1)
        await scheduler.scale(slow, 1)
        counts = await until(snapshots, slow, all_run(1))
        assert counts.failed == 0
        assert stage.unsaid() == 0, "it was asked once"


async def test_a_stop_that_the_engine_forgot_is_done(stage: DockerStage) -> None:
    slow = stage.shell("slow", "trap '' TERM; $SAY; while :; do sleep 0.05; done", grace=1.0)
    async with stage.scheduler() as scheduler:
        await bring(scheduler, slow, 2)
        await stage.settled(slow, 2)
        one, two = stage.containers("slow")
    stage.engine.ask("POST", f"/containers/{one['Id']}/kill?signal=TERM")
    stage.engine.ask("POST", f"/containers/{two['Id']}/kill?signal=HUP")
    async with stage.scheduler() as scheduler, watching(scheduler, slow) as snapshots:
        counts = (await anext(snapshots)).counts["slow"]
        assert (counts.running, counts.stopping) == (1, 1), "only its own stop signal is a stop"
        await scheduler.scale(slow, 1)
        assert (await until(snapshots, slow, all_run(1))).failed == 0


async def test_what_is_not_ours_is_never_touched(stage: DockerStage) -> None:
    labels = [{}, {"beaufort.deployment": "two", "beaufort.service": "web"}, {"beaufort.deployment": "one"}]
    others = [stage.engine.run("sleep", "1000", Labels=each) for each in labels]
    others += [stage.engine.run("sleep", "1000", start=False), stage.engine.run("true")]
    web = stage.service("web")
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        assert set((await anext(snapshots)).counts) == {"web"}
        await bring(scheduler, web, 2)
        await bring(scheduler, web, 0)
    assert {each["Id"] for each in stage.engine.containers()} >= set(others)
    assert [stage.engine.inspect(id_)["State"]["Running"] for id_ in others[:3]] == [True] * 3


async def test_capacity_is_what_others_leave(stage: DockerStage) -> None:
    info = stage.engine.ask("GET", "/info")
    cores, memory = info["NCPU"], info["MemTotal"]
    limits = {"NanoCpus": 500_000_000, "Memory": 64 * MIB}
    theirs = stage.engine.run("sleep", "1000", HostConfig=limits)
    web = replace(stage.service("web"), resources=Resources(cpu=0.5, memory=64 * MIB))
    async with stage.scheduler() as scheduler, watching(scheduler, web) as snapshots:
        await scheduler.scale(web, 1)
        cluster = await with_capacity(snapshots, cores - 0.5, memory - 64 * MIB)
        assert cluster.nodes[0].name == info["Name"]
        stage.engine.ask("POST", f"/containers/{theirs}/update", {"CpuQuota": 0, "NanoCpus": 10**9, "Memory": 32 * MIB})
        await with_capacity(snapshots, cores - 1, memory - 32 * MIB)
        stage.engine.run("sleep", "1000", HostConfig={"CpuQuota": 25_000, "MemoryReservation": 8 * MIB})
        await with_capacity(snapshots, cores - 1.25, memory - 40 * MIB)
        stage.engine.run("sleep", "1000")
        stage.engine.ask("POST", f"/containers/{theirs}/kill")
        await with_capacity(snapshots, cores - 0.25, memory - 8 * MIB)
        async with stage.scheduler("two") as two, watching(two) as seen:
            await with_capacity(seen, cores - 0.75, memory - 72 * MIB)


async def with_capacity(snapshots: Snapshots, cpu: float, memory: float) -> Cluster:
    async for cluster in snapshots:
        if cluster.nodes[0].capacity == Resources(cpu=cpu, memory=memory):
            return cluster
    raise AssertionError("a watch never ends by itself")


# Where the engine is.


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


async def test_over_tcp_with_certificates(tmp_path: Path, papers: Certificates) -> None:
    port = free_port()
    shown = [
        "--tlscacert",
        str(papers.ca),
        "--tlscert",
        str(papers.cert("server")),
        "--tlskey",
        str(papers.key("server")),
    ]
    with engine("--host", f"tcp://127.0.0.1:{port}", "--tlsverify", *shown) as private:
        stage = DockerStage(private, tmp_path)
        url, ca = f"tcp://127.0.0.1:{port}", papers.ca
        remote = Docker(
            deployment="one", url=url, tls_ca=ca, tls_cert=papers.cert("client"), tls_key=papers.key("client")
        )
        async with remote as scheduler:
            await bring(scheduler, stage.service("web"), 2)
        for stranger in (
            Docker(deployment="one", url=url, tls_ca=ca),
            Docker(deployment="one", url=url, tls_ca=papers.cert("client")),
            Docker(deployment="one", url=url),
        ):
            async with stranger as scheduler, watching(scheduler) as snapshots:
                with pytest.raises(Unreachable, match=rf"^the engine at {url} "):
                    await anext(snapshots)
        stage.close()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({"deployment": ""}, "deployment: expected a name", id="deployment"),
        pytest.param(
            {"url": "ssh://there"}, 'url: expected unix:///path or tcp://host:port, got "ssh://there"', id="ssh"
        ),
        pytest.param({"url": "/var/run/docker.sock"}, "url: expected unix:///path", id="a path"),
        pytest.param(
            {"url": "unix:///a", "tls_ca": Path("b")}, "url: expected tcp://host:port, as there are", id="unix"
        ),
        pytest.param({"url": "tcp://a:1", "tls_key": Path("b")}, "tls_cert: expected the certificate", id="key alone"),
    ],
)
def test_wrong_options(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}"):
        Docker(**options)


async def test_certificates_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SchedulerError, match=r"^tcp://127.0.0.1:1: can't use the certificates: .*No such file"):
        async with Docker(url="tcp://127.0.0.1:1", tls_ca=tmp_path / "none.pem"):
            pass


async def test_by_default_it_is_where_docker_s_own_programs_look(
    stage: DockerStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", stage.engine.url)
    async with Docker() as scheduler, watching(scheduler) as snapshots:
        assert (await anext(snapshots)).nodes


async def test_no_engine_there(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/none.sock"
    async with Docker(url=url) as scheduler:
        for _ in range(2):
            async with watching(scheduler) as snapshots:
                with pytest.raises(Unreachable, match=rf"^the engine at {url} can't be reached: No such file"):
                    await anext(snapshots)
        with pytest.raises(Unreachable):
            await scheduler.scale(Service("web", 1), 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param({"ApiVersion": "1.40"}, r"expected an engine with API 1\.41 or newer .*, got API 1\.40", id="old"),
        pytest.param({"ApiVersion": "new"}, "answers what no engine would", id="no number"),
        pytest.param("hello", "answers what no engine would", id="something else"),
        pytest.param(None, "can't be read: HTTP status 404", id="not even that"),
    ],
)
async def test_something_else_there(answer: Any, words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"" if answer is None else json.dumps(answer).encode()
        status = b"404 Not Found" if answer is None else b"200 OK"
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        url = f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with Docker(url=url) as scheduler, watching(scheduler) as snapshots:
            with pytest.raises(Unreachable, match=words):
                await anext(snapshots)
