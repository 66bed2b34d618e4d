"""Sign-ins under way do not survive what ends all sign-ins; one refresh token has one successor."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from conftest import PASSWORD, http_client
from queue_helpers import execute, rows
from videoflix.accounts.passwords import hash_password
from videoflix.accounts.problems import InvalidCredentials
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Unauthorized
from videoflix.registration.service import Registration
from videoflix.sessions.schemas import ApiTokenCreate
from videoflix.sessions.service.api_tokens import ApiTokens
from videoflix.sessions.service.sessions import Sessions
from videoflix.user_admin.schemas import UserAdminUpdate
from videoflix.user_admin.service import UserAdmin

# Twenty runs were made by hand; the suite makes a few.
RUNS = 2
AT_ONCE = 12
AUTH = "/api/v1/auth"
ADA = {"email": "ada@example.org", "password": PASSWORD}
OTHER = "another good password"


@pytest.fixture
async def ada(committed: None) -> int:
    async with transaction() as session:
        user = await Accounts(session).create_user(**ADA, role=Role.EDITOR)
    return user.id


@pytest.fixture
async def client(ada: int, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(app) as client:
        yield client


async def change_password(user_id: int) -> None:
    async with transaction() as session:
        await Registration(session).replace_password(user_id, OTHER)


async def demote(user_id: int) -> None:
    async with transaction() as session:
        await UserAdmin(session).change(user_id, UserAdminUpdate(role=Role.VIEWER), by=None)


async def deactivate(user_id: int) -> None:
    async with transaction() as session:
        await UserAdmin(session).deactivate(user_id, by=None)


async def sign_out_everywhere(user_id: int) -> None:
    async with transaction() as session:
        await Sessions(session).sign_out_everywhere(user_id)


ENDS = [change_password, demote, deactivate, sign_out_everywhere]


async def reset(user_id: int) -> None:
    """As it was before a run."""
    await execute("delete from sign_in")
    await execute("delete from throttle")
    await execute(
        "update user_account set is_active = true, role = 'editor', password_hash = :hash",
        hash=await hash_password(PASSWORD),
    )


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_sign_in_that_was_checked_before_is_refused_after(
    ada: int, end: Callable[[int], Awaitable[None]]
) -> None:
    """The order that a race takes in the bad case, step by step."""
    async with transaction() as session:
        checked = await Accounts(session).authenticate(**ADA)
    await end(ada)
    for way in ("open", "open_by_token", "open_by_password"):
        with pytest.raises(InvalidCredentials):
            async with transaction() as session:
                await getattr(Sessions(session), way)(checked)
    assert await rows("select id from sign_in where ended_at is null") == []


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_no_sign_in_survives_a_race(ada: int, end: Callable[[int], Awaitable[None]]) -> None:
    """Who stays signed in was verified after the end, which some ends allow."""

    async def sign_in() -> int | None:
        try:
            async with transaction() as session:
                user = await Accounts(session).authenticate(**ADA)
                await Sessions(session).open(user)
        except InvalidCredentials:
            return None
        return user.auth_version

    for _ in range(RUNS):
        await reset(ada)
        [before] = await rows("select auth_version from user_account")
        verified = [*await asyncio.gather(*[sign_in() for _ in range(AT_ONCE)], end(ada))]
        [account] = await rows("select auth_version from user_account")
        assert account["auth_version"] > before["auth_version"]
        left = await rows("select id from sign_in where ended_at is null")
        if end in (change_password, deactivate):
            assert left == []
        assert len(left) == verified.count(account["auth_version"])


async def test_account_that_is_deleted_signs_nobody_in(ada: int) -> None:
    async with transaction() as session:
        checked = await Accounts(session).authenticate(**ADA)
    async with transaction() as session:
        await Registration(session).close_account(ada, PASSWORD)
    with pytest.raises(InvalidCredentials):
        async with transaction() as session:
            await Sessions(session).open(checked)


async def test_ended_sign_in_makes_no_api_token(ada: int) -> None:
    async with transaction() as session:
        await Sessions(session).open(await Accounts(session).authenticate(**ADA))
    (sign_in,) = await rows("select id from sign_in")
    await sign_out_everywhere(ada)
    with pytest.raises(Unauthorized):
        async with transaction() as session:
            await ApiTokens(session).create(ada, sign_in["id"], ApiTokenCreate(name="late"))


async def refresh(client: httpx.AsyncClient, token: str) -> dict[str, Any]:
    answer = await client.post(f"{AUTH}/token/refresh", json={"refresh": token})
    return {"status": answer.status_code, **answer.json()}


async def test_twenty_refreshes_at_once_get_one_successor(client: httpx.AsyncClient) -> None:
    first = (await client.post(f"{AUTH}/token", json=ADA)).json()["refresh"]
    pairs = await asyncio.gather(*[refresh(client, first) for _ in range(20)])
    assert {pair["status"] for pair in pairs} == {200}
    (successor,) = {pair["refresh"] for pair in pairs}
    assert len(await rows("select id from refresh_token")) == 2
    after = await refresh(client, successor)
    late = await refresh(client, first)
    assert late["refresh"] == after["refresh"], "the grace period leads to the end of the chain"


async def test_reuse_after_the_grace_period_ends_the_family(client: httpx.AsyncClient) -> None:
    first = (await client.post(f"{AUTH}/token", json=ADA)).json()["refresh"]
    second = (await refresh(client, first))["refresh"]
    async with transaction() as session:
        await session.execute(
            text("update refresh_token set used_at = used_at - interval '11 seconds'")
        )
    assert (await refresh(client, first))["status"] == 401
    assert (await refresh(client, second))["status"] == 401
