"""`beaufort top`: the services of a running controller in a live table, kept by its stream of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from beaufort.client import Client
from beaufort.follower import followed
from beaufort.wording import amount, counted, figure

__all__ = ["Dashboard", "status_lines"]

FEW = ("demand", "desired", "granted", "running")
COLUMNS = ("priority", *FEW, "starting", "stopping", "standby")

NARROW = 110
"""Columns of a terminal below which there are few in the table, so that there is room for why."""

PIPE = 10_000
"""Columns of what is no terminal: each service is one line there, however long."""


class Dashboard:
    """Asks once, and then only listens."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._status: Any = {}
        self._services: dict[str, Any] = {}
        self._trouble = ""

    def show(self) -> None:
        """Until Ctrl-C; or once, where nobody looks. Raises BeaufortError."""
        console = Console(highlight=False)
        self._load()
        if not console.is_terminal:
            Console(highlight=False, width=PIPE).print(self._picture(PIPE, None))
            return
        with Live(console=console, screen=True, auto_refresh=False) as live:
            live.update(self._picture(console.width, console.height), refresh=True)
            try:
                for told in followed(self._client, "services,status", self._lost, self._status["newest_event"]):
                    self._take(told.kind, told.data)
                    live.update(self._picture(console.width, console.height), refresh=True)
            except KeyboardInterrupt:
                return

    def _load(self) -> None:
        self._status = self._client.get("v1", "status")
        self._services, after = {}, None
        while True:
            page = self._client.get("v1", "services", after=after)
            self._services |= {each["name"]: each for each in page["services"]}
            after = page["next"]
            if after is None:
                return

    def _lost(self, words: str) -> None:
        self._trouble = words

    def _take(self, kind: str, data: Any) -> None:
        self._trouble = ""
        if kind == "status":
            self._status = data
            if data["services"] != len(self._services):
                self._load()
        elif kind == "services":
            self._services |= {each["name"]: each for each in data["services"]}
        elif kind in {"reset", "dropped"}:
            self._load()

    def _picture(self, width: int, height: int | None) -> Group:
        columns = FEW if width < NARROW else COLUMNS
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=height is not None)
        table.add_column("service", no_wrap=True)
        for column in columns:
            table.add_column(column, justify="right", no_wrap=True)
        table.add_column("why", no_wrap=True, overflow="ellipsis", ratio=1)
        head = list(status_lines(self._status))
        rows = sorted(self._services.values(), key=lambda each: (each["priority"], each["name"]))
        room = len(rows) if height is None else max(1, height - len(head) - 5)
        for each in rows[:room]:
            table.add_row(each["name"], *(_cell(each, column) for column in columns), each["reason"])
        trouble = [Text(self._trouble, style="bold red")] if self._trouble else []
        return Group(*(Text(line) for line in head), *trouble, table)


def _cell(service: Mapping[str, Any], column: str) -> str:
    if column == "demand":
        return figure(service["demand"]["value"]) if service["demand"] else "-"
    return "rest" if column == "desired" and service["remainder"] else str(service[column])


def status_lines(status: Mapping[str, Any]) -> Iterator[str]:
    """How a controller does, in a few lines."""
    sight = "" if status["sighted"] else ", BLIND: the scheduler can't be read"
    dry = ", dry run" if status["dry_run"] else ""
    yield f"{status['deployment']}: {counted(status['services'], 'service')}, {counted(status['containers'], 'container')}{dry}{sight}"
    rooms = [
        f"{name} {amount(name, status['held'].get(name, 0.0))} of {amount(name, there)}"
        for name, there in sorted(status["capacity"].items())
    ]
    yield f"room: {', '.join(rooms) or 'not limited'}" + (
        f"; {status['shortfall']} more than it can hold" if status["shortfall"] else ""
    )
    reaction = status["reaction"]
    if reaction["action_p50"] is not None:
        yield f"reaction: {_ms(reaction['action_p50'])} to the call, {_ms(reaction['running_p50'])} until it runs (medians)"
    for each in status["waiting"][:5]:
        yield f"waiting: {each['service']} for {each['missing']}: {each['reason']}"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.1f} ms"
