"""The stream of events over real connections: nothing missed, nothing twice, and nobody waited for."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from beaufort.web.feed import KINDS, Behind, Feed
from beaufort.web.stream import Stream
from web_stage import Stage, connected, stage


class Told(NamedTuple):
    id: str | None
    kind: str
    data: Any


class Reader:
    """Entries of one stream, as they come."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines

    async def next(self, *kinds: str) -> Told:
        """The next one of these kinds. Raises StopAsyncIteration at the end."""
        async with asyncio.timeout(10):
            fields: dict[str, str] = {}
            while True:
                line = await anext(self._lines)
                key, colon, value = line.partition(": ")
                if key and colon:
                    fields[key] = value
                elif not line and "event" in fields:
                    told = Told(fields.get("id"), fields["event"], json.loads(fields["data"]))
                    if not kinds or told.kind in kinds:
                        return told
                    fields = {}

    async def rest(self) -> list[Told]:
        """All that comes until the end."""
        told = []
        try:
            while True:
                told.append(await self.next())
        except StopAsyncIteration:
            return told


@asynccontextmanager
async def reading(played: Stage, last: str | None = None, **query: Any) -> AsyncIterator[Reader]:
    headers = {} if last is None else {"last-event-id": last}
    async with played.client.stream("GET", "/v1/events", params=query, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield Reader(answer.aiter_lines())


@pytest.fixture
async def played() -> AsyncIterator[Stage]:
    async with stage() as played:
        await played.settled(web=1, rest=5)
        yield played


def numbers(told: list[Told]) -> list[int]:
    return [int(each.id.partition("-")[2]) for each in told if each.id is not None]


async def test_what_happens_is_told_as_it_happens(played: Stage) -> None:
    newest = (await played.client.get("/v1/status")).json()["newest_event"]
    async with reading(played, newest) as reader:
        played.controller.push("web", 3)
        action = await reader.next("event")
        assert (action.data["kind"], action.data["service"]) == ("action", "rest")
        decision = await reader.next("decision")
        assert {each["service"]: (each["target"], each["ready"]) for each in decision.data["changes"]} == {
            "web": (1, 2),
            "rest": (3, 0),
        }
        while True:
            states = {each["name"]: each for each in (await reader.next("services")).data["services"]}
            if "web" in states and states["web"]["running"] == 3:
                break
        nodes = await reader.next("nodes")
        assert nodes.data["nodes"][0]["containers"] == {"web": 3, "rest": 3}
        assert (await reader.next("status")).data["reaction"]["running_p50"] > 0


async def test_a_reader_that_comes_back_misses_nothing(played: Stage) -> None:
    async with reading(played, kinds="event") as reader:
        played.controller.report("first", "")
        first = await reader.next("event")
    for number in range(100):
        played.controller.report("meanwhile", str(number))
    async with reading(played, first.id, kinds="event") as reader:
        told = [await reader.next("event") for _ in range(100)]
        assert [each.data["detail"] for each in told] == [str(number) for number in range(100)]
        assert numbers(told) == sorted(set(numbers(told)))


@pytest.mark.parametrize(
    "last",
    [
        pytest.param("0000beef-3", id="of another run"),
        pytest.param("nonsense", id="no id at all"),
        pytest.param("FEED-999999", id="of the time to come"),
        pytest.param("FEED-1", id="gone"),
    ],
)
async def test_an_id_that_is_not_known_is_told_by_a_reset(played: Stage, last: str) -> None:
    feed = played.serving.station.feed
    for number in range(9000):
        feed.publish("event", {"number": number})
    async with reading(played, last.replace("FEED", feed.epoch)) as reader:
        assert (await reader.next()).kind == "reset"
        played.controller.report("afterwards", "")
        assert (await reader.next("event")).data["kind"] == "afterwards"


async def test_without_following_it_ends(played: Stage) -> None:
    async with reading(played, follow="false") as reader:
        told = await reader.rest()
    assert {"started", "sighted"} <= {each.data["kind"] for each in told if each.kind == "event"}
    assert numbers(told) == sorted(numbers(told))
    async with reading(played, follow="false", kinds="decision") as reader:
        assert {each.kind for each in await reader.rest()} == {"decision"}


async def test_a_reader_that_falls_behind_is_dropped_and_told(played: Stage) -> None:
    newest = played.serving.station.feed.newest
    async with reading(played) as reader:
        await played.until(lambda: played.serving.station.feed.readers == 1)
        filler = "x" * 4096
        # It takes nothing while more is told than is kept: the sockets between hold a few megabytes.
        for _ in range(20):
            for _ in range(500):
                played.serving.station.feed.publish("event", {"filler": filler})
            await asyncio.sleep(0)
            await played.client.get("/healthz")
        told = await reader.rest()
    assert told[-1].kind == "dropped"
    assert "too slow" in told[-1].data["reason"]
    assert all(number > newest for number in numbers(told))
    assert played.serving.station.feed.dropped == 1


@pytest.mark.looptime
async def test_a_reader_hears_a_sign_of_life_whatever_others_are_told() -> None:
    feed, sent = Feed(), list[bytes]()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message.get("body", b""))

    async with asyncio.TaskGroup() as tasks:
        waking = tasks.create_task(feed.run())
        reading = tasks.create_task(Stream(feed, {"event"}, None, follow=True)({}, asyncio.Event().wait, send))
        for _ in range(70):
            await asyncio.sleep(1)
            feed.publish("status", {})
        waking.cancel()
        reading.cancel()
    assert sent.count(b": still here\n\n") == 4


async def test_a_reader_that_takes_nothing_is_cut_off(played: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beaufort.web.connection.STALL", 0.2)
    feed = played.serving.station.feed
    with socket.create_connection(("127.0.0.1", played.port)) as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.sendall(b"GET /v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n")
        await played.until(lambda: feed.readers == 1)
        for _ in range(3000):
            feed.publish("event", {"filler": "x" * 4096})
        await played.until(lambda: feed.readers == 0)
    played.controller.push("web", 2)
    await played.settled(web=2)


async def test_the_end_of_the_controller_is_told() -> None:
    async with stage() as played, reading(played) as reader:
        await played.until(lambda: played.serving.station.feed.readers == 1)
        closing = asyncio.get_running_loop().create_task(played.serving.close())
        told = await reader.rest()
        await closing
    assert told[-1].kind == "closing"


async def test_five_hundred_readers_hear_all_of_it(played: Stage) -> None:
    heard: list[list[Any]] = []

    async def listen() -> None:
        mine: list[Any] = []
        heard.append(mine)
        async with connected(played.port) as (reader, writer):
            writer.write(b"GET /v1/events?kinds=event HTTP/1.1\r\nhost: localhost\r\n\r\n")
            while len(mine) < 20:
                line = await reader.readline()
                if line.startswith(b"data: "):
                    mine.append(json.loads(line[6:])["detail"])

    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        for _ in range(500):
            tasks.create_task(listen())
        await played.until(lambda: played.serving.station.feed.readers == 500)
        for number in range(20):
            played.controller.report("told", str(number))
            await asyncio.sleep(0)
    assert heard == [[str(number) for number in range(20)]] * 500


async def test_more_readers_than_there_is_room_for_are_refused(played: Stage) -> None:
    played.serving.station.most_readers = 1
    async with reading(played):
        await played.until(lambda: played.serving.station.feed.readers == 1)
        second = await played.client.get("/v1/events")
        assert (second.status_code, second.headers["retry-after"]) == (503, "10")


def test_a_feed_keeps_what_it_may_and_knows_what_is_gone() -> None:
    feed = Feed(frames=3)
    for number in range(5):
        feed.publish("event" if number % 2 else "status", number)
    looked, frames = feed.after(2, KINDS, 10)
    assert (looked, len(frames)) == (5, 3)
    assert feed.after(2, {"event"}, 10)[1] == [frames[1]]
    assert feed.after(2, KINDS, 1) == (3, frames[:1])
    assert feed.after(5, KINDS, 10) == (5, [])
    with pytest.raises(Behind):
        feed.after(1, KINDS, 10)
    assert feed.place(feed.id) == 5
