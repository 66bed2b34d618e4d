"""No route that returns titles returns one that its reader may not see."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_category, add_films
from conftest import http_client, openapi_document
from factories import WatchlistEntryFactory, WatchStateFactory, create
from videoflix.catalog.models import VideoState
from videoflix.movies.providers.catalog import movie_id_of
from videoflix.sessions.service import sessions as service
from videoflix.settings import settings

VIDEOS = "/api/v1/videos"
HIDDEN = "Secretum"
SHOWN = "Publicum"
# What is hidden from a viewer, and how.
WAYS: dict[str, dict[str, Any]] = {
    "draft": {},
    "private": {"audience": "private"},
    "not playable": {"playable": False, "state": VideoState.PROCESSING},
    "failed": {"playable": False, "state": VideoState.FAILED, "failure_code": "x"},
    "deleted": {},
    "scheduled": {},
    "too old for the profile": {"age_rating": 16},
}
AFTER = {
    "draft": "update video set published_at = null where title = :t",
    "deleted": "update video set deleted_at = now() where title = :t",
    "scheduled": "update video set published_at = now() + interval '1 h' where title = :t",
}
# Routes of films by what a reader would ask them; those of editors are not for readers.
READERS = {
    "/videos": "?search=Secretum",
    "/videos/newest": "",
    "/videos/featured": "",
    "/videos/by-category": "",
    "/videos/suggest": "?q=secret",
    "/videos/{video_id}": "",
    "/videos/by-slug/{slug}": "",
    "/videos/{video_id}/related": "",
    "/videos/{video_id}/progress": "",
    "/videos/{video_id}/next": "",
    "/series": "?search=Secretum",
    "/series/{series_id}": "",
    "/videos/{video_id}/vote": "",
    "/videos/{video_id}/master.m3u8": "",
    "/videos/{video_id}/poster.jpg": "?w=320",
    "/videos/{video_id}/preview.webp": "",
    "/videos/{video_id}/chapters": "",
    "/videos/{video_id}/chapters.vtt": "",
    "/videos/{video_id}/chapters.json": "",
    "/videos/{video_id}/manifest.mpd": "",
    "/videos/{video_id}/assets/{asset_id}/{rendition}/iframes.m3u8": "",
    "/videos/{video_id}/subtitles/{language}": "",
    "/videos/{video_id}/events": "",
    "/videos/{video_id}/assets/{asset_id}/{rendition}/index.m3u8": "",
    "/videos/{video_id}/assets/{asset_id}/{rendition}/{file_name}": "",
    "/movies": "?query=Secretum",
    "/movies/{movie_id}": "",
    "/videos/{video_id}/files": "",
    "/watchlist": "",
    "/watchlist/contains": "?ids=1",
    "/history": "",
}


def routes_about_films() -> list[str]:
    """The documented GET routes whose answer names a film, or whose path does."""
    schema = openapi_document()
    about = json.dumps(schema["components"])
    assert "Video" in about
    return [
        path.removeprefix("/api/v1")
        for path, item in schema["paths"].items()
        if "get" in item
        and ("video" in path or "Video" in json.dumps(item["get"]) or path.endswith("history"))
        and "operations" not in path
    ]


def test_every_route_about_films_is_tried_here() -> None:
    elsewhere = {
        # for editors: tests/access
        "/videos/{video_id}/sources",
        "/videos/{video_id}/encoding",
        "/videos/{video_id}/encoding/events",
        "/videos/{video_id}/poster/candidates",
        "/videos/{video_id}/poster/candidates/{number}",
        "/me/export",  # what a person uploaded is theirs
        "/videos/{video_id}/files/{file_name}",  # by signature: tests/playback/test_downloads.py
        # by play token: tests/playback/test_revocation.py
        "/videos/{video_id}/play/{token}/assets/{asset_id}/{rendition}/index.m3u8",
        "/videos/{video_id}/play/{token}/assets/{asset_id}/{rendition}/iframes.m3u8",
        "/videos/{video_id}/play/{token}/assets/{asset_id}/{rendition}/{file_name}",
        # by play token: tests/playback/test_chapters.py
        "/videos/{video_id}/play/{token}/chapters.vtt",
        "/videos/{video_id}/play/{token}/chapters.json",
        # film by film in tests/access, by play token in tests/playback/test_subtitles.py
        "/videos/{video_id}/subtitles/{language}/{digest}/{step}/index.m3u8",
        "/videos/{video_id}/subtitles/{language}/{digest}/{step}/{file_name}",
        "/videos/{video_id}/play/{token}/subtitles/{language}/{digest}/{step}/index.m3u8",
        "/videos/{video_id}/play/{token}/subtitles/{language}/{digest}/{step}/{file_name}",
    }
    assert {*routes_about_films()} - elsewhere <= {*READERS}


@pytest.fixture
async def limited(viewer: httpx.AsyncClient) -> httpx.AsyncClient:
    """A viewer whose profile hides what is rated above 12."""
    made = await viewer.post("/api/v1/me/profiles", json={"name": "Kid", "max_age_rating": 12})
    viewer.headers["X-Profile"] = str(made.json()["id"])
    return viewer


async def add_hidden(session: AsyncSession, way: str) -> int:
    shelf = await add_category(session, f"Shelf {way}")
    common = {"genre": "same", "tags": ["same"], "featured": True, "categories": [shelf]}
    hidden, _ = await add_films(
        session,
        {"title": HIDDEN, **common, **WAYS[way]},
        {"title": SHOWN, **common},
    )
    if way in AFTER:
        await session.execute(text(AFTER[way]), {"t": HIDDEN})
        await session.commit()
    return hidden


def fill(path: str, hidden: int) -> str:
    parts = {
        "{video_id}": str(hidden),
        "{slug}": f"secretum-{hidden}",
        "{asset_id}": "1",
        "{rendition}": "360p",
        "{file_name}": "00000.m4s",
        "{language}": "en.vtt",
        "{movie_id}": str(movie_id_of(hidden)),
        "{series_id}": str(hidden),
    }
    for name, value in parts.items():
        path = path.replace(name, value)
    return f"/api/v1{path}"


@pytest.mark.parametrize("way", WAYS)
async def test_hidden_films_are_hidden_everywhere(
    session: AsyncSession, limited: httpx.AsyncClient, way: str
) -> None:
    hidden = await add_hidden(session, way)
    profile = int(limited.headers["X-Profile"])
    await create(session, WatchlistEntryFactory, profile_id=profile, video_id=hidden)
    await create(session, WatchStateFactory, profile_id=profile, video_id=hidden)
    await session.commit()
    for path, query in READERS.items():
        answer = await limited.get(fill(path, hidden) + query)
        assert HIDDEN not in answer.text, f"{path} shows it"
        if any(name in path for name in ("{video_id}", "{slug}", "{movie_id}")):
            assert answer.status_code in {404, 409}, f"{path}: {answer.status_code}"
            assert answer.status_code == 404 or "not-playable" in answer.text
    totals = [(await limited.get(f"{VIDEOS}{q}")).json()["total"] for q in ("", "?search=same")]
    assert totals == [1, 1]
    assert (await limited.get(f"{VIDEOS}?genre=same")).json()["total"] == 1


@pytest.mark.parametrize("way", WAYS)
async def test_nobody_acts_on_hidden_films(
    session: AsyncSession, limited: httpx.AsyncClient, way: str
) -> None:
    path = f"{VIDEOS}/{await add_hidden(session, way)}"
    number = int(path.rpartition("/")[2])
    answers = [
        await limited.put(f"{path}/progress", json={"seconds": 1}),
        await limited.put(f"{path}/vote", json={"vote": "up"}),
        await limited.delete(f"{path}/vote"),
        await limited.post("/api/v1/watchlist", json={"video_id": number}),
        await limited.post(f"{path}/play"),
    ]
    assert [answer.status_code for answer in answers] == [404] * 5


async def test_unlimited_profile_sees_what_the_limited_one_does_not(
    session: AsyncSession, limited: httpx.AsyncClient
) -> None:
    hidden = await add_hidden(session, "too old for the profile")
    del limited.headers["X-Profile"]
    assert (await limited.get(f"{VIDEOS}/{hidden}")).json()["title"] == HIDDEN


@pytest.fixture
async def guest(
    app: Litestar, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setattr(service, "settings", msgspec.structs.replace(settings, guest_login=True))
    pair = (await client.post("/api/v1/auth/guest")).json()
    async with http_client(app, {"Authorization": f"Bearer {pair['access']}"}) as guest:
        yield guest


async def test_members_films_are_not_for_guests(
    session: AsyncSession, viewer: httpx.AsyncClient, guest: httpx.AsyncClient
) -> None:
    await add_films(session, {"title": "For members", "audience": "members"})
    assert (await viewer.get(VIDEOS)).json()["total"] == 1
    assert (await guest.get(VIDEOS)).json()["total"] == 0


async def test_editors_see_all_but_what_is_deleted(
    session: AsyncSession, editor: httpx.AsyncClient
) -> None:
    for way in WAYS:
        hidden = await add_hidden(session, way)
        expected = 404 if way == "deleted" else 200
        assert (await editor.get(f"{VIDEOS}/{hidden}")).status_code == expected, way
