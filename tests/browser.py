"""A real Chromium, without a screen, and what a person sees on the page in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from playwright.async_api import Browser, Locator, Page, async_playwright, expect

from beaufort.web.page import STATIC
from servers import require

__all__ = ["browser", "counts", "seen", "strip"]

# Beside other work on two cores, what a person waits for takes longer.
expect.set_options(timeout=10_000)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    assert (STATIC / "index.html").is_file(), "the page is not built: make page"
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=require("chromium"), args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            await chromium.close()


@asynccontextmanager
async def seen(chromium: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """The page, once it is live. In the end it must have asked nobody else, and had nothing to complain of."""
    context = await chromium.new_context(**options)
    page = await context.new_page()
    asked, complaints = list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    await page.goto(url)
    await expect(page.get_by_role("status").filter(has_text=re.compile("^live$"))).to_be_visible()
    yield page
    await context.close()
    assert complaints == []
    assert [each for each in asked if not each.startswith(url)] == []


def strip(page: Page, service: str) -> Locator:
    """What is shown of a service among the others."""
    return page.locator(f"[data-service={service}]")


async def counts(page: Page, service: str) -> dict[str, str]:
    """The figures that are shown of a service."""
    shown = strip(page, service).locator("dl > div")
    pairs = [
        (await each.locator("dt").inner_text(), await each.locator("dd").inner_text()) for each in await shown.all()
    ]
    return dict(pairs)
