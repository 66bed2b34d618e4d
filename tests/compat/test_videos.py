"""`/api/videos/`, `/api/categories/` and `/api/`, which netiflex and authemail share."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_category, add_films
from media.clips import make_clip
from playback.test_downloads import FOLDER, add_files, content
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.api.downloads import leases

VIDEOS = "/api/videos/"
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
UNSIGNED = {"detail": "Authentication credentials were not provided."}
NOT_ALLOWED = {"detail": "You do not have permission to perform this action."}
FIELDS = {
    "id", "title", "author", "description", "uploaded_by", "genre", "uploaded_at", "updated_at",
    "is_favorite", "language", "video_file", "poster", "vtt_file", "video_file_hd360",
    "video_file_hd480", "video_file_hd720", "video_file_hd1080", "duration", "file", "category",
    "created_at", "thumbnail", "resolutions",
}  # fmt: skip


def titles(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [film["title"] for film in answer.json()]


@pytest.fixture
async def films(session: AsyncSession) -> list[int]:
    """Six films, the first one the oldest."""
    return await add_films(
        session,
        {"title": "One", "genre": "drama", "language": "de", "featured": True},
        {"title": "Two", "genre": "Drama", "description": "a storm at sea"},
        {"title": "Three", "genre": "action", "language": "fr"},
        {"title": "Four", "genre": "Western", "language": "es"},
        {"title": "Five", "genre": ""},
        {"title": "Six", "genre": "horror"},
    )


@pytest.fixture
async def whole(session: AsyncSession, editor: httpx.AsyncClient) -> AsyncIterator[int]:
    """A film with everything, its files too."""
    shelf = await add_category(session, "Classics")
    uploader = (await editor.get("/api/v1/me")).json()["id"]
    (film,) = await add_films(
        session,
        {"title": "Clip", "author": "Ada", "categories": [shelf], "uploaded_by": uploader},
    )
    await add_files(session, film)
    leases.clear()
    yield film
    await media_storage().delete_below(FOLDER)


@pytest.mark.parametrize("path", [VIDEOS, f"{VIDEOS}1/", f"{VIDEOS}recent_videos/", "/api/"])
async def test_strangers(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (401, UNSIGNED)
    assert answer.headers["www-authenticate"] == "Token"


async def test_a_bad_bearer_token_is_named(client: httpx.AsyncClient) -> None:
    answer = await client.get(VIDEOS, headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert set(answer.json()["messages"][0]) == {"token_class", "token_type", "message"}


@pytest.mark.parametrize("slash", ["", "/"])
async def test_a_film_has_the_fields_of_both(
    viewer: httpx.AsyncClient, whole: int, slash: str
) -> None:
    answer = await viewer.get(f"{VIDEOS}{whole}{slash}")
    film = answer.json()
    assert set(film) == FIELDS
    assert (film["id"], film["title"], film["author"]) == (whole, "Clip", "Ada")
    assert film["category"]["name"] == "Classics"
    assert set(film["category"]) == {"id", "name", "slug"}
    assert [found["label"] for found in film["resolutions"]] == ["720p", "360p", "120p"]
    assert {found["type"] for found in film["resolutions"]} == {"video/mp4"}
    for name in ("uploaded_at", "updated_at", "created_at"):
        assert STAMP.fullmatch(film[name]), name
    assert (film["duration"], film["is_favorite"], film["language"]) == (100, False, "english")
    assert film["genre"] is None
    assert "max-age=9" not in answer.headers["cache-control"]
    assert answer.headers["cache-control"].startswith("private")


async def test_how_to_reach_an_uploader_is_for_editors(
    viewer: httpx.AsyncClient, editor: httpx.AsyncClient, whole: int
) -> None:
    told = (await editor.get(f"{VIDEOS}{whole}/")).json()["uploaded_by"]
    assert told["email"] == "editor@example.org"
    hidden = (await viewer.get(f"{VIDEOS}{whole}/")).json()["uploaded_by"]
    assert hidden == {"id": told["id"], "email": "", "phone": "", "address": ""}


async def test_addresses_play_without_headers(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, whole: int
) -> None:
    film = (await viewer.get(f"{VIDEOS}{whole}/")).json()
    assert film["file"].startswith("http://test/api/v1/videos/")
    assert film["file"].partition("?")[0].count(".mp4") == 1
    expected = {
        film["file"]: "720p",
        film["video_file"]: "720p",
        film["file"].replace(".mp4", "_720p.mp4"): "720p",
        film["file"].replace(".mp4", "_1080p.mp4"): "720p",
        film["file"].replace(".mp4", "_480p.mp4"): "360p",
        film["file"].replace(".mp4", "_120p.mp4"): "120p",
        film["video_file_hd360"]: "360p",
        film["video_file_hd480"]: "360p",
        film["video_file_hd720"]: "720p",
        film["video_file_hd1080"]: "720p",
    } | {found["src"]: found["label"] for found in film["resolutions"]}
    for url, name in expected.items():
        assert (await client.get(url)).content == content(name), url
    assert (await client.get(film["poster"])).content == b"poster"
    assert film["thumbnail"] == film["poster"]
    assert "01:01.000 --> 01:02.000" in (await client.get(film["vtt_file"])).text


async def test_before_files_are_made(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, films: list[int]
) -> None:
    film = (await viewer.get(f"{VIDEOS}{films[0]}/")).json()
    names = ["poster", "vtt_file", *(f"video_file_hd{n}" for n in (360, 480, 720, 1080))]
    assert [film[name] for name in names] == [""] * 6
    assert (film["thumbnail"], film["resolutions"]) == (None, [])
    answer = await client.get(film["file"])
    assert answer.status_code == 409
    assert "still being prepared" in answer.json()["title"]


async def test_list_is_an_array_newest_first(viewer: httpx.AsyncClient, films: list[int]) -> None:
    assert titles(await viewer.get(VIDEOS)) == ["Six", "Five", "Four", "Three", "Two", "One"]
    assert titles(await viewer.get(f"{VIDEOS}?limit=2")) == ["Six", "Five"]
    assert titles(await viewer.get(f"{VIDEOS}?limit=2&page=3")) == ["Two", "One"]
    assert len(titles(await viewer.get(f"{VIDEOS}?page=2"))) == 6
    assert len(titles(await viewer.get(f"{VIDEOS}?limit=x&page=-1"))) == 6


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("genre=drama", ["Two", "One"]),
        ("genre=DRAMA", []),
        ("genre=Western", ["Four"]),
        ("language=german", ["One"]),
        ("language=french", ["Three"]),
        ("language=klingon", []),
        ("is_favorite=true", ["One"]),
        ("is_favorite=nonsense", ["Six", "Five", "Four", "Three", "Two", "One"]),
        ("uploaded_by=77", []),
        ("uploaded_by=99999999999999999999999", []),
        ("search=storm", ["Two"]),
        ("search=%00", ["Six", "Five", "Four", "Three", "Two", "One"]),
        ("uploaded_at=2020-01-01T00:00:00Z&genre=horror", ["Six"]),
        ("uploaded_at=2999-01-01", []),
        ("updated_at=2999-01-01T00:00:00Z", []),
        ("ordering=nonsense&genre=drama", ["Two", "One"]),
        ("ordering=uploaded_at&genre=drama", ["One", "Two"]),
        ("ordering=-updated_at&genre=drama", ["Two", "One"]),
    ],
)
async def test_filters(
    viewer: httpx.AsyncClient, films: list[int], query: str, expected: list[str]
) -> None:
    assert titles(await viewer.get(f"{VIDEOS}?{query}")) == expected


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("uploaded_by=x", {"uploaded_by": ["Enter a number."]}),
        ("uploaded_at=x", {"uploaded_at": ["Enter a valid date/time."]}),
        ("updated_at=x", {"updated_at": ["Enter a valid date/time."]}),
    ],
)
async def test_filters_refuse(viewer: httpx.AsyncClient, query: str, body: dict[str, Any]) -> None:
    answer = await viewer.get(f"{VIDEOS}?{query}")
    assert (answer.status_code, answer.json()) == (400, body)


async def test_recent(viewer: httpx.AsyncClient, films: list[int]) -> None:
    path = f"{VIDEOS}recent_videos/"
    assert titles(await viewer.get(path)) == ["Six", "Five", "Four", "Three", "Two"]
    without = await viewer.get(f"{path}?to_exclude_id={films[-1]}")
    assert titles(without) == ["Five", "Four", "Three", "Two", "One"]
    unknown = await viewer.get(f"{path}?to_exclude_id=999999")
    assert (unknown.status_code, unknown.json()) == (404, {"detail": "Model does not exist"})
    odd = await viewer.get(f"{path}?to_exclude_id=x")  # it was a 500
    wrong = {"to_exclude_id": ["A valid integer is required."]}
    assert (odd.status_code, odd.json()) == (400, wrong)


async def test_by_genre(viewer: httpx.AsyncClient, films: list[int]) -> None:
    answer = await viewer.get(f"{VIDEOS}categorized_videos/")
    found = {genre: [film["title"] for film in shelf] for genre, shelf in answer.json().items()}
    assert list(found) == ["drama", "documentary", "technic", "horror", "action"]
    assert found == {
        "drama": ["Two", "One"],
        "documentary": [],
        "technic": [],
        "horror": ["Six"],
        "action": ["Three"],
    }


@pytest.mark.parametrize("number", ["999999", "x", "9223372036854775808"])
async def test_unknown_film(viewer: httpx.AsyncClient, number: str) -> None:
    answer = await viewer.get(f"{VIDEOS}{number}/")
    missing = {"detail": "No Video matches the given query."}
    assert (answer.status_code, answer.json()) == (404, missing)


@pytest.mark.parametrize(
    "change",
    [
        "published_at = null",
        "deleted_at = now()",
        "audience = 'private'",
        "published_at = now() + interval '1 h'",
        "playable = false",
    ],
)
async def test_hidden_films_stay_hidden(
    session: AsyncSession, viewer: httpx.AsyncClient, films: list[int], change: str
) -> None:
    await session.execute(text(f"update video set {change} where title = 'One'"))
    await session.commit()
    for path in ("", "?search=One", "?genre=drama", "categorized_videos/", "recent_videos/"):
        assert '"One"' not in (await viewer.get(VIDEOS + path)).text, path
    assert (await viewer.get(f"{VIDEOS}{films[0]}/")).status_code == 404
    excluded = await viewer.get(f"{VIDEOS}recent_videos/?to_exclude_id={films[0]}")
    assert excluded.status_code == 404


async def test_a_new_film_is_there_at_once(
    session: AsyncSession, viewer: httpx.AsyncClient, films: list[int]
) -> None:
    """The older list was a quarter of an hour old."""
    await viewer.get(VIDEOS)
    await add_films(session, {"title": "Seven"})
    assert "Seven" in titles(await viewer.get(VIDEOS))


@pytest.mark.parametrize("kind", ["json", "data", "files"])
async def test_admins_add_films(admin: httpx.AsyncClient, kind: str) -> None:
    fields = {"title": "New", "author": "Ada", "genre": "drama", "language": "german"}
    sent: Any = {name: (None, value) for name, value in fields.items()}
    body: dict[str, Any] = {kind: sent if kind == "files" else fields}
    answer = await admin.post(VIDEOS, **body)
    assert answer.status_code == 201, answer.text
    film = answer.json()
    assert set(film) == FIELDS
    assert {name: film[name] for name in fields} == fields
    assert film["duration"] is None


async def test_admins_add_films_with_a_file(
    admin: httpx.AsyncClient, session: AsyncSession, tmp_path: Path
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=1).read_bytes()
    files = {
        "video_file": ("clip.mp4", clip, "video/mp4"),
        "poster": ("p.jpg", b"x" * 100_000, "image/jpeg"),
    }
    answer = await admin.post(VIDEOS, data={"title": "New", "author": "Ada"}, files=files)
    assert answer.status_code == 201, answer.text
    asset = await session.execute(text("select folder, source_bytes from media_asset"))
    ((folder, size),) = asset.all()
    assert size == len(clip)
    await media_storage().delete_below(folder)


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (
            {},
            {"title": ["This field is required."], "author": ["This field is required."]},
        ),
        (
            {"title": "T", "author": "A", "genre": "western"},
            {"genre": ['"western" is not a valid choice.']},
        ),
        (
            {"title": "T" * 151, "author": "A"},
            {"title": ["Ensure this field has no more than 150 characters."]},
        ),
        ({"title": "", "author": "A"}, {"title": ["This field may not be blank."]}),
    ],
)
async def test_adding_films_refuses(
    admin: httpx.AsyncClient, fields: dict[str, str], body: dict[str, Any]
) -> None:
    answer = await admin.post(VIDEOS, json=fields)
    assert (answer.status_code, answer.json()) == (400, body)


async def test_admins_change_and_delete_films(admin: httpx.AsyncClient, films: list[int]) -> None:
    path = f"{VIDEOS}{films[0]}/"
    patched = await admin.patch(path, json={"is_favorite": False, "genre": None})
    film = patched.json()
    assert (patched.status_code, film["is_favorite"], film["genre"]) == (200, False, None)
    assert (film["title"], film["language"]) == ("One", "german"), "what is left out stays"
    refused = await admin.put(path, json={"title": "Uno"})
    assert (refused.status_code, list(refused.json())) == (400, ["author"])
    put = await admin.put(path, json={"title": "Uno", "author": "Ada"})
    assert (put.status_code, put.json()["title"]) == (200, "Uno")
    gone = await admin.delete(path)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await admin.get(path)).status_code == 404
    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else {"title": "T", "author": "A"}
        answer = await admin.request(method, f"{VIDEOS}999999/", json=body)
        assert answer.status_code == 404, method


async def test_nobody_else_changes_films(
    client: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    editor: httpx.AsyncClient,
    films: list[int],
) -> None:
    for method, path in (
        ("POST", VIDEOS),
        ("PUT", f"{VIDEOS}{films[0]}/"),
        ("PATCH", f"{VIDEOS}{films[0]}/"),
        ("DELETE", f"{VIDEOS}{films[0]}/"),
    ):
        assert (await client.request(method, path)).status_code == 401
        for person in (viewer, editor):
            answer = await person.request(method, path)
            assert (answer.status_code, answer.json()) == (403, NOT_ALLOWED)


async def test_categories(
    client: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    shelf = await add_category(session, "Classics")
    shown = {"id": shelf, "name": "Classics", "slug": "classics"}
    assert (await viewer.get("/api/categories/")).json() == [shown]
    assert (await viewer.get(f"/api/categories/{shelf}/")).json() == shown
    missing = await viewer.get("/api/categories/999/")
    text_ = "No Category matches the given query."
    assert (missing.status_code, missing.json()) == (404, {"detail": text_})
    assert (await viewer.delete(f"/api/categories/{shelf}/")).status_code == 405


async def test_links(viewer: httpx.AsyncClient) -> None:
    names = (
        "categories", "history", "user", "video", "videos", "watchlist", "watchlist-entries",
    )  # fmt: skip
    found = await viewer.get("/api/")
    assert found.json() == {name: f"http://test/api/{name}/" for name in names}
    for path in found.json().values():
        assert (await viewer.get(path)).status_code == 200, path


async def test_metadata(viewer: httpx.AsyncClient) -> None:
    answer = await viewer.options("/api/videos/")
    assert answer.status_code == 200
    assert answer.headers["allow"] == "GET, OPTIONS, POST"
    assert answer.json() == {
        "name": "Api Videos",
        "description": "",
        "renders": ["application/json"],
        "parses": [
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data",
        ],
    }


@pytest.mark.parametrize("sent", [b"Basic \xff", b"Basic ====", b"Basic \xc3\xa4"])
async def test_strange_basic_credentials_are_none(client: httpx.AsyncClient, sent: bytes) -> None:
    answer = await client.get("/api/videos/", headers=[(b"Authorization", sent)])
    assert answer.status_code == 401, answer.text
