"""The admin panel and the job monitor in a real browser, on a desk and on a phone."""

import json
import sys

import httpx
import msgspec
import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from conftest import PASSWORD
from journeys.browsing import browser, expected, page, shoot, sign_in
from journeys.conftest import Site, follow, run_to_end, upload
from media.clips import make_clip

__all__ = ["browser", "expected", "page"]

pytestmark = [pytest.mark.journey, pytest.mark.browser]

OWNER, EDITOR, MEMBER = "owner@example.org", "editor@example.org", "member@example.org"
SECTIONS = (
    "Overview", "Jobs", "Titles", "Categories", "Files", "Votes", "Users", "Memberships",
    "Plans", "Invoices", "Webhooks", "Audit", "Settings",
)  # fmt: skip
DEAD = """
with dead as (
    insert into procrastinate_jobs (queue_name, task_name, args, status, attempts)
    values ('maintenance', 'media.sweep_attempts', '{"asset_id": 4711}', 'failed', 5)
    returning id
)
insert into job_incident
    (kind, job_id, queue_name, task_name, attempt, reason, created_at, updated_at)
select 'dead', id, 'maintenance', 'media.sweep_attempts', 4,
       'StorageUnreachable: the bucket did not answer', now(), now() from dead
"""

BREAK = """
insert into worker_breaker (worker_id, queue_name, host, reason, created_at, updated_at)
select min(id), 'billing', 'here', 'FFmpeg cannot encode.', now(), now() from procrastinate_workers
"""


@pytest.fixture(scope="module")
def owner(site: Site) -> Site:
    """The site as its owner signs in; an editor and a member are there too."""
    cli = [sys.executable, "-m", "videoflix.cli"]
    run_to_end([*cli, "users", "create-admin", OWNER, "--owner"], site.environment)
    with site.client() as client:
        for email, role in ((EDITOR, "editor"), (MEMBER, "viewer")):
            body = {"email": email, "password": PASSWORD, "role": role, "first_name": "Mia"}
            assert client.post("/api/v1/users", json=body).status_code == 201
    return msgspec.structs.replace(site, email=OWNER)


