"""What launches on engines have in common: how things are written, what is wrong with them, and what is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Protocol

import msgspec

from beaufort.model import Service
from beaufort.quantity import Between, shown

__all__ = [
    "PORT",
    "Health",
    "Port",
    "health",
    "joined",
    "miswritten",
    "too_small",
    "unlike",
    "without_nothing",
    "wrong_words",
]

PORT = re.compile(
    r"(?:(?P<ip>[0-9.]+|\[[0-9a-fA-F:]+\]):(?=[0-9]*:))?(?:(?P<outer>[0-9]*):)?(?P<inner>[0-9]+)(?:/(?P<kind>tcp|udp|sctp))?"
)
VOLUME = re.compile(r"(?:/[^:]*|[A-Za-z0-9][A-Za-z0-9_.-]*):/[^:]*(?::[a-zA-Z,]+)?")
SIGNAL = re.compile(r"[A-Za-z][A-Za-z0-9+-]*|[0-9]{1,2}")
PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
IMAGE = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{PART}(?:/{PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[a-z0-9+.-]+:[0-9a-f]{32,})?"
)
"""See "Repository names" and "Tags" in the specification of image references, distribution/reference."""

LEAST_MEMORY, LEAST_CPU = 6 * 2**20, 0.01
"""Bytes and cores: what an engine accepts at least as a limit."""

Port = Annotated[int, Between(1, 65535)]


class Health(Protocol):
    """What a launch says of how it is known that a container serves."""

    @property
    def health_command(self) -> tuple[str, ...] | str | None: ...
    @property
    def health_interval(self) -> float | None: ...
    @property
    def health_timeout(self) -> float | None: ...
    @property
    def health_retries(self) -> int | None: ...
    @property
    def health_start_period(self) -> float | None: ...


def unlike(pattern: re.Pattern[str], expected: str, written: Mapping[str, str]) -> Iterator[str]:
    for place, text in written.items():
        if pattern.fullmatch(text) is None:
            yield f"{place}: expected {expected}, got {shown(text)}"


def miswritten(image: str | None, volumes: Sequence[str], stop_signal: str | None) -> Iterator[str]:
    """What is wrong with how these are written. Whether there has to be an image is not asked here."""
    if image is not None:
        yield from unlike(IMAGE, "an image such as shop/checkout:1.4 or name@sha256:...", {"image": image})
    volume = '"/on/host:/inside" or "name:/inside", maybe with ":ro"'
    yield from unlike(VOLUME, volume, {f"volumes.{i}": each for i, each in enumerate(volumes)})
    if stop_signal is not None:
        yield from unlike(SIGNAL, "a signal such as SIGQUIT", {"stop_signal": stop_signal})


def too_small(service: Service) -> Iterator[str]:
    cpu, memory = service.resources.get("cpu"), service.resources.get("memory")
    if 0 < cpu < LEAST_CPU:
        yield f"resources.cpu: expected {LEAST_CPU} or more, the least that an engine can limit, got {cpu:g}"
    if 0 < memory < LEAST_MEMORY:
        yield f"resources.memory: expected 6MiB or more, the least that an engine can limit, got {memory:g} bytes"


def wrong_words(key: str, words: Mapping[str, Any], ours: Mapping[str, str]) -> Iterator[str]:
    """The faults of a part that is passed on verbatim. ``ours``: what it may not say, and why, by the path to it."""
    try:
        msgspec.json.encode(words)
    except (TypeError, ValueError) as error:
        yield f"{key}: expected what JSON can say: {error}"
    for path, why in ours.items():
        *outer, last = path.split("/")
        part: Any = words
        for name in outer:
            part = part.get(name) if isinstance(part, Mapping) else None
        if isinstance(part, Mapping) and part.get(last) is not None:
            yield f"{key}.{path.replace('/', '.')}: expected nothing here, as {why}"


def health(launch: Health) -> dict[str, Any] | None:
    """Times in nanoseconds. What is not said is the image's, or the engine's default."""
    command = launch.health_command
    times = {
        "Interval": launch.health_interval,
        "Timeout": launch.health_timeout,
        "StartPeriod": launch.health_start_period,
    }
    return (
        without_nothing(
            {
                "Test": ["CMD-SHELL", command] if isinstance(command, str) else command and ["CMD", *command],
                "Retries": launch.health_retries,
                **{name: seconds and round(seconds * 1e9) for name, seconds in times.items()},
            }
        )
        or None
    )


def without_nothing(mapping: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in mapping.items() if value not in (None, (), [], {}, False, 0)}


def joined(ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Ours with theirs: what both have is joined where it is a mapping, and otherwise theirs."""
    merged = dict(ours)
    for key, value in theirs.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = joined(merged[key], value) if both else value
    return merged
