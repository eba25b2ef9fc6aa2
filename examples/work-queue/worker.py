"""Priority 1: takes jobs from the list ``jobs``, and notes in ``jobs:waited`` how long each had waited.

A job is ``{"at": when it was queued, "seconds": what it takes}``. SIGTERM never loses one: a job that is begun is
finished, and the wait for the next is broken off by the server, which then has given a job or has not.
"""

from __future__ import annotations

import json
import signal
import time

from resp import Redis


class Worker:
    def __init__(self) -> None:
        self._redis = Redis()
        self._id = str(self._redis("CLIENT", "ID"))
        self._leaving = False

    def leave(self, *_: object) -> None:
        self._leaving = True
        # During a job nobody waits, and this does nothing.
        Redis()("CLIENT", "UNBLOCK", self._id)

    def work(self) -> None:
        while not self._leaving:
            # The limit is for a SIGTERM that comes just before the wait begins.
            if taken := self._redis("BLPOP", "jobs", "1"):
                self._do(json.loads(taken[1]))

    def _do(self, job: dict[str, float]) -> None:
        waited = time.time() - job["at"]
        time.sleep(job["seconds"])  # The work.
        self._redis("RPUSH", "jobs:waited", f"{waited:.6f}")


if __name__ == "__main__":
    worker = Worker()
    signal.signal(signal.SIGTERM, worker.leave)
    worker.work()
