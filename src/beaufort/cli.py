"""The command line. It parses, calls, and prints. What a command needs is imported in it, so that others start fast."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from beaufort import remote
from beaufort.exits import exit_codes
from beaufort.issuing import token

if TYPE_CHECKING:
    from beaufort.daemon import Attend

__all__ = ["main"]

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Divides the container capacity that you have right now among your services, by priority.",
    epilog="Exit codes: 0 good, 1 the answer is no, 2 the input is wrong.",
)

LOOPBACK = "127.0.0.1:8712"

ConfigFile = Annotated[Path, typer.Argument(metavar="FILE", help="The configuration, in YAML.", show_default=False)]
Listen = Annotated[str, typer.Option(metavar="ADDR", help="Where to serve the API and the page.")]
NoApi = Annotated[bool, typer.Option("--no-api", help="Serve neither the API nor the page.")]
NoPage = Annotated[bool, typer.Option("--no-page", help="Serve the API alone.")]
TokensFile = Annotated[
    Path | None, typer.Option("--tokens", metavar="FILE", help="The file of tokens, if it is not the usual one.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def main() -> None:
    """The entry point of ``beaufort``."""
    app()


@app.command()
def check(file: ConfigFile, as_json: Json = False) -> None:
    """Validate a configuration; every fault at once, each with its place."""
    from beaufort.config import launch_faults, load
    from beaufort.protocols import ConfigError

    try:
        config = load(file)
        faults: tuple[str, ...] = tuple(launch_faults(config))
    except ConfigError as error:
        faults = error.faults
    if as_json:
        typer.echo(json.dumps({"good": not faults, "faults": faults}))
    elif not faults:
        from beaufort.wording import counted

        typer.echo(f"{file}: good ({counted(len(config.scope.services), 'service')})")
    else:
        for fault in faults:
            typer.echo(fault, err=True)
    if faults:
        raise typer.Exit(2)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from beaufort.schema import schema as make

    typer.echo(json.dumps(make(), indent=2))


@app.command()
def plan(
    file: ConfigFile,
    state: Annotated[
        Path | None, typer.Option(metavar="STATE.json", help="The state to plan for; else it is observed once.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what would be done now, and why. Nothing is touched."""
    import asyncio

    from beaufort import dryrun
    from beaufort.config import load
    from beaufort.state import load_state

    with exit_codes():
        config = load(file)
        seen = asyncio.run(dryrun.observe(config)) if state is None else load_state(state, config)
        decision = dryrun.decide(config, seen)
    if as_json:
        typer.echo(json.dumps(dryrun.as_mapping(decision), indent=2))
    else:
        from beaufort.tables import show_plan

        show_plan(config.scope.services, seen.counts, decision)


@app.command()
def run(
    file: ConfigFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Decide and report; touch nothing.")] = False,
    stop_containers: Annotated[
        bool, typer.Option("--stop-containers", help="Stop the containers at the end; else they are left running.")
    ] = False,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Append every step and event to this file, for replay.")
    ] = None,
    listen: Listen = LOOPBACK,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate (PEM), with its chain.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key (PEM).")] = None,
    tokens: TokensFile = None,
    host_name: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A host name under which the API is asked for; repeatable.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let other machines in without TLS or without tokens.")
    ] = False,
    no_api: NoApi = False,
    no_page: NoPage = False,
    traces: Annotated[bool, typer.Option("--traces", help="Send traces by OpenTelemetry (OTLP over HTTP).")] = False,
    as_json: Json = False,
) -> None:
    """Run the controller until SIGTERM or Ctrl-C. SIGHUP, or a changed file, swaps the configuration."""
    from beaufort import daemon
    from beaufort.log import Log

    with exit_codes():
        attend: list[Attend] = []
        if not no_api:
            from beaufort.protocols import ConfigError
            from beaufort.tokens import default_path
            from beaufort.web import Listening, serving

            if tokens is not None and not tokens.exists():
                raise ConfigError([f"--tokens: expected a file of tokens, got {tokens}, which is not there"])
            listening = Listening(
                listen=listen,
                tls_cert=tls_cert,
                tls_key=tls_key,
                tokens=tokens or default_path(),
                names=frozenset(name.lower() for name in host_name or ()),
                insecure=insecure,
                page=not no_page,
            )
            attend.append(serving(listening))
        if traces:
            attend.append(_traces())
        with Log(as_json=as_json) as log:
            daemon.run(
                file,
                dry_run=dry_run,
                stop_containers=stop_containers,
                journal=journal,
                on_event=log.hear,
                attend=attend,
            )


def _traces() -> Attend:
    from beaufort.protocols import ConfigError

    try:
        from beaufort.traces import Traces
    except ImportError as error:
        raise ConfigError(['--traces: its libraries are not installed: pip install "beaufort[otel]"']) from error
    return Traces


@app.command()
def replay(
    file: Annotated[
        Path, typer.Argument(metavar="JOURNAL", help="A file that run --journal wrote.", show_default=False)
    ],
    service: Annotated[str | None, typer.Option(help="Show only the actions of this service.")] = None,
    as_json: Json = False,
) -> None:
    """Make every decision of a journal again, from what was known then. Exit 1 if any comes out otherwise."""
    from beaufort.replay import replay as again
    from beaufort.tables import replayed_lines

    steps = changed = 0
    with exit_codes():
        for step in again(file):
            steps, changed = steps + 1, changed + (not step.same)
            for line in replayed_lines(step, service, as_json=as_json):
                typer.echo(line)
    typer.echo(f"{steps} steps, {changed} decided otherwise now", err=True)
    if changed:
        raise typer.Exit(1)


@app.command()
def demo(
    duration: Annotated[float | None, typer.Option(metavar="S", min=0.1, help="Seconds; else until Ctrl-C.")] = None,
    containers: Annotated[int, typer.Option(metavar="N", min=2, help="Room in the pool.")] = 10,
    seed: Annotated[int, typer.Option(metavar="N", help="Of the random demand.")] = 1,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Demand from a CSV of t_seconds,value instead.")
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="NAME", help="What runs the containers: local, docker, swarm, mesos or marathon.")
    ] = "local",
    url: Annotated[
        str | None,
        typer.Option(
            "--url",
            "--endpoint",
            metavar="URL",
            help="Of the engine, manager, master or Marathon; else as docker has it.",
        ),
    ] = None,
    image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="One with cat and sleep, else one is made of a busybox.")
    ] = None,
    listen: Listen = LOOPBACK,
    no_api: NoApi = False,
    no_page: NoPage = False,
    as_json: Json = False,
) -> None:
    """Show microscaling: two services share a small pool, one of them with random demand."""
    from beaufort.demo import Demo
    from beaufort.stages.stage import choose

    with exit_codes():
        stage = choose(scheduler, {"url": url, "image": image})
        serve = None
        if not no_api:
            from beaufort.protocols import ConfigError
            from beaufort.web import Listening, serving

            listening = Listening(listen=listen, page=not no_page, insecure=True)
            if not listening.host.is_loopback:
                raise ConfigError([f"--listen: expected an address of this machine alone for a demo, got {listen}"])
            serve = serving(listening)
        sys.exit(Demo(stage, containers, duration, seed, trace, as_json, serve).run())


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"beaufort {version('beaufort')}")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None: ...


remote.register(app)
app.add_typer(token, name="token")
