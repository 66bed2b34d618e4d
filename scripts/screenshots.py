"""Take the screenshots of the README, in Chromium, of an installation of its own.

    uv run python scripts/screenshots.py

Starts `videoflix up` in a temporary folder, adds the demo titles, waits until they are encoded,
and writes docs/images/. `CHROMIUM` names the browser if it is not on PATH.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

IMAGES = Path(__file__).parents[1] / "docs" / "images"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
CLI = [sys.executable, "-m", "videoflix.cli"]
EMAIL = "admin@videoflix.local"
DESKTOP: ViewportSize = {"width": 1280, "height": 860}
PHONE: ViewportSize = {"width": 390, "height": 844}
START_SECONDS = 180.0
ENCODE_SECONDS = 900.0
LARGEST = 200_000  # bytes of an image: what a README loads
QUALITIES = (82, 70, 55, 40)


class TooLarge(Exception):
    """An image is larger than LARGEST at every quality."""


class Site:
    """A running installation and its first administrator."""

    def __init__(self, url: str, password: str, environment: dict[str, str]) -> None:
        self.url = url
        self.password = password
        self.environment = environment

    def run(self, *command: str) -> None:
        subprocess.run([*CLI, *command], env=self.environment, check=True)


@contextmanager
def installation() -> Iterator[Site]:
    """`videoflix up` in a temporary folder, from its first start until it has stopped."""
    # Postgres runs under an account of its own when root starts it: it must reach the folder.
    folder = Path(tempfile.mkdtemp(prefix="videoflix-screenshots-", dir="/tmp"))
    folder.chmod(0o711)
    log = folder / "up.log"
    environment = os.environ | {"VIDEOFLIX_HOME": str(folder / "home"), "SITE_NAME": "Videoflix"}
    environment.pop("DATABASE_URL", None)
    port = free_port()
    with log.open("wb") as output:
        up = subprocess.Popen(
            [*CLI, "up", "--port", str(port), "--sample"],
            env=environment, stdout=output, stderr=output,
        )  # fmt: skip
        try:
            until(lambda: "Press Ctrl-C to stop" in log.read_text(), START_SECONDS)
            password = re.search(r"Password:\s+(\S+)", log.read_text())
            if password is None:
                raise ValueError(f"no password in {log.read_text()}")
            yield Site(f"http://127.0.0.1:{port}", password[1], environment)
        finally:
            up.terminate()
            up.wait(60)
            shutil.rmtree(folder)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait for a condition. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not true within {seconds:g} seconds")
        time.sleep(1)


def add_titles(site: Site) -> None:
    """Add the demo titles, and wait until all titles are encoded."""
    site.run("seed", "demo")
    with httpx.Client(base_url=site.url, timeout=30) as client:
        body = {"email": EMAIL, "password": site.password}
        token = client.post("/api/v1/auth/token", json=body).json()["access"]
        client.headers["Authorization"] = f"Bearer {token}"

        def ready() -> bool:
            items = client.get("/api/v1/videos", params={"limit": 100}).json()["items"]
            return len(items) > 1 and all(item["state"] == "ready" for item in items)

        until(ready, ENCODE_SECONDS)


def sign_in(page: Page, site: Site) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(site.password)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def pictures_loaded(page: Page) -> None:
    """Wait for all images in sight (Playwright's own wait needs unsafe-eval)."""
    script = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    until(lambda: bool(page.evaluate(script)), 30)
    page.wait_for_timeout(500)


def shoot(page: Page, name: str) -> None:
    """Write the visible part of the page. Raises TooLarge."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    path = IMAGES / f"{name}.jpg"
    for quality in QUALITIES:
        page.screenshot(path=path, type="jpeg", quality=quality)
        if path.stat().st_size <= LARGEST:
            print(f"{path.name}: {path.stat().st_size // 1000} kB")
            return
    raise TooLarge(path.name)


def shoot_site(page: Page) -> None:
    """A title that plays, then the home page, on a desktop and on a phone."""
    page.locator(".film a").filter(has_text="Eleven Minutes to Orbit").first.click()
    expect(page.locator("video")).to_be_visible()
    page.evaluate("document.querySelector('video').muted = true")
    page.locator(".big-play").click()
    until(lambda: bool(page.evaluate("document.querySelector('video').currentTime > 5")), 60)
    page.mouse.move(640, 400)
    page.wait_for_timeout(300)
    shoot(page, "watch")
    page.goto("/")
    expect(page.locator(".film img").first).to_be_visible()
    pictures_loaded(page)
    shoot(page, "home")
    page.set_viewport_size(PHONE)
    pictures_loaded(page)
    shoot(page, "home-phone")
    page.set_viewport_size(DESKTOP)


def shoot_panel(page: Page) -> None:
    """The sections of the admin panel that show best what it is for."""
    for section in ("titles", "jobs"):
        page.goto(f"/admin/{section}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(1500)
        pictures_loaded(page)
        shoot(page, f"admin-{section}")


def main() -> None:
    with installation() as site, sync_playwright() as playwright:
        add_titles(site)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport=DESKTOP, base_url=site.url)
        page = context.new_page()
        sign_in(page, site)
        shoot_site(page)
        shoot_panel(page)
        browser.close()


if __name__ == "__main__":
    main()
