"""What staff see of other people and of files, and the trace that their changes leave."""

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD
from videoflix.platform.mail import queue_mail

API = "/api/v1"


async def number_of(client: httpx.AsyncClient) -> int:
    return int((await client.get(f"{API}/me")).json()["id"])


async def changes(admin: httpx.AsyncClient) -> list[tuple[str, int | None]]:
    """What staff changed, the latest first: the line, and who did it."""
    found = (await admin.get(f"{API}/audit", params={"kind": "staff-change"})).json()["items"]
    return [(event["detail"], event["actor_id"]) for event in found]


async def test_every_change_by_staff_is_audited_without_values(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    plan = {"name": "Gold", "price": 999, "currency": "EUR", "streams": 2}
    made = (await admin.post(f"{API}/plans", json=plan)).json()["id"]
    await admin.patch(f"{API}/plans/{made}", json={"price": 777})
    membership = {"user_id": await number_of(viewer), "plan_id": made}
    member = (await admin.post(f"{API}/memberships", json=membership)).json()["id"]
    await admin.post(f"{API}/memberships/{member}/cancel")
    await editor.post(f"{API}/categories", json={"name": "Crime"})
    await editor.delete(f"{API}/categories/crime?move_to=none")  # refused: no such category
    boss, editing = await number_of(admin), await number_of(editor)
    assert await changes(admin) == [
        ("Add a category: POST /categories (name)", editing),
        (f"Cancel a membership: POST /memberships/{member}/cancel", boss),
        ("Add membership: POST /memberships (user_id, plan_id)", boss),
        (f"Update a plan: PATCH /plans/{made} (price)", boss),
        ("Add a plan: POST /plans (name, price, currency, streams)", boss),
    ]


async def test_change_that_is_told_already_is_not_told_twice(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    path = f"{API}/users/{await number_of(viewer)}"
    await admin.patch(path, json={"role": "editor"})
    assert await changes(admin) == []
    await admin.patch(path, json={"first_name": "Ada"})
    assert [line for line, _ in await changes(admin)] == [
        f"Update a user: PATCH {path.removeprefix(API)} (first_name)"
    ]


async def test_uploads_are_audited_too(admin: httpx.AsyncClient, editor: httpx.AsyncClient) -> None:
    file = {"file": ("a.mp4", b"abc")}
    film = (await editor.post(f"{API}/videos", data={"title": "T"}, files=file)).json()["id"]
    draft = (await editor.post(f"{API}/videos", json={"title": "Later"})).json()["id"]
    await editor.put(f"{API}/videos/{draft}/file", files=file)
    editing = await number_of(editor)
    assert await changes(admin) == [
        (f"Upload or replace a video's file: PUT /videos/{draft}/file", editing),
        (f"Upload a video: /videos/{draft}", editing),
        (f"Upload a video: /videos/{film}", editing),
    ]


async def test_body_that_nobody_reads_does_no_harm(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    (film,) = await add_films(session, {"title": "A film"})
    done = await editor.post(
        f"{API}/videos/{film}/unpublish",
        content=b"[[[",
        headers={"Content-Type": "application/json"},
    )
    assert done.status_code == 200, done.text
    assert [line for line, _ in await changes(admin)] == [
        f"Unpublish a video: POST /videos/{film}/unpublish"
    ]


async def test_what_people_do_for_themselves_is_no_change_by_staff(
    admin: httpx.AsyncClient,
) -> None:
    await admin.patch(f"{API}/me", json={"first_name": "Ada"})
    assert await changes(admin) == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Content-Type": "application/json"}, 403),
        ({"Origin": "http://test"}, 201),
        ({"Sec-Fetch-Site": "same-origin"}, 201),
    ],
)
async def test_other_sites_change_nothing_with_a_cookie_of_staff(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    body = {"email": "admin@example.org", "password": PASSWORD}
    assert (await client.post(f"{API}/auth/session", json=body)).status_code == 200
    for path, sent in (
        ("categories", {"name": "Crime"}),
        ("plans", {"name": "Gold", "price": 1, "currency": "EUR", "streams": 1}),
        ("operations/jobs/schedules/queue.prune/run", None),
    ):
        answer = await client.post(f"{API}/{path}", json=sent, headers=headers)
        assert answer.status_code == status, path
    assert len(await changes(admin)) == (2 if status == 201 else 0)


@pytest.mark.parametrize("path", ["assets", "votes", "memberships"])
async def test_lists_are_for_administrators(
    client: httpx.AsyncClient, editor: httpx.AsyncClient, admin: httpx.AsyncClient, path: str
) -> None:
    assert (await client.get(f"{API}/{path}")).status_code == 401
    assert (await editor.get(f"{API}/{path}")).status_code == 403
    assert (await admin.get(f"{API}/{path}")).json()["total"] == 0


async def test_assets_name_their_film_and_file(
    admin: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    film = await editor.post(
        f"{API}/videos", data={"title": "Odd file"}, files={"file": ("a.mp4", b"abc")}
    )
    (asset,) = (await admin.get(f"{API}/assets", params={"state": "uploaded"})).json()["items"]
    assert (asset["video_id"], asset["title"]) == (film.json()["id"], "Odd file")
    assert (asset["source_name"], asset["source_bytes"], asset["renditions"]) == ("a.mp4", 3, [])
    assert (await admin.get(f"{API}/assets", params={"state": "ready"})).json()["total"] == 0
    assert (await admin.get(f"{API}/assets", params={"state": "odd"})).status_code == 400


async def test_deleted_vote_does_not_count_and_is_audited(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    (film,) = await add_films(session, {"title": "A film"})
    await viewer.put(f"{API}/videos/{film}/vote", json={"vote": "down"})
    (vote,) = (await admin.get(f"{API}/votes", params={"video_id": film})).json()["items"]
    assert (vote["vote"], vote["owner"]) == ("down", "viewer@example.org")
    assert (await viewer.delete(f"{API}/votes/{vote['id']}")).status_code == 403
    assert (await admin.delete(f"{API}/votes/{vote['id']}")).status_code == 204
    assert (await admin.delete(f"{API}/votes/{vote['id']}")).status_code == 404
    shown = (await viewer.get(f"{API}/videos/{film}/vote")).json()
    assert shown == {"vote": None, "upvotes": 0, "downvotes": 0}
    assert [line for line, _ in await changes(admin)] == [
        f"Delete a vote: DELETE /votes/{vote['id']}"
    ]


async def test_memberships_name_their_owner(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    plan = {"name": "Gold", "price": 999, "currency": "EUR", "streams": 2}
    made = (await admin.post(f"{API}/plans", json=plan)).json()["id"]
    member = await number_of(viewer)
    await admin.post(f"{API}/memberships", json={"user_id": member, "plan_id": made})
    (shown,) = (await admin.get(f"{API}/memberships?user_id={member}")).json()["items"]
    assert (shown["owner"], shown["plan"]["name"]) == ("viewer@example.org", "Gold")
    assert (await admin.get(f"{API}/memberships?user_id={member + 1}")).json()["total"] == 0
    assert (await admin.get(f"{API}/memberships?plan_id={made}")).json()["total"] == 1


async def test_what_people_watch_is_for_owners_and_the_person_is_told(
    admin: httpx.AsyncClient,
    owner: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    session: AsyncSession,
) -> None:
    (film,) = await add_films(session, {"title": "A film"})
    await viewer.post(f"{API}/watchlist", json={"video_id": film})
    await viewer.put(f"{API}/videos/{film}/progress", json={"seconds": 3})
    path = f"{API}/users/{await number_of(viewer)}/library"
    assert (await admin.get(path)).status_code == 403
    (read,) = (await owner.get(path)).json()
    assert [item["video"]["id"] for item in read["watchlist"]] == [film]
    assert [item["progress"]["seconds"] for item in read["history"]] == [3]
    assert (await owner.get(f"{API}/users/999999/library")).status_code == 404
    newest = (await viewer.get(f"{API}/me/activity")).json()["items"][0]
    assert (newest["kind"], newest["actor_id"]) == ("library-read", await number_of(owner))


async def test_people_are_found_by_number(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    mine, theirs = await number_of(admin), await number_of(viewer)
    found = (await admin.get(f"{API}/users", params={"ids": [theirs, 999_999]})).json()
    assert [person["id"] for person in found["items"]] == [theirs]
    both = (await admin.get(f"{API}/users", params={"ids": [mine, theirs]})).json()
    assert both["total"] == 2


async def test_mails_to_owners_are_read_by_owners_only(
    session: AsyncSession, owner: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    """A link to choose a new password is as good as the account."""
    mine = (await owner.get(f"{API}/me")).json()["email"]
    await queue_mail(session, to=mine, template="welcome-admin", values={"url": "https://a.b/link"})
    await session.commit()
    (seen,) = (await owner.get(f"{API}/operations/mail")).json()["items"]
    assert "https://a.b/link" in seen["text"]
    (hidden,) = (await admin.get(f"{API}/operations/mail")).json()["items"]
    assert (hidden["to"], hidden["text"], hidden["html"]) == (mine, "", "")
