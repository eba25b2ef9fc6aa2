"""``beaufort demo``: the whole idea in one command. Two services share a small pool; the demand of the first goes up and
down, and the second has what is left. Nothing of it outlives the command. What they run on is the stage's to know.
"""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live

from beaufort import clock
from beaufort.config import Config, launch_faults, load
from beaufort.controller import Controller
from beaufort.daemon import Attendant
from beaufort.journal import Given, Journal
from beaufort.meter import Meter
from beaufort.model import Decision, Event
from beaufort.protocols import BeaufortError, ConfigError, SchedulerError
from beaufort.scene import Scene, look
from beaufort.screen import Screen
from beaufort.stages.stage import Ground, Stage, Witness
from beaufort.summary import Summary

__all__ = ["Demo", "Diary"]

CALM = 0.1
"""Seconds from a step to the picture of it: by then its containers have been started, which comes first."""

STILL = 1.0
"""Seconds after which the picture is drawn anew with nothing new: time goes on in it."""


class Served(Attendant, Protocol):
    """A demo that can be looked at, at ``url``."""

    @property
    def url(self) -> str: ...


Serve = Callable[[Controller, asyncio.TaskGroup], Served]


@dataclass(frozen=True, slots=True)
class Demo:
    """What the command line asks for. Raises ConfigError for what can't be.

    ``stage``: where its containers run. ``containers``: the room, 2 or more. ``duration``: seconds; None is until SIGINT,
    SIGTERM or SIGHUP. ``seed``: of the random demand. ``trace``: a CSV of ``t_seconds,value`` to take the demand from
    instead. ``as_json``: print one JSON object, and everything else on stderr. ``serve``: what lets it be looked at.
    """

    stage: Stage
    containers: int = 10
    duration: float | None = None
    seed: int = 1
    trace: Path | None = None
    as_json: bool = False
    serve: Serve | None = None

    def __post_init__(self) -> None:
        faults = []
        if self.containers < 2:
            faults.append(f"containers: expected 2 or more, one for each service, got {self.containers}")
        if self.duration is not None and not (math.isfinite(self.duration) and self.duration > 0):
            faults.append(f"duration: expected seconds above 0, got {self.duration:g}")
        if faults:
            raise ConfigError(faults)

    def run(self) -> int:
        """Run it, show it, clean up, and print the summary. Returns the exit code.

        Raises ConfigError for a bad trace, SchedulerError if containers can't be started there.
        """
        console = Console(stderr=self.as_json, highlight=False, markup=False, emoji=False)
        summary, last = asyncio.run(self.perform(console))
        if self.as_json:
            sys.stdout.write(summary.as_json() + "\n")
        else:
            if _is_live(console):
                console.print(Screen(last))
            console.print(summary.in_words(), soft_wrap=True)
        return 0

    async def perform(self, console: Console) -> tuple[Summary, Scene]:
        """Run it and show it on the console. Returns when everything of it is gone, with what was there at the end."""
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup(1) is to be heeded
                asyncio.get_running_loop().add_signal_handler(number, over.set)
        try:
            return await self._play(over, console)
        except* BeaufortError as errors:
            failed = _first(errors)
        raise failed

    async def _play(self, over: asyncio.Event, console: Console) -> tuple[Summary, Scene]:
        async with asyncio.TaskGroup() as tasks:
            impatience = tasks.create_task(_give_up(over))
            async with self.stage.opened() as ground:
                impatience.cancel()
                show = _Show(self, self._config(ground), ground.witness)
                await show.go_on(over, console)
        return show.summary(), show.last

    def _config(self, ground: Ground) -> Config:
        config = load(self._mapping(ground))
        if faults := launch_faults(config):
            raise ConfigError(faults)
        return config

    def _mapping(self, ground: Ground) -> Mapping[str, Any]:
        most = self.containers - 1
        demand = (
            {"type": "random", "seed": self.seed, "low": 0, "high": most, "every": 0.5, "step": most / 4}
            if self.trace is None
            else {"type": "trace", "file": str(self.trace)}
        )
        return {
            "deployment": ground.deployment,
            "scheduler": ground.scheduler,
            "capacity": {"containers": self.containers},
            "services": {
                "checkout": {
                    "priority": 1,
                    "min": 1,
                    "max": most,
                    **ground.launch,
                    "demand": demand,
                    "policy": {"type": "per-container", "target": 1},
                    "settle": {"tolerance": 0, "window": {"down": 1}},
                },
                "reports": {"priority": 2, "min": 1, **ground.launch, "policy": {"type": "remainder"}},
            },
        }


