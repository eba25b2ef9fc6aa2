"""Allocation: who gets how many containers of a pool that may be too small for all.

Minimums first, in priority order. Then level by level up to the desired counts, fairly inside a level. Then what is
left, to the services that take the remainder. By the totals first (`division`), then by what finds a node (`fitting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from beaufort.claims import Claims
from beaufort.division import Division
from beaufort.fitting import Fitting
from beaufort.placement import Placement
from beaufort.pool import Numbers, Pool
from beaufort.reserve import Reserve
from beaufort.room import Room

__all__ = ["Allocation", "allocate"]


ANEW = 5
"""How many times at most the pool is divided anew: it bounds the time. Once is nearly always enough."""


class Allocation(NamedTuple):
    """The ``granted`` counts; how many of those that are not there yet may start ``at_once``, as far as nodes are
    concerned; and from which nodes those are to go that are made smaller (service -> node -> count), by their indices.
    """

    granted: Numbers
    at_once: Numbers
    off: Mapping[int, Mapping[int, int]]


def allocate(pool: Pool, claims: Claims, room: Room, reserve: Reserve) -> Allocation:
    """Divide the pool. What is to be kept in the ``reserve`` is settled too.

    What stays in the ``room`` breaks ties, so that equals do not swap from step to step, and is what a service in a
    non-preemptible band keeps against the others of the band. What only its own nodes deny to a service is divided anew
    among the others.
    """
    granted = _leave(_divide(pool, claims, room.staying), pool, claims, room, reserve)
    if room.placement is None:
        return Allocation(granted, np.maximum(granted - room.staying, 0), {})
    fitting = _fit(claims, room, room.placement, granted)
    there = np.minimum(room.staying, claims.most)
    for _ in range(ANEW):
        short = room.placement.bound & (fitting.counts < granted)
        if not short.any():
            break
        claims = claims.at_most(np.where(short, np.maximum(fitting.counts, there), claims.most))
        granted = _leave(_divide(pool, claims, room.staying), pool, claims, room, reserve)
        fitting = _fit(claims, room, room.placement, granted)
    return Allocation(_share_the_rest(pool, claims, room, fitting), fitting.at_once, fitting.off)


def _divide(pool: Pool, claims: Claims, held: Numbers) -> Numbers:
    division = Division(pool, claims.weight, claims.priority, held)
    ordinary = claims.ordinary
    division.raise_to(np.minimum(claims.least, claims.most))
    for number, band in enumerate(claims.bands):
        division.raise_to(np.where(claims.priority < band.first, ordinary, 0))
        division.raise_to(np.where(claims.band == number, np.minimum(held, claims.most), 0))
    division.raise_to(ordinary)
    division.raise_to(claims.most)
    return division.counts


def _leave(granted: Numbers, pool: Pool, claims: Claims, room: Room, reserve: Reserve) -> Numbers:
    """Leaves room for what is to be kept ready: whatever takes the remainder goes on, and grows only past that."""
    base = np.where(claims.remainder, np.minimum(granted, np.maximum(room.staying, claims.least)), granted)
    taken = reserve.reckon(base, pool, room)
    if not reserve.is_wanted:
        return granted
    division = Division(pool, claims.weight, claims.priority, room.staying)
    division.give(np.arange(len(base)), base)
    division.free -= taken
    division.raise_to(claims.most)
    return division.counts


def _fit(claims: Claims, room: Room, placement: Placement, granted: Numbers) -> Fitting:
    fitting = Fitting(placement, claims, room, granted)
    fitting.raise_to(np.minimum(claims.least, granted), minimum=True)
    fitting.raise_to(granted)
    return fitting


def _share_the_rest(pool: Pool, claims: Claims, room: Room, fitting: Fitting) -> Numbers:
    """What is there and helps nobody stays; what is free then is for whoever it is large enough for."""
    rest = Division(pool, claims.weight, claims.priority, room.staying)
    rest.give(np.arange(len(fitting.counts)), fitting.counts)
    stays = rest.counts + fitting.spare
    rest.raise_to(np.minimum(stays, claims.ordinary))
    rest.raise_to(stays)
    _fill(claims.ordinary, claims.priority, fitting, rest)
    _fill(claims.most, claims.priority, fitting, rest)
    return rest.counts


def _fill(target: Numbers, priority: Numbers, fitting: Fitting, rest: Division) -> None:
    rising = fitting.open_to(np.flatnonzero(target > rest.counts))
    for level in np.unique(priority[rising]).tolist():
        which = rising[priority[rising] == level]
        while len(which := which[(rest.counts[which] < target[which]) & rest.fits(which)]):
            which = _one_each(rest.in_turn(which), fitting, rest)


def _one_each(which: Numbers, fitting: Fitting, rest: Division) -> Numbers:
    """One more to each that finds room now; returns those that may find more."""
    tried = rest.first_without_room(which, np.ones_like(which))
    served = np.array([service for service in which[:tried].tolist() if fitting.start(service, 1)], dtype=np.int64)
    rest.give(served, np.ones_like(served))
    return np.concatenate((served, which[tried:]))
