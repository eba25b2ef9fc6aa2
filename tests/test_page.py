"""The page, as a person sees it in a real Chromium."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from beaufort.roles import Role
from browser import browser, counts, seen, strip
from demo_run import begun, told
from servers import free_port
from web_stage import CONFIG, Stage, stage, token

pytestmark = pytest.mark.asyncio(loop_scope="module")

CELL = """([x, y]) => {
  const canvas = document.querySelector('.board canvas:not(.ground)');
  const ratio = canvas.width / canvas.clientWidth;
  return [...canvas.getContext('2d').getImageData(x * ratio, y * ratio, 1, 1).data];
}"""
"""The colour of one point of the board, which is a picture."""

CONTRASTS = """() => {
  const colour = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = parts => parts.slice(0, 3)
    .map(part => part / 255).map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = element => {
    for (let each = element; each; each = each.parentElement) {
      const parts = colour(getComputedStyle(each).backgroundColor);
      if ((parts[3] ?? 1) === 1) return parts;
    }
    return [255, 255, 255];
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    if (!text || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    let opacity = 1;
    for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
    const below = ground(element);
    const ink = colour(getComputedStyle(element).color).map((part, index) => part * opacity + below[index] * (1 - opacity));
    const [one, other] = [light(ink), light(below)];
    found.push([text, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]);
  }
  return found;
}"""
"""Every text that is shown, and how much its colour differs in light from what is below it."""

READABLE = 4.5
"""What WCAG 2.2 asks for (1.4.3, level AA)."""

ORANGE, BLUE = [230, 159, 0, 255], [86, 180, 233, 255]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def played() -> AsyncIterator[Stage]:
    async with stage() as running:
        await running.settled(web=1, rest=5)
        yield running


def push(played: Stage, demand: float) -> None:
    played.controller.push("web", demand)


async def cells(page: Page, count: int) -> list[list[int]]:
    """What is in the middle of each of the first cells, which are 84 pixels wide where there is room, and 7 apart."""
    return [await page.evaluate(CELL, [42 + 91 * number, 42]) for number in range(count)]


async def test_a_demo_is_shown_live(chromium: Browser) -> None:
    async with begun("--listen", "127.0.0.1:0", "--seed", "7") as demo:
        url = (await told(demo.stdout, r"http://127\.0\.0\.1:\d+")).strip()
        async with seen(chromium, url) as page:
            await expect(page.get_by_role("heading", name="Beaufort · demo")).to_be_visible()
            await expect(page.locator("[data-figure=held]")).to_contain_text("10 of 10")
            await expect(page.locator("[data-figure=reaction]")).to_contain_text(re.compile(r"\d ms.*median .* 99%"))
            first = page.get_by_role("list").filter(has=page.locator(".decision")).get_by_role("button").first
            before = await first.inner_text()
            await expect(first).not_to_have_text(before)
            await expect(strip(page, "reports").locator("dd").last).to_have_text(re.compile(r"\d"))
            granted = await page.locator("[data-service] dl > div:nth-child(3) dd").all_inner_texts()
            assert sum(map(int, granted)) == 10
        demo.terminate()


async def test_demand_is_seen_to_take_the_room_of_a_lower_priority(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url, viewport={"width": 1360, "height": 900}) as page:
        await expect(strip(page, "rest").locator("dd").last).to_have_text("5")
        assert await cells(page, 6) == [ORANGE, *[BLUE] * 5]
        push(played, 4)
        await expect(strip(page, "web").locator("dd").last).to_have_text("4")
        assert await counts(page, "web") == {"demand": "4", "desired": "4", "granted": "4", "running": "4"}
        assert await counts(page, "rest") == {"demand": "-", "desired": "rest", "granted": "2", "running": "2"}
        async with asyncio.timeout(10):
            while await cells(page, 6) != [*[ORANGE] * 4, *[BLUE] * 2]:
                await page.evaluate("() => new Promise(requestAnimationFrame)")
        await expect(page.get_by_role("button", name=re.compile(r"web 1 → \d .*demand 4"))).not_to_have_count(0)
        await expect(page.get_by_role("button", name=re.compile("rest 5 → 2 .*gives way to web"))).to_have_count(1)


async def test_a_chart_tells_what_was(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url, viewport={"width": 1360, "height": 1200}) as page:
        await expect(strip(page, "web").locator("canvas")).to_be_visible()
        box = await strip(page, "web").locator(".u-over").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 10)
        await expect(strip(page, "web")).to_contain_text(re.compile(r"\d s ago"))
        await page.mouse.move(0, 0)
        await expect(strip(page, "web")).not_to_contain_text("s ago")


async def test_what_stands_by_is_shown_apart(chromium: Browser) -> None:
    web = {"priority": 1, "min": 1, "standby": {"paused": 2}, "policy": {"type": "per-container", "target": 1}}
    config = {**CONFIG, "services": {"web": web}}
    async with stage(config) as played, seen(chromium, played.url) as page:
        await expect(strip(page, "web")).to_contain_text("2 standby")
        picture = page.get_by_role("img", name="1 of 6 containers on 1 node: web 1 running 2 standby")
        await expect(picture).to_be_visible()
        push(played, 3)
        await expect(strip(page, "web").locator("dd").last).to_have_text("3")


async def test_who_waits_is_told_with_the_reason(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        waiting = page.get_by_role("region", name="Waiting for room")
        await expect(waiting).to_contain_text("Nobody waits.")
        push(played, 9)
        await expect(waiting).to_contain_text(re.compile("3 of web.*wants 9: demand 9"))
        await expect(page.locator("[data-figure=missing]")).to_contain_text("3")


async def test_a_service_is_opened_and_changed_by_keyboard(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        push(played, 3)
        opener = page.get_by_role("button", name="web", exact=True)
        await opener.focus()
        await page.keyboard.press("Enter")
        sheet = page.get_by_role("dialog", name="web")
        await expect(sheet.get_by_role("row", name=re.compile("^desired 3 wants 3: demand 3"))).to_be_visible()
        await expect(sheet).to_contain_text(re.compile("got 2 from rest"))
        await sheet.get_by_label("max").fill("2")
        await sheet.get_by_label("max").press("Enter")
        await expect(strip(page, "web").locator("dd").last).to_have_text("2")
        await sheet.get_by_role("button", name="As in the configuration").click()
        await expect(strip(page, "web").locator("dd").last).to_have_text("3")
        await page.keyboard.press("Escape")
        await expect(sheet).to_be_hidden()
        await expect(opener).to_be_focused()


async def test_a_pause_holds_until_it_is_resumed(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        await strip(page, "web").get_by_role("button").click()
        sheet = page.get_by_role("dialog", name="web")
        await sheet.get_by_label("What is paused").select_option("does not grow")
        await sheet.get_by_role("button", name="Pause").click()
        await expect(sheet).to_contain_text("Paused: it does not grow, until it is resumed.")
        await expect(strip(page, "web")).to_contain_text("paused")
        push(played, 4)
        await expect(strip(page, "web").locator("dd").first).to_have_text("4")
        assert (await counts(page, "web"))["running"] == "1"
        await sheet.get_by_role("button", name="Resume").click()
        await expect(strip(page, "web").locator("dd").last).to_have_text("4")


async def test_a_limit_that_can_not_be_is_told(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        await strip(page, "web").get_by_role("button").click()
        sheet = page.get_by_role("dialog", name="web")
        await sheet.get_by_label("min").fill("5")
        await sheet.get_by_label("max").fill("2")
        await sheet.get_by_role("button", name="Apply").click()
        await expect(sheet.locator(".said")).to_have_text(re.compile("Not done: .*max"))


async def test_a_decision_opens_what_was_known_then(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        push(played, 4)
        await expect(strip(page, "web").locator("dd").last).to_have_text("4")
        await page.get_by_role("button", name=re.compile("rest 5 → 2")).click()
        sheet = page.get_by_role("dialog", name=re.compile(r"Decision \d+"))
        await expect(sheet).to_contain_text("demand of web 4")
        await expect(sheet.get_by_role("row", name="granted 4, before 1")).to_be_visible()
        await expect(sheet.get_by_role("row", name="asked of the scheduler 2")).to_be_visible()


async def test_a_lost_connection_is_told_and_found_again(chromium: Browser) -> None:
    port = free_port()
    async with stage(listen=f"127.0.0.1:{port}") as first:
        await first.settled(web=1)
        context = await chromium.new_context()
        page = await context.new_page()
        await page.goto(first.url)
        await expect(page.get_by_role("status").filter(has_text="live")).to_be_visible()
    lost = page.get_by_role("status").filter(has_text=re.compile("Not connected since .* What is shown is old"))
    await expect(lost).to_be_visible()
    async with stage(listen=f"127.0.0.1:{port}") as second:
        await second.settled(web=1)
        push(second, 5)
        await expect(page.get_by_role("status").filter(has_text=re.compile("^live"))).to_be_visible()
        await expect(strip(page, "web").locator("dd").last).to_have_text("5")
        await context.close()


def cut(played: Stage) -> None:
    """Every connection is lost; who comes again is let in."""
    for connection in list(played.serving._server.server_state.connections):
        connection.transport.abort()


async def shown_decisions(page: Page) -> list[int]:
    """Their numbers, newest first, as the page lists them."""
    numbers = await page.locator("[data-decision]").evaluate_all("all => all.map(each => each.dataset.decision)")
    return [int(number) for number in numbers]


async def known_decisions(played: Stage) -> list[int]:
    told = (await played.client.get("/v1/decisions?limit=30")).json()
    return [each["number"] for each in told["decisions"]]


async def changed(played: Stage) -> None:
    for demand in (3, 4, 5):
        push(played, demand)
        await played.settled(web=demand, rest=6 - demand)


async def test_after_a_cut_the_page_goes_on_from_the_last_event(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        push(played, 2)
        await expect(strip(page, "web").locator("dd").last).to_have_text("2")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(played.url)))
        cut(played)
        await changed(played)
        await expect(page.get_by_role("status").filter(has_text="Not connected since")).to_be_visible()
        await expect(page.get_by_role("status").filter(has_text=re.compile("^live$"))).to_be_visible()
        push(played, 6)
        await played.settled(web=6)
        known = await known_decisions(played)
        await expect(page.locator("[data-decision]").first).to_have_attribute("data-decision", str(known[0]))
        assert await shown_decisions(page) == known
        # It has asked for nothing but what came after the last event.
        assert [each.partition("?")[0] for each in asked] == ["/v1/session", "/v1/events"]


async def test_after_too_large_a_gap_everything_is_loaded_anew_and_that_is_told(
    chromium: Browser, played: Stage
) -> None:
    async with seen(chromium, played.url) as page:
        played.serving.station.feed._most = 3
        cut(played)
        await changed(played)
        anew = page.get_by_role("status").filter(has_text=re.compile("^live, all of it loaded anew: more has happened"))
        await expect(anew).to_be_visible()
        known = await known_decisions(played)
        assert await shown_decisions(page) == known
        await expect(page.get_by_role("status").filter(has_text=re.compile("^live$"))).to_be_visible()
        push(played, 6)
        await expect(strip(page, "web").locator("dd").last).to_have_text("6")


async def test_a_token_is_asked_for_and_a_viewer_may_only_look(chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    viewer = token(file, Role.VIEWER)
    async with stage(listen="127.0.0.1:0", tokens=file) as played:
        context = await chromium.new_context()
        page = await context.new_page()
        await page.goto(played.url)
        await page.get_by_label("Token").fill("wrong")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("alert")).to_have_text("the token is not good")
        await page.get_by_label("Token").fill(viewer)
        await page.get_by_role("button", name="Log in").click()
        await strip(page, "web").get_by_role("button").click()
        await expect(page.get_by_role("dialog")).to_contain_text("A viewer may change nothing.")
        assert await page.evaluate("document.cookie") == ""
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_label("Token")).to_be_visible()
        await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_on_a_phone(chromium: Browser, played: Stage, scheme: str) -> None:
    phone = {"viewport": {"width": 320, "height": 740}, "is_mobile": True, "color_scheme": scheme}
    async with seen(chromium, played.url, **phone) as page:
        await expect(strip(page, "web").locator("dd").last).to_have_text("1")
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        await strip(page, "web").get_by_role("button").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Not paused.")
        assert await page.evaluate("document.documentElement.scrollWidth") == 320
        ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == {"light": "rgb(244, 246, 248)", "dark": "rgb(15, 21, 27)"}[scheme]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read(chromium: Browser, played: Stage, scheme: str) -> None:
    async with seen(chromium, played.url, color_scheme=scheme) as page:
        push(played, 9)
        await expect(page.get_by_role("region", name="Waiting for room")).to_contain_text("of web")
        await strip(page, "web").get_by_role("button").click()
        await expect(page.get_by_role("dialog")).to_contain_text("Not paused.")
        now = await page.evaluate(CONTRASTS)
        await played.serving.close()
        await expect(page.get_by_role("status").filter(has_text="Not connected since")).to_be_visible()
        texts = now + await page.evaluate(CONTRASTS)
        assert len(texts) > 100
        assert [each for each in texts if each[1] < READABLE] == []


async def test_the_keyboard_goes_from_top_to_bottom(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url, viewport={"width": 1360, "height": 900}) as page:
        push(played, 4)
        await expect(page.locator("[data-decision]").nth(1)).to_be_visible()
        reached = []
        for _ in range(4):
            await page.keyboard.press("Tab")
            reached.append(await page.evaluate("document.activeElement.textContent"))
            assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        assert reached[:3] == ["API", "web", "rest"]
        assert re.match(r"\d\d:\d\d:\d\d", reached[3])


async def test_everything_that_can_be_used_has_a_name(chromium: Browser, played: Stage) -> None:
    async with seen(chromium, played.url) as page:
        await strip(page, "web").get_by_role("button").click()
        for role in ("button", "textbox", "combobox", "spinbutton", "img", "dialog", "region"):
            everything = await page.get_by_role(role).count()
            assert await page.get_by_role(role, name=re.compile(r"\S")).count() == everything, role
        described = page.get_by_role("img", name="6 of 6 containers on 1 node: web 1 running, rest 5 running")
        await expect(described).to_be_visible()


async def test_room_is_told_with_what_it_is_of(chromium: Browser) -> None:
    web = {"priority": 1, "policy": {"type": "constant", "count": 2}, "resources": {"cpu": 0.5, "memory": "1GiB"}}
    config = {"scheduler": {"type": "simulated"}, "capacity": {"cpu": 4, "memory": "8GiB"}, "services": {"web": web}}
    async with stage(config) as played, seen(chromium, played.url) as page:
        held = page.locator("[data-figure=held]")
        await expect(held).to_contain_text("1 of 4")
        await expect(held).to_contain_text("cpu · memory 2 GiB of 8 GiB")


async def test_thousands_of_services_are_found_by_name(chromium: Browser) -> None:
    services = {f"s{number:04}": {"priority": 1, "policy": {"type": "constant", "count": 1}} for number in range(2000)}
    config = {"scheduler": {"type": "simulated"}, "capacity": {"containers": 2500}, "services": services}
    async with stage(config) as played, seen(chromium, played.url) as page:
        await expect(page.locator("[data-figure=held]")).to_contain_text("2,000 of 2,500")
        await page.get_by_role("searchbox", name="Find a service").fill("1999")
        await expect(page.locator("[data-service]")).to_have_count(1)
        await expect(strip(page, "s1999").locator("dd").last).to_have_text("1")
