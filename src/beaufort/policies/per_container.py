"""Demand divided by what one container should carry."""

from __future__ import annotations

from typing import ClassVar

from beaufort.model import Wish
from beaufort.protocols import View
from beaufort.wording import figure


class PerContainer:
    """Wants demand / ``target`` containers: a rate, or a concurrency, of which each is to carry ``target``.

    With ``average`` the demand is already a mean over the running containers (a utilisation, say), and the wish is
    running * demand / target: the rule of the Kubernetes Horizontal Pod Autoscaler. The rounding up, and the
    tolerance against small moves, are the settling's.
    """

    needs_demand: ClassVar[bool] = True

    def __init__(self, *, target: float, average: bool = False) -> None:
        if not target > 0:
            raise ValueError(f"target: expected a number above 0, got {target!r}")
        self._target = target
        self._average = average

    def desired(self, view: View) -> Wish:
        assert view.latest is not None
        demand = view.latest.value
        if not self._average:
            return Wish(demand / self._target, f"demand {figure(demand)}, {self._target:g} each")
        running = view.counts.running
        if running == 0:
            # Nothing runs, so there is no mean to go by: one container is enough to measure again, once one is wanted.
            return Wish(1 if demand > 0 else view.counts.current, f"none running, mean {figure(demand)}")
        return Wish(
            running * demand / self._target, f"mean {figure(demand)} over {running} running, target {self._target:g}"
        )
