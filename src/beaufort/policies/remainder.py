"""Whatever the other services leave over."""

from __future__ import annotations

from typing import ClassVar

from beaufort.model import Wish
from beaufort.protocols import View


class Remainder:
    """Takes the room that is left when every other service has what it wants; shares it by weight with its like.

    It never makes another service smaller, and gives way at once.
    """

    needs_demand: ClassVar[bool] = False

    def desired(self, view: View) -> Wish:  # noqa: ARG002 - the contract hands it to every policy
        return _WISH


_WISH = Wish(0, "takes what is left over", remainder=True)
