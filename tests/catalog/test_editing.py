"""What editors do with films, and who sees the result."""

import io
import zlib
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import av
import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from catalog.factories import add_category, add_films
from videoflix.catalog.jobs import delete_picture
from videoflix.catalog.payloads import DeletePicture
from videoflix.catalog.service.editing import Editing
from videoflix.platform.storage.media_storage import media_storage

VIDEOS = "/api/v1/videos"


@pytest.fixture
async def film(session: AsyncSession) -> str:
    (number,) = await add_films(session, {"title": "Film"})
    return f"{VIDEOS}/{number}"


async def test_description_keeps_what_is_left_out(
    film: str, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    drama = await add_category(session, "Drama")
    change = {
        "title": "Another",
        "tags": ["a", "b"],
        "release_year": 1977,
        "categories": [drama],
        "audience": "members",
        "age_rating": 12,
    }
    changed = await editor.patch(film, json=change)
    assert changed.status_code == 200, changed.text
    shown = changed.json()
    assert (shown["title"], shown["tags"], shown["release_year"]) == ("Another", ["a", "b"], 1977)
    assert [one["id"] for one in shown["categories"]] == [drama]
    assert shown["slug"].startswith("film-"), "addresses stay"
    cleared = await editor.patch(film, json={"release_year": None, "categories": []})
    assert (cleared.json()["release_year"], cleared.json()["categories"]) == (None, [])
    assert cleared.json()["title"] == "Another"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"title": ""}, 400),
        ({"title": "x" * 201}, 400),
        ({"language": "English"}, 400),
        ({"release_year": 10}, 400),
        ({"age_rating": -1}, 400),
        ({"audience": "nobody"}, 400),
        ({"tags": [""]}, 400),
        ({"tags": ["x"] * 31}, 400),
        ({"categories": [999]}, 404),
        ({"views": 5}, 400),
    ],
)
async def test_bad_descriptions_are_refused(
    film: str, editor: httpx.AsyncClient, change: dict[str, object], status: int
) -> None:
    answer = await editor.patch(film, json=change)
    assert answer.status_code == status, answer.text
    assert (await editor.get(film)).json()["title"] == "Film"


