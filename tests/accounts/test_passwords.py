"""Which passwords are taken, how they are kept, and how long an answer takes."""

import statistics
import time

import argon2
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from videoflix.accounts.passwords import COMMON, DUMMY_HASH, is_outdated

AUTH = "/api/v1/auth"
ADA = "ada.lovelace@example.org"


def test_ten_thousand_common_ones_are_known() -> None:
    assert len(COMMON) >= 10_000
    assert {"password", "12345678", "iloveyou"} <= COMMON


def test_refusals_of_unknown_addresses_cost_as_much_as_others() -> None:
    assert not is_outdated(DUMMY_HASH)


@pytest.mark.parametrize(
    "password", ["password", "PassWord", "1234567890", ADA, ADA.upper(), "ada.lovelace", "short"]
)
async def test_passwords_that_anybody_would_try_are_refused(
    client: httpx.AsyncClient, password: str
) -> None:
    answer = await client.post(f"{AUTH}/register", json={"email": ADA, "password": password})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "password"


@pytest.mark.parametrize("password", ["aaaaaaa é b", " " * 12 + "x", "x" * 128, "密码密码密码密码"])
async def test_anything_long_and_uncommon_is_taken(
    client: httpx.AsyncClient, password: str
) -> None:
    answer = await client.post(f"{AUTH}/register", json={"email": ADA, "password": password})
    assert answer.status_code == 202


async def test_hash_of_older_parameters_is_renewed_at_sign_in(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    older = argon2.PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    await session.execute(text("update user_account set password_hash = :h"), {"h": older})
    await session.commit()
    body = {"email": "viewer@example.org", "password": PASSWORD}
    assert (await client.post(f"{AUTH}/token", json=body)).status_code == 200
    renewed = str(await session.scalar(text("select password_hash from user_account")))
    assert renewed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await client.post(f"{AUTH}/token", json=body)).status_code == 200


async def test_known_and_unknown_addresses_take_the_same_time(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    spans: dict[str, list[float]] = {"viewer@example.org": [], "nobody@example.org": []}
    for _ in range(30):
        for email, taken in spans.items():
            await session.execute(text("delete from throttle"))
            await session.commit()
            body = {"email": email, "password": "a wrong password"}
            begun = time.perf_counter()
            assert (await client.post(f"{AUTH}/token", json=body)).status_code == 401
            taken.append(time.perf_counter() - begun)
    known, unknown = (statistics.median(taken) for taken in spans.values())
    assert abs(known - unknown) < 0.2 * known
