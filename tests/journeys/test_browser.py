"""The built-in pages in a real browser: sign in, upload, watch; by mouse, keyboard and phone."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from journeys.browsing import SHOTS, browser, expected, page, shoot, sign_in
from journeys.conftest import Site
from media.clips import make_clip

__all__ = ["browser", "expected", "page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

SECONDS = 8


def test_wrong_password_is_told(page: Page, site: Site) -> None:
    page.goto("/")
    shoot(page, "sign-in")
    page.get_by_label("E-mail").fill(site.email)
    page.get_by_label("Password").fill("wrong password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong e-mail address or password")


def test_upload_watch_and_choose_a_quality(page: Page, site: Site, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "My_holiday.mp4", seconds=SECONDS, size="640x360", rate="25")
    sign_in(page, site)
    page.get_by_role("button", name="Upload").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(clip)
    expect(dialog.get_by_label("Title")).to_have_value("My holiday")
    shoot(page, "upload")
    dialog.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="My holiday")).to_be_visible()
    expect(page.locator(".facts")).to_contain_text(re.compile("encoding", re.I), timeout=60_000)
    shoot(page, "encoding")
    expect(page.locator(".big-play")).to_be_visible(timeout=60_000)
    page.locator(".big-play").click()
    advances(page)
    assert video(page, "videoHeight") in {120, 360}
    for height in (120, 360):
        page.evaluate("document.querySelector('video').currentTime = 0")
        advances(page)
        page.get_by_label("Quality").select_option(label=f"{height}p")
        until(page, f"v.videoHeight === {height}")
        advances(page)
    expect(page.locator(".facts")).not_to_contain_text("ncoding", timeout=60_000)
    assert video(page, "webkitAudioDecodedByteCount") > 0
    shoot(page, "watch")
    keyboard_works(page)
    page.get_by_role("link", name="Videoflix, all films").click()
    poster = page.locator(".all").get_by_role("link", name="My holiday").locator("img")
    expect(poster).to_be_visible(timeout=30_000)
    poster.scroll_into_view_if_needed()
    until(page, "[...document.images].some(i => i.complete && i.naturalWidth > 0)")
    shoot(page, "films")


def video(page: Page, name: str) -> float:
    value: float = page.evaluate(f"document.querySelector('video').{name}")
    return value


def until(page: Page, condition: str) -> None:
    """Wait for a condition on the page's video `v` (Playwright's own wait needs unsafe-eval)."""
    for _ in range(150):
        if page.evaluate(
            f"() => {{ const v = document.querySelector('video'); return {condition} }}"
        ):
            return
        page.wait_for_timeout(200)
    pytest.fail(f"never true: {condition}")


def advances(page: Page) -> None:
    """The video goes on by at least half a second, from wherever it is."""
    if video(page, "ended"):
        page.evaluate("document.querySelector('video').currentTime = 0")
    page.evaluate("document.querySelector('video').play()")
    start = video(page, "currentTime")
    until(page, f"v.currentTime > {start} + 0.5 || v.currentTime < {start}")


def keyboard_works(page: Page) -> None:
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelector('video').pause()")
    page.evaluate("document.querySelector('video').currentTime = 0")
    page.keyboard.press("k")
    until(page, "!v.paused")
    page.keyboard.press("m")
    until(page, "v.muted")
    page.keyboard.press("ArrowRight")
    until(page, "v.currentTime >= 4")
    page.keyboard.press("k")
    until(page, "v.paused")


def test_search_list_votes_and_going_on(page: Page, site: Site) -> None:
    """After somebody watched a little: the way back leads to where they stopped."""
    sign_in(page, site)
    page.get_by_role("searchbox").fill("holiday")
    page.get_by_role("searchbox").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("holiday")
    page.locator(".all .film a").first.click()
    expect(page.locator(".big-play")).to_be_visible()
    page.evaluate("document.querySelector('video').muted = true")
    page.locator(".big-play").click()
    until(page, "v.currentTime > 1.2")
    page.get_by_role("button", name="Add to my list").click()
    page.get_by_role("button", name="Like", exact=True).click()
    expect(page.get_by_role("button", name="Like", exact=True)).to_contain_text("1")
    shoot(page, "opinion")
    page.locator(".brand").click()
    expect(page.get_by_role("heading", name="Continue watching")).to_be_visible()
    expect(page.get_by_role("heading", name="My list")).to_be_visible()
    shoot(page, "continue")
    page.locator(".continue .film a").first.click()
    page.locator(".big-play").click()
    until(page, "v.readyState >= 1 && v.currentTime > 0.5")
    expect(page.get_by_role("button", name="On my list")).to_be_visible()


def test_upload_that_is_no_film_says_why(page: Page, site: Site, tmp_path: Path) -> None:
    template = tmp_path / "letter.mp4"
    template.write_text("Dear viewer, this is no film.")
    sign_in(page, site)
    page.get_by_role("button", name="Upload").click()
    page.locator("#upload input[type=file]").set_input_files(template)
    page.locator("#upload").get_by_role("button", name="Upload").click()
    expect(page.locator(".veil-text")).to_contain_text("can't read this video file", timeout=60_000)
    shoot(page, "failed")


def test_dialog_closes_by_keyboard(page: Page, site: Site) -> None:
    sign_in(page, site)
    page.get_by_role("button", name="Upload").press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("path", ["/schema", "/schema/redoc"])
def test_api_docs_render_offline(page: Page, path: str) -> None:
    page.goto(path)
    # Swagger renders only the part of a long list that is in the viewport.
    page.set_viewport_size({"width": 1280, "height": 20_000})
    for summary in ("Sign in (returns tokens)", "Upload a video"):
        operation = page.get_by_text(summary).locator("visible=true").first
        expect(operation).to_be_visible(timeout=30_000)
    page.set_viewport_size({"width": 1280, "height": 800})
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"api{path.replace('/', '-')}.png")


def link_in(text: str) -> str:
    found = re.search(r"https?://\S+", text)
    assert found, text
    return found[0]


def test_register_confirm_forget_and_choose_a_new_password(page: Page, site: Site) -> None:
    """With a real mail server: what is clicked are the links of the mails."""
    email, password = "grace@example.org", "a first good password"
    page.goto("/")
    page.get_by_role("link", name="Create an account").click()
    shoot(page, "register")
    page.get_by_label("First name").fill("Grace")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("New password").fill(password)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("status")).to_contain_text("Check your inbox")
    page.goto(link_in(site.inbox.newest("Confirm your e-mail address")))
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status")).to_contain_text("You can sign in now")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()

    with httpx.Client(base_url=site.url) as forgetful:
        forgetful.post("/api/v1/auth/password/forgot", json={"email": email})
    page.goto(link_in(site.inbox.newest("Reset your password")))
    shoot(page, "new-password")
    page.get_by_label("New password").fill("a second good password")
    page.get_by_role("button", name="Save password").click()
    expect(page.get_by_role("status")).to_contain_text("Your new password is saved")
    page.get_by_role("link", name="Sign in").click()
    page.reload()
    expect(page.get_by_label("E-mail")).to_be_visible()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill("a second good password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
