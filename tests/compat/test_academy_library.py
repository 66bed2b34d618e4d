"""The dialect `academy`, row by row: playing, watchlist, history."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_films
from compat.playable import PART_BYTES, add_playable
from conftest import PASSWORD, http_client
from playback.test_streams import SILENCE, make_member
from videoflix.accounts.service import Accounts
from videoflix.compat.academy.playback import leases
from videoflix.platform.auth.revocations import ended_streams
from videoflix.playback.service.streams import heartbeats

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
HLS = "application/vnd.apple.mpegurl"
NO_MANIFEST = {"detail": "Video or Manifest file not found"}
NO_SEGMENT = {"detail": "Video or Segment file not found"}


@asynccontextmanager
async def entered(
    app: Litestar, session: AsyncSession, email: str
) -> AsyncGenerator[httpx.AsyncClient]:
    """Somebody who is signed in by cookies."""
    await Accounts(session).create_user(email=email, password=PASSWORD)
    await session.commit()
    async with http_client(app) as client:
        answer = await client.post("/api/login/", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 200
        yield client


@pytest.fixture
async def ada(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    leases.clear()
    heartbeats._seen.clear()
    ended_streams._until.clear()
    async with entered(app, session, "ada@example.org") as client:
        yield client


@pytest.fixture
async def bob(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    async with entered(app, session, "bob@example.org") as client:
        yield client


async def user_id(client: httpx.AsyncClient) -> int:
    number: int = (await client.get("/api/user/me/")).json()["id"]
    return number


# ── playing ───────────────────────────────────────────────────────────────────────────────────


def named(playlist: str) -> list[str]:
    """What a playlist names: in lines of their own, and in attributes."""
    lines = playlist.splitlines()
    return [
        *re.findall(r'URI="([^"]+)"', playlist),
        *(line for line in lines if line and not line.startswith("#")),
    ]


@pytest.mark.parametrize(
    ("asked", "given"),
    [("120p", 120), ("360p", 360), ("480p", 360), ("720p", 360), ("1080p", 360)],
)
async def test_manifest_holds_one_rung_and_the_sound(
    ada: httpx.AsyncClient, session: AsyncSession, asked: str, given: int
) -> None:
    """A rung above the ladder falls back to the nearest lower one."""
    film = await add_playable(session)
    answer = await ada.get(f"/api/video/{film}/{asked}/index.m3u8")
    assert (answer.status_code, answer.headers["content-type"]) == (200, HLS)
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.text.startswith("#EXTM3U")
    assert answer.text.count("#EXT-X-STREAM-INF") == 1
    assert f"x{given}," in answer.text
    assert 'TYPE=AUDIO,GROUP-ID="audio"' in answer.text
    assert 'AUDIO="audio"' in answer.text


@pytest.mark.parametrize("slash", ["", "/"])
async def test_everything_a_manifest_names_is_there(
    ada: httpx.AsyncClient, session: AsyncSession, slash: str
) -> None:
    film = await add_playable(session)
    manifest = f"http://test/api/video/{film}/480p/index.m3u8"
    playlists = [urljoin(manifest, name) for name in named((await ada.get(manifest)).text)]
    assert len(playlists) == 2
    for playlist in playlists:
        listed = await ada.get(playlist + slash)
        assert (listed.status_code, listed.headers["content-type"]) == (200, HLS)
        assert "#EXT-X-ENDLIST" in listed.text
        parts = named(listed.text)
        assert len(parts) == 3
        data = b""
        for part in parts:
            got = await ada.get(urljoin(playlist, part) + slash)
            assert (got.status_code, got.headers["content-type"]) == (200, "video/mp4")
            data += got.content
        assert data == PART_BYTES


@pytest.mark.parametrize("asked", ["240p", "master", "..", "1080P", "0"])
async def test_resolutions_nobody_knows(
    ada: httpx.AsyncClient, session: AsyncSession, asked: str
) -> None:
    film = await add_playable(session)
    answer = await ada.get(f"/api/video/{film}/{asked}/index.m3u8")
    assert answer.status_code == 404


async def test_films_without_a_manifest(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    (waiting,) = await add_films(session, {"title": "Waiting"})
    for film in (waiting, 77):
        answer = await ada.get(f"/api/video/{film}/480p/index.m3u8")
        assert (answer.status_code, answer.json()) == (404, NO_MANIFEST)


@pytest.mark.parametrize(
    "name",
    [
        "%2e%2e/source",
        "../source",
        "..%2fsource",
        "%2e%2e%2fsource",
        "source",
        "segment_000.ts",
        "{asset}-360p-99999.m4s",
        "{asset}-360p-init-7.mp4",
        "{asset}-1080p.m3u8",
        "0{asset}-nothing-00000.m4s",
        "999-360p-00000.m4s",
        "{asset}-360p-00000.m4s%00",
        "{asset}-..-00000.m4s",
        "9999999999999999999-360p.m3u8",
    ],
)
async def test_only_what_a_playlist_names_is_served(
    ada: httpx.AsyncClient, session: AsyncSession, name: str
) -> None:
    """Once, `%2e%2e` led to the original file."""
    film = await add_playable(session)
    asset = str(await session.scalar(text("select max(id) from media_asset")))
    for slash in ("", "/"):
        path = f"/api/video/{film}/360p/{name.replace('{asset}', asset)}{slash}"
        answer = await ada.get(path)
        assert answer.status_code == 404, path
        assert b"original" not in answer.content
    plain = await ada.get(f"/api/video/{film}/%2e%2e/clip.mp4/")
    assert (plain.status_code, plain.json()) == (404, NO_SEGMENT)


async def test_hidden_films_are_not_played(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    film = await add_playable(session)
    manifest = f"/api/video/{film}/360p/index.m3u8"
    playlist = f"/api/video/{film}/360p/{named((await ada.get(manifest)).text)[1]}"
    segment = f"/api/video/{film}/360p/{named((await ada.get(playlist)).text)[1]}"
    assert (await ada.get(segment)).status_code == 200
    await session.execute(text("update video set audience = 'private'"))
    await session.commit()
    for path, refusal in (
        (manifest, NO_MANIFEST),
        (playlist, NO_SEGMENT),
        (segment, NO_SEGMENT),
    ):
        answer = await ada.get(path)
        assert (answer.status_code, answer.json()) == (404, refusal)


async def test_streams_at_once_are_limited(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    """The cookie is enough, and the membership still counts."""
    films = [await add_playable(session, f"Film {number}") for number in range(2)]
    await make_member(session, await user_id(ada), 1)
    first, second = (f"/api/video/{film}/360p" for film in films)
    manifest = await ada.get(f"{first}/index.m3u8")
    assert manifest.status_code == 200
    for _ in range(2):  # loading the page again takes no other stream
        assert (await ada.get(f"{first}/index.m3u8")).status_code == 200
    part = named((await ada.get(f"{first}/{named(manifest.text)[1]}")).text)[0]
    assert (await ada.get(f"{first}/{part}")).status_code == 200
    refused = await ada.get(f"{second}/index.m3u8")
    assert refused.status_code == 409
    assert "your plan's limit" in refused.json()["detail"]
    (running,) = (await ada.get("/api/v1/streams")).json()
    ours = {"X-CSRFToken": ada.cookies["csrftoken"]}
    stop = await ada.delete(f"/api/v1/streams/{running['id']}", headers=ours)
    assert stop.status_code == 204
    ended_streams.add([running["id"]])  # as the news would
    stopped = await ada.get(f"{first}/{part}")
    assert (stopped.status_code, stopped.json()["detail"]) == (
        410,
        "This stream has ended. Start it again.",
    )
    assert (await ada.get(f"{second}/index.m3u8")).status_code == 200


async def test_silent_stream_begins_again(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    """After a pause an older player just asks for its next segment."""
    film = await add_playable(session)
    await make_member(session, await user_id(ada), 1)
    base = f"/api/video/{film}/360p"
    manifest = (await ada.get(f"{base}/index.m3u8")).text
    part = named((await ada.get(f"{base}/{named(manifest)[1]}")).text)[0]
    await session.execute(text(SILENCE))
    await session.commit()
    heartbeats._seen.clear()
    assert (await ada.get(f"{base}/{part}")).status_code == 200
    assert len((await ada.get("/api/v1/streams")).json()) == 1


# ── watchlist ─────────────────────────────────────────────────────────────────────────────────


async def test_watchlist_is_one(
    ada: httpx.AsyncClient, bob: httpx.AsyncClient, session: AsyncSession
) -> None:
    films = await add_films(session, {"title": "One"}, {"title": "Two"})
    (empty,) = (await ada.get("/api/watchlist/")).json()
    assert (empty["user"], empty["entries"], empty["movies"]) == ("ada", [], [])
    for film in films:
        assert (await ada.post("/api/watchlist-entries/", json={"video_id": film})).is_success
    made = await ada.post("/api/watchlist/")
    assert made.status_code == 201
    (mine,) = (await ada.get("/api/watchlist/")).json()
    assert made.json() == mine, "no second one is made"
    assert mine["id"] == empty["id"]
    assert mine["movies"] == films[::-1]
    assert [entry["video"]["title"] for entry in mine["entries"]] == ["Two", "One"]
    assert (await ada.get(f"/api/watchlist/{mine['id']}/")).json() == mine
    other = await bob.get(f"/api/watchlist/{mine['id']}/")
    text = "No Watchlist matches the given query."
    assert (other.status_code, other.json()) == (404, {"detail": text})


async def test_entries_come_and_go(
    ada: httpx.AsyncClient, bob: httpx.AsyncClient, session: AsyncSession
) -> None:
    films = await add_films(session, {"title": "One"}, {"title": "Two"})
    path = "/api/watchlist-entries/"
    made = await ada.post(path, data={"video_id": str(films[0])})
    assert made.status_code == 201
    entry = made.json()
    assert list(entry) == ["id", "video", "watchlist", "added_on"]
    assert entry["video"] == (await ada.get(f"/api/video/{films[0]}/")).json()
    assert STAMP.fullmatch(entry["added_on"])
    again = await ada.post(path, json={"video_id": films[0]})
    assert (again.status_code, again.json()) == (200, entry), "once a server error"
    assert (await ada.get(path)).json() == [entry]
    one = f"{path}{entry['id']}/"
    assert (await ada.get(one)).json() == entry
    for answer in (await bob.get(one), await bob.delete(one)):
        text = "No WatchlistEntry matches the given query."
        assert (answer.status_code, answer.json()) == (404, {"detail": text})
    put = await ada.put(one, json={"video_id": films[1]})
    assert (put.status_code, put.json()["video"]["title"]) == (200, "Two")
    assert [found["video"]["title"] for found in (await ada.get(path)).json()] == ["Two"]
    gone = await ada.delete(f"{path}{put.json()['id']}/")
    assert (gone.status_code, gone.content) == (204, b"")


async def test_entries_that_are_refused(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    path = "/api/watchlist-entries/"
    (hidden,) = await add_films(session, {"title": "Secret", "audience": "private"})
    for body, sentence in (
        ({}, "This field is required."),
        ({"video_id": 77}, 'Invalid pk "77" - object does not exist.'),
        ({"video_id": hidden}, f'Invalid pk "{hidden}" - object does not exist.'),
        ({"video_id": "x"}, "A valid integer is required."),
    ):
        answer = await ada.post(path, json=body)
        assert (answer.status_code, answer.json()) == (400, {"video_id": [sentence]})


async def test_entries_are_removed_by_their_film(
    ada: httpx.AsyncClient, session: AsyncSession
) -> None:
    (film,) = await add_films(session, {"title": "One"})
    await ada.post("/api/watchlist-entries/", json={"video_id": film})
    path = f"/api/watchlist-entries/remove/{film}/"
    assert (await ada.delete(path)).status_code == 204
    again = await ada.delete(path)
    assert (again.status_code, again.json()) == (404, {"error": "Video not in watchlist"})


# ── history ───────────────────────────────────────────────────────────────────────────────────


async def test_progress_is_saved_and_read(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    (film,) = await add_films(session, {"title": "One", "duration": 100.0})
    where = f"/api/history/get-progress/{film}/"
    for place in (where, "/api/history/get-progress/999999/"):
        assert (await ada.get(place)).json() == {"progress_seconds": 0}
    path = "/api/history/save-progress/"
    first = await ada.post(path, json={"video_id": film, "progress_seconds": 0})
    assert first.status_code == 201, "0 is a place, too"
    later = await ada.post(path, data={"video_id": str(film), "progress_seconds": "42"})
    assert later.status_code == 200
    record = later.json()
    assert list(record) == [
        "id",
        "user",
        "video",
        "watched_on",
        "updated_at",
        "progress_seconds",
    ]
    assert (record["user"], record["video"]) == (await user_id(ada), film)
    assert record["progress_seconds"] == 42
    assert STAMP.fullmatch(record["watched_on"])
    assert STAMP.fullmatch(record["updated_at"])
    assert (await ada.get(where)).json() == record
    assert (await ada.get("/api/history/")).json() == [record]


async def test_progress_that_is_refused(ada: httpx.AsyncClient, session: AsyncSession) -> None:
    (film,) = await add_films(session, {"title": "One"})
    path = "/api/history/save-progress/"
    missing = {"error": "Missing video_id or progress_seconds"}
    for body in ({}, {"video_id": film}, {"progress_seconds": 3}, {"video_id": None}):
        answer = await ada.post(path, json=body)
        assert (answer.status_code, answer.json()) == (400, missing)
    unknown = await ada.post(path, json={"video_id": 77, "progress_seconds": 1})
    text = "No Video matches the given query."
    assert (unknown.status_code, unknown.json()) == (404, {"detail": text})
    words = await ada.post(path, json={"video_id": "x", "progress_seconds": "y"})
    assert words.status_code == 400
    assert words.json() == {
        "video_id": ["A valid integer is required."],
        "progress_seconds": ["A valid number is required."],
    }
    for seconds in ("nan", "inf", "-1"):
        odd = await ada.post(path, data={"video_id": str(film), "progress_seconds": seconds})
        assert odd.status_code == 400


async def test_records_stay_with_their_owner(
    ada: httpx.AsyncClient, bob: httpx.AsyncClient, session: AsyncSession
) -> None:
    (film,) = await add_films(session, {"title": "One"})
    body = {"video": film, "user": await user_id(bob)}
    made = await ada.post("/api/history/", json=body)
    assert (made.status_code, made.json()["user"]) == (201, await user_id(ada))
    again = await ada.post("/api/history/", json=body)
    text = "The fields user, video must make a unique set."
    assert (again.status_code, again.json()) == (400, {"non_field_errors": [text]})
    unknown = await ada.post("/api/history/", json={"video": 77})
    text = 'Invalid pk "77" - object does not exist.'
    assert (unknown.status_code, unknown.json()) == (400, {"video": [text]})
    one = f"/api/history/{made.json()['id']}/"
    for method in ("PUT", "PATCH"):
        changed = await ada.request(method, one, json=body | {"progress_seconds": 9})
        assert changed.status_code == 200
        assert (changed.json()["user"], changed.json()["progress_seconds"]) == (
            await user_id(ada),
            9,
        )
        assert (await bob.request(method, one, json=body)).status_code == 404
    assert (await bob.get("/api/history/")).json() == []
    assert (await bob.delete(one)).status_code == 404
    assert (await ada.delete(one)).status_code == 204
    assert (await ada.get("/api/history/")).json() == []
    gone = await ada.delete(one)
    text = "No WatchHistory matches the given query."
    assert (gone.status_code, gone.json()) == (404, {"detail": text})
