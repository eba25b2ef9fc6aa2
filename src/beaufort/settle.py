"""Settling: how the wish of a policy becomes a calm desired count. The one place for it, for all policies.

In this order: idle and activation, tolerance, stabilisation windows, rate limits, the ramp after a silence, and the
service's own min and max. It holds the past of one service, and no more of it than its windows are long.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from operator import ge, le

from beaufort.model import Counts, Desired, Service, Wish

__all__ = ["NEVER", "Settler"]

NEVER = math.inf


class Extreme:
    """The greatest (or least) of the values that were in force at some time in the last ``window`` seconds."""

    __slots__ = ("_dominates", "_entries", "_window")

    def __init__(self, window: float, dominates: Callable[[int, int], bool]) -> None:
        self._window = window
        self._dominates = dominates
        self._entries: deque[tuple[float, int]] = deque()

    def put(self, now: float, value: int) -> None:
        """From ``now`` on it is ``value``. What it was until now counts as seen at ``now`` too."""
        entries = self._entries
        if entries:
            self._append(now, entries[-1][1])
        self._append(now, value)
        while entries[0][0] <= now - self._window:
            entries.popleft()

    def _append(self, now: float, value: int) -> None:
        entries = self._entries
        while entries and self._dominates(value, entries[-1][1]):
            entries.pop()
        entries.append((now, value))

    def until(self) -> float:
        """When the present extreme leaves the window."""
        return self._entries[0][0] + self._window

    @property
    def value(self) -> int:
        return self._entries[0][1]


class Settler:
    """The settling of one service through time. ``wake_at`` is when it would answer otherwise with nothing new."""

    __slots__ = (
        "_active_at",
        "_falls",
        "_highest",
        "_lowest",
        "_ramp",
        "_rises",
        "_service",
        "count",
        "held_back",
        "wake_at",
    )

    def __init__(self, service: Service) -> None:
        self._service = service
        settling = service.settling
        self.count: int | None = None
        self.wake_at = NEVER
        self.held_back = ""
        self._active_at: float | None = None
        self._ramp: tuple[float, int] | None = None
        self._rises = Extreme(settling.window_up, le) if settling.window_up else None
        self._falls = Extreme(settling.window_down, ge) if settling.window_down else None
        self._lowest = Extreme(settling.limit_up.period, le) if settling.limit_up else None
        self._highest = Extreme(settling.limit_down.period, ge) if settling.limit_down else None

    def adopt(self, now: float, count: int) -> None:
        """Begin from ``count`` containers that are found running, as if they had been wanted until now."""
        self.count = count
        self._active_at = now
        for extreme in (self._rises, self._falls, self._lowest, self._highest):
            if extreme is not None:
                extreme.put(now, count)

    def settle(self, now: float, wish: Wish, counts: Counts, demand: float | None) -> Desired:
        """The desired count for a fresh ``wish``. ``demand`` is None for a policy that needs none."""
        self.wake_at, self.held_back = NEVER, ""
        if self.count is None:
            self._remember(now, counts.current)
        base = counts.current if self.count is None else self.count
        count = math.ceil(wish.count - 1e-9)
        if demand is not None:
            count = self._tolerate(wish.count, self._activate(now, demand, count, base), base)
            count = self._stabilise(now, count, base)
            count = self._limit(count, base)
            count = self._ramped(now, count)
        return self._conclude(now, count, wish.reason)

    def silent(self, now: float, counts: Counts, reason: str, *, fallback: bool) -> Desired:
        """The desired count when there is no data: the last wish, or after ``stale_after`` the ``fallback``."""
        self.wake_at, self.held_back = NEVER, ""
        count = counts.current if self.count is None else self.count
        if fallback:
            rule = self._service.settling.fallback
            if rule.count is not None:
                count = max(rule.count, counts.current) if rule.if_higher else rule.count
            self._ramp = (NEVER, self._service.clamp(count))
        return self._conclude(now, count, reason)

    def _activate(self, now: float, demand: float, count: int, base: int) -> int:
        settling = self._service.settling
        if demand > settling.activation:
            self._active_at = now
            return max(count, 1)
        if self._service.min > 0 or base == 0:
            return count if self._service.min > 0 else 0
        idle_until = -math.inf if self._active_at is None else self._active_at + settling.idle
        if now >= idle_until:
            return 0
        if count < 1:
            self._hold(idle_until, f"idle for less than {settling.idle:g} s")
        return max(count, 1)

    def _tolerate(self, exact: float, count: int, base: int) -> int:
        settling = self._service.settling
        if count > base > 0 and exact <= base * (1 + settling.tolerance_up):
            return base
        if 0 < count < base and exact >= base * (1 - settling.tolerance_down) - 1e-9:
            return base
        return count

    def _stabilise(self, now: float, count: int, base: int) -> int:
        if self._rises is not None:
            self._rises.put(now, count)
        if self._falls is not None:
            self._falls.put(now, count)
        if count > base and self._rises is not None and self._rises.value < count:
            lowest = max(base, self._rises.value)
            self._hold(self._rises.until(), "has not wanted more for long enough")
            return lowest
        if count < base and self._falls is not None and self._falls.value > count:
            highest = min(base, self._falls.value)
            window = self._service.settling.window_down
            self._hold(self._falls.until(), f"wanted {self._falls.value} in the last {window:g} s")
            return highest
        return count

    def _limit(self, count: int, base: int) -> int:
        settling = self._service.settling
        if settling.limit_up is not None and self._lowest is not None and count > base:
            low = self._lowest.value
            bound = max(base, low + settling.limit_up.room(low))
            if bound < count:
                self._hold(self._lowest.until(), "rate limit")
                return bound
        if settling.limit_down is not None and self._highest is not None and count < base:
            high = self._highest.value
            bound = min(base, high - settling.limit_down.room(high))
            if bound > count:
                self._hold(self._highest.until(), "rate limit")
                return bound
        return count

    def _ramped(self, now: float, count: int) -> int:
        if self._ramp is None:
            return count
        since, origin = self._ramp
        if since == NEVER:
            self._ramp = (since := now), origin
        ramp = self._service.settling.ramp
        if count == origin or now >= since + ramp:
            self._ramp = None
            return count
        self._hold(min(since + ramp, now + ramp / abs(count - origin)), "data is back: moves there step by step")
        moved = (count - origin) * (now - since) / ramp
        return origin + math.trunc(moved)

    def _hold(self, until: float, why: str) -> None:
        self.wake_at = min(self.wake_at, until)
        self.held_back = why

    def _conclude(self, now: float, count: int, reason: str) -> Desired:
        clamped = self._service.clamp(count)
        self._remember(now, clamped)
        self.count = clamped
        if self.held_back:
            reason = f"{reason}; {self.held_back}"
        if clamped != count:
            bound = "min" if clamped > count else "max"
            reason = f"{reason}; {bound} {clamped}, alone it would be {count}"
        return Desired(self._service.name, clamped, f"wants {clamped}: {reason}")

    def _remember(self, now: float, count: int) -> None:
        if self._lowest is not None:
            self._lowest.put(now, count)
        if self._highest is not None:
            self._highest.put(now, count)