@pytest.fixture(scope="module")
def film(site: Site, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The title of a video that is ready."""
    title = "Harbour lights"
    clip = make_clip(tmp_path_factory.mktemp("admin") / "a.mp4", seconds=2, size="320x180")
    with site.client() as client:
        states = follow(client, upload(client, clip, title)["id"])
    assert states[-1]["state"] == "ready"
    return title


def in_database(site: Site, statement: str) -> None:
    with psycopg.connect(site.environment["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(statement)


def section(page: Page, name: str) -> None:
    page.locator("#sections").get_by_role("link", name=name, exact=True).click()
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Installation" if name == "Overview" else name)
    expect(page.locator("table[aria-busy=true]")).to_have_count(0)


def row(page: Page, text: str) -> Locator:
    return page.locator("main tbody tr", has_text=text)


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def confirm(page: Page, button: str) -> None:
    dialog(page).get_by_role("button", name=button, exact=True).click()
    expect(dialog(page)).to_be_hidden()


def test_stranger_is_sent_to_sign_in_and_back(page: Page, owner: Site) -> None:
    page.goto("/admin/jobs?status=failed")
    expect(page.get_by_label("E-mail")).to_be_visible()
    page.get_by_label("E-mail").fill(owner.email)
    page.get_by_label("Password").fill(owner.password)
    page.get_by_label("Password").press("Enter")
    expect(page.get_by_role("heading", name="Schedules")).to_be_visible()
    assert page.url == f"{owner.url}/admin/jobs?status=failed"
    # After a quarter of an hour the short-lived cookie is gone; the long-lived one renews it.
    page.context.clear_cookies(name="access_token")
    page.goto("/admin/users")
    expect(page.get_by_role("heading", name="Users")).to_be_visible()
    assert page.url == f"{owner.url}/admin/users"


def test_every_section_on_desk_and_phone(page: Page, owner: Site, film: str) -> None:
    sign_in(page, owner)
    page.get_by_role("link", name="Admin").click()
    expect(page.locator("#checks li.ok")).to_have_count(5)
    for name in SECTIONS:
        section(page, name)
        if name == "Overview":
            expect(page.locator(".figure").first).to_be_visible()
        shoot(page, f"admin-{name.lower()}", whole=True)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Audit")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Audit")


def test_plan_membership_and_invoice(page: Page, owner: Site, expected: list[str]) -> None:
    expected += ["404", "409"]
    sign_in(page, owner)
    page.goto("/admin/plans")
    for _ in range(2):
        page.get_by_role("button", name="Add plan").click()
        dialog(page).get_by_label("Name").fill("Gold")
        dialog(page).get_by_label("Price", exact=True).fill("9.99")
        shoot(page, "admin-form")
        dialog(page).get_by_role("button", name="Add", exact=True).click()
        if row(page, "Gold").count() == 0:
            expect(row(page, "Gold")).to_contain_text("€9.99")
    expect(dialog(page).get_by_role("alert")).to_have_text("Another plan has this name.")
    dialog(page).get_by_role("button", name="Cancel").click()
    row(page, "Gold").get_by_role("button", name="Edit").click()
    dialog(page).get_by_label("Offered").uncheck()
    dialog(page).get_by_role("button", name="Save").click()
    expect(row(page, "Gold")).to_contain_text("not offered")

    section(page, "Memberships")
    page.get_by_role("button", name="Add membership").click()
    dialog(page).get_by_label("User's e-mail").fill("nobody@example.org")
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(dialog(page)).to_contain_text("No user has this e-mail address.")
    dialog(page).get_by_label("User's e-mail").fill(MEMBER)
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(row(page, MEMBER)).to_contain_text("active")
    shoot(page, "admin-memberships")
    row(page, MEMBER).get_by_role("button", name="Cancel").click()
    confirm(page, "Cancel membership")
    expect(row(page, MEMBER)).to_contain_text("cancelled")

    section(page, "Invoices")
    page.get_by_role("button", name="Add invoice").click()
    dialog(page).get_by_label("User's e-mail").fill(MEMBER)
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    row(page, MEMBER).get_by_role("link").first.click()
    page.get_by_role("button", name="Add a charge").click()
    dialog(page).get_by_label("Description").fill("A cable")
    dialog(page).get_by_label("Amount").fill("12.5")
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(row(page, "A cable")).to_contain_text("€12.50")
    shoot(page, "admin-invoice")
    page.get_by_role("button", name="Mark as paid", exact=True).click()
    confirm(page, "Mark as paid")
    expect(page.get_by_role("heading", level=1)).to_contain_text("paid")
    expect(page.get_by_role("button", name="Add a charge")).to_have_count(0)
    with owner.client() as client:  # with a plan, watching needs a membership in all journeys
        for member in client.get("/api/v1/memberships").json()["items"]:
            client.delete(f"/api/v1/memberships/{member['id']}")
        for plan in client.get("/api/v1/plans").json():
            assert client.delete(f"/api/v1/plans/{plan['id']}").status_code == 204


def test_titles_are_described_deleted_and_restored(page: Page, owner: Site, film: str) -> None:
    sign_in(page, owner)
    page.goto("/admin/categories")
    page.get_by_role("button", name="Add category").click()
    dialog(page).get_by_label("Name", exact=True).fill("Sea")
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(row(page, "Sea")).to_contain_text("sea")
    section(page, "Titles")
    row(page, film).get_by_role("button", name="Edit").click()
    dialog(page).get_by_label("Genre").fill("Documentary")
    dialog(page).get_by_label("Categories").select_option(label="Sea")
    shoot(page, "admin-title")
    dialog(page).get_by_role("button", name="Save").click()
    expect(dialog(page)).to_be_hidden()
    row(page, film).get_by_role("button", name=f"Delete {film}").click()
    confirm(page, "Delete")
    page.get_by_label("Publication").select_option("deleted")
    row(page, film).get_by_role("button", name="Restore").click()
    expect(row(page, film)).to_have_count(0)
    page.get_by_label("Publication").select_option("published")
    expect(row(page, film)).to_be_visible()


def test_people_are_entered_changed_and_switched_off(page: Page, owner: Site) -> None:
    sign_in(page, owner)
    page.goto("/admin/users")
    page.get_by_role("button", name="Add user").click()
    dialog(page).get_by_label("E-mail").fill("new@example.org")
    dialog(page).get_by_label("Role").select_option("editor")
    dialog(page).get_by_role("button", name="Add", exact=True).click()
    expect(row(page, "new@example.org")).to_contain_text("editor")
    row(page, "new@example.org").get_by_role("button", name="Deactivate").click()
    confirm(page, "Deactivate")
    expect(row(page, "new@example.org").get_by_role("button", name="Activate")).to_be_visible()
    page.get_by_label("Search e-mail address or name").fill("member@")
    expect(row(page, "new@example.org")).to_have_count(0)
    row(page, MEMBER).get_by_role("link").click()
    page.get_by_role("button", name="Show watchlists and history").click()
    expect(page.get_by_role("heading", name="Watchlist (0)")).to_be_visible()
    shoot(page, "admin-person")
    section(page, "Audit")
    expect(row(page, "library-read")).to_contain_text(OWNER)
    expect(row(page, "deactivated")).to_contain_text("new@example.org")
    shoot(page, "admin-audit")


def test_job_monitor_is_live(page: Page, owner: Site) -> None:
    in_database(owner, DEAD)
    sign_in(page, owner)
    page.goto("/admin/jobs")
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator("#workers tr")).to_have_count(2)
    expect(page.locator("#queues")).to_contain_text("maintenance")
    shoot(page, "admin-jobs", whole=True)
    dead = row(page, "the bucket did not answer")
    dead.get_by_role("button").first.click()
    expect(dialog(page)).to_contain_text("StorageUnreachable")
    shoot(page, "admin-job")
    dialog(page).get_by_role("button", name="Close").click()
    dead.get_by_role("button", name="Retry").click()
    expect(dead).to_contain_text("waiting")
    page.locator("#schedules tr", has_text="queue.prune").get_by_role("button").click()
    pruning = row(page, "queue.prune").first
    expect(pruning).to_contain_text("waiting")
    pruning.get_by_role("button", name="Cancel").click()
    confirm(page, "Cancel job")
    expect(pruning).to_contain_text("cancelled")


def test_job_monitor_says_why_a_worker_stopped(page: Page, owner: Site) -> None:
    sign_in(page, owner)
    page.goto("/admin/jobs")
    expect(page.locator("#workers tr")).to_have_count(2)
    expect(page.locator("#workers")).not_to_contain_text("Paused queue")
    in_database(owner, BREAK)
    expect(page.locator("#workers tr", has_text="Paused queue")).to_have_count(1)
    expect(page.locator("#workers")).to_contain_text(
        "Paused queue “billing”: FFmpeg cannot encode. It resumes automatically once this is fixed."
    )
    in_database(owner, "delete from worker_breaker where queue_name = 'billing'")


def test_editor_finds_films_only_and_a_viewer_nothing(
    page: Page, owner: Site, expected: list[str]
) -> None:
    expected.append("403")
    sign_in(page, msgspec.structs.replace(owner, email=EDITOR))
    page.goto("/admin")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Titles")
    assert page.locator("#sections a").all_inner_texts() == ["Titles", "Categories"]
    page.goto("/admin/users")
    expect(page.get_by_role("heading", name="Access denied")).to_be_visible()
    page.context.clear_cookies()
    sign_in(page, msgspec.structs.replace(owner, email=MEMBER))
    page.goto("/admin")
    expect(page.get_by_role("heading", name="Access denied")).to_be_visible()
    shoot(page, "admin-forbidden")


def test_mail_is_read_from_the_panel(page: Page, owner: Site) -> None:
    sign_in(page, owner)
    page.goto("/admin")
    header = page.get_by_role("navigation", name="Main")
    header.get_by_role("link", name="Mail", exact=True).click()
    expect(page.get_by_role("heading", name="Mail")).to_be_visible()
    expect(page.locator("#mails")).not_to_be_empty()
    shoot(page, "mail")


def test_stream_of_the_queue_ends_with_the_sign_in(owner: Site) -> None:
    with httpx.Client(base_url=owner.url, timeout=20) as client:
        body = {"email": OWNER, "password": PASSWORD}
        token = client.post("/api/v1/auth/token", json=body).json()
        client.headers["Authorization"] = f"Bearer {token['access']}"
        seen = []
        with client.stream("GET", "/api/v1/operations/jobs/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                    if len(seen) == 2:
                        client.post("/api/v1/auth/logout", json={"refresh": token["refresh"]})
    assert "default" in {queue["queue"] for queue in seen[0]["queues"]}
    assert len(seen[0]["throughput"]) == 60
    assert all(worker["alive"] for worker in seen[0]["workers"])
    assert len(seen) <= 3
