# ruff: noqa: INP001 - a script, not a package
"""Makes the pictures of the documentation from the program itself, so that they show what it does: `make pictures`."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from rich.console import Console

from beaufort.demo import Demo
from beaufort.scene import Scene
from beaufort.screen import Screen

PICTURES = Path(__file__).parent / "pictures"
SECONDS = 60
SEED = 7
COLUMNS = 80

SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px Menlo, Consolas, "DejaVu Sans Mono", monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own frame fetches its font from the web; this one takes what the reader has."""


def main() -> None:
    _, scene = asyncio.run(Demo(duration=SECONDS, seed=SEED).perform(Console(file=io.StringIO())))
    PICTURES.mkdir(exist_ok=True)
    (PICTURES / "demo.svg").write_text(drawn(scene), encoding="utf-8")


def drawn(scene: Scene) -> str:
    console = Console(width=COLUMNS, file=io.StringIO(), record=True, force_terminal=True, color_system="truecolor")
    console.print(Screen(scene))
    return console.export_svg(title="$ beaufort demo", code_format=SVG, unique_id="demo")


if __name__ == "__main__":
    main()
