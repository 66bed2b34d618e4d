"""Sign-ins of the dialect `movies`: Simple JWT's wire, and refresh tokens that clients keep."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from compat.test_movies import older  # noqa: F401 - a fixture
from conftest import PASSWORD, http_client, sign_in
from videoflix.platform.auth.identity import Role
from videoflix.sessions.service import sessions

TOKEN = "/api/v1/auth/token/"
REFRESH = "/api/v1/auth/token/refresh/"
VERIFY = "/api/v1/auth/token/verify/"
RATINGS = "/api/v1/movies/ratings"
EMAIL = "viewer@example.org"
CHALLENGE = 'Bearer realm="api"'
INVALID = {"detail": "Token is invalid or expired", "code": "token_not_valid"}
REQUIRED, BLANK = ["This field is required."], ["This field may not be blank."]


@pytest.fixture
async def stranger(older: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:  # noqa: F811
    """A client of the dialect; the account of EMAIL exists."""
    await (await sign_in(older, session, Role.VIEWER)).aclose()
    async with http_client(older) as client:
        yield client


async def pair_of(client: httpx.AsyncClient) -> dict[str, str]:
    answer = await client.post(TOKEN, json={"email": EMAIL, "password": PASSWORD, "more": 1})
    assert answer.status_code == 200, answer.text
    pair: dict[str, str] = answer.json()
    assert list(pair) == ["refresh", "access"]
    return pair


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_refresh_token_is_used_again_and_again(
    stranger: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "GRACE", timedelta(0))  # for repeated requests
    pair = await pair_of(stranger)
    for path in (REFRESH, "/api/v1/auth/refresh/", REFRESH):
        renewed = await stranger.post(path, json={"refresh": pair["refresh"]})
        assert (renewed.status_code, list(renewed.json())) == (200, ["access"])
        ratings = await stranger.get(RATINGS, headers=bearer(renewed.json()["access"]))
        assert ratings.status_code == 200
    devices = await stranger.get("/api/v1/auth/sessions", headers=bearer(pair["access"]))
    current = next(found for found in devices.json() if found["current"])
    ended = await stranger.delete(
        f"/api/v1/auth/sessions/{current['id']}", headers=bearer(pair["access"])
    )
    assert ended.status_code == 204
    refused = await stranger.post(REFRESH, json={"refresh": pair["refresh"]})
    assert (refused.status_code, refused.json()) == (401, INVALID)


async def test_changed_password_ends_it(stranger: httpx.AsyncClient) -> None:
    pair = await pair_of(stranger)
    changed = await stranger.post(
        "/api/v1/auth/password/change",
        json={"current": PASSWORD, "password": "another long password 7"},
        headers=bearer(pair["access"]),
    )
    assert changed.status_code in {200, 204}, changed.text
    refused = await stranger.post(REFRESH, json={"refresh": pair["refresh"]})
    assert (refused.status_code, refused.json()) == (401, INVALID)


async def test_claims_are_those_of_both(stranger: httpx.AsyncClient) -> None:
    pair = await pair_of(stranger)
    access, refresh = claims(pair["access"]), claims(pair["refresh"])
    assert access["token_type"] == "access"
    assert refresh["token_type"] == "refresh"
    for found in (access, refresh):
        assert found["user_id"] == int(found["sub"])
        assert {"exp", "iat", "jti"} <= {*found}


async def test_our_own_clients_keep_rotation(
    older: Litestar,  # noqa: F811
    session: AsyncSession,
    client: httpx.AsyncClient,
    stranger: httpx.AsyncClient,
) -> None:
    """A token from before the dialect was switched on is rotated, and its reuse is noticed."""
    sent = {"email": EMAIL, "password": PASSWORD}
    own = (await client.post("/api/v1/auth/token", json=sent)).json()["refresh"]
    rotated = (await stranger.post(REFRESH, json={"refresh": own})).json()
    assert list(rotated) == ["access", "refresh"]
    assert rotated["refresh"] != own
    assert "user_id" not in claims(rotated["access"])


@pytest.mark.parametrize(
    ("sent", "status", "body"),
    [
        ({}, 400, {"email": REQUIRED, "password": REQUIRED}),
        ({"email": EMAIL}, 400, {"password": REQUIRED}),
        ({"email": "", "password": ""}, 400, {"email": BLANK, "password": BLANK}),
        (
            {"email": EMAIL, "password": "wrong"},
            401,
            {"detail": "No active account found with the given credentials"},
        ),
        (
            {"email": "no address", "password": "wrong"},
            401,
            {"detail": "No active account found with the given credentials"},
        ),
    ],
)
async def test_refused_sign_ins(
    stranger: httpx.AsyncClient, sent: dict[str, str], status: int, body: object
) -> None:
    for answer in (await stranger.post(TOKEN, json=sent), await stranger.post(TOKEN, data=sent)):
        assert (answer.status_code, answer.json()) == (status, body)
        if status == 401:
            assert answer.headers["www-authenticate"] == CHALLENGE


async def test_forms_are_read(stranger: httpx.AsyncClient) -> None:
    pair = await stranger.post(TOKEN, data={"email": EMAIL, "password": PASSWORD})
    renewed = await stranger.post(REFRESH, data={"refresh": pair.json()["refresh"], "x": "y"})
    assert renewed.status_code == 200
    verified = await stranger.post(VERIFY, data={"token": renewed.json()["access"]})
    assert (verified.status_code, verified.json()) == (200, {})


async def test_refused_refresh_tokens(stranger: httpx.AsyncClient) -> None:
    pair = await pair_of(stranger)
    for sent, status, body in (
        ({}, 400, {"refresh": REQUIRED}),
        ({"refresh": ""}, 400, {"refresh": BLANK}),
        ({"refresh": "x.y.z"}, 401, INVALID),
        ({"refresh": pair["access"]}, 401, INVALID | {"detail": "Token has wrong type"}),
    ):
        answer = await stranger.post(REFRESH, json=sent)
        assert (answer.status_code, answer.json()) == (status, body)


async def test_verifying(stranger: httpx.AsyncClient) -> None:
    pair = await pair_of(stranger)
    for token in pair.values():
        answer = await stranger.post(VERIFY, json={"token": token})
        assert (answer.status_code, answer.json()) == (200, {})
    forged = await stranger.post(VERIFY, json={"token": pair["access"][:-3] + "AAA"})
    assert (forged.status_code, forged.json()) == (401, INVALID)
    assert (await stranger.post(VERIFY, json={})).json() == {"token": REQUIRED}


async def test_invalid_token_gets_another_error_than_none(stranger: httpx.AsyncClient) -> None:
    none = await stranger.get(RATINGS)
    assert (none.status_code, none.json()) == (
        401, {"detail": "Authentication credentials were not provided."},
    )  # fmt: skip
    invalid = await stranger.get(RATINGS, headers=bearer("x.y.z"))
    assert (invalid.status_code, invalid.json()) == (
        401,
        {
            "detail": "Given token not valid for any token type",
            "code": "token_not_valid",
            "messages": [
                {
                    "token_class": "AccessToken",
                    "token_type": "access",
                    "message": "Token is invalid or expired",
                }
            ],
        },
    )
    assert none.headers["www-authenticate"] == invalid.headers["www-authenticate"] == CHALLENGE
