"""Invented tokens cost a bounded number of queries."""

import secrets
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from videoflix.sessions.service.opaque_tokens import LOOKUP_BURST, TRIES, opaque_tokens

ME = "/api/v1/me"


@pytest.fixture
def statements(session: AsyncSession, engine: AsyncEngine) -> Iterator[list[str]]:
    """What is asked of the table of sign-ins."""
    asked: list[str] = []

    def note(*call: object) -> None:
        if "sign_in" in str(call[2]):
            asked.append(str(call[2]))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine.sync_engine, "before_cursor_execute", note)


async def ask(client: httpx.AsyncClient, token: str) -> int:
    return (await client.get(ME, headers={"Authorization": f"Bearer {token}"})).status_code


@pytest.mark.parametrize("token", ["vf_", "vf_short", "vf_" + "x" * 44, "vf_" + "!" * 43, "a.b.c"])
async def test_malformed_token_costs_no_query(
    client: httpx.AsyncClient, statements: list[str], token: str
) -> None:
    assert await ask(client, token) == 401
    assert statements == []


async def test_refused_token_is_remembered(
    client: httpx.AsyncClient, statements: list[str]
) -> None:
    token = f"vf_{secrets.token_urlsafe(32)}"
    assert [await ask(client, token) for _ in range(5)] == [401] * 5
    assert len(statements) == 1


async def test_other_tokens_of_an_address_are_limited(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, statements: list[str]
) -> None:
    made = await viewer.post("/api/v1/me/tokens", json={"name": "script"})
    statements.clear()
    answers = [await ask(client, secrets.token_hex(20)) for _ in range(LOOKUP_BURST + 10)]
    assert answers == [401] * LOOKUP_BURST + [429] * 10
    assert len(statements) == LOOKUP_BURST
    opaque_tokens._tries.give_back("127.0.0.1", TRIES)
    assert await ask(client, made.json()["token"]) == 200
    assert len(opaque_tokens._refused) == LOOKUP_BURST
