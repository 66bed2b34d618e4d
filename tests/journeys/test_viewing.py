"""A member at the plan's limit, in a real browser: streams are taken, given back, and moved."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, Request, expect

from journeys.browsing import browser, page, shoot
from journeys.conftest import Site, follow, upload
from journeys.test_browser import until
from media.clips import make_clip

__all__ = ["browser", "page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

EMAIL, PASSWORD = "viewing@example.org", "a good long password"
STOPPED = "This stream has ended"


@pytest.fixture(scope="module")
def films(site: Site, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    """Two films, so long that they are not loaded as a whole."""
    clip = make_clip(
        tmp_path_factory.mktemp("clip") / "clip.mp4", seconds=100, size="160x90", rate="5"
    )
    with site.client() as client:
        made = [upload(client, clip, title)["id"] for title in ("First film", "Second film")]
        for film in made:
            assert follow(client, film)[-1]["state"] == "ready"
    return made


@pytest.fixture
def member(site: Site) -> Iterator[httpx.Client]:
    """The API as a member with a plan of one stream, who may be signed in on other devices."""
    with site.client() as admin:
        body = {"email": EMAIL, "password": PASSWORD}
        user = admin.post("/api/v1/users", json=body).raise_for_status().json()
        plan = {"name": "One", "price": 0, "currency": "EUR", "streams": 1}
        plan_id = admin.post("/api/v1/plans", json=plan).raise_for_status().json()["id"]
        body = {"user_id": user["id"], "plan_id": plan_id}
        membership = admin.post("/api/v1/memberships", json=body).raise_for_status().json()
        with httpx.Client(base_url=site.url) as client:
            credentials = {"email": EMAIL, "password": PASSWORD}
            pair = client.post("/api/v1/auth/token", json=credentials).raise_for_status().json()
            client.headers["Authorization"] = f"Bearer {pair['access']}"
            yield client
        # Without plans nobody needs a membership: other tests expect none.
        admin.delete(f"/api/v1/memberships/{membership['id']}").raise_for_status()
        with httpx.Client(base_url=site.url, headers=client.headers) as leaving:
            leaving.request("DELETE", "/api/v1/me", json={"password": PASSWORD}).raise_for_status()
        admin.delete(f"/api/v1/plans/{plan_id}")


@pytest.fixture
def expected() -> list[str]:
    """What the browser complains about when a stream is refused or stopped."""
    return ["401", "409", "410"]


def enter(page: Page, film: int) -> None:
    page.goto("/")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(f"/#/watch/{film}")
    expect(page.locator(".big-play")).to_be_visible()


def running(member: httpx.Client) -> list[str]:
    return [stream["title"] for stream in member.get("/api/v1/streams").json()]


def test_streams_of_a_member(page: Page, member: httpx.Client, films: list[int]) -> None:
    first, second = films
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(_path(request)))
    enter(page, first)
    page.wait_for_timeout(1000)
    assert not [path for path in fetched if "/play/" in path], "nothing is loaded before play"
    assert running(member) == []
    page.locator(".big-play").click()
    until(page, "v.currentTime > 0.3")
    assert running(member) == ["First film"]

    # The next film in the same tab.
    page.goto(f"/#/watch/{second}")
    page.locator(".big-play").click()
    until(page, "v.currentTime > 0.3")
    assert running(member) == ["Second film"]
    page.goto("/#/")
    expect(page.get_by_role("heading", name="Continue watching")).to_be_visible()
    assert running(member) == []

    # Another device holds the only stream.
    body = {"video_id": first, "device": "Living room"}
    member.post("/api/v1/streams", json=body).raise_for_status()
    page.goto(f"/#/watch/{second}")
    page.locator(".big-play").click()
    expect(page.locator(".veil-text")).to_contain_text("as many as your plan allows")
    expect(page.locator(".running li")).to_contain_text("First film · Living room · since")
    shoot(page, "limit")
    page.get_by_role("button", name="Stop and watch here").click()
    until(page, "!v.paused && v.currentTime > 0.3")
    (stream,) = member.get("/api/v1/streams").json()
    assert stream["title"] == "Second film"

    # Stopped from elsewhere: told once, without a storm of requests, and continued on request.
    page.evaluate("document.querySelector('video').currentTime = 1")
    member.delete(f"/api/v1/streams/{stream['id']}").raise_for_status()
    page.evaluate("document.querySelector('video').currentTime = 95")
    expect(page.locator(".veil-text")).to_contain_text(STOPPED, timeout=30_000)
    fetched.clear()
    page.wait_for_timeout(1500)
    assert not [path for path in fetched if "/play/" in path], fetched
    page.get_by_role("button", name="Watch here").click()
    until(page, "!v.paused && v.currentTime > 90")
    assert running(member) == ["Second film"]


def _path(request: Request) -> str:
    return httpx.URL(request.url).path


def test_keys_work_after_the_mouse(page: Page, member: httpx.Client, films: list[int]) -> None:
    enter(page, films[0])
    page.locator(".big-play").click()
    until(page, "v.currentTime > 0.2")
    for control in (".seek", ".volume"):
        page.locator(control).click()
        was_paused = page.evaluate("document.querySelector('video').paused")
        page.keyboard.press("k")
        until(page, f"v.paused !== {str(was_paused).lower()}")
    page.locator(".quality select").select_option(index=0)
    page.locator(".quality select").focus()
    page.keyboard.press("m")
    until(page, "v.muted")
    page.keyboard.press("Home")
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert page.url.endswith(f"#/watch/{films[0]}"), "the view stays"
