"""The framework's id, on disk: by it the next Beaufort of the deployment is the same framework, and has its tasks."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from beaufort.protocols import SchedulerError

__all__ = ["Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """All methods raise SchedulerError if the file can't be used: without it a restart would not find its tasks."""

    path: Path

    def read(self) -> str | None:
        try:
            return self.path.read_text().strip() or None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SchedulerError(f"the framework's id can't be read from {self.path}: {error}") from error

    def write(self, id_: str) -> None:
        """Returns when it is on the disk, whole."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.path.parent, delete=False) as file:
                file.write(id_ + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(file.name).replace(self.path)
        except OSError as error:
            raise SchedulerError(f"the framework's id can't be written to {self.path}: {error}") from error

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)
