"""Keeps the nodes of the ledger as a Mesos master has them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from beaufort.protocols import Unreachable
from beaufort.schedulers.apps.capacity import State, capacity
from beaufort.schedulers.apps.ledger import Ledger
from beaufort.schedulers.engine.held import DEPLOYMENT
from beaufort.schedulers.framework.master import Master, Refusal

__all__ = ["Survey"]

EVERY = 2.0
"""Seconds from one look to the next."""


class Survey:
    """``role``: whose resources Marathon uses, beside those that nobody has reserved."""

    def __init__(self, master: Master, ledger: Ledger, role: str) -> None:
        self._master = master
        self._ledger = ledger
        self._role = role

    async def look(self) -> None:
        """Raises Unreachable."""
        try:
            state = await self._master.seek({"type": "GET_STATE"}, State)
        except Refusal as refusal:
            raise Unreachable(f"the master at {self._master.url} can't be read: {refusal}") from refusal
        self._ledger.nodes = capacity(state, self._role, self._is_ours)

    async def look_on(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(EVERY)
            await self.look()
            self._ledger.touch()

    def _is_ours(self, task: str, labels: Mapping[str, str]) -> bool:
        """Marathon gives tasks the labels of their app, and names them after it."""
        app = "/" + task.partition(".")[0].replace("_", "/")
        return labels.get(DEPLOYMENT) == self._ledger.deployment or self._ledger.is_ours(app)
