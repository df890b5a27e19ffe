"""The page as a person sees it, in a real headless Chromium."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from outrider_chassis.database import Pool
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.integration.lineage.serving import ingest, served
from tests.unit.lineage.stories import story, task_key

pytestmark = pytest.mark.page
expect.set_options(timeout=30_000)  # as long as Playwright waits for all else

_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip
_READY = "() => window.outrider && window.outrider.state.ready"
_PAINTED = """() => {
    const seen = new Set();
    for (const canvas of document.querySelectorAll('#graph canvas')) {
        const context = canvas.getContext('2d');
        if (!context || !canvas.width) continue;
        const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
        for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3]) seen.add(pixels.slice(at, at + 3).join());
    }
    return seen.size;
}"""


@pytest.fixture
async def address(pool: Pool) -> AsyncIterator[str]:
    async with served(pool) as url:
        yield url


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all tests here; OUTRIDER_CHROMIUM names it where it is not on the path."""
    chromium = os.environ.get("OUTRIDER_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield launched
        await launched.close()


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    """A fresh profile. What goes wrong in its scripts fails the test."""
    complaints: list[str] = []
    context = await browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    opened = await context.new_page()
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    await context.close()
    assert complaints == []


async def _picture(page: Page, name: str) -> None:
    """Keep a picture where OUTRIDER_PICTURES says, for people to look at."""
    if folder := os.environ.get("OUTRIDER_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_the_graph_is_drawn(pool: Pool, address: str, page: Page) -> None:
    """Every node and edge is there, within the window, and the canvas has colours on it."""
    await ingest(pool, story())

    await page.goto(f"{address}/#token=platform")
    await page.wait_for_function(_READY)

    drawn = await page.evaluate("window.outrider.cy.nodes().map(node => node.data('label')).sort()")
    assert {"ads/daily/extract", "ads/daily/extract/orders", "news/front/report/page"} <= set(drawn)
    assert await page.evaluate("window.outrider.cy.edges().length") == 7
    box = await page.evaluate("window.outrider.cy.elements().renderedBoundingBox()")
    assert box["x1"] >= 0
    assert box["x2"] <= 1280
    await page.wait_for_function(f"() => ({_PAINTED})() > 20")
    fills = await page.evaluate(
        "window.outrider.cy.nodes('[kind=\"job\"]').map(node => node.style('background-color'))"
    )
    assert len(set(fills)) == 2, "each team has a colour of its own"
    assert "platform" not in page.url
    await _picture(page, "graph-light")
    await page.click("#theme")
    await _picture(page, "graph-dark")


async def test_a_chosen_node_tells_its_history_and_its_upstream(pool: Pool, address: str, page: Page) -> None:
    """Found by its name, the panel tells its versions; then only what it was made from is drawn."""
    await ingest(pool, story())
    await page.goto(f"{address}/#token=platform")
    await page.wait_for_function(_READY)

    await page.fill("#search", "transform/daily")
    await expect(page.locator("#found li").first).to_contain_text("ads/daily/transform/daily")
    await page.press("#search", "Enter")

    await expect(page.locator("#details h2")).to_have_text("daily")
    await expect(page.locator("#details")).to_contain_text("read by 1 try")
    await _picture(page, "chosen-light")
    await page.click("[data-view=upstream]")
    await page.wait_for_function("() => window.outrider.cy.nodes().length === 5")
    await _picture(page, "upstream-light")


async def test_a_tap_on_a_task_tells_its_tries(pool: Pool, address: str, page: Page) -> None:
    """A failed try, its error's class, and the next one that succeeded."""
    await ingest(pool, story())
    await page.goto(f"{address}/#token=platform")
    await page.wait_for_function(_READY)

    spot = await page.evaluate(
        "(() => { const node = window.outrider.cy.nodes().filter(n => n.data('label') === 'ads/daily/transform')[0];"
        "const box = document.getElementById('graph').getBoundingClientRect(); const at = node.renderedPosition();"
        "return [box.x + at.x, box.y + at.y]; })()"
    )
    await page.mouse.click(*spot)

    await expect(page.locator("#details h2")).to_have_text("transform")
    await expect(page.locator("#details")).to_contain_text("up_for_retry")
    await expect(page.locator("#details")).to_contain_text("ValueError")
    await page.click("#theme")
    await _picture(page, "task-dark")


async def test_another_teams_nodes_are_masked(pool: Pool, address: str, page: Page) -> None:
    """Team ads learns that team news reads its data, and no name of it."""
    await ingest(pool, story())

    await page.goto(f"{address}/#token=ads")
    await page.wait_for_function(_READY)

    names = await page.evaluate("window.outrider.cy.nodes().map(node => JSON.stringify(node.data()))")
    assert not [name for name in names if "report" in name]
    assert [name for name in names if "news (another team)" in name]
    await _picture(page, "masked-light")


async def test_without_a_token_the_page_asks_for_one(address: str, page: Page) -> None:
    """A refused token is told and asked for again."""
    await page.goto(address)
    await expect(page.locator("#login")).to_be_visible()
    await page.fill("#token", "nobody")
    await page.click("#enter")

    await expect(page.locator("#refused")).to_contain_text("not signed")
    await _picture(page, "login-light")


async def test_an_empty_platform_says_so(address: str, page: Page) -> None:
    """Not a blank page."""
    await page.goto(f"{address}/#token=platform")

    await expect(page.locator("#notice")).to_contain_text("Nothing is recorded yet")


async def test_a_link_to_a_node_opens_it(pool: Pool, address: str, page: Page) -> None:
    """What the command prints leads to the node."""
    await ingest(pool, story())

    await page.goto(f"{address}/#token=platform&node={task_key('extract').label}")

    await expect(page.locator("#details h2")).to_have_text("extract")
