"""Priority 2: batch work in small units, counted in ``batch:units``, for as long as there is room for it.

It has no handler for SIGTERM, and so gives its room back at once. The unit that was begun is lost, and not counted.
"""

from __future__ import annotations

import time

from resp import Redis

UNIT = 0.1

redis = Redis()
while True:
    time.sleep(UNIT)  # The work.
    redis("INCR", "batch:units")
