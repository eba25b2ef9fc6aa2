"""How a container tells that it is busy: what a service says of it, where it is asked, what an answer means. Asks nothing.

A file is looked for by the engine, in the container's own layers and in its volumes. Of what is mounted inside beside
those, a tmpfs above all, the engine sees nothing: it would tell of every container that it is idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from beaufort.quantity import shown
from beaufort.schedulers.engine.answers import Placed, Published

__all__ = ["FOUND", "HTTP", "Door", "address", "door", "faults", "matters"]

FOUND: Mapping[int, bool] = {200: True, 404: False}
"""What the HTTP status says of a file that the engine was asked for."""

HTTP: Mapping[int, bool] = {200: True, 204: False, 404: False}
"""What the HTTP status says that the container itself has answered."""

DOOR = re.compile(r"(?P<port>[0-9]{1,5})(?P<path>/[!-~]*)")
MOUNTED = ("/proc", "/sys", "/dev")
"""What an engine mounts in every container, and does not look into."""

HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Door:
    """A port of a container, and the path that is asked for there."""

    port: int
    path: str


def door(written: str) -> Door | None:
    """From "8080/busy"; None if it is not like that."""
    match = DOOR.fullmatch(written)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        return None
    return Door(int(match["port"]), match["path"])


def faults(file: str | None, http: str | None, host: Any) -> Iterator[str]:
    """What is wrong with ``busy_file`` and ``busy_http``. ``host``: what is passed on verbatim of the HostConfig."""
    if file is not None:
        if not file.startswith("/"):
            yield f"busy_file: expected a path inside the container such as /run/busy, got {shown(file)}"
        for mount in (*MOUNTED, *_tmpfs(host)):
            if file == mount or file.startswith(f"{mount.rstrip('/')}/"):
                yield f"busy_file: expected a place that the engine can look into, which {mount} is not, got {shown(file)}"
    if http is not None and door(http) is None:
        yield f'busy_http: expected a port and a path such as "8080/busy", got {shown(http)}'
    if file is not None and http is not None:
        yield "busy_http: expected nothing here, as busy_file is the way it is told"


def _tmpfs(host: Any) -> Iterator[str]:
    if not isinstance(host, Mapping):
        return
    if isinstance(simple := host.get("Tmpfs"), Mapping):
        yield from map(str, simple)
    if isinstance(mounts := host.get("Mounts"), list | tuple):
        yield from (
            str(each.get("Target")) for each in mounts if isinstance(each, Mapping) and each.get("Type") == "tmpfs"
        )


def matters(surplus: int, starting: int, serving: int, *, drains: bool) -> bool:
    """Whether it makes a difference which of those that serve are busy, when so many are to go: those that start go
    first, and of all that serve there is no choice. ``drains``: it makes one how long a busy one is given.
    """
    going = surplus - starting
    return going > 0 and (drains or going < serving)


def address(placed: Placed, port: int, engine: str | None) -> str | None:
    """Where a port of a container can be reached, as host:port. ``engine``: its host; None if that is this machine.

    From its own machine a container can be reached at its own address; from another one that is seldom so, and a port
    that is published is the better way.
    """
    networks = placed.network_settings.networks if placed.network_settings else {}
    if "host" in networks:
        return _joined(engine or HERE, port)
    own = next((_joined(each.ip_address, port) for each in networks.values() if each.ip_address), None)
    published = next((at for each in placed.ports or () if (at := _published(each, port, engine))), None)
    return own or published if engine is None else published or own


def _published(published: Published, port: int, engine: str | None) -> str | None:
    if published.type != "tcp" or published.private_port != port or not published.public_port:
        return None
    if not published.ip.strip("0.:"):  # at all of the machine's addresses
        return _joined(engine or HERE, published.public_port)
    apart = engine is not None and published.ip.startswith(("127.", "::1"))
    return None if apart else _joined(published.ip, published.public_port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
