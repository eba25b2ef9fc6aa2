"""Where the masters are: a list of addresses, or the path in ZooKeeper at which they register.

Whoever connects asks anew: a master that leads no more ends its connections by itself.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from beaufort.protocols import Unreachable
from beaufort.quantity import shown

if TYPE_CHECKING:
    from kazoo.client import KazooClient

__all__ = ["Whereabouts", "whereabouts"]

ADDRESS = re.compile(r"(?:https?://)?(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?/?")
ZOOKEEPER = re.compile(r"zk://(?P<hosts>[^/@\s]+)(?P<path>/[^\s]+)")
PORT = 5050
CONNECT = 4.0
"""Seconds for a ZooKeeper to let us in."""


class Info(msgspec.Struct):
    """What a master writes at its node: who it is, in JSON."""

    hostname: str = ""
    port: int = PORT


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Either ``addresses``, or ``hosts`` of a ZooKeeper and the ``path`` there."""

    addresses: tuple[str, ...] = ()
    hosts: str = ""
    path: str = ""
    secure: bool = False

    async def find(self) -> Sequence[str]:
        """The addresses to try, in this order. Raises Unreachable."""
        if self.addresses:
            return self.addresses
        return [await asyncio.to_thread(self._leader)]

    def _leader(self) -> str:
        """The first that has registered and is still there, as Mesos itself has it."""
        from kazoo.client import KazooClient  # noqa: PLC0415 - only where there is a ZooKeeper
        from kazoo.exceptions import KazooException  # noqa: PLC0415
        from kazoo.handlers.threading import KazooTimeoutError  # noqa: PLC0415

        silent = logging.getLogger(f"{__name__}.silent")  # what is wrong is told once, by who asked
        silent.setLevel(logging.CRITICAL)
        client = KazooClient(self.hosts, timeout=CONNECT, read_only=True, logger=silent)
        try:
            client.start(CONNECT)
            return self._read(client)
        except (KazooException, KazooTimeoutError, OSError, msgspec.MsgspecError) as error:
            raise Unreachable(
                f"the leading master can't be found at {self}: {str(error) or type(error).__name__}"
            ) from error
        finally:
            client.stop()
            client.close()

    def _read(self, client: KazooClient) -> str:
        names = [name for name in client.get_children(self.path) if name.startswith("json.info_")]
        if not names:
            raise Unreachable(f"no master leads at {self}")
        data, _ = client.get(f"{self.path}/{min(names, key=lambda name: name.rpartition('_')[2])}")
        info = msgspec.json.decode(data, type=Info)
        return f"http{'s' if self.secure else ''}://{info.hostname}:{info.port}"

    def __str__(self) -> str:
        return f"zk://{self.hosts}{self.path}" if self.hosts else ", ".join(self.addresses)


def whereabouts(written: str | Sequence[str], *, secure: bool) -> Whereabouts:
    """From a configuration. Raises ValueError."""
    several = [written] if isinstance(written, str) else list(written)
    if any("@" in each for each in several):
        raise ValueError("master: expected an address without a name or a password, got one with")
    if len(several) == 1 and (match := ZOOKEEPER.fullmatch(several[0])) is not None:
        return Whereabouts(hosts=match["hosts"], path=match["path"].rstrip("/"), secure=secure)
    for each in several:
        if ADDRESS.fullmatch(each) is None:
            raise ValueError(f"master: expected host:port, a list of these, or zk://host:port/path, got {shown(each)}")
    if not several:
        raise ValueError("master: expected an address, got an empty list")
    return Whereabouts(tuple(_url(each, secure=secure) for each in several))


def _url(address: str, *, secure: bool) -> str:
    scheme, _, rest = address.rpartition("://")
    rest = rest.rstrip("/")
    port = "" if re.search(r":[0-9]+$", rest) else f":{PORT}"
    return f"{scheme or ('https' if secure else 'http')}://{rest}{port}"
