"""The images on one engine: pulled when a service appears, so that they are there before they are needed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import msgspec

from beaufort.protocols import NoRoom, Rejected, SchedulerError
from beaufort.schedulers.engine.answers import Amount, Image, Progress
from beaufort.schedulers.engine.client import Client, Refusal

__all__ = ["Images", "Registries", "full"]

PATIENCE = 20.0
"""Seconds that a start waits for its image before it gives its place to others."""

SILENCE = 120.0
"""Seconds without a word of progress after which a pull has failed."""

HUB = "https://index.docker.io/v1/"
"""What `docker login` calls Docker's own registry."""

FINAL = ("not found", "manifest unknown", "denied", "unauthorized", "no basic auth credentials", "invalid reference")
"""In the words of a registry: asking again is useless."""


def full(reference: str) -> str:
    """With the tag that is meant where there is neither tag nor digest: without one an engine pulls all tags."""
    last = reference.rpartition("/")[2]
    return reference if ":" in last or "@" in last else f"{reference}:latest"


class Registries:
    """Passwords of registries, in the form in which `docker login` keeps them: the text of a config.json."""

    def __init__(self, text: str) -> None:
        """Raises ValueError if it is not of that form."""
        try:
            config = msgspec.json.decode(text, type=_Config)
            self._auths = {host: _credentials(host, auth) for host, auth in config.auths.items()}
        except (msgspec.MsgspecError, ValueError):
            raise ValueError(
                'expected what "docker login" keeps in config.json, {"auths": {"HOST": {"auth": "..."}}}, '
                "got something else (not shown)"
            ) from None

    def header(self, reference: str) -> dict[str, str]:
        """What an engine is to be told to pull this image."""
        host, slash, _ = reference.partition("/")
        named = slash and ("." in host or ":" in host or host == "localhost")
        found = self._auths.get(host if named else HUB)
        return {} if found is None else {"X-Registry-Auth": found}


class _Auth(msgspec.Struct):
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _Config(msgspec.Struct):
    auths: dict[str, _Auth]


def _credentials(host: str, auth: _Auth) -> str:
    user, _, password = base64.b64decode(auth.auth, validate=True).decode().partition(":")
    words = {"username": user, "password": password, "serveraddress": host}
    words |= {"identitytoken": auth.identitytoken, "registrytoken": auth.registrytoken}
    return base64.urlsafe_b64encode(msgspec.json.encode({k: word for k, word in words.items() if word})).decode()


class _Pull:
    """One image, on its way to the engine or there. ``result`` is None until that is known."""

    def __init__(self, client: Client, reference: str, headers: Mapping[str, str]) -> None:
        self.result: Image | SchedulerError | None = None
        self.done = asyncio.Event()
        self._client = client
        self._reference = reference
        self._headers = headers
        self._layers: dict[str, Amount] = {}

    @property
    def has_failed(self) -> bool:
        return self.done.is_set() and not isinstance(self.result, Image)

    @property
    def progress(self) -> str:
        come = sum(layer.current for layer in self._layers.values())
        total = sum(layer.total for layer in self._layers.values())
        return f"{come / total:.0%} of {total / 1e6:.3g} MB so far" if total else "nothing so far"

    async def run(self) -> None:
        try:
            self.result = await self._look() or await self._pulled()
        except SchedulerError as error:
            self.result = error
        self.done.set()

    async def _look(self) -> Image | None:
        try:
            return await self._client.ask("GET", f"/images/{self._reference}/json", Image)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.NOT_FOUND:
                return None
            raise _failure(refusal, self._reference) from refusal

    async def _pulled(self) -> Image:
        try:
            await self._pull()
        except Refusal as refusal:
            raise _failure(refusal, self._reference) from refusal
        image = await self._look()
        if image is None:
            raise SchedulerError(f"image {self._reference} was pulled, and is not there")
        return image

    async def _pull(self) -> None:
        query = {"fromImage": self._reference}
        pull = self._client.stream(
            "POST", "/images/create", Progress, silence=SILENCE, query=query, headers=self._headers
        )
        async with pull as lines:
            async for line in lines:
                if line.error:
                    raise Refusal(HTTPStatus.OK, line.error)
                if line.amount is not None and line.amount.total:
                    self._layers[line.id] = line.amount


def _failure(refusal: Refusal, reference: str) -> SchedulerError:
    wrong = any(words in refusal.words for words in FINAL) or refusal.status in {400, 401, 403, 404}
    return (Rejected if wrong else SchedulerError)(f"image {reference} can't be had: {refusal.words}")


class Images:
    """Of one engine. Use it only between entering and leaving ``tasks``."""

    def __init__(
        self,
        client: Client,
        tasks: asyncio.TaskGroup,
        registries: Registries | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._client = client
        self._tasks = tasks
        self._registries = registries
        self._patience = patience
        self._pulls: dict[str, _Pull] = {}

    def want(self, references: Iterable[str]) -> None:
        """Begins to pull those that are not there."""
        for reference in references:
            self._pull(reference)

    def forget(self, reference: str) -> None:
        """It is not there any more, though it was."""
        self._pulls.pop(full(reference), None)

    async def ready(self, reference: str) -> Image:
        """The image, once it is there. Raises Rejected in the registry's words, NoRoom while it is being pulled."""
        pull = self._pull(reference)
        try:
            async with asyncio.timeout(self._patience):
                await pull.done.wait()
        except TimeoutError:
            raise NoRoom(f"image {reference} is being pulled: {pull.progress}") from None
        if isinstance(pull.result, Image):
            return pull.result
        assert pull.result is not None
        raise type(pull.result)(str(pull.result)) from pull.result

    def _pull(self, reference: str) -> _Pull:
        reference = full(reference)
        pull = self._pulls.get(reference)
        if pull is None or pull.has_failed:
            headers = {} if self._registries is None else self._registries.header(reference)
            pull = self._pulls[reference] = _Pull(self._client, reference, headers)
            self._tasks.create_task(pull.run(), name=f"image {reference}")
        return pull
