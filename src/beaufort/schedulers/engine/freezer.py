"""Freezes the containers of an engine on this machine through their control groups, past the engine: one write each.

What it can't find or may not write is left to the engine. A container's group is known by its id, so that a group of
that name is the container's, whatever engine of this machine has made it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Freezer"]

ROOT = Path("/sys/fs/cgroup")

SWITCHES = {"cgroup.freeze": (b"1", b"0"), "freezer.state": (b"FROZEN", b"THAWED")}
"""The file of a group, and what is written to freeze and to thaw: of version 2, "cgroup.freeze" in the kernel's
cgroup-v2.rst, and of version 1, freezer-subsystem.rst.
"""

DEEPEST = 4
"""How deep below the root the groups of an engine's containers are looked for: a slice in a slice, or a parent of its own."""


ENOUGH = 3
"""Containers that were not found, after which none is looked for any more: their engine is on another machine."""


class Freezer:
    """The groups are looked for once; from then on those of other containers are found beside the first."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._places: list[str] = []
        self._misses = 0

    def freeze(self, id_: str) -> bool:
        """Whether it could be done."""
        return self._turn(id_, on=True)

    def thaw(self, id_: str) -> bool:
        return self._turn(id_, on=False)

    def is_frozen(self, id_: str) -> bool:
        switch = self._switch(id_)
        try:
            return switch is not None and switch.read_bytes().strip() not in {b"0", b"THAWED"}
        except OSError:
            return False

    def _turn(self, id_: str, *, on: bool) -> bool:
        switch = self._switch(id_)
        if switch is None:
            return False
        try:
            switch.write_bytes(SWITCHES[switch.name][0 if on else 1])
        except OSError:
            return False
        return True

    def _switch(self, id_: str) -> Path | None:
        known = (Path(place.format(id=id_)) for place in self._places)
        switch = next((path for path in known if path.exists()), None)
        if switch is None and self._misses < ENOUGH:
            switch = next((found for found in self._search(id_) if _is_in_use(found)), None)
            if switch is None:
                self._misses += 1
            else:
                self._places.append(str(switch).replace(id_, "{id}"))
        return switch

    def _search(self, id_: str) -> Iterator[Path]:
        for directory, below, _ in os.walk(self._root):
            if directory.count(os.sep) - str(self._root).count(os.sep) >= DEEPEST:
                below.clear()
            for name in below:
                if id_ in name:
                    yield from (path for file in SWITCHES if (path := Path(directory, name, file)).exists())


def _is_in_use(switch: Path) -> bool:
    """Whether the group may be frozen, and holds anything: on a machine with both versions one of two is empty."""
    try:
        return os.access(switch, os.W_OK) and bool((switch.parent / "cgroup.procs").read_text())
    except OSError:
        return False
