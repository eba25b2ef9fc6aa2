"""The picture of a jump up and down: what ran of each priority, by the engine's own event log."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from docker_rig import Rig, runs
from trial import controlled, until

__all__ = ["drawn", "take_picture"]

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "docker.svg"
DEMAND, BEFORE, BETWEEN, AFTER = 8, 0.5, 1.0, 0.5
"""What priority 1 wants in the jump; seconds that are shown before it, between the two, and when all is done."""

COLOURS = {"web": "#c0392b", "batch": "#2874a6"}
NAMES = {"web": "priority 1", "batch": "priority 2"}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 300, 46, 16, 34, 40


async def take_picture(rig: Rig) -> None:
    async with controlled(rig.config) as controller:
        await until(lambda: runs(controller, web=0, batch=rig.count))
        await asyncio.sleep(BEFORE)
        begin = time.time()
        controller.push("web", DEMAND)
        await until(lambda: runs(controller, web=DEMAND, batch=rig.count - DEMAND))
        await asyncio.sleep(BETWEEN)
        down = time.time() - begin
        controller.push("web", 0)
        await until(lambda: runs(controller, web=0, batch=rig.count))
        await asyncio.sleep(AFTER)
        end = time.time() - begin
    levels = [(at, running) for at, running in rig.log.levels(begin, rig.ours) if at < end]
    jumps = {0.0: f"demand 0 → {DEMAND}", down: f"demand {DEMAND} → 0"}
    PICTURE.write_text(drawn(levels, rig.count, jumps, end), encoding="utf-8")


def drawn(
    levels: Sequence[tuple[float, Mapping[str, int]]], capacity: int, jumps: Mapping[float, str], end: float
) -> str:
    """``levels``: how many run of each service from a time on. ``jumps``: what happened, by its time."""

    def x(at: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (at + BEFORE) / (end + BEFORE)

    def y(count: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / (capacity + 1)

    def steps(counts: Sequence[tuple[float, int]]) -> str:
        before = [count for at, count in counts if at < -BEFORE]
        level = before[-1] if before else 0
        path = f"M{LEFT},{y(level):.1f} "
        for at, count in counts[len(before) :]:
            path += f"L{x(at):.1f},{y(level):.1f} L{x(at):.1f},{y(count):.1f} "
            level = count
        return f"{path}L{x(end):.1f},{y(level):.1f}"

    parts = [_line(LEFT, y(count), WIDTH - RIGHT, y(count), "grid") for count in range(0, capacity + 1, 2)]
    parts += [_text(LEFT - 8, y(count) + 4, str(count), "end") for count in range(0, capacity + 1, 2)]
    parts += [_text(x(at), HEIGHT - BOTTOM + 18, f"{at} s") for at in range(int(end) + 1)]
    for at, words in jumps.items():
        parts += [_line(x(at), TOP, x(at), HEIGHT - BOTTOM, "jump"), _text(x(at) + 5, HEIGHT - 6, words, "start")]
    parts += [_line(LEFT, y(capacity), WIDTH - RIGHT, y(capacity), "room")]
    parts += [_text(WIDTH - RIGHT, y(capacity) - 6, f"capacity {capacity}", "end")]
    total = [(at, sum(running.values())) for at, running in levels]
    parts += [f'<path class="total" d="{steps(total)}"/>']
    for place, (service, colour) in enumerate(COLOURS.items()):
        counts = [(at, running.get(service, 0)) for at, running in levels]
        parts += [f'<path d="{steps(counts)}" stroke="{colour}"/>']
        parts += [f'<text x="{LEFT + 110 * place}" y="20" fill="{colour}">{NAMES[service]}</text>']
    parts += [f'<text x="{LEFT + 220}" y="20" fill="#888">both</text>']
    return SVG.format(width=WIDTH, height=HEIGHT, parts="\n".join(parts))


SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
text {{ font: 13px sans-serif; }}
path {{ fill: none; stroke-width: 2.5; }}
.total {{ stroke: #999; stroke-width: 1.5; stroke-dasharray: 5 3; }}
.grid {{ stroke: #ddd; }}
.room {{ stroke: #333; stroke-width: 1.5; }}
.jump {{ stroke: #bbb; stroke-dasharray: 2 3; }}
</style>
<rect width="{width}" height="{height}" fill="#fff"/>
{parts}
</svg>
"""


def _line(left: float, top: float, right: float, bottom: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{left:.1f}" y1="{top:.1f}" x2="{right:.1f}" y2="{bottom:.1f}"/>'


def _text(left: float, top: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}">{words}</text>'
