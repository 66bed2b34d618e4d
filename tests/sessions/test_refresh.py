"""Staying signed in, and being signed out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from videoflix.accounts.service import Accounts
from videoflix.app import read_revocations
from videoflix.platform.auth.revocations import Revocations, revocations
from videoflix.platform.postgres.session import transaction

AUTH = "/api/v1/auth"
CREDENTIALS = {"email": "ada@example.org", "password": PASSWORD}

Pair = dict[str, Any]
SignIn = Callable[[], Awaitable[Pair]]


@pytest.fixture
async def sign_in(client: httpx.AsyncClient, session: AsyncSession) -> SignIn:
    """Signs Ada in once more."""
    await Accounts(session).create_user(email="ada@example.org", password=PASSWORD)
    await session.commit()

    async def sign_in() -> Pair:
        answer = await client.post(f"{AUTH}/token", json=CREDENTIALS)
        assert answer.status_code == 200
        pair: Pair = answer.json()
        return pair

    return sign_in


def bearer(pair: Pair) -> dict[str, str]:
    return {"Authorization": f"Bearer {pair['access']}"}


async def refresh(client: httpx.AsyncClient, pair: Pair) -> httpx.Response:
    return await client.post(f"{AUTH}/token/refresh", json={"refresh": pair["refresh"]})


async def is_in(client: httpx.AsyncClient, pair: Pair) -> bool:
    return (await client.get("/api/v1/me", headers=bearer(pair))).status_code == 200


async def test_refresh_token_gets_the_next_pair(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    first = await sign_in()
    assert (first["expires_in"], first["refresh_expires_in"]) == (900, 30 * 24 * 3600)
    second = (await refresh(client, first)).json()
    assert second["refresh"] != first["refresh"]
    assert await is_in(client, second)
    assert (await refresh(client, second)).status_code == 200


async def test_two_tabs_may_refresh_at_once(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    pair = await sign_in()
    answers = [await refresh(client, pair), await refresh(client, pair)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert await is_in(client, answers[0].json())
    assert await is_in(client, answers[1].json())


async def test_tokens_of_the_other_kind_are_refused(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    pair = await sign_in()
    swapped = {"access": pair["refresh"], "refresh": pair["access"]}
    assert not await is_in(client, swapped)
    assert (await refresh(client, swapped)).status_code == 401


async def test_sign_in_expires_however_often_it_is_refreshed(
    client: httpx.AsyncClient, sign_in: SignIn, session: AsyncSession
) -> None:
    pair = await sign_in()
    await session.execute(text("update sign_in set expires_at = now() + interval '60 seconds'"))
    await session.commit()
    short = (await refresh(client, pair)).json()
    assert short["expires_in"] <= 60
    assert short["refresh_expires_in"] <= 60
    await session.execute(text("update sign_in set expires_at = now()"))
    await session.commit()
    assert (await refresh(client, short)).status_code == 401


async def test_refresh_sees_a_new_role_and_a_closed_account(
    client: httpx.AsyncClient, sign_in: SignIn, session: AsyncSession
) -> None:
    pair = await sign_in()
    assert (await client.get("/api/v1/operations/mail", headers=bearer(pair))).status_code == 403
    await session.execute(text("update user_account set role = 'admin'"))
    await session.commit()
    pair = (await refresh(client, pair)).json()
    assert (await client.get("/api/v1/operations/mail", headers=bearer(pair))).status_code == 200
    await session.execute(text("update user_account set is_active = false"))
    await session.commit()
    assert (await refresh(client, pair)).status_code == 401


@pytest.mark.parametrize("path", ["logout", "logout/all"])
async def test_logout_ends_the_tokens_at_once(
    client: httpx.AsyncClient, sign_in: SignIn, path: str
) -> None:
    pair, other = await sign_in(), await sign_in()
    assert (await client.post(f"{AUTH}/{path}", headers=bearer(pair))).status_code == 204
    assert not await is_in(client, pair)
    assert (await refresh(client, pair)).status_code == 401
    assert await is_in(client, other) == (path == "logout")


async def test_devices_are_listed_and_signed_out(
    client: httpx.AsyncClient, sign_in: SignIn, viewer: httpx.AsyncClient
) -> None:
    client.headers["user-agent"] = "Old phone"
    phone = await sign_in()
    client.headers["user-agent"] = "Laptop"
    laptop = await sign_in()
    found = (await client.get(f"{AUTH}/sessions", headers=bearer(laptop))).json()
    assert [(one["device"], one["current"]) for one in found] == [
        ("Laptop", True),
        ("Old phone", False),
    ]
    path = f"{AUTH}/sessions/{found[1]['id']}"
    assert (await viewer.delete(path)).status_code == 404, "somebody else's"
    assert (await client.delete(path, headers=bearer(laptop))).status_code == 204
    assert not await is_in(client, phone)
    assert await is_in(client, laptop)
    assert (await client.delete(path, headers=bearer(laptop))).status_code == 404


async def test_tokens_are_checked(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    pair = await sign_in()
    for token, status in ((pair["access"], 200), (pair["refresh"], 401), ("rubbish", 401)):
        answer = await client.post(f"{AUTH}/token/verify", json={"token": token})
        assert answer.status_code == status


async def test_browser_renews_its_cookies(
    client: httpx.AsyncClient, sign_in: SignIn, app: Litestar
) -> None:
    await sign_in()
    await client.post(f"{AUTH}/session", json=CREDENTIALS)
    client.cookies.delete("access_token")  # it expired
    assert (await client.get("/api/v1/me")).status_code == 401
    evil = await client.post(f"{AUTH}/session/refresh", headers={"Origin": "https://evil.example"})
    assert evil.status_code == 403
    renewed = await client.post(f"{AUTH}/session/refresh", headers={"Origin": "http://test"})
    assert renewed.status_code == 204
    assert (await client.get("/api/v1/me")).status_code == 200
    async with http_client(app) as stranger:
        none = await stranger.post(f"{AUTH}/session/refresh", headers={"Origin": "http://test"})
        assert none.status_code == 401


async def test_signing_out_of_a_browser_ends_a_session_whose_access_expired(
    client: httpx.AsyncClient, sign_in: SignIn
) -> None:
    await sign_in()
    await client.post(f"{AUTH}/session", json=CREDENTIALS)
    refresh_cookie = client.cookies["refresh_token"]
    client.cookies.delete("access_token")
    left = await client.delete(f"{AUTH}/session", headers={"Origin": "http://test"})
    assert left.status_code == 204
    again = await client.post(f"{AUTH}/token/refresh", json={"refresh": refresh_cookie})
    assert again.status_code == 401


async def test_process_that_was_deaf_reads_who_signed_out(
    client: httpx.AsyncClient, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = await sign_in()
    await client.post(f"{AUTH}/logout", headers=bearer(pair))
    monkeypatch.setattr(revocations, "_until", {})
    assert await is_in(client, pair), "as in a process that heard nothing"
    await read_revocations()
    assert not await is_in(client, pair)


@pytest.fixture
async def committing(committed: None, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose requests commit, each on a connection of its own; Ada has an account."""
    async with transaction() as session:
        await Accounts(session).create_user(email="ada@example.org", password=PASSWORD)
    async with http_client(app) as client:
        yield client


