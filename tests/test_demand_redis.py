from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis as Client

from beaufort.demand.redis import BEAT, GAP, WINDOW, Redis, _Growth
from beaufort.model import Sample
from beaufort.protocols import SourceError
from beaufort.quantity import Secret
from servers import RedisServer, free_port
from source_contract import SourceContract, opened

HIDDEN = "hunter2-of-the-queue"


async def sample(source: Redis) -> Sample:
    async with opened(source) as samples:
        return await anext(samples)


async def failure(source: Redis) -> str:
    """The words of the SourceError that opening it, or reading on, ends in."""
    with pytest.raises(SourceError) as caught:
        await _last(source)
    return str(caught.value)


async def _last(source: Redis) -> None:
    async with opened(source) as samples:
        async for _ in samples:
            pass


class ListStage:
    def __init__(self, client: Client, source: Redis) -> None:
        self.source = source
        self._client = client

    async def change(self) -> None:
        await self._client.rpush("jobs", "a", "b")

    async def repeat(self) -> None:
        """It reads again by itself."""


class StreamStage(ListStage):
    async def change(self) -> None:
        await self._client.xadd("events", {"job": "a"})


class TestListContract(SourceContract):
    @pytest.fixture
    def stage(self, redis: RedisServer, client: Client) -> ListStage:
        return ListStage(client, Redis(url=redis.url, list="jobs"))


class TestStreamContract(SourceContract):
    @pytest.fixture
    async def stage(self, redis: RedisServer, client: Client) -> StreamStage:
        await client.xgroup_create("events", "workers", mkstream=True)
        return StreamStage(client, Redis(url=redis.url, stream="events", group="workers"))


class TestPolledContract(SourceContract):
    @pytest.fixture
    async def stage(self, redis: RedisServer, client: Client) -> ListStage:
        await client.acl_setuser("scaler", enabled=True, nopass=True, keys=["jobs"], commands=["+llen"])
        return ListStage(client, Redis(url=redis.url.replace("//", "//scaler:any@"), list="jobs"))


async def test_the_length_is_followed_up_and_down(redis: RedisServer, client: Client) -> None:
    async with opened(Redis(url=redis.url, list="jobs")) as samples:
        seen = [(await anext(samples)).value]
        for act in (client.rpush("jobs", "a", "b", "c"), client.lpop("jobs"), client.delete("jobs")):
            await act
            seen.append((await anext(samples)).value)
    assert seen == [0, 3, 2, 0]


async def test_changes_are_announced_not_polled(redis: RedisServer, client: Client) -> None:
    """Ten changes, each made only when the one before was seen, fit in one beat of reading."""
    source = Redis(url=redis.url, list="jobs")
    async with opened(source) as samples:
        await anext(samples)
        async with asyncio.timeout(BEAT):
            for length in range(1, 11):
                await client.rpush("jobs", "a")
                assert (await anext(samples)).value == length
    assert source.mode == "announced by the server (client tracking)"


async def test_an_entry_is_announced_too(redis: RedisServer, client: Client) -> None:
    await client.xgroup_create("events", "workers", mkstream=True)
    async with opened(Redis(url=redis.url, stream="events", group="workers")) as samples:
        await anext(samples)
        async with asyncio.timeout(BEAT):
            for length in range(1, 11):
                await client.xadd("events", {"job": "a"})
                assert (await anext(samples)).value == length


async def test_a_busy_queue_is_not_read_more_often_than_it_may(redis: RedisServer, client: Client) -> None:
    loop = asyncio.get_running_loop()
    async with opened(Redis(url=redis.url, list="jobs")) as samples:
        await anext(samples)
        began = loop.time()
        for _ in range(2000):
            await client.rpush("jobs", "a")
        while (await anext(samples)).value < 2000:
            pass
        took = loop.time() - began
    assert await reads(client) <= took / GAP + 2


async def reads(client: Client) -> int:
    stats: dict[str, dict[str, int]] = await client.info("commandstats")
    return stats["cmdstat_llen"]["calls"]


async def test_nothing_is_taken_written_or_configured(redis: RedisServer, client: Client) -> None:
    await client.rpush("jobs", "a", "b")
    await client.xgroup_create("events", "workers", mkstream=True)
    await client.xadd("events", {"job": "a"})
    await client.config_resetstat()
    assert (await sample(Redis(url=redis.url, list="jobs"))).value == 2
    assert (await sample(Redis(url=redis.url, stream="events", group="workers"))).value == 1
    used = {name.removeprefix("cmdstat_").partition("|")[0] for name in await client.info("commandstats")}
    assert used <= {"hello", "client", "select", "llen", "xinfo", "config"}
    assert await client.config_get("notify-keyspace-events") == {"notify-keyspace-events": ""}


async def test_a_stream_s_demand_is_what_waits(redis: RedisServer, client: Client) -> None:
    source = Redis(url=redis.url, stream="events", group="workers")
    assert (await sample(source)).value == 0
    await client.xgroup_create("events", "workers", id="0", mkstream=True)
    for number in range(5):
        await client.xadd("events", {"job": number})
    assert (await sample(source)).value == 5
    await client.xreadgroup("workers", "one", {"events": ">"}, count=2)
    assert (await sample(source)).value == 3


async def test_deliveries_are_seen_though_nothing_announces_them(redis: RedisServer, client: Client) -> None:
    await client.xgroup_create("events", "workers", mkstream=True)
    await client.xadd("events", {"job": "a"})
    async with opened(Redis(url=redis.url, stream="events", group="workers")) as samples:
        assert (await anext(samples)).value == 1
        await client.xreadgroup("workers", "one", {"events": ">"}, count=1)
        async with asyncio.timeout(BEAT):
            while (await anext(samples)).value:
                pass


async def test_where_the_server_does_not_know_the_lag_it_is_counted(redis: RedisServer, client: Client) -> None:
    await client.xgroup_create("events", "workers", id="0", mkstream=True)
    entries = [await client.xadd("events", {"job": number}) for number in range(5)]
    await client.xreadgroup("workers", "one", {"events": ">"}, count=1)
    await client.xdel("events", entries[2])
    (group,) = await client.xinfo_groups("events")
    assert group["lag"] is None
    assert (await sample(Redis(url=redis.url, stream="events", group="workers"))).value == 3


async def test_arrivals_are_known_of_a_stream(redis: RedisServer, client: Client) -> None:
    await client.xgroup_create("events", "workers", mkstream=True)
    async with opened(Redis(url=redis.url, stream="events", group="workers")) as samples:
        assert (await anext(samples)).arrivals is None
        for number in range(100):
            await client.xadd("events", {"job": number})
        while (arrivals := (await anext(samples)).arrivals) is None:
            pass
    assert 100 / (WINDOW + BEAT) < arrivals < 100 / (WINDOW / 2)


async def test_a_list_s_arrivals_are_not_guessed(redis: RedisServer, client: Client) -> None:
    await client.rpush("jobs", "a")
    assert (await sample(Redis(url=redis.url, list="jobs"))).arrivals is None


@given(steps=st.lists(st.tuples(st.floats(0.01, 3), st.integers(0, 1000)), min_size=2, max_size=40))
def test_growth_is_that_of_its_window(steps: list[tuple[float, int]]) -> None:
    growth = _Growth()
    times = list(itertools.accumulate(pause for pause, _ in steps))
    totals = list(itertools.accumulate(more for _, more in steps))
    for now, total in zip(times, totals, strict=True):
        rate = growth.per_second(now, total)
        begun = [index for index, time in enumerate(times) if time <= now - WINDOW]
        first = begun[-1] if begun else 0
        if now - times[first] >= WINDOW / 2:
            assert rate == (total - totals[first]) / (now - times[first])
        else:
            assert rate is None


def test_growth_begins_anew_with_a_new_key() -> None:
    growth = _Growth()
    growth.per_second(0, 1000)
    assert growth.per_second(1, 5) is None
    assert growth.per_second(2, 8) == 3


async def test_a_unix_socket_will_do(redis: RedisServer, client: Client) -> None:
    await client.rpush("jobs", "a")
    assert (await sample(Redis(url=f"unix://{redis.socket}", list="jobs"))).value == 1


async def test_a_list_that_does_not_exist_is_empty(redis: RedisServer) -> None:
    assert (await sample(Redis(url=redis.url, list="none"))).value == 0


async def test_a_key_of_another_type_is_said_in_the_server_s_words(redis: RedisServer, client: Client) -> None:
    await client.set("jobs", "a string")
    for source in (Redis(url=redis.url, list="jobs"), Redis(url=redis.url, stream="jobs", group="workers")):
        said = await failure(source)
        assert "Operation against a key holding the wrong kind of value" in said
        assert said.startswith(f"redis at 127.0.0.1:{redis.port}/0: ")


async def test_a_group_that_does_not_exist_is_named_beside_those_that_do(redis: RedisServer, client: Client) -> None:
    await client.xgroup_create("events", "workers", mkstream=True)
    said = await failure(Redis(url=redis.url, stream="events", group="wrokers"))
    assert "stream events: expected the consumer group wrokers, got workers" in said


