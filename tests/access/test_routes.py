"""Every documented route by every kind of caller: let in, or refused before anything is read."""

import re

import httpx
import pytest
from litestar import Litestar
from sqlalchemy.ext.asyncio import AsyncSession

from access.rules import ELSEWHERE, LEVELS, Level, operations_in
from conftest import http_client, openapi_document, sign_in
from videoflix.platform.auth.identity import Role

# Last, because it ends the sign-in that asks.
LAST = ("POST", "/api/v1/auth/logout")
# What a caller is told whose role, token or lack of a sign-in does not open a route.
REFUSALS = ("sign-in-needed", "forbidden", "scope-too-narrow")
# What callers bring along: the highest level they reach by reading, and by changing.
CALLERS = {
    "anonymous": (Level.PUBLIC, Level.PUBLIC),
    "viewer": (Level.IN_PERSON, Level.IN_PERSON),
    "editor": (Level.EDITOR, Level.EDITOR),
    "admin": (Level.ADMIN, Level.ADMIN),
    "owner": (Level.OWNER, Level.OWNER),
}
TOKENS: dict[str, tuple[Level, Level | None]] = {
    "read": (Level.EDITOR, None),
    "write": (Level.EDITOR, Level.EDITOR),
    "admin": (Level.OWNER, Level.OWNER),
}


def documented() -> set[tuple[str, str]]:
    paths = openapi_document()["paths"]
    return {
        (method.upper(), path)
        for path, item in paths.items()
        for method in item
        if method in {"get", "post", "put", "patch", "delete"}
    }


def test_every_documented_route_has_a_rule() -> None:
    assert documented() == {*LEVELS, *operations_in(ELSEWHERE)}


def target_of(path: str) -> str:
    """The path with ids that nobody has: what is let in finds nothing."""
    path = path.replace("{movie_id}", "00000000-0000-0000-0000-000000000000")
    return re.sub(r"\{[^}]+\}", "999999", path)


async def refusals(
    caller: httpx.AsyncClient, reading: Level, changing: Level | None, *, by_token: bool
) -> list[str]:
    """What does not agree with the rules."""
    wrong = []
    for (method, path), level in sorted(LEVELS.items(), key=lambda found: found[0] == LAST):
        reach = reading if method == "GET" else changing
        allowed = (
            reach is not None and level <= reach and not (by_token and level is Level.IN_PERSON)
        )
        body: dict[str, str] | None = None if method in {"GET", "DELETE"} else {}
        answer = await caller.request(method, target_of(path), json=body)
        refused = answer.status_code in {401, 403} and any(
            f'"/problems/{kind}"' in answer.text for kind in REFUSALS
        )
        if refused == allowed or answer.status_code == 500:
            wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:120]}")
    return wrong


@pytest.mark.parametrize("role", [Role.EDITOR, Role.ADMIN, Role.OWNER, Role.VIEWER])
async def test_people_reach_what_their_role_opens(
    app: Litestar, session: AsyncSession, role: Role
) -> None:
    async with await sign_in(app, session, role) as caller:
        reading, changing = CALLERS[role.value]
        wrong = await refusals(caller, reading, changing, by_token=False)
    assert not wrong, "\n".join(wrong)


async def test_anonymous_callers_reach_what_is_public(client: httpx.AsyncClient) -> None:
    wrong = await refusals(client, *CALLERS["anonymous"], by_token=False)
    assert not wrong, "\n".join(wrong)


@pytest.fixture
async def owner_tokens(app: Litestar, owner: httpx.AsyncClient) -> dict[str, str]:
    """API tokens of an owner, by scope."""
    made = {}
    for scope in TOKENS:
        answer = await owner.post("/api/v1/me/tokens", json={"name": scope, "scope": scope})
        made[scope] = answer.json()["token"]
    return made


@pytest.mark.parametrize("scope", TOKENS)
async def test_api_tokens_reach_what_their_scope_opens(
    app: Litestar, owner_tokens: dict[str, str], scope: str
) -> None:
    headers = {"Authorization": f"Bearer {owner_tokens[scope]}"}
    async with http_client(app, headers) as caller:
        wrong = await refusals(caller, *TOKENS[scope], by_token=True)
    assert not wrong, "\n".join(wrong)


async def test_signing_out_everywhere_is_for_people(
    app: Litestar, client: httpx.AsyncClient, owner_tokens: dict[str, str], owner: httpx.AsyncClient
) -> None:
    everywhere = "/api/v1/auth/logout/all"
    assert (await client.post(everywhere)).status_code == 401
    async with http_client(app, {"Authorization": f"Bearer {owner_tokens['admin']}"}) as script:
        assert (await script.post(everywhere)).status_code == 403
    assert (await owner.post(everywhere)).status_code == 204
