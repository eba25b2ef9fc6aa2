"""Server-sent events: from the bytes of a stream to the data of each. See "Server-sent events" in the HTML standard."""

from __future__ import annotations

__all__ = ["Feed"]


class Feed:
    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def take(self, piece: bytes) -> list[bytes]:
        """The data of those events that are complete with this piece."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        found = []
        for line in lines:
            field, _, value = line.rstrip(b"\r").partition(b":")
            if field == b"data":
                self._data.append(value.removeprefix(b" "))
            elif not field and not value and self._data:
                found.append(b"\n".join(self._data))
                self._data = []
        return found
