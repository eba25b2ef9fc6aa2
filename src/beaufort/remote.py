"""The commands that talk to a running controller. They ask, and print."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from beaufort.exits import exit_codes

if TYPE_CHECKING:
    from beaufort.client import Client

__all__ = ["register"]

URL = "http://127.0.0.1:8712"

STILL = {"in": "not made smaller", "out": "not made larger", "both": "left as it is"}

Service = Annotated[str, typer.Argument(metavar="SERVICE", show_default=False)]
Url = Annotated[str, typer.Option(envvar="BEAUFORT_URL", metavar="URL", help="Where the controller's API is.")]
TokenFile = Annotated[
    Path | None,
    typer.Option(envvar="BEAUFORT_TOKEN_FILE", metavar="FILE", help="What holds the token; else BEAUFORT_TOKEN does."),
]
Ca = Annotated[Path | None, typer.Option(envvar="BEAUFORT_CA", metavar="FILE", help="Whose certificates are trusted.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def register(app: typer.Typer) -> None:
    for command in (top, status, explain, events, pause, resume, push):
        app.command()(command)


def top(url: Url = URL, token_file: TokenFile = None, ca: Ca = None, as_json: Json = False) -> None:
    """Show the services of a running controller, live. Where nobody looks, once."""
    with exit_codes():
        client = _client(url, token_file, ca)
        if as_json:
            _print(client.get("v1", "status") | {"services": list(_services(client))})
            return
        from beaufort.dashboard import Dashboard

        Dashboard(client).show()


def status(url: Url = URL, token_file: TokenFile = None, ca: Ca = None, as_json: Json = False) -> None:
    """Say how a running controller does: its room, who waits for it, how fast it reacts."""
    with exit_codes():
        said = _client(url, token_file, ca).get("v1", "status")
    if as_json:
        _print(said)
        return
    from beaufort.dashboard import status_lines

    for line in status_lines(said):
        typer.echo(line)


def explain(
    service: Service, url: Url = URL, token_file: TokenFile = None, ca: Ca = None, as_json: Json = False
) -> None:
    """Say why a service has the count that it has: each stage, what bound it, and who lost what to whom."""
    with exit_codes():
        said = _client(url, token_file, ca).get("v1", "services", service, "explain")
    if as_json:
        _print(said)
        return
    typer.echo(said["text"])
    for verb, moves in (("gave", said["gave"]), ("took", said["took"])):
        for move in moves:
            ago = said["at"] - move["at"]
            others = ", ".join(move["with"])
            typer.echo(f"{verb} {move['count']} {'to' if verb == 'gave' else 'from'} {others}, {ago:.0f} s ago")


def events(
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on until Ctrl-C.")] = False,
    service: Annotated[str | None, typer.Option(help="Only those of this service.")] = None,
    url: Url = URL,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Print what has happened and, with -f, what happens."""
    with exit_codes():
        from beaufort.follower import followed

        client = _client(url, token_file, ca)
        told = followed(client, "event", _say) if follow else client.events(follow=False, kinds="event")
        try:
            for each in told:
                if each.kind == "event" and service in (None, each.data["service"]):
                    typer.echo(json.dumps(each.data) if as_json else _line(each.data))
        except KeyboardInterrupt:
            raise typer.Exit from None


def pause(
    service: Service,
    direction: Annotated[
        Literal["in", "out", "both"], typer.Option(help="Not smaller, not larger, or neither.")
    ] = "both",
    seconds: Annotated[
        float | None, typer.Option("--for", metavar="S", min=1, max=1e9, help="Seconds; else until resumed.")
    ] = None,
    url: Url = URL,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Leave a service as it is, in one direction or both."""
    with exit_codes():
        client = _client(url, token_file, ca)
        # The time is the controller's: its clock is the one that ends the pause.
        until = None if seconds is None else client.get("v1", "status")["at"] + seconds
        said = client.send("POST", "v1", "services", service, "pause", body={"direction": direction, "until": until})
    length = "" if seconds is None else f", for {seconds:g} s"
    _answer(said, f"{service} is paused: {STILL[direction]}{length}", as_json)


def resume(
    service: Service, url: Url = URL, token_file: TokenFile = None, ca: Ca = None, as_json: Json = False
) -> None:
    """End the pause of a service."""
    with exit_codes():
        said = _client(url, token_file, ca).send("POST", "v1", "services", service, "resume")
    _answer(said, f"{service} is not paused", as_json)


def push(
    service: Service,
    value: Annotated[float, typer.Argument(metavar="VALUE", show_default=False)],
    url: Url = URL,
    token_file: TokenFile = None,
    ca: Ca = None,
    as_json: Json = False,
) -> None:
    """Tell the demand of a service whose demand is pushed."""
    from beaufort.protocols import ConfigError

    with exit_codes():
        if not 0 <= value < math.inf:
            raise ConfigError([f"VALUE: expected a number of 0 or more, got {value}"])
        said = _client(url, token_file, ca).send("POST", "v1", "demand", body={"service": service, "value": value})
    _answer(said, f"{service}: {value:g}", as_json)


def _client(url: str, token_file: Path | None, ca: Path | None) -> Client:
    from beaufort.client import Client
    from beaufort.protocols import ConfigError

    token = os.environ.get("BEAUFORT_TOKEN")
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([f"--token-file: expected a readable file, got {token_file}"]) from error
    return Client(url, token, ca)


def _services(client: Client) -> Iterator[Any]:
    after = None
    while True:
        page = client.get("v1", "services", after=after)
        yield from page["services"]
        after = page["next"]
        if after is None:
            return


def _line(event: Any) -> str:
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(event["at"], UTC).strftime("%H:%M:%S.%f")[:-3]
    return f"{at} {event['kind']:<12} {event['service'] or '-':<16} {event['detail']}"


def _answer(said: Any, words: str, as_json: bool) -> None:
    if as_json:
        _print(said)
    else:
        typer.echo(words)


def _print(said: Any) -> None:
    typer.echo(json.dumps(said, indent=2))


def _say(words: str) -> None:
    sys.stderr.write(f"beaufort: {words}\n")
