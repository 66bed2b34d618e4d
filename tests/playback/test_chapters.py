"""Chapters: from the file, by editors, and as players read them."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from factories import ChapterFactory, VideoFactory, create
from media.clips import ffmpeg
from videoflix.catalog.schemas import VideoCreate
from videoflix.catalog.service.chapters import Chapters
from videoflix.media.jobs.encode import inspect, run_encode_chunk
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeChunk, Inspect
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.storage.media_storage import media_storage

FOLDER = "assets/chapters"
TITLES = ("Opening", 'He said "1 < 2 & 3"')
CHAPTERS = [
    {"title": TITLES[0], "start": 0.0, "end": 2.0},
    {"title": TITLES[1], "start": 2.0, "end": 3.5},
]


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    metadata = folder / "chapters.txt"
    metadata.write_text(
        ";FFMETADATA1\n"
        + "".join(
            f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={int(float(str(one['start'])) * 1000)}\n"
            f"END={int(float(str(one['end'])) * 1000)}\ntitle={one['title']}\n"
            for one in CHAPTERS
        )
    )
    film = folder / "film.mkv"
    source: list[str | Path] = ["-f", "lavfi", "-i", "testsrc2=s=64x36:r=5:d=4", "-i", metadata]
    options = ["-map", "0:v", "-map_metadata", "1", "-c:v", "libx264", "-preset", "ultrafast"]
    ffmpeg(*source, *options, film)
    return film


@pytest.fixture
async def asset(session: AsyncSession, recording: Path) -> AsyncIterator[Asset]:
    stored = await media_storage().put(f"{FOLDER}/source", recording)
    file = StoredFile(FOLDER, f"{FOLDER}/source", "a.mkv", stored.size, stored.sha256)
    await Media(session).accept(VideoCreate(title="Chapters"), file, None)
    await session.commit()
    asset_id = await session.scalar(select(func.max(Asset.id))) or 0
    await inspect(Inspect(asset_id=asset_id))
    await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=0))
    yield await session.get_one(Asset, asset_id)
    await media_storage().delete_below(FOLDER)


async def test_chapters_of_the_file_reach_players(
    asset: Asset, viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    path = f"/api/v1/videos/{asset.video_id}"
    assert (await viewer.get(f"{path}/chapters")).json() == CHAPTERS
    assert (await viewer.get(path)).json()["chapters"] == CHAPTERS
    vtt = await viewer.get(f"{path}/chapters.vtt")
    assert vtt.headers["content-type"].startswith("text/vtt")
    assert vtt.text == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\nOpening\n\n"
        '00:00:02.000 --> 00:00:03.500\nHe said "1 &lt; 2 &amp; 3"\n'
    )
    master = (await viewer.post(f"{path}/play")).json()["master_url"]
    playlist = (await client.get(master)).text
    line = re.search(r'#EXT-X-SESSION-DATA:DATA-ID="com.apple.hls.chapters",URI="(.*)"', playlist)
    assert line, playlist
    # The token in the path is enough.
    found = await client.get(f"{path}/{line[1]}")
    assert found.headers["content-type"].startswith("application/json")
    assert [
        (one["start-time"], one["duration"], one["titles"][0]["title"]) for one in found.json()
    ] == [(0, 2, TITLES[0]), (2, 1.5, TITLES[1])]
    by_token = f"{path}/{line[1]}".replace(".json", ".vtt")
    assert (await client.get(by_token)).text == vtt.text
    for url in (by_token, f"{path}/{line[1]}"):
        forged = re.sub(r"/play/[^/]+/", "/play/forged/", url)
        assert (await client.get(forged)).status_code == 401


@pytest.fixture
async def film(session: AsyncSession) -> int:
    video = await create(session, VideoFactory, duration=100.0, playable=True, state="ready")
    await session.commit()
    return video.id


async def put(client: httpx.AsyncClient, film: int, chapters: Any) -> httpx.Response:
    return await client.put(f"/api/v1/videos/{film}/chapters", json=chapters)


async def shown(client: httpx.AsyncClient, film: int) -> list[tuple[str, float, float]]:
    found = (await client.get(f"/api/v1/videos/{film}")).json()["chapters"]
    return [(one["title"], one["start"], one["end"]) for one in found]


async def test_film_without_chapters_has_an_empty_list(
    film: int, viewer: httpx.AsyncClient
) -> None:
    assert await shown(viewer, film) == []
    assert (await viewer.get(f"/api/v1/videos/{film}/chapters")).json() == []
    assert (await viewer.get(f"/api/v1/videos/{film}/chapters.vtt")).text == "WEBVTT\n"


async def test_editor_replaces_the_whole_list(
    film: int, editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    assert await shown(viewer, film) == []  # from now on, the response is cached
    written = await put(
        editor, film, [{"title": "A", "start": 0}, {"title": "B", "start": 10, "end": 20},
                       {"title": "C", "start": 99.9, "end": 100.4}]
    )  # fmt: skip
    assert written.status_code == 200, written.text
    expected = [("A", 0, 10), ("B", 10, 20), ("C", 99.9, 100)]
    assert [tuple(one.values()) for one in written.json()] == expected
    assert await shown(editor, film) == expected
    assert (await put(editor, film, [{"title": "D", "start": 5}])).status_code == 200
    assert (await put(editor, film, [])).json() == []


@pytest.mark.parametrize(
    ("chapters", "reason"),
    [
        ([("B", 10, None), ("A", 0, None)], "ends before it starts"),
        ([("A", 0, 20), ("B", 10, 30)], "Chapter 2 starts before the previous one ends"),
        ([("A", 0, 10), ("A", 0, 10)], "Chapter 2 starts before"),
        ([("A", 0, 101)], "100 seconds"),
        ([("A", 100, None)], "100 seconds"),
        ([("A", 5, 5)], "ends before it starts"),
        ([("", 0, None)], "title"),
        ([("x" * 201, 0, None)], "title"),
        ([("a\x00b", 0, None)], "title"),
        ([("A", -1, None)], "float"),
        ([("A", 1e300, None)], "float"),
        ([(str(n), n / 10, None) for n in range(501)], "500"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_invalid_lists_are_refused(
    film: int, editor: httpx.AsyncClient, chapters: list[tuple[Any, ...]], reason: str
) -> None:
    await put(editor, film, [{"title": "Kept", "start": 0}])
    body = [{"title": title, "start": start, "end": end} for title, start, end in chapters]
    refused = await put(editor, film, body)
    assert refused.status_code == 400, refused.text
    assert reason in refused.text
    assert await shown(editor, film) == [("Kept", 0, 100)]


async def test_who_may_change_chapters(
    film: int,
    editor: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    client: httpx.AsyncClient,
    session: AsyncSession,
) -> None:
    """Another editor may, as everything about a film."""
    body = [{"title": "A", "start": 0}]
    assert (await put(client, film, body)).status_code == 401
    assert (await put(viewer, film, body)).status_code == 403
    assert (await put(editor, film + 1, body)).status_code == 404
    await session.execute(text("update video set duration = null"))
    await session.commit()
    unknown = await put(editor, film, body)
    assert (unknown.status_code, unknown.json()["type"]) == (409, "/problems/duration-unknown")
    await session.execute(text("update video set deleted_at = now()"))
    await session.commit()
    assert (await put(editor, film, body)).status_code == 404


async def test_new_file_brings_its_chapters_unless_an_editor_wrote_some(
    film: int, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    """Also those that an editor deleted stay away."""
    await create(session, ChapterFactory, video_id=film)

    async def replaced(duration: float) -> list[tuple[str, float, float]]:
        await Chapters(session).replace_extracted(film, [("New", 1.0, 2.0)], duration)
        session.expire_all()
        found = await Chapters(session).of_video(film)
        return [(one.title, one.start, one.end) for one in found]

    assert await replaced(100.0) == [("New", 1.0, 2.0)]
    await session.commit()
    own = [{"title": "Own", "start": start} for start in (0, 60, 80)]
    assert (await put(editor, film, own)).status_code == 200
    assert await replaced(70.0) == [("Own", 0.0, 60.0), ("Own", 60.0, 70.0)]
    await put(editor, film, [])
    assert await replaced(100.0) == []
