"""What is shipped has the page in it, and the page needs nothing from elsewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

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


@pytest.mark.parametrize(
    ("required", "code"),
    [pytest.param("", 0, id="goes on"), pytest.param("all", 1, id="is an error where all is required")],
)
def test_a_page_that_can_not_be_built_is_said(tmp_path: Path, required: str, code: int) -> None:
    shutil.copytree(ROOT / "web", tmp_path / "web", ignore=shutil.ignore_patterns("node_modules"))
    nowhere = {"npm_config_registry": "http://127.0.0.1:9/", "npm_config_cache": str(tmp_path)}
    built = subprocess.run(
        [sys.executable, tmp_path / "web" / "build.py"],
        env={**os.environ, **nowhere, "BEAUFORT_REQUIRE": required},
        check=False,
        capture_output=True,
        text=True,
    )
    assert built.returncode == code
    assert "The page is not built, and Beaufort will be without it" in built.stderr
