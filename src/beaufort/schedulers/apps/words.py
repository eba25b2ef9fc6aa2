"""Why what waits in Marathon's launch queue waits, in words. A function of what the queue tells."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from beaufort.schedulers.apps.answers import Queued

__all__ = ["delayed", "unfit"]

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "InsufficientCpus": "too little cpu",
        "InsufficientMemory": "too little memory",
        "InsufficientDisk": "too little disk",
        "InsufficientGpus": "too few gpus",
        "InsufficientPorts": "no free port",
        "UnfulfilledConstraint": "not within its constraints",
        "UnfulfilledRole": "reserved for other roles",
        "NoCorrespondingReservationFound": "no reservation of its own",
        "AgentMaintenance": "about to be taken down",
        "DeclinedScarceResources": "kept for what needs gpus",
        "DomainMismatch": "in another region",
    }
)


def unfit(queued: Queued) -> str:
    """Why no offer did, such as "3 nodes: 2 too little memory, 1 not within its constraints"; "" while that is not known."""
    summary = queued.processed_offers_summary
    steps = [each for each in summary.reject_summary_last_offers if each.declined]
    count = max((each.processed for each in summary.reject_summary_last_offers), default=0)
    if not summary.unused_offers_count or sum(each.declined for each in steps) < count:
        return ""
    told = ", ".join(f"{each.declined} {REASONS.get(each.reason, each.reason)}" for each in steps)
    return f"{count} node{'' if count == 1 else 's'}: {told}" if told else "no offer of the cluster does"


def delayed(queued: Queued, cause: str) -> str:
    """That Marathon waits after failures, and how long; "" where it does not."""
    left = queued.delay.time_left_seconds
    if left <= 0:
        return ""
    return (
        f"Marathon waits {left:.0f} s after failures: {cause}"
        if cause
        else f"Marathon waits {left:.0f} s after failures"
    )
