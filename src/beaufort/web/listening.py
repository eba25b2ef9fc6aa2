"""Where the API is served, and under which protection. What is not safe is refused, unless it is asked for by name."""

from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from beaufort.protocols import BeaufortError, ConfigError

__all__ = ["DEFAULT_PORT", "Listening"]

DEFAULT_PORT = 8712
TRIES = 100
"""How many ports are tried where the first one is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """``listen``: an address, and a port after a colon. ``tls_cert`` and ``tls_key``: files in PEM. ``tokens``: the file
    of tokens. ``names``: host names that are ours. Raises ConfigError for what can't be, or is not safe.
    """

    listen: str = f"127.0.0.1:{DEFAULT_PORT}"
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tokens: Path | None = None
    names: frozenset[str] = frozenset()
    insecure: bool = False
    page: bool = True

    def __post_init__(self) -> None:
        if faults := list(self._faults()):
            raise ConfigError(faults)

    def _faults(self) -> Iterator[str]:
        try:
            host, _ = _split(self.listen)
        except ValueError:
            yield f"--listen: expected an address such as 127.0.0.1:{DEFAULT_PORT} or [::1]:80, got {self.listen}"
            return
        if (self.tls_cert is None) != (self.tls_key is None):
            yield "--tls-cert and --tls-key: expected both, or neither"
        for option, file in (("--tls-cert", self.tls_cert), ("--tls-key", self.tls_key)):
            if file is not None and not file.is_file():
                yield f"{option}: expected a file, got {file}"
        if host.is_loopback or self.insecure:
            return
        if self.tls_cert is None:
            yield f"--listen {self.listen}: other machines can reach it, so --tls-cert and --tls-key are needed"
        if not self.asks:
            yield f"--listen {self.listen}: other machines can reach it, so tokens are needed: beaufort token create"

    @property
    def host(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        return _split(self.listen)[0]

    @property
    def port(self) -> int:
        """The one that is asked for; 0 is any."""
        return _split(self.listen)[1]

    @property
    def asks(self) -> bool:
        """Whether tokens are asked for: where there is a file of them."""
        return self.tokens is not None and self.tokens.exists()

    @property
    def is_open(self) -> bool:
        """Whether other machines can reach it without what would make it safe."""
        return not self.host.is_loopback and (self.tls_cert is None or not self.asks)

    def url(self, port: int) -> str:
        host = f"[{self.host}]" if self.host.version == 6 else str(self.host)
        return f"{'http' if self.tls_cert is None else 'https'}://{host}:{port}"

    def bind(self) -> socket.socket:
        """A socket that listens there; where the port is taken, at the next one that is free. Raises BeaufortError."""
        host, first = self.host, self.port
        for port in range(first, min(first + TRIES, 65536)) if first else (0,):
            family = socket.AF_INET6 if host.version == 6 else socket.AF_INET
            # asyncio sends at once (TCP_NODELAY) only by sockets that say that they are of TCP.
            bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                bound.bind((str(host), port))
                bound.listen(2048)
            except OSError as error:
                bound.close()
                if error.errno != errno.EADDRINUSE:
                    raise BeaufortError(f"--listen {self.listen}: {error.strerror}") from error
            else:
                bound.setblocking(False)
                return bound
        raise BeaufortError(f"--listen {self.listen}: it is taken, and so are the next {TRIES} ports")


def _split(listen: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    """Raises ValueError."""
    parts = urlsplit(f"//{listen}")
    if parts.hostname is None or parts.username is not None or parts.path:
        raise ValueError(listen)
    name = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname
    return ipaddress.ip_address(name), DEFAULT_PORT if parts.port is None else parts.port
