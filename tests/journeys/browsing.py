"""What trials in a browser share: the browser, a page that listens for trouble, pictures."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from journeys.conftest import Site

SHOTS = Path(__file__).parents[2] / "artifacts" / "screenshots"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
REDOC_LOGO = "redoc.ly/redoc/logo-mini.svg"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed: the pages were not tried in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def expected() -> list[str]:
    """Complaints of the browser that a test means to cause.

    A 401 is how the page learns that nobody is signed in, and Redoc's own advertisement is
    blocked by our policy; the page does without.
    """
    return ["401", REDOC_LOGO]


@pytest.fixture
def page(browser: Browser, site: Site, expected: list[str]) -> Iterator[Page]:
    """A page that fails the test on any script error, policy violation or foreign request."""
    context = browser.new_context(viewport=DESKTOP, base_url=site.url)
    page = context.new_page()
    complaints: list[str] = []

    def complain(text: str) -> None:
        if not any(known in text for known in expected):
            complaints.append(text)

    def heard(message: ConsoleMessage) -> None:
        if message.type == "error":
            complain(message.text)

    page.on("console", heard)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((site.url, "blob:", "data:"))
            else complain(f"asked {request.url}")
        ),
    )
    yield page
    context.close()
    assert complaints == [], complaints


def shoot(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep a picture of the page as desktop and phone show it, or of the whole of it."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    for kind, size in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(size)
        page.wait_for_timeout(300)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"], f"{name} scrolls sideways on a {kind}"
        page.screenshot(path=SHOTS / f"{name}-{kind}.png", full_page=whole)


def sign_in(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(site.email)
    page.get_by_label("Password").fill(site.password)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
