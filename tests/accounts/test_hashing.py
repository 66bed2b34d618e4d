"""Hashing passwords holds no connection, has a bounded queue, and yields to the event loop."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from conftest import PASSWORD, http_client
from videoflix.accounts import passwords
from videoflix.accounts.passwords import (
    CONCURRENT_HASHES,
    SIGN_INS_AT_ONCE,
    Admission,
    Hashing,
    HashingOverloaded,
    hashing,
)
from videoflix.accounts.service import Accounts
from videoflix.platform.postgres.session import alchemy, pool_use, transaction
from videoflix.platform.process import launcher
from videoflix.settings import settings

AUTH = "/api/v1/auth"
ADA = {"email": "ada@example.org", "password": PASSWORD}


async def test_threads_yield_to_the_event_loop_and_go_before_encoding() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert own < await hashing.run(niceness) < own + launcher.NICE


async def test_full_queue_refuses_and_empties_again() -> None:
    gate = threading.Event()
    small = Hashing(threads=1, waiting_max=3)
    held = [asyncio.create_task(small.run(lambda: str(gate.wait(10)))) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(HashingOverloaded):
        await small.run(str, "x")
    gate.set()
    assert await asyncio.gather(*held) == ["True"] * 3
    assert await small.run(str, "x") == "x"


async def test_admission_lets_wait_and_refuses_beyond() -> None:
    small, gate, order = Admission(at_once=1, waiting_max=2), asyncio.Event(), []

    async def enter(number: int) -> None:
        async with small.place():
            order.append(number)
            await gate.wait()

    tasks = [asyncio.create_task(enter(number)) for number in range(4)]
    await asyncio.sleep(0.01)
    assert order == [0]
    with pytest.raises(HashingOverloaded):
        await tasks[3]
    tasks[1].cancel()  # gives its place in the queue up
    gate.set()
    await asyncio.gather(*tasks[:3], return_exceptions=True)
    assert order == [0, 2]
    async with asyncio.timeout(1), small.place():
        pass


@pytest.fixture
async def pool(committed: None) -> AsyncIterator[AsyncEngine]:
    """A pool of two connections; Ada has an account."""
    async with transaction() as session:
        await Accounts(session).create_user(email=ADA["email"], password=PASSWORD)
    pool = create_async_engine(settings.sqlalchemy_url, pool_size=2, max_overflow=0, pool_timeout=1)
    alchemy.session_maker = async_sessionmaker(pool, expire_on_commit=False)
    yield pool
    alchemy.session_maker = None
    await pool.dispose()


@pytest.fixture
async def client(pool: AsyncEngine, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(app) as client:
        yield client


async def test_no_connection_is_held_while_passwords_are_hashed(
    client: httpx.AsyncClient, pool: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every route that takes a password, looked at from inside the hashing."""
    signed_in = (await client.post(f"{AUTH}/token", json=ADA)).json()["access"]
    held: list[int] = []
    run: Any = hashing.run

    async def watched(*values: Any) -> Any:
        held.append(pool_use()["used"])
        return await run(*values)

    monkeypatch.setattr(passwords.hashing, "run", watched)
    monkeypatch.setattr(alchemy, "engine_instance", pool)
    header = {"Authorization": f"Bearer {signed_in}"}
    new = {"name": "Mum", "pin": "4711", "password": PASSWORD}
    profile = await client.post("/api/v1/me/profiles", json=new, headers=header)
    path = f"/api/v1/me/profiles/{profile.json()['id']}"
    answers = [
        await client.post(f"{AUTH}/token", json=ADA),
        await client.post(f"{AUTH}/register", json=ADA | {"email": "new@example.org"}),
        await client.post(f"{path}/unlock", json={"pin": "4711"}, headers=header),
        await client.patch(path, json={"pin": "4712", "password": PASSWORD}, headers=header),
        await client.post(
            f"{AUTH}/email/change", json=ADA | {"email": "b@example.org"}, headers=header
        ),
        await client.post(
            f"{AUTH}/password/change",
            json={"current": PASSWORD, "password": "another good password"},
            headers=header,
        ),
    ]
    assert [answer.status_code for answer in answers] == [200, 202, 200, 200, 202, 204]
    assert len(held) >= 9
    assert set(held) == {0}


async def test_sign_ins_that_wait_do_not_touch_the_database(
    client: httpx.AsyncClient, pool: AsyncEngine
) -> None:
    """A rush takes no connections from others, however long the threads are busy."""
    gate = threading.Event()
    busy = [
        asyncio.create_task(hashing.run(lambda: str(gate.wait(20))))
        for _ in range(CONCURRENT_HASHES)
    ]
    rush = [
        asyncio.create_task(
            client.post(f"{AUTH}/token", json=ADA | {"email": f"{number}@example.org"})
        )
        for number in range(20)
    ]
    try:
        await asyncio.sleep(1)
        async with transaction() as session:
            counted = await session.scalar(text("select count(*) from throttle"))
    finally:
        gate.set()
    answers = await asyncio.gather(*rush)
    await asyncio.gather(*busy)
    # One bucket for the address, and two for each account.
    assert counted == 1 + 2 * SIGN_INS_AT_ONCE
    assert [answer.status_code for answer in answers] == [401] * 20


async def test_without_a_connection_nobody_may_try_passwords(
    client: httpx.AsyncClient, pool: AsyncEngine
) -> None:
    async with pool.connect(), pool.connect():
        refused = await client.post(f"{AUTH}/token", json=ADA)
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    assert (await client.post(f"{AUTH}/token", json=ADA)).status_code == 200
