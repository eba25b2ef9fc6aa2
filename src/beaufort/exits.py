"""The exit codes of all commands: 0 good, 1 the answer is no, 2 the input is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

__all__ = ["exit_codes"]


@contextmanager
def exit_codes() -> Iterator[None]:
    """Wrong input is 2, anything else that we can't do is 1; either is said on stderr, one fault a line."""
    from beaufort.protocols import BeaufortError, ConfigError

    try:
        yield
    except ConfigError as error:
        for fault in error.faults:
            typer.echo(fault, err=True)
        raise typer.Exit(2) from error
    except BeaufortError as error:
        typer.echo(f"beaufort: {error}", err=True)
        raise typer.Exit(1) from error
