"""Guessing passwords is slow, from one place and from many."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from conftest import PASSWORD
from videoflix.accounts.service import Accounts
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.sessions.api.login import LOGIN_ATTEMPTS_EVERYWHERE
from videoflix.settings import settings

ADA = "ada@example.org"
From = Callable[[str], httpx.AsyncClient]


@pytest.fixture
async def from_address(committed: None, app: Litestar) -> AsyncIterator[From]:
    """Clients at chosen addresses; Ada has an account."""
    async with transaction() as session:
        await Accounts(session).create_user(email=ADA, password=PASSWORD)
    clients = []

    def client_at(address: str) -> httpx.AsyncClient:
        asgi: Any = app
        transport = httpx.ASGITransport(asgi, client=(address, 5))
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://test"))
        return clients[-1]

    yield client_at
    for client in clients:
        await client.aclose()


async def sign_in(client: httpx.AsyncClient, password: str, email: str = ADA) -> httpx.Response:
    return await client.post("/api/v1/auth/token", json={"email": email, "password": password})


async def test_guesses_are_limited_and_forgiven(from_address: From) -> None:
    client = from_address("203.0.113.1")
    for _ in range(5):
        assert (await sign_in(client, "wrong")).status_code == 401
    assert (await sign_in(client, PASSWORD)).status_code == 200, "the sixth was right"
    answers = [await sign_in(client, "wrong", ADA.upper()) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429]
    refused = answers[-1]
    assert refused.json()["type"] == "/problems/too-many-tries"
    assert 50 < int(refused.headers["retry-after"]) <= 60
    assert (await sign_in(client, PASSWORD)).status_code == 429, "not even the right one"


async def test_attacker_does_not_lock_the_owner_out(from_address: From) -> None:
    attacker = from_address("203.0.113.66")
    for _ in range(10):
        await sign_in(attacker, "wrong")
    assert (await sign_in(from_address("198.51.100.1"), PASSWORD)).status_code == 200


async def test_botnet_slows_strangers_down_but_not_the_owner(from_address: From) -> None:
    home, elsewhere = from_address("198.51.100.1"), from_address("198.51.100.2")
    assert (await sign_in(home, PASSWORD)).status_code == 200
    for _ in range(LOGIN_ATTEMPTS_EVERYWHERE.burst):
        await LOGIN_ATTEMPTS_EVERYWHERE.acquire(ADA)
    assert (await sign_in(elsewhere, PASSWORD)).status_code == 429
    assert (await sign_in(home, "wrong")).status_code == 401
    assert (await sign_in(home, PASSWORD)).status_code == 200


async def test_unknown_address_is_limited_alike(from_address: From) -> None:
    client = from_address("203.0.113.1")
    answers = [await sign_in(client, "wrong", "nobody@example.org") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429]


async def test_forwarded_for_does_not_help(from_address: From) -> None:
    client = from_address("203.0.113.1")
    for number in range(7):
        client.headers["x-forwarded-for"] = f"198.51.100.{number}"
        last = await sign_in(client, "wrong")
    assert last.status_code == 429


@pytest.mark.parametrize("path", ["register", "activate/resend", "password/forgot"])
async def test_nobody_can_fill_a_mailbox(from_address: From, path: str) -> None:
    body = {"email": ADA} | ({"password": PASSWORD} if path == "register" else {})
    answers = [
        await from_address(f"203.0.113.{number}").post(f"/api/v1/auth/{path}", json=body)
        for number in range(5)
    ]
    assert [answer.status_code for answer in answers] == [202] * 4 + [429]


async def test_thirty_sign_ins_at_once_do_not_wait_for_each_others_connections(
    from_address: From,
) -> None:
    """More than the pool has connections: nobody may hold one while waiting for another."""
    pool = create_async_engine(settings.sqlalchemy_url, pool_size=3, max_overflow=0, pool_timeout=2)
    alchemy.session_maker = async_sessionmaker(pool, expire_on_commit=False)
    try:
        answers = await asyncio.gather(
            *[sign_in(from_address(f"203.0.113.{number}"), PASSWORD) for number in range(30)]
        )
    finally:
        alchemy.session_maker = None
        await pool.dispose()
    assert {answer.status_code for answer in answers} == {200}
