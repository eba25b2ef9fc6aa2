"""What the Engine API answers, as far as anything here looks at it. Unknown fields are ignored, as versions add some."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

__all__ = [
    "Actor",
    "Amount",
    "Created",
    "Event",
    "Image",
    "Info",
    "Inspected",
    "Limits",
    "Listed",
    "Network",
    "Networks",
    "Placed",
    "Progress",
    "Published",
    "Settings",
    "State",
    "Version",
]

Labels = dict[str, str] | None


class Version(Struct, rename="pascal"):
    api_version: Annotated[str, Meta(pattern=r"^\d+\.\d+$")]
    min_api_version: str = msgspec.field(default="1.12", name="MinAPIVersion")


class Info(Struct, rename="pascal"):
    """The machine: ``mem_total`` in bytes."""

    name: str
    mem_total: int
    system_time: datetime
    cores: int = msgspec.field(name="NCPU")
    labels: list[str] | None = None


class Listed(Struct, rename="pascal"):
    """A container in a list. ``created`` is seconds since the epoch; ``status`` is for people, and tells the health."""

    id: str
    state: str
    names: list[str] | None = None
    status: str = ""
    created: int = 0
    labels: Labels = None

    @property
    def name(self) -> str:
        return self.names[0].lstrip("/") if self.names else ""


class Published(Struct, rename="pascal"):
    """A port of a container. ``public_port`` is 0 where it is not published, ``ip`` then empty."""

    private_port: int
    public_port: int = 0
    ip: str = msgspec.field(default="", name="IP")
    type: str = "tcp"


class Network(Struct, rename="pascal"):
    ip_address: str = msgspec.field(default="", name="IPAddress")


class Networks(Struct, rename="pascal"):
    networks: dict[str, Network] = {}


class Placed(Struct, rename="pascal"):
    """A container in a list, as far as it tells where it can be reached."""

    id: str
    ports: list[Published] | None = None
    network_settings: Networks | None = None


class Created(Struct, rename="pascal"):
    id: str


class State(Struct, rename="pascal"):
    exit_code: int = 0
    oom_killed: bool = msgspec.field(default=False, name="OOMKilled")
    error: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class Settings(Struct, rename="pascal"):
    """``stop_signal``: a name or a number. ``healthcheck``: None where there is none."""

    labels: Labels = None
    stop_signal: str | None = None
    stop_timeout: int | None = None
    healthcheck: dict[str, object] | None = None


class Limits(Struct, rename="pascal"):
    """0 is no limit. Memory in bytes, times in microseconds."""

    nano_cpus: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory: int = 0
    memory_reservation: int = 0


class Inspected(Struct, rename="pascal"):
    id: str
    state: State
    config: Settings = msgspec.field(default_factory=Settings)
    host_config: Limits = msgspec.field(default_factory=Limits)


class Image(Struct, rename="pascal"):
    id: str
    config: Settings | None = None


class Actor(Struct, rename="pascal"):
    id: str = msgspec.field(default="", name="ID")
    attributes: dict[str, str] = msgspec.field(default_factory=dict)


class Event(Struct, rename="pascal"):
    """``at``: nanoseconds since the epoch, by the engine's clock."""

    action: str = ""
    actor: Actor = msgspec.field(default_factory=Actor)
    at: int = msgspec.field(default=0, name="timeNano")


class Amount(Struct):
    current: int = 0
    total: int = 0


class Progress(Struct):
    """A line of a pull. ``id`` is the layer's."""

    status: str = ""
    id: str = ""
    amount: Amount | None = msgspec.field(default=None, name="progressDetail")
    error: str = ""