async def test_unpublished_film_is_hidden_until_it_is_published(
    film: str, editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    assert (await editor.post(f"{film}/unpublish")).json()["publication"] == "draft"
    assert (await viewer.get(film)).status_code == 404
    assert (await editor.get(film)).status_code == 200
    assert (await editor.post(f"{film}/publish", json={})).json()["publication"] == "published"
    assert (await viewer.get(film)).status_code == 200


async def test_scheduled_film_appears_at_its_time(
    film: str, editor: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    scheduled = await editor.post(f"{film}/publish", json={"publish_at": later})
    assert scheduled.json()["publication"] == "scheduled"
    assert (await viewer.get(film)).status_code == 404
    waits = await session.execute(
        text("select task_name, scheduled_at > now() from procrastinate_jobs")
    )
    assert waits.all() == [("catalog.announce_publication", True)]
    await session.execute(text("update video set published_at = now() - interval '1 s'"))
    await session.commit()
    assert (await viewer.get(film)).status_code == 200


async def test_deleted_film_can_be_restored(
    film: str, editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    assert (await editor.delete(film)).status_code == 204
    assert (await viewer.get(film)).status_code == 404
    assert (await editor.get(film)).status_code == 404
    bin_ = (await editor.get(f"{VIDEOS}?publication=deleted")).json()
    assert [item["publication"] for item in bin_["items"]] == ["deleted"]
    assert (await viewer.get(f"{VIDEOS}?publication=deleted")).json()["items"] == []
    assert (await editor.post(f"{film}/restore")).status_code == 200
    assert (await viewer.get(film)).status_code == 200


async def test_deleted_films_are_purged_after_a_month(session: AsyncSession) -> None:
    old, young, _ = await add_films(
        session, {"title": "old"}, {"title": "young"}, {"title": "there"}
    )
    for number, days in ((old, 31), (young, 29)):
        await session.execute(
            text("update video set deleted_at = now() - :days * interval '1 day' where id = :id"),
            {"id": number, "days": days},
        )
    assert await Editing(session).due_for_purge(10) == [old]


async def test_bulk_is_all_or_nothing(
    film: str, editor: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    numbers = [*await add_films(session, {"title": "Second"}), int(film.rpartition("/")[2])]
    bad = await editor.post(f"{VIDEOS}/bulk", json={"ids": [*numbers, 999], "action": "unpublish"})
    assert (bad.status_code, bad.json()["missing"]) == (404, [999])
    assert (await viewer.get(film)).status_code == 200
    for action, total in (("unpublish", 0), ("publish", 2), ("delete", 0), ("restore", 2)):
        done = await editor.post(f"{VIDEOS}/bulk", json={"ids": numbers, "action": action})
        assert done.json() == {"changed": 2}
        assert (await viewer.get(VIDEOS)).json()["total"] == total, action
    await editor.post(f"{VIDEOS}/bulk", json={"ids": numbers, "action": "feature"})
    assert (await viewer.get(f"{VIDEOS}/featured")).json()["total"] == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", ""),
        ("POST", "/publish"),
        ("POST", "/unpublish"),
        ("POST", "/restore"),
        ("DELETE", ""),
    ],
)
async def test_only_editors_edit(
    film: str, viewer: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await viewer.request(method, film + path, json={})).status_code == 403
    bulk = await viewer.post(f"{VIDEOS}/bulk", json={"ids": [1], "action": "delete"})
    assert bulk.status_code == 403


async def test_categories_are_kept_while_films_need_them(
    film: str, editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    made = (await editor.post("/api/v1/categories", json={"name": "Sci-Fi & Fantasy"})).json()
    assert made["slug"] == "sci-fi-fantasy"
    other = (await editor.post("/api/v1/categories", json={"name": "Other"})).json()
    assert other["position"] > made["position"]
    twice = await editor.post("/api/v1/categories", json={"name": "Other"})
    assert twice.json()["type"] == "/problems/category-taken"
    await editor.patch(film, json={"categories": [made["id"]]})
    refused = await editor.delete(f"/api/v1/categories/{made['slug']}")
    assert refused.json()["type"] == "/problems/category-in-use"
    moved = await editor.delete(f"/api/v1/categories/{made['slug']}?move_to=other")
    assert moved.status_code == 204
    assert [one["slug"] for one in (await viewer.get(film)).json()["categories"]] == ["other"]
    renamed = await editor.patch("/api/v1/categories/other", json={"name": "Else"})
    assert renamed.json()["slug"] == "other"
    assert [one["name"] for one in (await viewer.get("/api/v1/categories")).json()] == ["Else"]
    assert (await viewer.delete("/api/v1/categories/other")).status_code == 403
    assert (await editor.delete("/api/v1/categories/nothing")).status_code == 404


async def test_category_has_a_picture(editor: httpx.AsyncClient, session: AsyncSession) -> None:
    path = f"/api/v1/categories/{(await _category(editor))['slug']}"
    assert (await editor.get(f"{path}/picture")).status_code == 404
    jpeg = picture("jpeg", 40, 30)
    kept = await editor.put(f"{path}/picture", files={"data": ("a.jpg", jpeg)})
    assert kept.status_code == 204, kept.text
    url = (await editor.get(path)).json()["picture_url"]
    shown = await editor.get(url)
    assert size_of(shown.content) == (40, 30)
    assert shown.headers["content-type"] == "image/jpeg"
    assert shown.headers["x-content-type-options"] == "nosniff"
    (key,) = await media_storage().keys("categories/")
    assert (await editor.delete(path)).status_code == 204
    assert await media_storage().keys("categories/") == [key], "deleted before the commit"
    await run_deletions(session)
    assert await media_storage().keys("categories/") == []


async def test_former_picture_is_deleted_after_the_commit(
    editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    path = f"/api/v1/categories/{(await _category(editor))['slug']}"
    for kind in ("jpeg", "png"):
        sent = {"data": (f"a.{kind}", picture(kind, 8, 8))}
        assert (await editor.put(f"{path}/picture", files=sent)).status_code == 204
    assert len(await media_storage().keys("categories/")) == 2
    await run_deletions(session)
    await run_deletions(session)
    (left,) = await media_storage().keys("categories/")
    shown = await editor.get(f"{path}/picture")
    assert shown.headers["content-type"] == "image/png"
    assert await media_storage().read_all(left) == shown.content
    await delete_picture(DeletePicture(key=left))
    assert await media_storage().keys("categories/") == [left], "it is shown"
    await media_storage().delete([left])


async def test_only_pixels_of_a_picture_are_kept(editor: httpx.AsyncClient) -> None:
    path = f"/api/v1/categories/{(await _category(editor))['slug']}/picture"
    script = b"<script>alert(1)</script>"
    jpeg = picture("jpeg", 40, 30)
    orientation = bytes.fromhex("457869660000 4d4d002a00000008 0001 0112 0003 00000001 00060000")
    exif = b"\xff\xe1" + (len(orientation) + 6).to_bytes(2) + orientation + bytes(4)
    comment = b"\xff\xfe" + (len(script) + 2).to_bytes(2) + script
    sent = jpeg[:2] + exif + comment + jpeg[2:] + b"<html>" + script
    assert (await editor.put(path, files={"data": ("a.html", sent)})).status_code == 204
    shown = (await editor.get(path)).content
    assert script not in shown
    assert b"Exif" not in shown
    assert size_of(shown) == (30, 40), "it stands upright"
    await media_storage().delete(await media_storage().keys("categories/"))


@pytest.mark.parametrize(
    "sent",
    [
        {"files": {"data": ("a.svg", b"<svg/>")}},
        {"files": {"data": ("a.jpg", b"\xff\xd8\xff\xe0<script>alert(1)</script>")}},
        {"files": {"data": ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))}},
        {"files": {"data": ("a.gif", b"GIF89a" + bytes(100))}},
        {"files": {"data": ("a.jpg", b"")}},
        {"files": {"data": ("a.jpg", b"\xff\xd8\xff" + bytes(2 * 1024 * 1024))}},
        {"files": {"other": ("a.txt", b"x")}},
        {"data": {"data": "text"}},
        {"data": {}},
        {"content": b"", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b""},
    ],
)
async def test_what_is_no_picture_is_refused(
    editor: httpx.AsyncClient, sent: dict[str, Any]
) -> None:
    path = f"/api/v1/categories/{(await _category(editor))['slug']}/picture"
    refused = await editor.put(path, **sent)
    assert refused.status_code in {400, 413, 415}, refused.text
    assert await media_storage().keys("categories/") == []
    assert (await editor.get(path)).status_code == 404


async def test_picture_bombs_are_refused(editor: httpx.AsyncClient) -> None:
    """A few bytes that say they are 30,000 by 30,000 pixels."""
    path = f"/api/v1/categories/{(await _category(editor))['slug']}/picture"
    header = b"IHDR" + (30_000).to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])
    pixels = b"IDAT" + zlib.compress(bytes(1_000_000), 9)
    chunks = [header, pixels, b"IEND"]
    data = b"".join(
        (len(chunk) - 4).to_bytes(4) + chunk + zlib.crc32(chunk).to_bytes(4) for chunk in chunks
    )
    sent = {"data": ("a.png", b"\x89PNG\r\n\x1a\n" + data)}
    refused = await editor.put(path, files=sent)
    assert refused.json()["type"] == "/problems/picture-refused"


