"""What demos have on an engine, and which of them are over."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from beaufort.protocols import SchedulerError, Unreachable
from beaufort.schedulers.engine.answers import Listed
from beaufort.schedulers.engine.client import Client, Refusal
from beaufort.schedulers.engine.held import SERVICE

__all__ = ["DEMO", "IMAGE_OF", "REPOSITORY", "Remains", "remove", "sweep"]

DEMO = "beaufort.demo"
"""The label of all containers of a demo; its value is the demo's name."""

IMAGE_OF = "beaufort.demo.image"
"""The label of the image that a demo has made. It is another one, as a container has the labels of its image too."""

REPOSITORY = "beaufort-demo"
"""What the image is called; its tag is the demo's name. By other names it is somebody else's."""

BEGINNING = 60.0
"""Seconds within which a demo whose leash does not run yet may be about to start it."""

PATIENCE = 30.0
"""Seconds within which all of a demo has to be gone."""

PAUSE = 0.1
"""Seconds before what an engine would not remove is removed again."""


class _Image(msgspec.Struct, rename="pascal"):
    id: str
    created: int
    labels: dict[str, str] | None = None
    repo_tags: list[str] | None = None

    @property
    def names(self) -> list[str]:
        """By which it is the demo's."""
        return [name for name in self.repo_tags or () if name.rpartition("/")[2].startswith(f"{REPOSITORY}:")]


@dataclass(frozen=True, slots=True)
class Remains:
    """What there is of one demo."""

    containers: list[Listed] = field(default_factory=list)
    images: list[_Image] = field(default_factory=list)

    def is_dead(self, now: float) -> bool:
        """Its leash has ended, or has had the time to start and does not run. ``now``: by the engine's clock."""
        for each in self.containers:
            if SERVICE not in (each.labels or {}) and each.state not in {"created", "removing"}:
                return each.state in {"exited", "dead"}
        made = [*(each.created for each in self.containers), *(each.created for each in self.images)]
        return max(made) < now - BEGINNING


async def sweep(client: Client, now: float) -> None:
    """Removes what there is of demos that are over. What an engine won't remove now is for the next one."""
    for remains in (await _found(client)).values():
        if remains.is_dead(now):
            await _clear(client, remains)


async def remove(client: Client, name: str) -> None:
    """Returns when there is nothing of this demo. Raises SchedulerError."""
    try:
        async with asyncio.timeout(PATIENCE):
            while remains := (await _found(client)).get(name):
                if not await _clear(client, remains):
                    await asyncio.sleep(PAUSE)
    except TimeoutError as error:
        raise SchedulerError(f"the engine did not remove all of the demo in {PATIENCE:g} s") from error


async def _found(client: Client) -> Mapping[str, Remains]:
    """By the names of the demos."""
    found: defaultdict[str, Remains] = defaultdict(Remains)
    query = {"all": "1", "filters": _having(DEMO)}
    for container in await client.ask("GET", "/containers/json", list[Listed], query=query):
        found[(container.labels or {})[DEMO]].containers.append(container)
    for image in await client.ask("GET", "/images/json", list[_Image], query={"filters": _having(IMAGE_OF)}):
        if image.names:
            found[(image.labels or {})[IMAGE_OF]].images.append(image)
    return found


def _having(label: str) -> str:
    return msgspec.json.encode({"label": [label]}).decode()


async def _clear(client: Client, remains: Remains) -> bool:
    """Whether the engine has done all that it was asked for."""
    containers = [f"/containers/{each.id}" for each in remains.containers]
    images = [f"/images/{name}" for each in remains.images for name in each.names]
    return all([*await _delete(client, containers, force="1", v="1"), *await _delete(client, images)])


async def _delete(client: Client, paths: list[str], **query: str) -> list[bool]:
    """All at once, each whether it was done."""
    done: list[bool] = []

    async def delete(path: str) -> None:
        with suppress(Refusal, Unreachable):  # somebody else has removed it, or is about to; or the next list tells
            await client.tell("DELETE", path, query=query)
            done.append(True)

    async with asyncio.TaskGroup() as tasks:
        for path in paths:
            tasks.create_task(delete(path))
    return done + [False] * (len(paths) - len(done))
