"""Guests try the site and are forgotten."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import http_client
from videoflix.registration.service import Registration
from videoflix.sessions.service import sessions as service
from videoflix.sessions.service.sessions import Sessions
from videoflix.settings import settings

AUTH = "/api/v1/auth"


@pytest.fixture
def welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "settings", msgspec.structs.replace(settings, guest_login=True))


@pytest.fixture
async def guest(
    welcome: None, app: Litestar, client: httpx.AsyncClient
) -> AsyncIterator[httpx.AsyncClient]:
    pair = (await client.post(f"{AUTH}/guest")).json()
    async with http_client(app, {"Authorization": f"Bearer {pair['access']}"}) as guest:
        yield guest


async def guests(session: AsyncSession) -> int:
    return int(await session.scalar(text("select count(*) from user_account")) or 0)


@pytest.mark.parametrize("path", ["guest", "session/guest"])
async def test_guests_are_not_welcome_by_default(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(f"{AUTH}/{path}")
    assert answer.status_code == 403
    assert answer.json()["type"] == "/problems/guests-not-welcome"


async def test_each_guest_is_a_viewer_of_their_own(
    guest: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    me = (await guest.get("/api/v1/me")).json()
    assert (me["role"], me["is_guest"]) == ("viewer", True)
    other = await client.post(f"{AUTH}/session/guest")
    assert other.json()["user"]["id"] != me["id"]
    assert (await client.get("/api/v1/me")).status_code == 200, "the cookie works"


async def test_guest_is_forgotten_at_sign_out(
    session: AsyncSession, guest: httpx.AsyncClient
) -> None:
    assert await guests(session) == 1
    assert (await guest.post(f"{AUTH}/logout")).status_code == 204
    assert await guests(session) == 0


async def test_guests_of_yesterday_are_swept_and_nobody_else(
    session: AsyncSession, guest: httpx.AsyncClient, client: httpx.AsyncClient, editor: object
) -> None:
    await session.execute(text("update user_account set created_at = now() - interval '25 h'"))
    await client.post(f"{AUTH}/guest")
    assert await guests(session) == 3
    assert await Sessions(session).delete_guests() == 1
    assert await guests(session) == 2


async def test_invented_addresses_get_no_mail(
    session: AsyncSession, guest: httpx.AsyncClient
) -> None:
    email = (await guest.get("/api/v1/me")).json()["email"]
    await Registration(session).send_password_reset_mail(email)
    assert await session.scalar(text("select count(*) from mail")) == 0


async def test_nobody_signs_in_with_a_guests_address(
    client: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    email = (await guest.get("/api/v1/me")).json()["email"]
    for password in ("!", "", "correct horse"):
        answer = await client.post(f"{AUTH}/token", json={"email": email, "password": password})
        assert answer.status_code == 401


async def test_guests_are_limited(welcome: None, client: httpx.AsyncClient) -> None:
    answers = [(await client.post(f"{AUTH}/guest")).status_code for _ in range(11)]
    assert answers == [200] * 10 + [429]


async def test_sign_ins_that_are_long_over_are_forgotten(
    session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await session.execute(text("update sign_in set ended_at = now() - interval '31 days'"))
    assert await Sessions(session).sign_ins.delete_expired() == 1
    assert await session.scalar(text("select count(*) from refresh_token")) == 0