async def test_a_server_that_is_not_there(redis: RedisServer) -> None:
    redis.kill()
    assert f"connecting to 127.0.0.1:{redis.port}" in await failure(Redis(url=redis.url, list="jobs"))


async def test_a_server_that_dies_and_returns(redis: RedisServer, client: Client) -> None:
    source = Redis(url=redis.url, list="jobs")
    async with opened(source) as samples:
        await anext(samples)
        redis.kill()
        with pytest.raises(SourceError, match=f"redis at 127.0.0.1:{redis.port}/0: "):
            await anext(samples)
    redis.start()
    async with opened(source) as samples:
        assert (await anext(samples)).value == 0
        await client.rpush("jobs", "a")
        assert (await anext(samples)).value == 1


@pytest.mark.parametrize("moment", [pytest.param("opening", id="before"), pytest.param("reading", id="between reads")])
async def test_a_server_that_hangs_is_an_error_within_seconds(redis: RedisServer, moment: str) -> None:
    async with opened(Redis(url=redis.url, list="jobs")) as samples:
        if moment == "reading":
            await anext(samples)
        redis.hang()
        async with asyncio.timeout(10):
            with pytest.raises(SourceError, match="no answer within 2 s"):
                await anext(samples)


async def test_a_password_opens_the_server(redis: RedisServer, client: Client) -> None:
    await client.config_set("requirepass", HIDDEN)
    assert (await sample(Redis(url=redis.url, list="jobs", password=Secret(HIDDEN)))).value == 0
    assert (await sample(Redis(url=redis.url.replace("//", f"//:{HIDDEN}@"), list="jobs"))).value == 0


@pytest.mark.parametrize("where", [pytest.param("option", id="as an option"), pytest.param("url", id="in the URL")])
async def test_a_wrong_password_is_an_error_that_does_not_show_it(
    redis: RedisServer, client: Client, where: str
) -> None:
    await client.config_set("requirepass", "another")
    if where == "option":
        source = Redis(url=redis.url, list="jobs", password=Secret(HIDDEN))
    else:
        source = Redis(url=redis.url.replace("//", f"//:{HIDDEN}@"), list="jobs")
    with pytest.raises(SourceError) as caught:
        await sample(source)
    assert "invalid username-password pair" in str(caught.value)
    assert HIDDEN not in "".join(traceback.format_exception(caught.value)) + repr(source)


async def test_no_password_where_one_is_needed(redis: RedisServer, client: Client) -> None:
    await client.config_set("requirepass", HIDDEN)
    assert "already authenticated" in await failure(Redis(url=redis.url, list="jobs"))


async def restricted(client: Client, *commands: str) -> None:
    await client.acl_setuser("scaler", enabled=True, nopass=True, keys=["jobs"], commands=commands)


async def test_a_user_that_may_not_configure_the_server_is_enough(redis: RedisServer, client: Client) -> None:
    await restricted(client, "+@all", "-config", "-@dangerous", "-@write")
    source = Redis(url=redis.url.replace("//", "//scaler:any@"), list="jobs")
    await sample(source)
    assert source.mode.startswith("announced")


async def test_where_announcements_are_refused_it_polls_and_says_so(redis: RedisServer, client: Client) -> None:
    await restricted(client, "+llen")
    source = Redis(url=redis.url.replace("//", "//scaler:any@"), list="jobs")
    async with opened(source) as samples:
        await anext(samples)
        assert source.mode.startswith("polling every 0.1 s: the server refuses client tracking: ")
        assert "no permissions" in source.mode
        async with asyncio.timeout(BEAT):
            await client.rpush("jobs", "a")
            while (await anext(samples)).value != 1:
                pass


async def test_a_user_that_may_not_read_the_key_is_said_in_the_server_s_words(
    redis: RedisServer, client: Client
) -> None:
    await restricted(client, "+@all")
    said = await failure(Redis(url=redis.url.replace("//", "//scaler:any@"), list="other"))
    assert "no permissions" in said.lower()


class Impostor(asyncio.Protocol):
    """A server of one connection that is no Redis: it gives these answers in turn, the last one for ever."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = itertools.chain(answers, itertools.repeat(answers[-1]))
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.writelines(itertools.islice(self._answers, data.count(b"*")))

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.gone.set()


@asynccontextmanager
async def impostor(*answers: bytes) -> AsyncIterator[str]:
    """The URL of such a server. At the end its client must have left it."""
    protocol = Impostor(answers)
    port = free_port()
    async with await asyncio.get_running_loop().create_server(lambda: protocol, "127.0.0.1", port):
        yield f"redis://127.0.0.1:{port}"
        async with asyncio.timeout(10):
            await protocol.gone.wait()


OK = b"+OK\r\n"
HELLO = b"%1\r\n+proto\r\n:3\r\n"


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([b"HTTP/1.1 400 Bad Request\r\n\r\n"], id="a web server"),
        pytest.param([b"\x00\xff\xfe\r\n"], id="bytes"),
        pytest.param([b"x" * 200_000], id="a line without end"),
        pytest.param([OK], id="OK to everything"),
        pytest.param([HELLO, OK, OK, OK, b":many\r\n"], id="a number that is none"),
        pytest.param([HELLO, OK, OK, OK, b":-1\r\n"], id="a negative length"),
        pytest.param([HELLO, OK, OK, OK, b"_\r\n"], id="nothing"),
        pytest.param([HELLO, OK, OK, OK, b"%1\r\n+a\r\n:1\r\n"], id="a map"),
        pytest.param([HELLO, OK, OK, OK, b"$5\r\nab\r\n"], id="a text that is too short"),
        pytest.param([b">1\r\n+pong\r\n"], id="announcements only"),
    ],
)
@pytest.mark.parametrize(
    "options",
    [pytest.param({"list": "jobs"}, id="list"), pytest.param({"stream": "events", "group": "workers"}, id="stream")],
)
async def test_a_server_that_is_no_redis_is_an_error(answers: list[bytes], options: dict[str, Any]) -> None:
    async with impostor(*answers) as url, asyncio.timeout(10):
        assert (await failure(Redis(url=url, **options))).startswith("redis at 127.0.0.1:")


async def test_a_server_that_quotes_the_password_does_not_reveal_it() -> None:
    """As Redis before version 6 does: unknown command 'HELLO', with args beginning with ..."""
    async with impostor(f"-ERR unknown command 'HELLO', args '3' 'AUTH' 'default' '{HIDDEN}'\r\n".encode()) as url:
        with pytest.raises(SourceError, match=r"unknown command 'HELLO'.*\*\*\*") as caught:
            await sample(Redis(url=url, list="jobs", password=Secret(HIDDEN)))
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        pytest.param({}, "list: expected either a list or a stream, got neither", id="no key"),
        pytest.param(
            {"list": "a", "stream": "b", "group": "c"}, "list: expected either a list or a stream, got both", id="both"
        ),
        pytest.param({"stream": "a"}, "group: expected the stream's consumer group", id="no group"),
        pytest.param({"list": "a", "group": "b"}, "group: expected .* only with one", id="a list's group"),
        pytest.param({"list": "a", "url": "http://localhost"}, "url: expected redis://", id="another scheme"),
        pytest.param({"list": "a", "url": "localhost:6379"}, "url: expected redis://", id="no scheme"),
        pytest.param({"list": "a", "url": "redis://localhost/jobs"}, "url: expected redis://", id="no database"),
        pytest.param({"list": "a", "url": f"redis://:{HIDDEN}/x@host"}, "url: expected redis://", id="raw slash"),
        pytest.param({"list": "a", "url": f"redis://u:1#{HIDDEN}@host"}, "url: expected redis://", id="raw hash"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as caught:
        Redis(**options)
    assert HIDDEN not in "".join(traceback.format_exception(caught.value))


async def test_an_option_of_the_url_that_the_library_does_not_know() -> None:
    said = await failure(Redis(url="redis://127.0.0.1/0?colour=red", list="jobs"))
    assert said == "redis at 127.0.0.1:6379/0: the redis library does not understand the options of the URL"


def printed(program: str) -> str:
    """What a Python of its own, which has imported nothing yet, prints."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def test_the_library_is_imported_only_when_used() -> None:
    made = "import sys; from beaufort.demand.redis import Redis; Redis(list='jobs'); print('redis' in sys.modules)"
    assert printed(made) == "False"


def test_without_the_library_it_says_how_to_install_it() -> None:
    opened = """
import asyncio, sys
sys.modules["redis"] = None
from beaufort.demand.redis import Redis
from beaufort.quantity import Secret
from beaufort.protocols import SourceError
try:
    asyncio.run(anext(Redis(list="jobs").samples()))
except SourceError as error:
    print(error)
"""
    assert printed(opened) == "the redis library is missing: pip install 'beaufort[redis]'"
