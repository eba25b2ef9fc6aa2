"""What an operator sets by Marathon's flags, with Marathon's own defaults. Times in seconds."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``task_killing``: Mesos says TASK_KILLING of a task that was told to end (the feature of that name); without it such
    a task runs until it is gone, by all that is told of it.

    ``purges_late``: a forced deployment looks at the instances before the launch queue of the one that it cancels was
    purged. As what waits for an offer goes last, such a rollback ends instances that ran all the time. In Marathon it is a
    race, which may end so.

    ``purges``: what a deployment that is cancelled let wait for an offer waits no more. Versions before the last ones do so.

    ``viable``: a delay is forgotten so long after it has run out. ``shuffle``: events that are no further apart than this
    may change places. ``elect``: how long a follower looks for the leader before it refuses a request.
    """

    launch_tokens: int = 100
    launch_token_refresh: float = 30.0
    per_offer: int = 5
    min_revive: float = 5.0
    decline: float = 120.0
    launch_timeout: float = 300.0
    kill_retry: float = 10.0
    viable: float = 60.0
    scale_apps: float = 300.0
    heartbeat: float = 10.0
    elect: float = 2.5
    task_killing: bool = False
    purges_late: bool = True
    purges: bool = True
    shuffle: float = 0.01
    seed: int = 0