class Diary(Journal):
    """A journal that tells of its steps, too."""

    def __init__(self, told: Callable[[Given, Decision], None]) -> None:
        super().__init__()
        self._told = told

    def stepped(self, given: Given, decision: Decision) -> None:
        super().stepped(given, decision)
        self._told(given, decision)


class _Show:
    """One demonstration, from its first container to its last."""

    def __init__(self, demo: Demo, config: Config, witness: Witness) -> None:
        self._demo = demo
        self._witness = witness
        self._meter = Meter(config.services, demo.containers)
        self._controller = Controller(config, journal=Diary(self._stepped))
        self._news = asyncio.Event()
        self._began = clock.now()
        self._ended = math.nan
        self._stops = 0
        self._refused = ""
        self._hint = "Ctrl-C ends it"
        self.last = self._scene()

    async def go_on(self, over: asyncio.Event, console: Console) -> None:
        """Until it is over: by the event, or by its duration. Then its containers are gone."""
        if not _is_live(console):
            self._controller.journal.listen(lambda event: self._tell(event, console))
        try:
            async with asyncio.TaskGroup() as tasks:
                others = [tasks.create_task(self._end(over))]
                if _is_live(console):
                    others.append(tasks.create_task(self._draw(console)))
                served = None if self._demo.serve is None else self._demo.serve(self._controller, tasks)
                if served is not None:
                    self._hint += f" · {served.url}"
                try:
                    await self._controller.run()
                finally:
                    for task in others:
                        task.cancel()
                    if served is not None:
                        await served.close()
        except* SchedulerError as errors:
            self._refused = str(_first(errors))
        if self._refused:
            raise SchedulerError(f"the demo can't run its containers here: {self._refused}")

    def _stepped(self, given: Given, decision: Decision) -> None:
        self._meter.take(given, decision)
        self._news.set()
        errors = [outcome.detail for outcome in given.outcomes if outcome.error is not None]
        if errors and not self._refused:
            self._refused = errors[0]
            self._controller.stop(containers=True)

    async def _end(self, over: asyncio.Event) -> None:
        await self._news.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._demo.duration):
                await over.wait()
        self._ended = clock.now()
        self._stops = self._witness.ended
        self.last = replace(self._scene(), hint="")
        self._controller.stop(containers=True)

    async def _draw(self, console: Console) -> None:
        with Live(
            console=console,
            screen=True,
            auto_refresh=False,
            get_renderable=lambda: Screen(self._scene(), console.height),
        ) as live:
            while True:
                live.refresh()
                with suppress(TimeoutError):
                    async with asyncio.timeout(STILL):
                        await self._news.wait()
                await asyncio.sleep(CALM)
                self._news.clear()

    def _scene(self) -> Scene:
        now = clock.now()
        return Scene(
            title="beaufort demo",
            began=self._began,
            now=now,
            capacity=self._demo.containers,
            lanes=look(self._controller, self._meter),
            figures=self._meter.figures(now),
            events=tuple(self._controller.journal.events),
            hint=self._hint,
        )

    def _tell(self, event: Event, console: Console) -> None:
        line = f"{event.at - self._began:7.1f} s  {event.service or event.kind:<8}  {event.detail}"
        console.print(line, soft_wrap=True)

    def summary(self) -> Summary:
        """What it came to, until it was over."""
        figures = self._meter.figures(self._ended)
        return Summary.of(figures, max_held=self._witness.most, starts=self._witness.started, stops=self._stops)


async def _give_up(over: asyncio.Event) -> None:
    await over.wait()
    raise BeaufortError("the demo was ended before it began; nothing of it is left")


def _first(errors: BaseExceptionGroup[BeaufortError]) -> BeaufortError:
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


def _is_live(console: Console) -> bool:
    """Whether a picture can be drawn there. Else the decisions are told line by line."""
    return console.file.isatty() and not console.is_dumb_terminal and console.encoding.lower().startswith("utf")
