"""Plugins as an outsider would write them, for the tests of the registry: every type that an option may have."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from beaufort.model import Sample, Wish
from beaufort.protocols import View
from beaufort.quantity import Above, Bytes, Cores, Seconds, Secret, Share

GIVEN = (
    *("file", "every", "kind", "size", "cpu", "part", "gain", "times"),
    *("strict", "list_", "tags", "words", "span", "rates", "target"),
)


class Gauge:
    """Reads a gauge.

    ``file``: where it is. ``every``: seconds between readings.
    """

    def __init__(
        self,
        *,
        file: Path | None = None,
        every: Annotated[Seconds, Above(0)] = 1.0,
        kind: Literal["water", "steam"] = "water",
        size: Bytes = 0,
        cpu: Cores = 0.0,
        part: Share = 0.0,
        gain: Annotated[float | None, Above(0)] = None,
        times: int = 1,
        strict: bool = False,
        list_: str = "",
        tags: list[str] | None = None,
        words: tuple[str, ...] = (),
        span: tuple[int, float] | None = None,
        rates: Mapping[str, float] | None = None,
        target: Annotated[Seconds | None, Above(0)] | Literal["never"] = "never",
        headers: Mapping[str, Secret] | None = None,
        password: Secret | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if file is not None and file.name == "burst.csv":
            raise FileNotFoundError(2, "No such file or directory", str(file))
        if times > 9:
            raise ValueError(f"times: expected 9 or fewer, got {times}")
        if list_ == "cursed":
            raise ValueError(f"list_: expected another name, got {list_!r}")
        if strict and not tags:
            raise ValueError("expected tags, since it is strict")
        options = locals()
        self.given = {name: options[name] for name in GIVEN}
        self.headers = headers
        self.password = password
        self.clock = clock

    async def samples(self) -> AsyncGenerator[Sample, None]:
        yield Sample(0.0, 0.0)


@dataclass(frozen=True)
class Steady:
    """Always the same. A dataclass is a plugin too."""

    needs_demand: ClassVar[bool] = False
    count: int
    label: str = "steady"

    def desired(self, view: View) -> Wish:
        return Wish(self.count, f"{self.label}, {view.now:g}")


class Bare:
    """No options at all: what is not named can't be given."""

    needs_demand: ClassVar[bool] = False

    def __init__(self, *others: object) -> None:
        self.others = others

    def desired(self, view: View) -> Wish:
        return Wish(0, f"bare, {view.now:g}")
