"""Builds the page when the package is built, also when it is installed in place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PageHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - as hatchling calls it
        subprocess.run([sys.executable, str(Path(self.root) / "web" / "build.py")], check=True)
