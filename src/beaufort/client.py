"""A client of a running controller's API, for the command line. It asks once: who calls decides whether to ask again."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from beaufort.protocols import BeaufortError, ConfigError, Unreachable

__all__ = ["Client", "Told"]

PATIENCE = 10.0
"""Seconds to wait for an answer."""

SILENCE = 45.0
"""Seconds without a word of the stream after which it is taken to be cut: there is a sign of life every 15."""

OURS = frozenset({400, 404, 413, 415, 422})
"""The statuses that say that what was asked for is wrong."""


@dataclass(frozen=True, slots=True)
class Told:
    """One entry of the stream of events. ``id`` is None for what is said to this reader alone."""

    id: str | None
    kind: str
    data: Any


class Client:
    """``url`` is that of the API, such as http://127.0.0.1:8712. Raises ConfigError where it, or ``ca``, can't be one."""

    def __init__(self, url: str, token: str | None = None, ca: Path | None = None) -> None:
        try:
            parts = urlsplit(url)
            good = parts.scheme in {"http", "https"} and parts.hostname and not parts.path.strip("/")
            self._where = parts.hostname or "", parts.port
        except ValueError:
            good = False
        if not good:
            raise ConfigError([f"--url: expected something like http://127.0.0.1:8712, got {url}"])
        self.url = url
        self._headers = {"accept": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            try:
                self._tls = ssl.create_default_context(cafile=ca)
            except OSError as error:
                raise ConfigError([f"--ca: expected a file of certificates in PEM, got {ca}: {error}"]) from error

    def get(self, *path: str, **query: str | float | None) -> Any:
        return self._ask("GET", _target(path, query))

    def send(self, method: str, *path: str, body: Any = None) -> Any:
        """Ask for a change."""
        return self._ask(method, _target(path, {}), None if body is None else json.dumps(body).encode())

    def events(self, last: str | None = None, *, follow: bool = True, kinds: str | None = None) -> Iterator[Told]:
        """What happens, from after the id ``last`` on. Ends, or raises Unreachable, when the stream does."""
        target = _target(("v1", "events"), {"kinds": kinds, "follow": None if follow else "false"})
        headers = {"last-event-id": last} if last else {}
        with self._answered("GET", target, None, headers, SILENCE) as answer, _mapped(self.url):
            yield from _read(answer)

    def _ask(self, method: str, target: str, body: bytes | None = None) -> Any:
        with self._answered(method, target, body, {}, PATIENCE) as answer, _mapped(self.url):
            return json.loads(answer.read())

    @contextmanager
    def _answered(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str], patience: float
    ) -> Iterator[http.client.HTTPResponse]:
        host, port = self._where
        if self._tls is None:
            connection = http.client.HTTPConnection(host, port, timeout=patience)
        else:
            connection = http.client.HTTPSConnection(host, port, timeout=patience, context=self._tls)
        if body is not None:
            headers = {**headers, "content-type": "application/json"}
        try:
            with _mapped(self.url):
                connection.request(method, target, body, {**self._headers, **headers})
                answer = connection.getresponse()
                if answer.status >= 400:
                    raise _problem(answer.status, answer.read())
            yield answer
        finally:
            connection.close()


@contextmanager
def _mapped(url: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise Unreachable(f"{url}: its certificate is not good: {error.verify_message}; see --ca") from error
    except TimeoutError as error:
        raise Unreachable(f"{url}: no answer in time") from error
    except http.client.RemoteDisconnected as error:
        hint = "" if url.startswith("https") else "; where it is served by TLS, the address begins with https"
        raise Unreachable(f"{url}: the connection was closed without an answer{hint}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error) or type(error).__name__
        raise Unreachable(f"{url}: no controller answers there: {said}") from error


def _problem(status: int, body: bytes) -> BeaufortError:
    """The server's words for it."""
    try:
        said = json.loads(body)
        faults, detail = list(said["faults"]), str(said["detail"])
    except (ValueError, KeyError, TypeError):
        faults, detail = [], f"status {status}"
    if status == 401:
        detail += " (a token is taken from BEAUFORT_TOKEN, or from --token-file)"
    return ConfigError(faults or [detail]) if status in OURS else BeaufortError(detail)


def _read(answer: http.client.HTTPResponse) -> Iterator[Told]:
    fields: dict[str, str] = {}
    for line in answer:
        key, colon, value = line.decode().rstrip("\r\n").partition(": ")
        if colon and key:
            fields[key] = value
        elif not key and "event" in fields:
            yield Told(fields.get("id"), fields["event"], json.loads(fields.get("data", "null")))
            fields = {}


def _target(path: tuple[str, ...], query: dict[str, Any]) -> str:
    said = {key: value for key, value in query.items() if value is not None}
    return "/" + "/".join(quote(part, safe="") for part in path) + (f"?{urlencode(said)}" if said else "")
