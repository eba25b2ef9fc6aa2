"""A fixed count, whatever the demand."""

from __future__ import annotations

from typing import ClassVar

from beaufort.model import Wish
from beaufort.protocols import View


class Constant:
    """Always wants ``count`` containers."""

    needs_demand: ClassVar[bool] = False

    def __init__(self, *, count: int) -> None:
        if count < 0:
            raise ValueError(f"count: expected 0 or more, got {count!r}")
        self._wish = Wish(count, "constant")

    def desired(self, view: View) -> Wish:  # noqa: ARG002 - the contract hands it to every policy
        return self._wish
