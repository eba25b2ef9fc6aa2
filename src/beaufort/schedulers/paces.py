"""How long starts take, by what they begin from: learnt, to be shown."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from statistics import median

__all__ = ["Paces"]

KEPT = 9
"""The newest starts of each kind, of which the median is taken."""


class Paces:
    """Of one scheduler. A kind is "new", or a kind of standby."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, dict[str, deque[float]]] = defaultdict(dict)

    def took(self, service: str, kind: str, seconds: float) -> None:
        self._seconds[service].setdefault(kind, deque(maxlen=KEPT)).append(seconds)

    def of(self, service: str) -> Mapping[str, float]:
        """Kind -> seconds, of those that are known."""
        known = self._seconds.get(service)
        return {kind: median(seconds) for kind, seconds in known.items()} if known else {}
