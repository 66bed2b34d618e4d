"""Signing in by cookies, and what other sites cannot do with them."""

import httpx
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from videoflix.accounts.service import Accounts
from videoflix.platform.auth import csrf
from videoflix.platform.auth.tokens import csrf_token
from videoflix.settings import settings

SESSION = "/api/v1/auth/session"


@pytest.fixture
async def ada(session: AsyncSession) -> int:
    user = await Accounts(session).create_user(email="ada@example.org", password=PASSWORD)
    await session.commit()
    return user.id


async def test_browser_session_is_a_cookie_scripts_cannot_read(
    client: httpx.AsyncClient, ada: int
) -> None:
    body = {"email": "ada@example.org", "password": PASSWORD}
    answer = await client.post("/api/v1/auth/session", json=body)
    assert answer.json()["user"]["id"] == ada
    cookie = answer.headers["set-cookie"].lower()  # all three
    assert cookie.count("httponly") == 2
    assert "samesite=lax" in cookie
    assert (await client.get("/api/v1/me")).status_code == 200
    left = await client.delete("/api/v1/auth/session", headers={"Origin": "http://test"})
    assert left.status_code == 204
    assert (await client.get("/api/v1/me")).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}],
)
async def test_other_sites_cannot_use_the_cookie(
    client: httpx.AsyncClient, ada: int, headers: dict[str, str]
) -> None:
    body = {"email": "ada@example.org", "password": PASSWORD}
    await client.post("/api/v1/auth/session", json=body)
    answer = await client.delete("/api/v1/auth/session", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/cross-site-request"
    assert (await client.get("/api/v1/me")).status_code == 200


async def test_csrf_token_does_not_vouch_for_another_site(
    client: httpx.AsyncClient, ada: int
) -> None:
    await client.post(SESSION, json={"email": "ada@example.org", "password": PASSWORD})
    token = {"X-CSRFToken": client.cookies["csrftoken"], "Sec-Fetch-Site": "cross-site"}
    assert (await client.patch("/api/v1/me", json={"phone": "1"}, headers=token)).status_code == 403


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "same-origin"}])
async def test_csrf_token_vouches_for_the_page(
    client: httpx.AsyncClient, ada: int, headers: dict[str, str]
) -> None:
    await client.post(SESSION, json={"email": "ada@example.org", "password": PASSWORD})
    token = headers | {"X-CSRFToken": client.cookies["csrftoken"]}
    changed = await client.patch("/api/v1/me", json={"phone": "030 1"}, headers=token)
    assert changed.status_code == 200
    assert (await client.post(f"{SESSION}/refresh", headers=token)).status_code == 204
    assert (await client.delete(SESSION, headers=token)).status_code == 204


async def test_csrf_token_of_another_sign_in_is_worth_nothing(
    client: httpx.AsyncClient, ada: int
) -> None:
    await client.post(SESSION, json={"email": "ada@example.org", "password": PASSWORD})
    for token in (csrf_token(10**9), "", "é"):
        for method, path in (("PATCH", "/api/v1/me"), ("POST", f"{SESSION}/refresh")):
            answer = await client.request(
                method, path, json={}, headers={b"X-CSRFToken": token.encode()}
            )
            assert answer.status_code == 403, (token, path)


async def test_bearer_requests_need_no_csrf_token(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.patch("/api/v1/me", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200


async def test_listed_front_ends_may_use_the_cookie(
    client: httpx.AsyncClient, ada: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = msgspec.structs.replace(settings, cors_origins="https://a.example, https://b.example/")
    monkeypatch.setattr(csrf, "settings", listed)
    await client.post(SESSION, json={"email": "ada@example.org", "password": PASSWORD})
    for origin, expected in (("https://b.example", 200), ("https://c.example", 403)):
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        answer = await client.patch("/api/v1/me", json={}, headers=headers)
        assert answer.status_code == expected, origin