async def test_picture_of_no_category_is_not_kept(editor: httpx.AsyncClient) -> None:
    sent = {"data": ("a.png", picture("png", 8, 8))}
    assert (await editor.put("/api/v1/categories/nothing/picture", files=sent)).status_code == 404
    assert await media_storage().keys("categories/") == []


def picture(kind: str, width: int, height: int) -> bytes:
    codec, pixels = {"jpeg": ("mjpeg", "yuvj420p"), "png": ("png", "rgb24")}[kind]
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = width, height, pixels
    context.time_base = Fraction(1, 1)
    frame = av.VideoFrame(width, height, pixels)
    frame.pts = 0
    return b"".join(bytes(part) for part in [*context.encode(frame), *context.encode(None)])


def size_of(data: bytes) -> tuple[int, int]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height


async def run_deletions(session: AsyncSession) -> None:
    """What a worker does once the request has committed."""
    rows = await session.scalars(
        text("select args->>'key' from procrastinate_jobs where task_name = :name"),
        {"name": DeletePicture.name},
    )
    for key in rows:
        await delete_picture(DeletePicture(key=key))


async def _category(editor: httpx.AsyncClient) -> dict[str, str]:
    made: dict[str, str] = (await editor.post("/api/v1/categories", json={"name": "Drama"})).json()
    return made


VTT = "WEBVTT\n\n1\n00:00:01.000 --> 00:00:02.500\n<i>To be</i>, or not\nto be\n"
SRT = "1\r\n00:01:02,000 --> 00:01:04,000\r\nSein oder Nichtsein\r\n\r\n"


async def test_subtitles_are_kept_as_webvtt(
    film: str, editor: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    for language, data in (("en", VTT), ("de", SRT)):
        path = f"{film}/subtitles/{language}"
        kept = await editor.put(path, files={"data": ("a.vtt", data.encode())})
        assert kept.status_code == 204, kept.text
    tracks = (await viewer.get(film)).json()["subtitles"]
    assert [track["language"] for track in tracks] == ["de", "en"]
    german = await viewer.get(tracks[0]["url"])
    assert german.headers["content-type"].startswith("text/vtt")
    expected = "WEBVTT\n\n00:01:02.000 --> 00:01:04.000\nSein oder Nichtsein\n"
    assert german.text == expected
    assert (await editor.delete(f"{film}/subtitles/de")).status_code == 204
    assert (await viewer.get(tracks[0]["url"])).status_code == 404
    assert (
        await viewer.put(f"{film}/subtitles/en", files={"data": ("a", b"x")})
    ).status_code == 403


@pytest.mark.parametrize(
    "data", [b"", b"WEBVTT\n\nno times", b"\xff\xfe", b"a\x00b", b"x" * 3_000_000]
)
async def test_what_is_no_subtitle_file_is_refused(
    film: str, editor: httpx.AsyncClient, data: bytes
) -> None:
    answer = await editor.put(f"{film}/subtitles/en", files={"data": ("a.vtt", data)})
    assert answer.status_code in {400, 413}
    assert (await editor.get(film)).json()["subtitles"] == []
