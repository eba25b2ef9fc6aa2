"""RecordIO: records on a stream of bytes, each after its length in decimal digits and a newline."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["RecordIO"]

LONGEST_LENGTH = 20
"""Digits of the greatest length that there can be, of 64 bits."""


class RecordIO:
    """Takes the bytes as they come, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The records that are whole now. Raises ValueError if this is no RecordIO."""
        self._rest += piece
        begin = 0
        while (end := self._rest.find(b"\n", begin)) >= 0:
            length = self._rest[begin:end]
            if length and not length.isdigit():
                raise ValueError(f"expected the length of a record, got {length[:LONGEST_LENGTH]!r}")
            stop = end + 1 + int(length or b"0")
            if stop > len(self._rest):
                break
            if record := self._rest[end + 1 : stop]:
                yield record
            begin = stop
        self._rest = self._rest[begin:]
        if b"\n" not in self._rest and len(self._rest) > LONGEST_LENGTH:
            raise ValueError(f"expected the length of a record, got {self._rest[:LONGEST_LENGTH]!r}")
