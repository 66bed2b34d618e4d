"""Catalogue answers are remembered, told apart, and forgotten on change."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.films import add_films
from conftest import PASSWORD, http_client
from videoflix.accounts.service import Accounts
from videoflix.catalog.api.answers import answers
from videoflix.platform.db import alchemy, transaction
from videoflix.platform.events import Newsroom, newsroom
from videoflix.platform.identity import Role
from videoflix.sessions.service.sign_ins import Sessions

VIDEOS = "/api/v1/videos"


class Queries:
    """Counts the statements this process sends."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def note(self, *call: object) -> None:
        self.sent.append(str(call[2]))


@pytest.fixture
def queries(session: AsyncSession) -> Queries:
    counted = Queries()
    engine = alchemy.get_engine().sync_engine
    event.listen(engine, "before_cursor_execute", counted.note)
    return counted


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (VIDEOS, 2),
        (f"{VIDEOS}?genre=x&limit=1", 2),
        (f"{VIDEOS}?search=film", 3),
        (f"{VIDEOS}?cursor=", 1),
        (f"{VIDEOS}/newest", 2),
        (f"{VIDEOS}/by-category", 1),
        (f"{VIDEOS}/suggest?q=fil", 3),
        (f"{VIDEOS}/%d", 1),
        (f"{VIDEOS}/%d/related", 2),
    ],
)
async def test_answers_cost_few_queries_and_none_when_known(
    session: AsyncSession, viewer: httpx.AsyncClient, queries: Queries, path: str, most: int
) -> None:
    films = await add_films(session, *({"title": f"Film {n}", "genre": "x"} for n in range(5)))
    path = path.replace("%d", str(films[0]))
    await viewer.get("/api/v1/categories")  # now it is known who watches
    queries.sent.clear()
    first = await viewer.get(path)
    asked = [sent for sent in queries.sent if not sent.startswith(("SAVEPOINT", "RELEASE"))]
    assert 0 < len(asked) <= most, asked
    queries.sent.clear()
    second = await viewer.get(path)
    assert queries.sent == []
    assert second.content == first.content


async def test_known_answer_is_not_sent_again(
    session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    await add_films(session, {"title": "Film"})
    first = await viewer.get(VIDEOS)
    assert first.headers["cache-control"] == "private, no-cache"
    etag = {"If-None-Match": first.headers["etag"]}
    unchanged = await viewer.get(VIDEOS, headers=etag)
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await add_films(session, {"title": "Another"})
    changed = await viewer.get(VIDEOS, headers=etag)
    assert (changed.status_code, changed.json()["total"]) == (200, 2)


async def test_those_who_see_more_get_other_answers(
    session: AsyncSession, viewer: httpx.AsyncClient, editor: httpx.AsyncClient
) -> None:
    await add_films(session, {"title": "Film"}, {"title": "Private", "audience": "private"})
    for client, total in ((viewer, 1), (editor, 2), (viewer, 1), (editor, 2)):
        assert (await client.get(VIDEOS)).json()["total"] == total


async def test_refusals_are_not_remembered(
    session: AsyncSession, viewer: httpx.AsyncClient
) -> None:
    assert (await viewer.get(f"{VIDEOS}?category=drama")).status_code == 404
    assert len(answers._kept) == 0


async def test_answer_of_before_a_change_is_not_kept(
    session: AsyncSession, viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change commits while the answer is being made."""
    keep = answers.keep

    def late(*call: Any) -> object:
        answers.forget()
        return keep(*call)

    monkeypatch.setattr(answers, "keep", late)
    await viewer.get(VIDEOS)
    assert len(answers._kept) == 0


@pytest.fixture
async def member(committed: None, app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="a@example.org", password=PASSWORD, role=Role.VIEWER
        )
        pair = await Sessions(session).open(user)
    async with http_client(app, {"Authorization": f"Bearer {pair.access}"}) as client:
        yield client


async def test_changes_of_other_processes_are_heard_within_a_second(
    member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with newsroom.listening():
        await until_it_hears()
        assert (await member.get(VIDEOS)).json()["total"] == 0
        with monkeypatch.context() as other_process:
            other_process.setattr("videoflix.platform.events.newsroom", Newsroom())
            async with transaction() as session:
                await add_films(session, {"title": "Film"})
        await asyncio.sleep(0.5)
        assert (await member.get(VIDEOS)).json()["total"] == 1


async def test_deaf_process_remembers_for_a_second_only(
    member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not newsroom.hears
    assert (await member.get(VIDEOS)).json()["total"] == 0
    with monkeypatch.context() as other_process:
        other_process.setattr("videoflix.platform.events.newsroom", Newsroom())
        async with transaction() as session:
            await add_films(session, {"title": "Film"})
    assert (await member.get(VIDEOS)).json()["total"] == 0, "that is what remembering means"
    await asyncio.sleep(1.1)
    assert (await member.get(VIDEOS)).json()["total"] == 1


async def until_it_hears() -> None:
    for _ in range(100):
        if newsroom.hears:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError
