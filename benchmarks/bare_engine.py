"""The Engine API as a good script calls it: everything at once, and nothing asked that need not be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from engine import CGROUPS, Engine

__all__ = ["BareEngine", "Freezer"]


class BareEngine:
    def __init__(self, engine: Engine) -> None:
        self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(engine.socket), limit=0))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def start(self, body: Mapping[str, Any], count: int, *, width: int | None = None) -> list[str]:
        """Creates and starts ``count``, so many at once; all of them if nothing is said. Returns their ids."""
        ids: list[str] = []
        left = iter(range(count))

        async def lane() -> None:
            for _ in left:
                ids.append(await self._create(body))
                await self._start(ids[-1])

        async with asyncio.TaskGroup() as tasks:
            for _ in range(width or count):
                tasks.create_task(lane())
        return ids

    async def swap(self, old: Sequence[str], body: Mapping[str, Any]) -> list[str]:
        """Stops them all; creates as many others while they stop; and starts one as each is gone."""
        ids: list[str] = []
        made: asyncio.Queue[str] = asyncio.Queue()

        async def make() -> None:
            made.put_nowait(await self._create(body))

        async def replace(id_: str) -> None:
            await self._post(f"{id_}/stop")
            ids.append(await made.get())
            await self._start(ids[-1])

        async with asyncio.TaskGroup() as tasks:
            for id_ in old:
                tasks.create_task(replace(id_))
            for _ in old:
                tasks.create_task(make())
        return ids

    async def pause(self, ids: Sequence[str]) -> list[str]:
        return await self._each(ids, "pause")

    async def unpause(self, ids: Sequence[str]) -> list[str]:
        return await self._each(ids, "unpause")

    async def _each(self, ids: Sequence[str], verb: str) -> list[str]:
        async with asyncio.TaskGroup() as tasks:
            for id_ in ids:
                tasks.create_task(self._post(f"{id_}/{verb}"))
        return list(ids)

    async def _create(self, body: Mapping[str, Any]) -> str:
        return str(json.loads(await self._post("create", body))["Id"])

    async def _start(self, id_: str) -> None:
        await self._post(f"{id_}/start")

    async def _post(self, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        async with self._session.post(f"http://engine/v1.41/containers/{path}", json=body) as answer:
            text = await answer.read()
            assert answer.status < 400, f"{path}: {answer.status} {text.decode()}"
            return text


class Freezer:
    """The cgroup freezer of some containers: one write for each, past the engine."""

    def __init__(self, ids: Iterable[str]) -> None:
        self._files = [_freezers(id_) for id_ in ids]

    def freeze(self) -> None:
        self._write("1", "FROZEN")

    def thaw(self) -> None:
        self._write("0", "THAWED")

    def thawed(self) -> bool:
        """All run, by whichever freezer there is."""
        return all(file.read_text().strip() in {"0", "THAWED"} for files in self._files for file in files)

    def _write(self, word: str, word_v1: str) -> None:
        for file, *_ in self._files:
            file.write_text(word if file.name == "cgroup.freeze" else word_v1)


def _freezers(id_: str) -> list[Path]:
    found = [file for name in ("cgroup.freeze", "freezer.state") for file in CGROUPS.glob(f"*/*/{id_}/{name}")]
    if not found:
        raise LookupError(f"container {id_[:12]} has no cgroup freezer under {CGROUPS}")
    return found