async def test_racing_refreshes_stay_signed_in(committing: httpx.AsyncClient) -> None:
    pair = (await committing.post(f"{AUTH}/token", json=CREDENTIALS)).json()
    answers = await asyncio.gather(*[refresh(committing, pair) for _ in range(5)])
    assert {answer.status_code for answer in answers} == {200}
    for answer in answers:
        assert await is_in(committing, answer.json())


async def test_replayed_refresh_token_ends_the_sign_in_for_everybody(
    committing: httpx.AsyncClient,
) -> None:
    stolen = (await committing.post(f"{AUTH}/token", json=CREDENTIALS)).json()
    other_device = (await committing.post(f"{AUTH}/token", json=CREDENTIALS)).json()
    thief = (await refresh(committing, stolen)).json()
    async with transaction() as session:
        await session.execute(
            text("update refresh_token set used_at = used_at - interval '1 hour'")
        )
    refused = await refresh(committing, stolen)
    assert refused.status_code == 401
    assert refused.json()["type"] == "/problems/refresh-refused"
    assert (await refresh(committing, thief)).status_code == 401
    assert not await is_in(committing, thief)
    assert await is_in(committing, other_device)


def test_what_expired_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Revocations("test-ended:", timedelta(hours=1))
    known.add([1])
    assert 1 in known
    monkeypatch.setattr("time.monotonic", lambda: 1e12)
    known.add([2])
    assert (1 in known, 2 in known) == (False, True)
