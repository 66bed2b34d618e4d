"""Catalogue answers are remembered, told apart, and forgotten on change."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from catalog.factories import add_films
from conftest import PASSWORD, http_client
from videoflix.accounts.service import Accounts
from videoflix.catalog.api.response_cache import PARAMETERS, response_cache
from videoflix.catalog.service import Catalog
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.notify import EventBus, event_bus
from videoflix.platform.postgres.session import transaction
from videoflix.sessions.service.sessions import Sessions

VIDEOS = "/api/v1/videos"


class Queries:
    """Counts the statements this process sends."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def note(self, *call: object) -> None:
        self.sent.append(str(call[2]))


@pytest.fixture
def queries(session: AsyncSession, engine: AsyncEngine) -> Iterator[Queries]:
    counted = Queries()
    event.listen(engine.sync_engine, "before_cursor_execute", counted.note)
    yield counted
    event.remove(engine.sync_engine, "before_cursor_execute", counted.note)


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
    assert len(response_cache._entries) == 0


async def test_answer_of_before_a_change_is_not_kept(
    session: AsyncSession, viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change commits while the answer is being made."""
    keep = response_cache.put

    def late(*call: Any) -> object:
        response_cache.clear()
        return keep(*call)

    monkeypatch.setattr(response_cache, "put", late)
    await viewer.get(VIDEOS)
    assert len(response_cache._entries) == 0


async def test_progress_and_votes_empty_nothing(
    session: AsyncSession,
    viewer: httpx.AsyncClient,
    queries: Queries,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twenty votes and ticks of encoding later, other films and lists are still known."""
    monkeypatch.setattr(event_bus, "hears", True)
    monkeypatch.setattr("videoflix.platform.cache.responses.COUNTS_SECONDS", 60.0)
    voted, other, growing = await add_films(
        session, {"title": "Voted"}, {"title": "Other"},
        {"title": "Growing", "state": "processing", "audience": "private"},
    )  # fmt: skip
    paths = (VIDEOS, f"{VIDEOS}/{other}", f"{VIDEOS}/newest", f"{VIDEOS}/{voted}")
    before = [(await viewer.get(path)).json() for path in paths]
    for number in range(20):
        await viewer.put(f"{VIDEOS}/{voted}/vote", json={"vote": ("up", "down")[number % 2]})
        await Catalog(session).update_progress(growing, number / 20, playable=False)
        await session.commit()
    queries.sent.clear()
    for path, known in zip(paths[:3], before[:3], strict=True):
        assert (await viewer.get(path)).json() == known
    assert queries.sent == []
    shown = (await viewer.get(paths[3])).json()
    assert (shown["upvotes"], shown["downvotes"]) == (0, 1), "the film itself tells at once"


async def test_counts_in_lists_are_a_few_seconds_old_at_most(
    session: AsyncSession, viewer: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoflix.platform.cache.responses.COUNTS_SECONDS", 0.2)
    monkeypatch.setattr(event_bus, "hears", True)
    (film,) = await add_films(session, {"title": "Voted"})
    assert (await viewer.get(VIDEOS)).json()["items"][0]["upvotes"] == 0
    await viewer.put(f"{VIDEOS}/{film}/vote", json={"vote": "up"})
    await asyncio.sleep(0.25)
    assert (await viewer.get(VIDEOS)).json()["items"][0]["upvotes"] == 1


async def test_film_that_is_encoded_is_shown_as_of_the_last_second(
    session: AsyncSession, editor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_bus, "hears", True)
    (film,) = await add_films(session, {"title": "Growing", "state": "processing", "progress": 0.1})
    assert (await editor.get(f"{VIDEOS}/{film}")).json()["progress"] == 0.1
    await Catalog(session).update_progress(film, 0.5, playable=False)
    await session.commit()
    await asyncio.sleep(1.1)
    assert (await editor.get(f"{VIDEOS}/{film}")).json()["progress"] == 0.5


async def test_invented_parameters_are_no_other_request(
    session: AsyncSession, viewer: httpx.AsyncClient, queries: Queries
) -> None:
    await add_films(session, *({"title": f"Film {n}"} for n in range(3)))
    first = await viewer.get(f"{VIDEOS}?limit=2&offset=1")
    queries.sent.clear()
    for query in ("offset=1&limit=2", "limit=2&offset=1&n=7", "limit=9&n=1&limit=2&offset=1"):
        assert (await viewer.get(f"{VIDEOS}?{query}")).content == first.content
    assert queries.sent == []
    assert len((await viewer.get(f"{VIDEOS}?limit=1")).json()["items"]) == 1


# Of playlists and pictures, which are not in this cache.
UNCACHED = {"token", "v", "w"}


def test_every_parameter_tells_requests_apart(app: Litestar) -> None:
    """A parameter that is not in the key would give people the answer to another question."""
    found = set()
    for path, item in app.openapi_schema.to_schema()["paths"].items():
        if path.startswith(("/api/v1/videos", "/api/v1/categories")) and "get" in item:
            handler = f"{path} {item['get'].get('operationId')}"
            names = {
                one["name"] for one in item["get"].get("parameters", []) if one["in"] == "query"
            }
            found |= {(handler, name) for name in names - PARAMETERS - UNCACHED}
    assert not {one for one in found if "/assets" not in one[0] and "/admin" not in one[0]}


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
    async with event_bus.listening():
        await until_it_hears()
        assert (await member.get(VIDEOS)).json()["total"] == 0
        with monkeypatch.context() as other_process:
            other_process.setattr("videoflix.platform.postgres.notify.event_bus", EventBus())
            async with transaction() as session:
                await add_films(session, {"title": "Film"})
        await asyncio.sleep(0.5)
        assert (await member.get(VIDEOS)).json()["total"] == 1


async def test_deaf_process_remembers_for_a_second_only(
    member: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not event_bus.hears
    assert (await member.get(VIDEOS)).json()["total"] == 0
    with monkeypatch.context() as other_process:
        other_process.setattr("videoflix.platform.postgres.notify.event_bus", EventBus())
        async with transaction() as session:
            await add_films(session, {"title": "Film"})
    assert (await member.get(VIDEOS)).json()["total"] == 0, "that is what remembering means"
    await asyncio.sleep(1.1)
    assert (await member.get(VIDEOS)).json()["total"] == 1


async def until_it_hears() -> None:
    for _ in range(100):
        if event_bus.hears:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError
