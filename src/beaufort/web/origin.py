"""Whether a request was meant for this server, and whether a page from elsewhere has made a browser send it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

__all__ = ["foreign", "is_host_known"]


def is_host_known(host: str, names: frozenset[str]) -> bool:
    """A name that we do not know may be anybody's, pointed at our address (DNS rebinding). An address can't be."""
    name = _name(host)
    return name is not None and (name == "localhost" or name in names or _is_address(name))


def foreign(headers: Mapping[bytes, bytes], scheme: str, host: str) -> bool:
    """What a browser says of where a request comes from. Programs that are no browsers say nothing of it."""
    origin = headers.get(b"origin")
    if origin is not None:
        return origin.decode("latin-1").lower() != f"{scheme}://{host}".lower()
    return headers.get(b"sec-fetch-site", b"none") == b"cross-site" and headers.get(b"sec-fetch-mode") != b"navigate"


def _name(host: str) -> str | None:
    try:
        split = urlsplit(f"//{host}")
        _ = split.port
    except ValueError:
        return None
    return split.hostname if split.netloc == host and not split.username else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True
