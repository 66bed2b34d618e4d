"""API tokens: shown once, scoped, revoked at once."""

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from videoflix.platform.auth.revocations import revocations
from videoflix.sessions.service.opaque_tokens import opaque_tokens

TOKENS = "/api/v1/me/tokens"


async def make(client: httpx.AsyncClient, **wish: object) -> tuple[int, dict[str, str]]:
    """The id of a new token, and the header it is used with."""
    answer = await client.post(TOKENS, json={"name": "backup"} | wish)
    assert answer.status_code == 201
    made = answer.json()
    return made["about"]["id"], {"Authorization": f"Bearer {made['token']}"}


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "token"])
async def test_token_speaks_for_its_person(
    app: Litestar, editor: httpx.AsyncClient, scheme: str
) -> None:
    _, header = await make(editor)
    token = header["Authorization"].removeprefix("Bearer ")
    async with http_client(app, {"Authorization": f"{scheme} {token}"}) as script:
        assert (await script.get("/api/v1/me")).json()["email"] == "editor@example.org"


async def test_token_is_kept_as_a_hash_and_listed_without_it(
    app: Litestar, session: AsyncSession, editor: httpx.AsyncClient
) -> None:
    token_id, header = await make(editor, name="nightly", days=10)
    (shown,) = (await editor.get(TOKENS)).json()
    assert shown["id"] == token_id
    assert (shown["name"], shown["scope"], shown["last_used_at"]) == ("nightly", "read", None)
    async with http_client(app, header) as script:
        await script.get("/api/v1/me")
    assert (await editor.get(TOKENS)).json()[0]["last_used_at"] is not None
    kept = str((await session.execute(text("select * from sign_in"))).all())
    assert header["Authorization"].removeprefix("Bearer ") not in kept
    devices = (await editor.get("/api/v1/auth/sessions")).json()
    assert token_id not in [device["id"] for device in devices]


async def test_scopes_limit_what_a_token_may_do(app: Litestar, admin: httpx.AsyncClient) -> None:
    allowed = {}
    for scope in ("read", "write", "admin"):
        _, header = await make(admin, scope=scope)
        async with http_client(app, header) as script:
            looks = await script.get("/api/v1/me")
            changes = await script.patch("/api/v1/me", json={"phone": "1"})
            administers = await script.get("/api/v1/users")
            allowed[scope] = [a.status_code for a in (looks, changes, administers)]
            if scope == "write":
                assert administers.json()["type"] == "/problems/scope-too-narrow"
    assert allowed == {"read": [200, 403, 403], "write": [200, 200, 403], "admin": [200] * 3}


async def test_token_lends_no_role_its_person_lacks(
    app: Litestar, viewer: httpx.AsyncClient
) -> None:
    _, header = await make(viewer, scope="admin")
    async with http_client(app, header) as script:
        assert (await script.get("/api/v1/users")).status_code == 403


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", TOKENS),
        ("GET", TOKENS),
        ("DELETE", "/api/v1/me"),
        ("GET", "/api/v1/me/export"),
        ("POST", "/api/v1/auth/password/change"),
        ("POST", "/api/v1/auth/email/change"),
        ("POST", "/api/v1/auth/logout/all"),
        ("GET", "/api/v1/auth/sessions"),
    ],
)
async def test_token_cannot_take_the_account_over(
    app: Litestar, admin: httpx.AsyncClient, method: str, path: str
) -> None:
    _, header = await make(admin, scope="admin")
    async with http_client(app, header) as script:
        body = {"name": "more", "password": PASSWORD, "current": PASSWORD, "email": "a@b.org"}
        answer = await script.request(method, path, json=body)
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/scope-too-narrow"


async def test_revoked_token_is_refused_although_it_is_remembered(
    app: Litestar, viewer: httpx.AsyncClient
) -> None:
    token_id, header = await make(viewer)
    async with http_client(app, header) as script:
        assert (await script.get("/api/v1/me")).status_code == 200
        assert (await viewer.delete(f"{TOKENS}/{token_id}")).status_code == 204
        revocations.add([token_id])  # what NOTIFY says after a real commit
        assert (await script.get("/api/v1/me")).status_code == 401
    assert (await viewer.get(TOKENS)).json() == []
    assert (await viewer.delete(f"{TOKENS}/{token_id}")).status_code == 404


async def test_ended_tokens_are_refused_by_who_never_saw_them(
    app: Litestar, session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    ends = {
        "revoked": "update sign_in set ended_at = now() where id = :id",
        "expired": "update sign_in set expires_at = now() where id = :id",
        "person off": "update user_account set is_active = false"
        " where id = (select user_id from sign_in where id = :id)",
    }
    for reason, statement in ends.items():
        token_id, header = await make(viewer)
        opaque_tokens.clear()
        await session.execute(text(statement), {"id": token_id})
        await session.commit()
        async with http_client(app, header) as script:
            assert (await script.get("/api/v1/me")).status_code == 401, reason


async def test_nobody_revokes_the_token_of_another(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    token_id, _ = await make(editor)
    assert (await viewer.delete(f"{TOKENS}/{token_id}")).status_code == 404


@pytest.mark.parametrize(
    "wish", [{"name": ""}, {"name": "x" * 101}, {"scope": "root"}, {"days": 0}, {"days": 4000}]
)
async def test_wishes_out_of_bounds_are_refused(
    viewer: httpx.AsyncClient, wish: dict[str, object]
) -> None:
    assert (await viewer.post(TOKENS, json={"name": "a"} | wish)).status_code == 400


@pytest.mark.parametrize("token", ["vf_", "vf_" + "x" * 43, "vf_é"])
async def test_made_up_tokens_are_refused(client: httpx.AsyncClient, token: str) -> None:
    header = {b"Authorization": f"Bearer {token}".encode()}
    assert (await client.get("/api/v1/me", headers=header)).status_code == 401
