"""A demo on a Docker Engine."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from beaufort.protocols import SchedulerError
from beaufort.schedulers.docker import HERE
from beaufort.schedulers.engine.answers import Created, Info
from beaufort.schedulers.engine.client import WORK, Address, Client, Refusal
from beaufort.schedulers.engine.images import Images
from beaufort.stages.busybox import build
from beaufort.stages.events import witnessed
from beaufort.stages.remains import DEMO, remove, sweep
from beaufort.stages.stage import Ground

__all__ = ["DockerStage"]

PULL = 600.0
"""Seconds that an image may take to come."""


class DockerStage:
    """The containers are those of a Docker Engine, and wait in an image that is made for them from a busybox here.

    ``url``: the engine's address, unix:///path or tcp://host:port; by default $DOCKER_HOST, or Docker's own socket.
    ``image``: one to use instead, in which there are sleep and cat. It is pulled if it is not there, and stays.
    """

    def __init__(self, *, url: str | None = None, image: str | None = None) -> None:
        self._address = Address(url or os.environ.get("DOCKER_HOST") or HERE)
        self._image = image

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ground]:
        name = f"demo-{secrets.token_hex(4)}"
        async with Client(self._address) as client:
            await client.open()
            async with _cleared(client, name):
                image = self._image or await build(client, name)
                await _had(client, image)
                async with _leash(client, name, image) as leash, witnessed(client, name, await _now(client)) as witness:
                    yield Ground(
                        name, {"type": "docker", "url": self._address.url}, _launch(name, image, leash), witness
                    )


@asynccontextmanager
async def _cleared(client: Client, name: str) -> AsyncIterator[None]:
    """Nothing of demos that are over is there before, and of this one neither after."""
    await sweep(client, await _now(client))
    try:
        yield
    finally:
        try:
            await remove(client, name)
            await sweep(client, await _now(client))  # what an engine was still making for one that has been killed
        except SchedulerError as error:
            raise SchedulerError(f"{error}; what is left of the demo there, the next one removes") from error


async def _now(client: Client) -> float:
    """By the engine's clock."""
    return (await client.ask("GET", "/info", Info)).system_time.timestamp()


async def _had(client: Client, image: str) -> None:
    async with asyncio.TaskGroup() as tasks:
        await Images(client, tasks, patience=PULL).ready(image)


@asynccontextmanager
async def _leash(client: Client, name: str, image: str) -> AsyncIterator[str]:
    """A container that lives until our connection to its standard input ends, which it does however we end.

    The others are in its process namespace: when its process, the first one there, has ended, the kernel ends them.
    """
    body = {
        "Image": image,
        "Entrypoint": ["cat"],
        "Cmd": [],
        "OpenStdin": True,
        "StdinOnce": True,
        "StopSignal": "SIGKILL",
        "Labels": {DEMO: name},
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {"NetworkMode": "none"},
    }
    query = {"name": f"beaufort-{name}"}
    made = await client.ask("POST", "/containers/create", Created, within=WORK, query=query, body=body)
    path = f"/containers/{made.id}"
    held = client.stream("POST", f"{path}/attach", object, silence=None, query={"stream": "1", "stdin": "1"})
    async with held:
        try:
            await client.tell("POST", f"{path}/start")
        except Refusal as refusal:
            raise SchedulerError(f"the demo needs an image with cat and sleep: {image}: {refusal.words}") from refusal
        yield made.id


def _launch(name: str, image: str, leash: str) -> dict[str, object]:
    return {
        "image": image,
        "entrypoint": "sleep",
        "command": ["86400"],
        "networks": ["none"],
        "grace": 1,
        "docker": {
            "Labels": {DEMO: name},
            "Healthcheck": {"Test": ["NONE"]},
            "HostConfig": {"PidMode": f"container:{leash}"},
        },
    }
