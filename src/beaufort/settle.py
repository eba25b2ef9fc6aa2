"""Settling: how the wish of a policy becomes a calm desired count. The one place for it, for all policies.

In this order: activation, tolerance, stabilisation windows, rate limits, the ramp after a silence, the wait before the
last container goes, and the service's own min and max. It holds the past of one service, and no more of it than its
windows are long.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import ge, le

from beaufort.model import Counts, Desired, Service, Wish

__all__ = ["BOUNDLESS", "NEVER", "Settler"]

NEVER = math.inf

BOUNDLESS = 1 << 40
"""More containers than anything can hold: the maximum of a service that has none."""

ROUNDING = 1e-9
"""The share of a wish that is rounding: 0.3 / 0.1 is three."""


class Extreme:
    """The greatest (or least) of the values that were in force at some time in the last ``window`` seconds."""

    __slots__ = ("_dominates", "_entries", "_window")

    def __init__(self, window: float, dominates: Callable[[int, int], bool]) -> None:
        self._window = window
        self._dominates = dominates
        # When a value was last in force: later ones are further from the extreme.
        self._entries: list[tuple[float, int]] = []

    def put(self, now: float, value: int) -> None:
        """From ``now`` on it is ``value``. What it was until now counts as seen at now too."""
        entries = self._entries
        if entries:
            entries[-1] = now, entries[-1][1]
        while entries and self._dominates(value, entries[-1][1]):
            entries.pop()
        entries.append((now, value))
        # The newest stays, though by rounding a short window may be no time at all.
        while entries[0][0] + self._window <= now and len(entries) > 1:
            del entries[0]

    def until(self, holds: Callable[[int], bool]) -> float:
        """When the first value for which ``holds`` is no longer true becomes the extreme, if nothing changes till then."""
        until = NEVER
        for at, value in self._entries:
            if not holds(value):
                break
            until = at + self._window
        return until

    @property
    def value(self) -> int:
        return self._entries[0][1]


class Settler:
    """The settling of one service through time. ``wake_at`` is when it would answer otherwise with nothing new."""

    __slots__ = (
        "_falls",
        "_highest",
        "_idle_since",
        "_lowest",
        "_ramp",
        "_rises",
        "_service",
        "_why",
        "count",
        "wake_at",
    )

    def __init__(self, service: Service) -> None:
        self._service = service
        settling = service.settling
        self.count: int | None = None
        self.wake_at = NEVER
        self._why = ""
        self._idle_since = -math.inf
        self._ramp: tuple[float, int] | None = None
        self._rises = Extreme(settling.window_up, le) if settling.window_up else None
        self._falls = Extreme(settling.window_down, ge) if settling.window_down else None
        self._lowest = Extreme(settling.limit_up.period, le) if settling.limit_up else None
        self._highest = Extreme(settling.limit_down.period, ge) if settling.limit_down else None

    def adopt(self, now: float, count: int) -> None:
        """Begin from ``count`` containers that are found running, as if they had been wanted until now."""
        self.count = count
        self._idle_since = now
        for extreme in (self._rises, self._falls, self._lowest, self._highest):
            if extreme is not None:
                extreme.put(now, count)

    def settle(self, now: float, wish: Wish, counts: Counts, demand: float | None) -> Desired:
        """The desired count for a fresh ``wish``. ``demand`` is None for a policy that needs none."""
        self.wake_at, self._why = NEVER, ""
        base = counts.current if self.count is None else self.count
        self._remember(now, base)
        count = _whole(wish.count)
        if demand is not None:
            idle_at = -math.inf
            if demand > self._service.settling.activation:
                self._idle_since = NEVER
                count = count or 1
            elif self._service.min == 0:
                count, idle_at = self._idle(now, count, base)
            if count != base:
                count = self._tolerate(wish.count, count, base)
            count = self._stabilise(now, count, base)
            if count != base:
                count = self._limit(count, base)
            if self._ramp is not None:
                count = self._ramped(now, count, base, self._ramp)
            if count == 0 and now < idle_at:
                count = 1
                self._wait(idle_at, f"idle for less than {self._service.settling.idle:g} s")
        return self._conclude(now, count, wish.reason)

    def hold(self, now: float, counts: Counts, reason: str) -> Desired:
        """The desired count when nothing can be told: as before."""
        self.wake_at, self._why = NEVER, ""
        return self._conclude(now, counts.current if self.count is None else self.count, reason)

    def fall_back(self, now: float, counts: Counts, reason: str) -> Desired:
        """The desired count when there has been no data for too long: by the rule of the service's ``fallback``."""
        desired = self.hold(now, counts, reason)
        rule = self._service.settling.fallback
        if rule.count is not None:
            count = max(rule.count, desired.count) if rule.if_higher else rule.count
            desired = self._conclude(now, count, reason)
        self._ramp = NEVER, desired.count
        return desired

    def reset(self) -> None:
        """Nothing is to be settled at present, so nothing is waited for."""
        self.wake_at = NEVER

    def _idle(self, now: float, count: int, base: int) -> tuple[int, float]:
        """The count where demand is at or below activation, and when the last container goes."""
        self._idle_since = min(now, self._idle_since)
        idle_at = self._idle_since + self._service.settling.idle
        if base == 0 or now >= idle_at:
            return 0, now
        self.wake_at = idle_at
        return count, idle_at

    def _tolerate(self, exact: float, count: int, base: int) -> int:
        settling = self._service.settling
        if count > base > 0 and exact <= base * (1 + settling.tolerance_up) * (1 + ROUNDING):
            self._why = f"; {exact:.4g} is within {settling.tolerance_up:.0%} of {base}"
            return base
        if 0 < count < base and exact >= base * (1 - settling.tolerance_down) * (1 - ROUNDING):
            self._why = f"; {exact:.4g} is within {settling.tolerance_down:.0%} of {base}"
            return base
        return count

    def _stabilise(self, now: float, count: int, base: int) -> int:
        rises, falls, settling = self._rises, self._falls, self._service.settling
        if rises is not None:
            rises.put(now, count)
            if count > base and rises.value < count:
                lowest = max(base, rises.value)
                until = rises.until(lambda value: value <= lowest)
                self._wait(until, f"wanted only {rises.value} in the last {settling.window_up:g} s")
                count = lowest
        if falls is not None:
            falls.put(now, count)
            if count < base and falls.value > count:
                highest = min(base, falls.value)
                until = falls.until(lambda value: value >= highest)
                most = self._service.clamp(falls.value)
                cut = f", max {most}" if most < falls.value else ""
                self._wait(until, f"wanted {falls.value} in the last {settling.window_down:g} s{cut}")
                count = highest
        return count

    def _limit(self, count: int, base: int) -> int:
        up, down = self._service.settling.limit_up, self._service.settling.limit_down
        if up is not None and self._lowest is not None and count > base:
            low = self._lowest.value
            highest = max(base, low + up.room(low))
            if highest < self._service.clamp(count):
                until = self._lowest.until(lambda value: value + up.room(value) <= highest)
                self._wait(until, f"at most {up.room(low)} more in {up.period:g} s")
                return highest
        if down is not None and self._highest is not None and count < base:
            high = self._highest.value
            lowest = min(base, high - down.room(high))
            if lowest > self._service.clamp(count):
                until = self._highest.until(lambda value: value - down.room(value) >= lowest)
                self._wait(until, f"at most {down.room(high)} fewer in {down.period:g} s")
                return lowest
        return count

    def _ramped(self, now: float, count: int, base: int, began: tuple[float, int]) -> int:
        """On the way from where the silence ended, as far as the time since then allows; never back."""
        since, origin = min(now, began[0]), began[1]
        self._ramp = since, origin
        ramp, way = self._service.settling.ramp, abs(count - origin)
        if way == 0 or now >= since + ramp:
            self._ramp = None
            return count
        pace = ramp / way
        steps = int((now - since) / pace)
        steps += since + (steps + 1) * pace <= now
        up, down = max(base, min(origin + steps, count)), min(base, max(origin - steps, count))
        reached = up if count > base else down
        if reached != count:
            next_step = since + (abs(reached - origin) + 1) * pace
            self._wait(min(since + ramp, next_step), f"data is back: to {count} within {ramp:g} s")
        return reached

    def _wait(self, until: float, why: str) -> None:
        self.wake_at = min(self.wake_at, until)
        self._why = f"{self._why}; {why}"

    def _conclude(self, now: float, count: int, reason: str) -> Desired:
        clamped = self.count = self._service.clamp(count)
        self._remember(now, clamped)
        if clamped != count:
            self._why = f"{self._why}; {'min' if clamped > count else 'max'} {clamped} instead of {count}"
        return Desired(self._service.name, clamped, f"wants {clamped}: {reason}{self._why}")

    def _remember(self, now: float, count: int) -> None:
        if self._lowest is not None:
            self._lowest.put(now, count)
        if self._highest is not None:
            self._highest.put(now, count)


def _whole(wish: float) -> int:
    """As many containers as carry the wish."""
    return min(max(0, math.ceil(wish * (1 - ROUNDING) - ROUNDING)), BOUNDLESS)
