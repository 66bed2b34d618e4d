"""Administrators and other people's accounts."""

import asyncio

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from queue_helpers import rows
from registration.test_api import do_jobs
from videoflix.accounts.problems import LastAdmin
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.user_admin.service import UserAdmin

USERS = "/api/v1/users"
AUTH = "/api/v1/auth"


async def number_of(client: httpx.AsyncClient) -> int:
    return int((await client.get("/api/v1/me")).json()["id"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", USERS),
        ("POST", USERS),
        ("GET", f"{USERS}/1"),
        ("PATCH", f"{USERS}/1"),
        ("POST", f"{USERS}/1/deactivate"),
        ("POST", f"{USERS}/1/activate"),
    ],
)
async def test_only_administrators_may(
    client: httpx.AsyncClient, editor: httpx.AsyncClient, method: str, path: str
) -> None:
    body = {"email": "new@example.org"}
    assert (await client.request(method, path, json=body)).status_code == 401
    assert (await editor.request(method, path, json=body)).status_code == 403


async def test_people_are_found_by_address_name_and_role(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    page = (await admin.get(USERS)).json()
    assert page["total"] == 3
    assert "password" not in str(page)
    for query, found in (("EDITOR@", ["editor"]), ("iewer", ["viewer"]), ("%", [])):
        items = (await admin.get(USERS, params={"search": query})).json()["items"]
        assert [item["role"] for item in items] == found, query
    by_role = (await admin.get(USERS, params={"role": "admin"})).json()
    assert [item["email"] for item in by_role["items"]] == ["admin@example.org"]


async def test_person_with_a_password_may_sign_in_at_once(
    admin: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    new = {"email": "new@example.org", "password": PASSWORD, "role": "editor"}
    made = await admin.post(USERS, json=new)
    assert made.status_code == 201
    assert made.json()["role"] == "editor"
    signed_in = await client.post(
        f"{AUTH}/token", json={"email": "new@example.org", "password": PASSWORD}
    )
    assert signed_in.status_code == 200
    twice = await admin.post(USERS, json=new | {"email": "NEW@example.org"})
    assert twice.status_code == 409
    assert twice.json()["type"] == "/problems/email-taken"


async def test_person_without_one_is_invited_to_choose(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, session: AsyncSession
) -> None:
    await admin.post(USERS, json={"email": "new@example.org", "language": "de"})
    mail = (await session.execute(text("select recipient, subject, text from mail"))).one()
    assert mail[:2] == ("new@example.org", "Ihr Konto bei Videoflix")
    assert "3 Tage" in mail[2]
    token = mail[2].partition("/#/reset/")[2].split()[0]
    body = {"token": token, "password": PASSWORD}
    assert (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 204
    credentials = {"email": "new@example.org", "password": PASSWORD}
    assert (await client.post(f"{AUTH}/token", json=credentials)).status_code == 200


async def test_deactivated_person_is_signed_out_until_activated(
    admin: httpx.AsyncClient, client: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    number = await number_of(viewer)
    off = await admin.post(f"{USERS}/{number}/deactivate")
    assert (off.status_code, off.json()["is_active"]) == (200, False)
    credentials = {"email": "viewer@example.org", "password": PASSWORD}
    assert (await client.post(f"{AUTH}/token", json=credentials)).status_code == 401
    await admin.post(f"{USERS}/{number}/activate")
    assert (await client.post(f"{AUTH}/token", json=credentials)).status_code == 200


async def test_another_role_ends_the_sign_ins_of_the_old_one(
    admin: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    number = await number_of(viewer)
    changed = await admin.patch(f"{USERS}/{number}", json={"role": "editor", "phone": "1"})
    assert (changed.json()["role"], changed.json()["phone"]) == ("editor", "1")
    ended = "select count(*) from sign_in where user_id = :id and ended_at is not null"
    assert await session.scalar(text(ended), {"id": number}) == 1


async def test_somebody_stays_administrator(admin: httpx.AsyncClient) -> None:
    number = await number_of(admin)
    demoted = await admin.patch(f"{USERS}/{number}", json={"role": "viewer"})
    off = await admin.post(f"{USERS}/{number}/deactivate")
    assert (demoted.status_code, off.status_code) == (409, 409)


async def test_two_administrators_cannot_switch_each_other_off_at_once(committed: None) -> None:
    async with transaction() as session:
        accounts = Accounts(session)
        ids = [
            (await accounts.create_user(email=f"{n}@a.org", password=PASSWORD, role=Role.ADMIN)).id
            for n in range(2)
        ]

    async def switch_off(user_id: int) -> None:
        async with transaction() as session:
            await UserAdmin(session).deactivate(user_id, by=None)

    results = await asyncio.gather(*map(switch_off, ids), return_exceptions=True)
    assert [type(result) for result in results if result] == [LastAdmin]
    left = await rows("select id from user_account where role = 'admin' and is_active")
    assert len(left) == 1


async def test_unknown_people_are_404(admin: httpx.AsyncClient) -> None:
    for answer in (
        await admin.get(f"{USERS}/999"),
        await admin.patch(f"{USERS}/999", json={}),
        await admin.post(f"{USERS}/999/deactivate"),
    ):
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/person-not-found"


async def test_owners_are_made_and_changed_by_owners_only(
    admin: httpx.AsyncClient, owner: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    owner_id, editor_id = await number_of(owner), await number_of(editor)
    for method, path, body in (
        ("POST", USERS, {"email": "new@example.org", "role": "owner"}),
        ("PATCH", f"{USERS}/{editor_id}", {"role": "owner"}),
        ("PATCH", f"{USERS}/{await number_of(admin)}", {"role": "owner"}),
        ("PATCH", f"{USERS}/{owner_id}", {"role": "viewer"}),
        ("PATCH", f"{USERS}/{owner_id}", {"first_name": "Not me"}),
        ("POST", f"{USERS}/{owner_id}/deactivate", None),
    ):
        refused = await admin.request(method, path, json=body)
        assert refused.json()["type"] == "/problems/owners-only", path
    made = await owner.patch(f"{USERS}/{editor_id}", json={"role": "owner"})
    assert (made.status_code, made.json()["role"]) == (200, "owner")


async def test_owner_may_what_admins_may_and_stays_when_alone(owner: httpx.AsyncClient) -> None:
    me = f"{USERS}/{await number_of(owner)}"
    for path in ("/api/v1/operations/overview", "/api/v1/audit", "/api/v1/invoices"):
        assert (await owner.get(path)).status_code == 200
    alone = await owner.post(f"{me}/deactivate")
    assert alone.json()["type"] == "/problems/last-admin"
    assert (await owner.patch(me, json={"role": "admin"})).status_code == 200


async def test_token_of_an_owner_does_what_its_scope_says(owner: httpx.AsyncClient) -> None:
    token = (await owner.post("/api/v1/me/tokens", json={"name": "t", "scope": "write"})).json()
    headers = {"Authorization": f"Bearer {token['token']}"}
    refused = await owner.get(USERS, headers=headers)
    assert refused.json()["type"] == "/problems/scope-too-narrow"


async def test_staff_mail_a_link_to_choose_a_password(
    admin: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    client: httpx.AsyncClient,
    session: AsyncSession,
) -> None:
    number = (await viewer.get("/api/v1/me")).json()["id"]
    assert (await viewer.post(f"{USERS}/{number}/password-link")).status_code == 403
    assert (await admin.post(f"{USERS}/{number}/password-link")).status_code == 204
    await do_jobs(session)
    mail = (await session.execute(text("select recipient, text from mail"))).one()
    assert mail[0] == "viewer@example.org"
    credentials = {"email": "viewer@example.org", "password": PASSWORD}
    assert (await client.post(f"{AUTH}/token", json=credentials)).status_code == 200
    token = mail[1].partition("/#/reset/")[2].split()[0]
    body = {"token": token, "password": "another good password"}
    assert (await client.post(f"{AUTH}/password/reset", json=body)).status_code == 204
    assert (await client.post(f"{AUTH}/token", json=credentials)).status_code == 401
    assert (await admin.post(f"{USERS}/{number + 1000}/password-link")).status_code == 404
