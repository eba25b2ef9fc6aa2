# ruff: noqa: INP001 - a script, not a package
"""Makes the pictures of the page from a demo that runs, in a real Chromium: `make pictures`."""

from __future__ import annotations

import asyncio
import io
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright, expect
from rich.console import Console

from beaufort.controller import Controller
from beaufort.demo import Demo
from beaufort.stages.local import LocalStage
from beaufort.web import Listening, serving
from beaufort.web.server import Serving

PICTURES = Path(__file__).parent / "pictures"
SEED = 7
SECONDS = 46
"""How long the demo has run when its picture is taken."""

SCREEN: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 810}, "device_scale_factor": 1.5}
PHONE: Mapping[str, Any] = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True}


async def main() -> None:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def serve(controller: Controller, tasks: asyncio.TaskGroup) -> Serving:
        attendant = serving(Listening(listen="127.0.0.1:0"))(controller, tasks)
        address.set_result(attendant.url)
        return attendant

    async with asyncio.TaskGroup() as tasks, async_playwright() as playwright:
        demo = Demo(LocalStage(), duration=SECONDS + 20, seed=SEED, serve=serve)
        tasks.create_task(demo.perform(Console(file=io.StringIO())))
        url = await address
        await asyncio.sleep(SECONDS)
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        await take(browser, url, "page", **SCREEN)
        await take(browser, url, "page-dark", service="checkout", color_scheme="dark", **SCREEN)
        await take(browser, url, "page-phone", **PHONE)
        await browser.close()


async def take(browser: Browser, url: str, name: str, service: str | None = None, **options: Any) -> None:
    page = await browser.new_page(**options)
    await page.goto(url)
    await expect(page.locator("[data-service] dd").last).not_to_be_empty()
    if service is not None:
        await page.get_by_role("button", name=service, exact=True).click()
        await expect(page.get_by_role("dialog").get_by_role("row")).not_to_have_count(0)
        await page.mouse.move(0, 0)
    # What has just been drawn for the first time grows and fades in.
    await page.wait_for_timeout(1500)
    await page.screenshot(path=PICTURES / f"{name}.png")
    await page.close()


if __name__ == "__main__":
    asyncio.run(main())
