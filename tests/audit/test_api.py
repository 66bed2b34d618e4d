"""Security events: written with the change, shown to the person and to admins, never changed."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from factories import SecurityEventFactory, create
from videoflix.audit.repository import SecurityEventRepository

AUTH = "/api/v1/auth"
VIEWER = "viewer@example.org"
ACTIVITY = "/api/v1/me/activity"


async def kinds(client: httpx.AsyncClient, path: str = ACTIVITY) -> list[str]:
    return [event["kind"] for event in (await client.get(path)).json()["items"]]


async def test_person_sees_sign_ins_and_failures(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    body = {"email": VIEWER, "password": "wrong"}
    header = {"User-Agent": "Browser\x7f 1"}
    assert (await client.post(f"{AUTH}/token", json=body, headers=header)).status_code == 401
    good = {"email": VIEWER, "password": PASSWORD}
    assert (await client.post(f"{AUTH}/token", json=good)).status_code == 200
    page = (await viewer.get(ACTIVITY)).json()
    assert [event["kind"] for event in page["items"]] == [
        "signed-in",
        "sign-in-refused",
        "signed-in",
    ]
    refused = page["items"][1]
    assert (refused["address"], refused["device"]) == ("127.0.0.1", "Browser\x7f 1")
    assert refused["actor_id"] is None
    assert "wrong" not in str(page)
    assert page["total"] == 3
    assert (await viewer.get(ACTIVITY, params={"limit": 1})).json()["items"] == page["items"][:1]


async def test_nobody_sees_the_activity_of_others(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    await editor.patch("/api/v1/me", json={})
    mine = (await viewer.get(ACTIVITY)).json()["items"]
    assert {event["user_id"] for event in mine} == {(await viewer.get("/api/v1/me")).json()["id"]}
    assert (await editor.get("/api/v1/audit")).status_code == 403


async def test_administrators_see_everything_by_person_and_kind(
    client: httpx.AsyncClient, admin: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    await client.post(f"{AUTH}/token", json={"email": "no@example.org", "password": "wrong"})
    assert await kinds(admin, "/api/v1/audit") == ["sign-in-refused", "signed-in", "signed-in"]
    assert await kinds(admin, "/api/v1/audit?kind=sign-in-refused") == ["sign-in-refused"]
    number = (await viewer.get("/api/v1/me")).json()["id"]
    assert await kinds(admin, f"/api/v1/audit?user_id={number}") == ["signed-in"]
    assert (await admin.get("/api/v1/audit?kind=nonsense")).status_code == 400


async def test_changes_of_the_account_are_noted(
    app: Litestar, admin: httpx.AsyncClient, client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = (await viewer.get("/api/v1/me")).json()["id"]
    change = {"current": PASSWORD, "password": "another good password"}
    await viewer.post(f"{AUTH}/password/change", json=change)
    await admin.patch(f"/api/v1/users/{number}", json={"role": "editor"})
    await admin.post(f"/api/v1/users/{number}/deactivate")
    await admin.post(f"/api/v1/users/{number}/activate")
    signed_in = await client.post(
        f"{AUTH}/token", json={"email": VIEWER, "password": "another good password"}
    )
    header = {"Authorization": f"Bearer {signed_in.json()['access']}"}
    async with http_client(app, header) as again:
        page = (await again.get(ACTIVITY)).json()["items"]
    assert [event["kind"] for event in page] == [
        "signed-in",
        "activated",
        "deactivated",
        "role-changed",
        "password-changed",
        "signed-in",
    ]
    assert page[3]["detail"] == "viewer to editor"
    assert page[3]["actor_id"] == (await admin.get("/api/v1/me")).json()["id"]


@pytest.mark.parametrize(
    "statement", ["update security_event set kind = 'x'", "delete from security_event"]
)
async def test_database_itself_refuses_to_change_the_past(
    session: AsyncSession, viewer: httpx.AsyncClient, statement: str
) -> None:
    with pytest.raises(SQLAlchemyError, match="never changed"):
        await session.execute(text(statement))


async def test_events_are_forgotten_after_a_year(session: AsyncSession) -> None:
    for days in (366, 364):
        before = datetime.now(UTC) - timedelta(days=days)
        await create(session, SecurityEventFactory, created_at=before)
    assert await SecurityEventRepository(session=session).delete_expired() == 1


@pytest.mark.parametrize(
    "statement",
    [
        "truncate security_event",
        "delete from security_event",
        "update security_event set detail = 'nothing happened'",
    ],
)
async def test_nobody_empties_the_audit(
    session: AsyncSession, viewer: httpx.AsyncClient, statement: str
) -> None:
    events = await session.scalar(text("select count(*) from security_event"))
    assert events
    with pytest.raises(SQLAlchemyError, match="security events are never changed"):
        async with session.begin_nested():
            await session.execute(text(statement))
    assert await session.scalar(text("select count(*) from security_event")) == events
