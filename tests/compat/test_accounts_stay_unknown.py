"""Dialects tell strangers nothing about who has an account, by status, body or time."""

import statistics
import time
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD
from videoflix.accounts.service import Accounts

ADA, NOBODY, PENDING = "ada@example.org", "nobody@example.org", "pending@example.org"
NEW = {"password": PASSWORD, "confirmed_password": PASSWORD, "confirm_password": PASSWORD}
WRONG = {"password": "a wrong password"}
ASKED: list[tuple[str, dict[str, str]]] = [
    ("/api/users/check-login-register", {}),
    ("/api/login", WRONG),
    ("/login", WRONG),
    ("/jwt", WRONG),
    ("/api/accounts/login", WRONG),
    ("/api/register", NEW),
    ("/register", NEW),
    ("/api/accounts/signup", NEW),
    ("/api/password_reset", {}),
    ("/reset-password", {}),
    ("/api/accounts/password/reset", {}),
]
# What is random, or the address that was sent.
RANDOM = {"token", "id", "email"}


@pytest.fixture
async def people(client: httpx.AsyncClient, session: AsyncSession) -> None:
    """Ada has an account; somebody registered with another address and did not confirm it."""
    await Accounts(session).create_user(email=ADA, password=PASSWORD)
    await session.commit()
    body = {"email": PENDING, "password": PASSWORD}
    assert (await client.post("/api/v1/auth/register", json=body)).status_code == 202


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: type(v) if k in RANDOM else shape(v) for k, v in value.items()}
    return value


@pytest.mark.parametrize(("path", "body"), ASKED, ids=[path for path, _ in ASKED])
async def test_known_pending_and_unknown_addresses_look_alike(
    client: httpx.AsyncClient, people: None, path: str, body: dict[str, str]
) -> None:
    answers = [
        await client.post(path, json=body | {"email": email}) for email in (ADA, PENDING, NOBODY)
    ]
    assert len({answer.status_code for answer in answers}) == 1
    shapes = [shape(answer.json()) for answer in answers]
    assert shapes[0] == shapes[1] == shapes[2]


async def test_numbers_of_registrations_are_new_ones(
    client: httpx.AsyncClient, session: AsyncSession, people: None
) -> None:
    """An older number would tell that the address has an account."""
    highest = await session.scalar(text("select max(id) from user_account"))
    for email in (ADA, PENDING, NOBODY):
        made = await client.post("/api/register", json=NEW | {"email": email})
        assert made.json()["user"]["id"] > highest


@pytest.mark.parametrize("path", ["/api/login", "/login"])
async def test_refusals_take_the_same_time(
    client: httpx.AsyncClient, session: AsyncSession, people: None, path: str
) -> None:
    spans: dict[str, list[float]] = {ADA: [], NOBODY: [], PENDING: []}
    for _ in range(15):
        for email, taken in spans.items():
            await session.execute(text("delete from throttle"))
            await session.commit()
            begun = time.perf_counter()
            await client.post(path, json=WRONG | {"email": email})
            taken.append(time.perf_counter() - begun)
    medians = [statistics.median(taken) for taken in spans.values()]
    assert max(medians) - min(medians) < 0.3 * max(medians)
