"""The certificate that is served: taken in anew when its files change, so that a new one needs no restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

__all__ = ["EVERY", "Certificate"]

EVERY = 5.0
"""Seconds between two looks at the files."""

Stamp = tuple[tuple[int, int], ...]


class Certificate:
    """The files of one, in PEM, and the context that serves it to every connection to come. ``report``: kind, detail."""

    def __init__(self, cert: Path, key: Path, context: ssl.SSLContext, report: Callable[[str, str], None]) -> None:
        self._files = (cert, key)
        self._context = context
        self._report = report
        self._seen = self._stamp()

    async def follow(self) -> None:
        """Look at the files for ever."""
        while True:
            await asyncio.sleep(EVERY)
            stamp = self._stamp()
            if stamp is not None and stamp != self._seen:
                self._seen = stamp
                self._take()

    def _take(self) -> None:
        """A pair that does not fit, such as one of which only one file has been written yet, changes nothing."""
        try:
            # Without a password, a key that has one would be asked for on the terminal.
            for context in (ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), self._context):
                context.load_cert_chain(*self._files, password="")
        except OSError as error:
            self._report("certificate-refused", f"{error.strerror or error}; the certificate before is served on")
        else:
            self._report("certificate", "a new one is served")

    def _stamp(self) -> Stamp | None:
        """None while one is not there."""
        try:
            stats = [file.stat() for file in self._files]
        except OSError:
            return None
        return tuple((each.st_mtime_ns, each.st_ino) for each in stats)
