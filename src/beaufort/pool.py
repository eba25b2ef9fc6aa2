"""The pool as arithmetic wants it: the limited dimensions, their totals, and what one container of each service needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from beaufort.model import Node, Resources, Service

__all__ = ["EPSILON", "Amounts", "Flags", "Numbers", "Pool"]

Numbers = NDArray[np.int64]
Amounts = NDArray[np.float64]
Flags = NDArray[np.bool_]

EPSILON = 1e-9
"""The share of an amount that is rounding, not shortage: 10 times 0.1 cores fit in one."""


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Capacity and needs. ``need`` is (services, dimensions), ``total`` is (dimensions,), ``share`` is (services,).

    A quota of a group is a dimension that only its services need. ``share`` is the dominant share of one container:
    the greatest part of any one total that it takes.
    """

    names: tuple[str, ...]
    total: Amounts
    need: Amounts
    share: Amounts

    @classmethod
    def of(cls, services: Sequence[Service], nodes: Sequence[Node], quotas: Mapping[str, Resources]) -> Pool:
        limited = sorted(set.intersection(*(set(node.capacity) for node in nodes))) if nodes else []
        total = [sum(node.capacity[name] for node in nodes) for name in limited]
        columns = [_column(services, name, None) for name in limited]
        names = list(limited)
        for group, quota in quotas.items():
            for name, amount in quota.items():
                names.append(f"{name} of group {group}")
                total.append(amount)
                columns.append(_column(services, name, group))
        need = np.array(columns, dtype=float).T if columns else np.zeros((len(services), 0))
        totals = np.array(total, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.where(need > 0, need / totals, 0.0)
        # The dominant share is of the pool; a quota counts only for a service that uses nothing else that is limited.
        pool = shares[:, : len(limited)].max(axis=1, initial=0.0)
        quota_share = shares[:, len(limited) :].max(axis=1, initial=0.0)
        return cls(tuple(names), totals, need, np.where(pool > 0, pool, quota_share))

    @property
    def room(self) -> Amounts:
        """The totals, with what rounding may add."""
        return np.asarray(self.total + EPSILON * np.maximum(self.total, 1.0))

    def most(self, count: Numbers) -> Numbers:
        """``count``, or what an empty pool could hold of each service alone if that is less."""
        with np.errstate(divide="ignore", invalid="ignore"):
            fit = np.where(self.need > 0, np.floor(self.room / self.need), np.inf).min(axis=1, initial=np.inf)
        return np.asarray(np.minimum(count, fit).astype(np.int64))


def _column(services: Sequence[Service], name: str, group: str | None) -> list[float]:
    return [
        0.0 if group is not None and s.group != group else 1.0 if name == "containers" else s.resources.get(name)
        for s in services
    ]
