"""What is shipped has the page in it, and the page needs nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

from beaufort.web.page import STATIC

ROOT = Path(__file__).parent.parent


def test_a_wheel_has_the_page_in_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.iterdir()
    held = {name.removeprefix("beaufort/web/static/") for name in ZipFile(wheel).namelist() if "/static/" in name}
    assert held == {str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in held} == {".html", ".js", ".css", ".svg"}


def test_the_page_names_nothing_from_elsewhere() -> None:
    text = "".join(path.read_text() for path in STATIC.rglob("*") if path.suffix in {".html", ".css"})
    assert "/assets/" in text
    assert re.findall(r"https?://|@import|url\(|style=|<script>", text) == []
