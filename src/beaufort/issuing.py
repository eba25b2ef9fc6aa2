"""The commands for tokens: who may come in, as what, and until when. A running controller sees a change at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from beaufort.exits import exit_codes
from beaufort.roles import Role

__all__ = ["token"]

token = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Create, list and revoke tokens for the API.")

File = Annotated[
    Path | None, typer.Option("--tokens", metavar="FILE", help="The file of tokens, if it is not the usual one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]

DAY = 86400.0


@token.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who gets it; for the log.", show_default=False)],
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.VIEWER,
    service: Annotated[list[str] | None, typer.Option(help="For which a pusher may push; repeatable.")] = None,
    days: Annotated[float | None, typer.Option(metavar="N", min=0, help="Days until it expires; else never.")] = None,
    tokens: File = None,
    as_json: Json = False,
) -> None:
    """Make a token. It is printed once, and can't be shown again."""
    from beaufort.protocols import ConfigError
    from beaufort.tokens import TokenFile, default_path

    with exit_codes():
        if (role is Role.PUSHER) != bool(service):
            raise ConfigError(["--service: expected for the role pusher, and for no other"])
        if not name.isprintable() or not name.strip():
            raise ConfigError(["NAME: expected a name that can be printed"])
        now = time.time()
        made, text = TokenFile(tokens or default_path()).create(
            name, role, now, services=tuple(service or ()), expires=None if days is None else now + days * DAY
        )
    if as_json:
        typer.echo(json.dumps({"id": made.id, "token": text, **_told(made)}))
    else:
        typer.echo(text)


@token.command(name="list")
def list_(tokens: File = None, as_json: Json = False) -> None:
    """List the tokens: their ids, names and roles. What they are can't be shown."""
    from beaufort.tokens import TokenFile, default_path

    with exit_codes():
        found = TokenFile(tokens or default_path()).read()
    if as_json:
        typer.echo(json.dumps([{"id": each.id, **_told(each)} for each in found], indent=2))
        return
    for each in found:
        typer.echo(f"{each.id}  {each.role:<9} {each.name}{_limits(each)}")


@token.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="As list has it.", show_default=False)],
    tokens: File = None,
    as_json: Json = False,
) -> None:
    """Make a token useless, from the next request on."""
    from beaufort.tokens import TokenFile, default_path

    with exit_codes():
        gone = TokenFile(tokens or default_path()).revoke(token_id)
    typer.echo(json.dumps({"id": gone.id, **_told(gone)}) if as_json else f"{gone.id} ({gone.name}) is revoked")


def _told(each: Any) -> dict[str, Any]:
    return {"name": each.name, "role": each.role, "services": list(each.services), "expires": each.expires}


def _limits(each: Any) -> str:
    services = f", for {', '.join(each.services)}" if each.services else ""
    if each.expires is None:
        return services
    left = (each.expires - time.time()) / DAY
    return services + (f", {left:.1f} days left" if left > 0 else ", expired")
