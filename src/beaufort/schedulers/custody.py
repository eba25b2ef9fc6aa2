"""The local scheduler's containers, from their start or adoption until nothing of them is left.

Sees to their ends, wanted or not; keeps what was written of them apart from what is. Decides no counts.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from beaufort.model import Container, ContainerState
from beaufort.schedulers.directory import Directory
from beaufort.schedulers.home import Home, Record
from beaufort.schedulers.process import Identity, Process, Seen, boot, scan

__all__ = ["Custody"]

CLEAR_EVERY = 5.0
"""Seconds between two looks for what has left its group, when there is reason to look."""

WARM_UP = 0.5
"""Seconds that a program which is to be standby may run, to load what it needs, before it is stopped."""


@dataclass(eq=False, slots=True)
class _Held:
    """A container that takes room. Without ``process`` it has ended, and what it left behind is being cleared away.

    ``group`` is the number of its process group, where that is known. ``timer`` is for what is to be done to it next.
    ``left`` is what has been killed, or seen. ``spec``: what standby was made from; ``leaving``: it is being killed.
    """

    home: Home
    process: Process | None = None
    group: int | None = None
    started_at: float = field(default_factory=time.time)
    state: ContainerState = ContainerState.RUNNING
    spec: str = ""
    leaving: bool = False
    timer: asyncio.TimerHandle | None = None
    left: dict[Identity, Process] = field(default_factory=dict)

    @property
    def container(self) -> Container:
        return Container(self.home.id, self.home.service, self.state, self.started_at)

    def wait_no_longer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    @property
    def is_empty(self) -> bool:
        return self.process is None and not self.left


class Custody:
    """Those whose directories are in ``directory``. Sets ``changed`` at every change that was not asked of it."""

    def __init__(self, directory: Directory, changed: asyncio.Event) -> None:
        self.failed: Counter[str] = Counter()
        self.failure: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._directory = directory
        self._changed = changed
        self._held: dict[str, _Held] = {}
        self._scan: asyncio.Future[list[Seen]] | None = None
        self._scan_timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __iter__(self) -> Iterator[Container]:
        return (held.container for held in self._held.values())

    async def adopt(self) -> None:
        """Holds what the Beaufort before left running, goes on stopping what it was stopping, clears away the rest."""
        this_boot = boot()
        found = await self._loop.run_in_executor(None, scan)
        marked = [Home(seen.home) for seen in found if seen.home is not None and self._is_ours(seen.home)]
        for home in dict.fromkeys([*self._directory.homes(), *marked]):
            record = home.read()
            process = None if record is not None and record.boot != this_boot else _leader(home, record, found)
            if process is None:
                self._directory.bury(home)
                continue
            with suppress(OSError):
                if record is None:
                    home.record_again(this_boot, process.identity)
                elif record.process is None:
                    home.record(this_boot, process.identity)
            with suppress(PermissionError):
                self._go_on(home, process, record or Record(this_boot, standby=False))
        self._clear(found)

    def _go_on(self, home: Home, process: Process, record: Record) -> None:
        """With what the Beaufort before has begun."""
        self.hold(home, process, time.time() - process.age, record.spec if record.standby else None)
        if record.standby is False:
            process.signal_group(signal.SIGCONT)  # it may have come no further than to write that down
        if record.stop_by is not None:
            self._signal(self._held[home.id], process, record.stop_by, signalled=record.signalled)

    def hold(self, home: Home, process: Process, started_at: float, spec: str | None = None) -> None:
        """From now on a container that runs, or, with ``spec``, one that will soon be standby."""
        held = self._held[home.id] = _Held(home, process, process.identity.pid, started_at)
        self._loop.add_reader(process.pidfd, self._ended, held, process)
        if spec is None:
            return
        held.spec, held.state = spec, ContainerState.WARMING
        if process.age >= WARM_UP:
            self._freeze(held, process)
        else:
            held.timer = self._loop.call_later(WARM_UP - process.age, self._freeze, held, process)

    def _freeze(self, held: _Held, process: Process) -> None:
        try:
            process.signal_group(signal.SIGSTOP)
            held.state = ContainerState.PAUSED
        except PermissionError as error:
            self.fail(held.home.service, f"could not be stopped to be held ready: {error.strerror}")
            held.state = ContainerState.RUNNING  # which is what it does
        self._changed.set()

    def ready(self, service: str) -> list[tuple[Container, str]]:
        """The standby of the service, with what it was made from, the oldest first; also what is still to be stopped."""
        kept = [held for held in self._held.values() if held.home.service == service and not held.leaving]
        kept = [held for held in kept if held.state in {ContainerState.WARMING, ContainerState.PAUSED}]
        return [(held.container, held.spec) for held in sorted(kept, key=lambda held: held.started_at)]

    def wake(self, container: Container) -> None:
        """From now on it serves. Raises PermissionError."""
        held = self._held[container.id]
        assert held.process is not None, "one that has ended is no standby"
        with suppress(OSError):
            held.home.record_need()
        held.process.signal_group(signal.SIGCONT)
        held.state = ContainerState.RUNNING

    def discard(self, container: Container) -> None:
        """Kills one that has never served. What is stopped keeps its memory and nothing else until it has gone."""
        held = self._held[container.id]
        assert held.process is not None, "one that has ended is no standby"
        held.wait_no_longer()
        with suppress(OSError):
            held.home.record_stop(time.monotonic())
        held.leaving = True
        if held.state is ContainerState.WARMING:
            held.state = ContainerState.STOPPING
        with suppress(PermissionError):
            held.process.signal_group(signal.SIGKILL)

    def fail(self, service: str, words: str) -> None:
        self.failed[service] += 1
        self.failure[service] = words

    def stop(self, container: Container, grace: float) -> None:
        """Asks one that runs to end, and kills it after ``grace`` seconds. Raises PermissionError."""
        held = self._held[container.id]
        assert held.process is not None, "one that has ended is not running"
        self._signal(held, held.process, time.monotonic() + grace, signalled=False)

    def _signal(self, held: _Held, process: Process, stop_by: float, *, signalled: bool) -> None:
        """Written down before and after, so that the next Beaufort knows of it, and signals again only if it must."""
        if not signalled:
            with suppress(OSError):  # a full disk must not keep a container from being stopped
                held.home.record_stop(stop_by)
            process.signal_group(signal.SIGTERM)
            with suppress(OSError):
                held.home.record_signal()
        held.wait_no_longer()
        held.state = ContainerState.STOPPING
        held.timer = self._loop.call_later(stop_by - time.monotonic(), process.signal_group, signal.SIGKILL)

    def _ended(self, held: _Held, process: Process) -> None:
        """The first process has ended: so has the container, once nothing of it is left."""
        self._loop.remove_reader(process.pidfd)
        how = process.finish()
        if held.state is not ContainerState.STOPPING and not held.leaving:
            self.fail(held.home.service, f"{how}; its log is {held.home.log}")
        held.wait_no_longer()
        held.process = None
        held.state = ContainerState.STOPPING
        if process.has_left_some:
            self._look()
        else:
            self._let_go(held)
            self._look_later()
        process.close()
        self._changed.set()

    def _let_go(self, held: _Held) -> None:
        del self._held[held.home.id]
        self._directory.bury(held.home)

    def _look_later(self) -> None:
        """What has left its group is rare: it is looked for some seconds later, for all that ended until then."""
        if self._scan_timer is None:
            self._scan_timer = self._loop.call_later(CLEAR_EVERY, self._look)

    def _look(self) -> None:
        if self._scan is not None:
            return  # _looked sees to those that ended in the meantime
        if self._scan_timer is not None:
            self._scan_timer.cancel()
            self._scan_timer = None
        empty = [held for held in self._held.values() if held.is_empty]
        self._scan = self._loop.run_in_executor(None, scan)
        self._scan.add_done_callback(partial(self._looked, empty))

    def _looked(self, empty: Sequence[_Held], found: asyncio.Future[list[Seen]]) -> None:
        self._scan = None
        if self._closed:
            return
        try:
            self._clear(found.result())
        except OSError:  # out of descriptors, say: what may be left is held until it can be looked at
            self._look_later()
            return
        for held in empty:
            if held.is_empty:
                self._let_go(held)
        if any(held.is_empty for held in self._held.values()):
            self._look()
        self._changed.set()

    def _clear(self, found: Iterable[Seen]) -> None:
        """Kills what carries our mark and belongs to no running container: it is held, as stopping, till it has gone."""
        ended = {held.group: held for held in self._held.values() if held.process is None and held.group is not None}
        for seen in found:
            held = self._owner(seen) or ended.get(seen.group)
            if held is None or held.process is not None or seen.identity in held.left:
                continue
            process = Process.find(seen.identity)
            if process is None:
                continue
            if seen.home is not None:
                process.kill()
            self._held[held.home.id] = held
            held.left[process.identity] = process
            self._loop.add_reader(process.pidfd, self._cleared, held, process)

    def _owner(self, seen: Seen) -> _Held | None:
        """The container that the mark names, if the mark is ours; one that is not held any more is held again."""
        if seen.home is None or not self._is_ours(seen.home):
            return None
        return self._held.get(seen.home.name) or _Held(Home(seen.home), state=ContainerState.STOPPING)

    def _is_ours(self, home: Path) -> bool:
        return home.parent == self._directory.containers

    def _cleared(self, held: _Held, process: Process) -> None:
        self._loop.remove_reader(process.pidfd)
        process.finish()  # an orphan may have become our child
        process.close()
        del held.left[process.identity]
        if held.is_empty:
            self._look()

    async def close(self) -> None:
        """Lets go of everything and stops nothing: the containers stay, for whoever comes next."""
        self._closed = True
        for held in self._held.values():
            held.wait_no_longer()
            for process in filter(None, [held.process, *held.left.values()]):
                self._loop.remove_reader(process.pidfd)
                process.close()
        if self._scan_timer is not None:
            self._scan_timer.cancel()
        if self._scan is not None:
            await asyncio.wait({self._scan})


def _leader(home: Home, record: Record | None, found: Iterable[Seen]) -> Process | None:
    """The first process of a container, if it lives: as it was written down, or else (a kill came between its start and
    its record) the oldest leader of a group that carries its mark.
    """
    marked = [seen.identity for seen in found if seen.leads and seen.home == home.path]
    oldest = min(marked, key=lambda each: (each.earliest, each.pid), default=None)
    identity = oldest if record is None or record.process is None else record.process
    process = None if identity is None else Process.find(identity)
    if process is not None and process.ended:
        process.finish()
        process.close()
        return None
    return process
