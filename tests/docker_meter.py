"""How many containers of a deployment ran at each instant, by the engine's own event log and without our code."""

from __future__ import annotations

import json
import threading
from datetime import datetime
from typing import Any
from urllib.parse import quote

from engine import Connection, Engine

__all__ = ["Meter"]


class Meter:
    """``peak`` is the most that ran at once since ``follow`` was first called; ``log`` has what happened to each.

    Of the containers with a label, which may be a name alone.
    """

    def __init__(self, engine: Engine, label: str = "beaufort.deployment=one") -> None:
        self.peak = 0
        self.log: list[tuple[str, str]] = []
        self._engine = engine
        self._label = label
        self._running: set[str] = set()
        self._thread: threading.Thread | None = None
        self._connection: Connection | None = None

    def follow(self) -> None:
        """To be called at first, and again when the daemon has been started again."""
        self.close()
        since = datetime.fromisoformat(self._engine.ask("GET", "/info")["SystemTime"]).timestamp()
        ours = {"label": [self._label]}
        found = self._engine.ask("GET", f"/containers/json?filters={quote(json.dumps(ours))}")
        self._running = {each["Id"] for each in found if each["State"] == "running"}
        self._connection = Connection(self._engine.socket, timeout=None)
        filters = quote(json.dumps({**ours, "event": ["start", "die", "pause", "unpause"]}))
        self._connection.request("GET", f"/events?filters={filters}&since={since:.6f}")
        events = self._connection.getresponse()
        self._thread = threading.Thread(target=self._read, args=(events,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends what was followed, when the daemon has died or all has been said."""
        if self._connection is not None and self._thread is not None:
            self._connection.hang_up()
            self._thread.join()
            self._connection.close()
            self._connection = None

    def _read(self, events: Any) -> None:
        for line in events:
            event = json.loads(line)
            action, id_ = event["Action"], event["Actor"]["ID"]
            self.log.append((action, id_))
            (self._running.add if action in {"start", "unpause"} else self._running.discard)(id_)
            self.peak = max(self.peak, len(self._running))
