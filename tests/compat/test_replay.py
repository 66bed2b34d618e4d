"""Exchanges recorded from the contracts of the five older backends; none may differ silently.

The report of a run is in artifacts/replay.md.
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_category, add_films
from compat.playable import add_playable
from compat.replay import Outcome, Replay, differences, read_recording
from compat.test_movies import older  # noqa: F401 - a fixture
from conftest import PASSWORD, http_client
from registration.test_api import do_jobs
from videoflix.accounts.service import Accounts
from videoflix.memberships.schemas import Currency, MembershipCreate, PlanCreate
from videoflix.memberships.service import Memberships
from videoflix.platform.auth.identity import Role
from videoflix.registration import service as registration_service
from videoflix.sessions.service import sessions as sessions_service
from videoflix.settings import settings

REPORTS = Path(__file__).parents[2] / "artifacts" / "replay"
PAGES = {
    "activation_url": "http://films.example/activate?uid={uid}&token={token}",
    "password_reset_url": "http://films.example/reset?uid={uid}&token={token}",
    "email_confirm_url": "http://films.example/email?uid=0&token={token}",
}


@pytest.fixture
async def world(session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """People, films and a membership, by the names that recordings use."""
    mailing = msgspec.structs.replace(settings, guest_login=True, **PAGES)
    monkeypatch.setattr(registration_service, "settings", mailing)
    monkeypatch.setattr(sessions_service, "settings", mailing)
    accounts = Accounts(session)
    ids = {}
    for name, role in (("ada", Role.VIEWER), ("bob", Role.VIEWER), ("admin", Role.ADMIN)):
        user = await accounts.create_user(
            email=f"{name}@example.org", password=PASSWORD, first_name=name.title(), role=role
        )
        ids[name] = user.id
    memberships = Memberships(session)
    plan = await memberships.add_plan(PlanCreate("Two", 0, Currency.EUR, streams=2))
    await memberships.add(MembershipCreate(user_id=ids["ada"], plan_id=plan.id))
    category = await add_category(session, "Drama")
    other, third = await add_films(
        session,
        {"title": "Another", "genre": "drama", "categories": [category], "featured": True},
        {"title": "Third", "genre": "action"},
    )
    film = await add_playable(session, "Dunes")
    await session.commit()
    films = {"film": film, "other": other, "third": third, "category": category}
    return {**ids, **films, "password": PASSWORD, "unknown": 987_654}


@pytest.mark.parametrize("name", ["academy", "netiflex", "authemail", "streaming", "movies"])
async def test_exchanges_are_as_recorded(
    name: str,
    app: Litestar,
    older: Litestar,  # noqa: F811
    session: AsyncSession,
    world: dict[str, Any],
) -> None:
    site = older if name == "movies" else app

    async def read_mail() -> dict[str, str]:
        await do_jobs(session)
        body = await session.scalar(text("select text from mail order by id desc limit 1"))
        found = re.search(r"films\.example/\w+\?uid=(\d+)&token=([\w-]+)", str(body))
        assert found, body
        return {"uid": found[1], "token": found[2]}

    exchanges = read_recording(name)
    outcomes = await Replay(lambda: http_client(site), read_mail, world).run(exchanges)
    write_report(name, outcomes)
    wrong = [f"{one.row}: {one.reason}" for one in outcomes if one.verdict == "different"]
    assert not wrong, "\n".join(wrong)


def write_report(name: str, outcomes: list[Outcome]) -> None:
    counts = Counter(one.verdict for one in outcomes)
    summary = ", ".join(
        f"{counts[verdict]} {verdict}" for verdict in ("identical", "explained", "different")
    )
    lines = [f"# {name}: {summary}", "", "| exchange | verdict | |", "|---|---|---|"]
    lines += [f"| {one.row} | {one.verdict} | {one.reason} |" for one in outcomes]
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / f"{name}.md").write_text("\n".join(lines) + "\n")


def test_differences_are_found() -> None:
    wanted = {"id": "<int>", "items": [{"name": "<text>|<null>"}], "at": "<time>"}
    same = {"id": 1, "items": [{"name": None}, {"name": "x"}], "at": "2026-01-01T00:00:00.000000Z"}
    assert differences(wanted, same) == []
    changes: tuple[dict[str, Any], ...] = (
        {"id": "1"},
        {"id": True},
        {"items": []},
        {"items": [{"name": 1}]},
        {"items": [{}]},
        {"at": "2026-01-01"},
        {"new": 1},
    )
    for change in changes:
        assert differences(wanted, same | change), change


async def test_a_recording_that_does_not_hold_is_reported(app: Litestar) -> None:
    exchanges = read_recording("authemail")[:1]
    exchanges[0].status = 418

    async def no_mail() -> dict[str, str]:
        return {}

    replay = Replay(lambda: http_client(app), no_mail, {"password": PASSWORD})
    (outcome,) = await replay.run(exchanges)
    assert outcome.verdict == "different"
