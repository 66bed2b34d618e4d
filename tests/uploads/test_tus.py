"""Resumable uploads with tus 1.0, into a folder and into a bucket."""

import base64
import hashlib
import os
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import sign_in
from uploads.tus_client import BYTES, TUS, UPLOADS, create, created, metadata, offset_of, send
from videoflix.catalog.models import Video
from videoflix.media.models import Asset
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage import growing
from videoflix.platform.storage.media_storage import Storage
from videoflix.settings import settings
from videoflix.uploads.jobs import finish_upload
from videoflix.uploads.models import Upload
from videoflix.uploads.schemas import FinishUpload
from videoflix.uploads.service import receiving, uploads
from videoflix.uploads.service.sweeping import sweep_uploads

MiB = 1024 * 1024
pytestmark = pytest.mark.usefixtures("storage")


async def queued(session: AsyncSession) -> list[str]:
    rows = await session.execute(
        text("select task_name from procrastinate_jobs where status = 'todo' order by id")
    )
    return [name for (name,) in rows]


async def finish(session: AsyncSession) -> None:
    """Run the jobs that finish uploads."""
    pending = await session.scalars(
        select(Upload.id).where(Upload.completed_at.is_not(None), Upload.finished_at.is_(None))
    )
    for upload_id in list(pending):
        await finish_upload(FinishUpload(upload_id=upload_id))


async def stored(session: AsyncSession, storage: Storage) -> bytes:
    """The bytes of the only asset, whose row describes them."""
    await finish(session)
    asset = (await session.scalars(select(Asset))).one()
    content = b"".join([piece async for piece in storage.stream(asset.source_key)])
    assert asset.source_bytes == len(content)
    assert asset.source_sha256 == hashlib.sha256(content).hexdigest()
    assert await storage.keys("uploads") == []
    return content


async def test_slow_upload_is_completed_once(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also if it is time to save when the last byte arrives."""
    monkeypatch.setattr(receiving, "SAVE_SECONDS", 0.0)
    url = await created(editor, 6)

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"def"

    answer = await send(editor, url, 0, body())
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "6")
    assert await stored(session, storage) == b"abcdef"


async def test_server_says_what_it_supports(client: httpx.AsyncClient) -> None:
    answer = await client.options(UPLOADS)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(settings.upload_max_bytes)
    assert set(answer.headers["tus-extension"].split(",")) == {
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
    }
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


async def test_file_is_uploaded_in_pieces(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    content = os.urandom(3 * MiB + 7)
    described = metadata(
        filename="C:\\Films\\clip.mp4", filetype="video/mp4", title=" Film ", description="About"
    )
    url = await created(editor, len(content), described=described)
    for start in range(0, len(content), MiB):
        answer = await send(editor, url, start, content[start : start + MiB])
        assert answer.status_code == 204
        assert answer.headers["upload-offset"] == str(min(start + MiB, len(content)))
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert ("upload-expires" in answer.headers) is (start + MiB < len(content))
    video = (await session.scalars(select(Video))).one()
    assert (video.title, video.description) == ("Film", "About")
    assert await offset_of(editor, url) == len(content)
    assert await stored(session, storage) == content
    asset = (await session.scalars(select(Asset))).one()
    assert (asset.video_id, asset.source_name) == (video.id, "clip.mp4")
    assert "media.inspect" in await queued(session)
    shown = (await editor.get(url)).json()
    assert (shown["video_id"], shown["received"]) == (video.id, len(content))


async def test_first_bytes_come_with_the_creation(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    answer = await create(editor, 6, b"abc")
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    answer = await send(editor, answer.headers["location"], 3, b"def")
    assert answer.status_code == 204
    assert await stored(session, storage) == b"abcdef"


async def test_whole_file_comes_with_the_creation(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    answer = await create(editor, 3, b"abc", metadata(filename="My film.mp4"))
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "3")
    assert (await session.scalars(select(Video.title))).all() == ["My film"]
    assert await stored(session, storage) == b"abc"


async def test_length_may_be_told_later(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = await created(editor, None)
    assert (await send(editor, url, 0, b"abc")).headers["upload-offset"] == "3"
    answer = await editor.head(url, headers=TUS)
    assert answer.headers["upload-defer-length"] == "1"
    assert "upload-length" not in answer.headers
    answer = await send(editor, url, 3, b"de", Upload_Length="5")
    assert answer.status_code == 204
    assert await stored(session, storage) == b"abcde"


async def test_length_of_complete_bytes_may_be_told_last(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = await created(editor, None)
    await send(editor, url, 0, b"abc")
    answer = await send(editor, url, 3, b"", Upload_Length="3")
    assert answer.status_code == 204
    assert await stored(session, storage) == b"abc"


async def test_metadata_is_returned(editor: httpx.AsyncClient) -> None:
    described = metadata(title="Film", filename="a.mp4", relativePath="x/a.mp4")
    url = await created(editor, 5, described=described)
    answer = await editor.head(url, headers=TUS)
    assert answer.headers["upload-metadata"] == described
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["upload-length"] == "5"


async def test_length_that_is_told_later_is_not_zero(
    editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    url = await created(editor, None)
    answer = await send(editor, url, 0, b"", Upload_Length="0")
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/file-empty")
    assert (await session.scalars(select(Video))).all() == []


async def test_announced_length_does_not_change(editor: httpx.AsyncClient) -> None:
    url = await created(editor, 5)
    assert (await send(editor, url, 0, b"abc", Upload_Length="6")).status_code == 400
    assert await offset_of(editor, url) == 0


async def test_bytes_of_another_process_are_hashed_by_a_job(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = await created(editor, 6)
    await send(editor, url, 0, b"abc")
    receiving._hashes.clear()
    await send(editor, url, 3, b"def")
    assert "uploads.finish" in await queued(session)
    assert await stored(session, storage) == b"abcdef"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512", "md5"])
async def test_checksum_is_verified(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage, algorithm: str
) -> None:
    url = await created(editor, 6)
    digest = base64.b64encode(hashlib.new(algorithm, b"abc").digest()).decode()
    wrong = await send(editor, url, 0, b"abx", Upload_Checksum=f"{algorithm} {digest}")
    assert wrong.status_code == 460
    assert wrong.json()["type"] == "/problems/checksum-mismatch"
    assert await offset_of(editor, url) == 0
    right = await send(editor, url, 0, b"abc", Upload_Checksum=f"{algorithm} {digest}")
    assert (right.status_code, right.headers["upload-offset"]) == (204, "3")
    await send(editor, url, 3, b"def")
    assert await stored(session, storage) == b"abcdef"


async def test_upload_is_removed(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = await created(editor, 6)
    await send(editor, url, 0, b"abc")
    assert (await editor.delete(url, headers=TUS)).status_code == 204
    assert (await editor.head(url, headers=TUS)).status_code == 404
    assert (await send(editor, url, 3, b"def")).status_code == 404
    assert await storage.keys("uploads") == []
    assert (await session.scalars(select(Video))).all() == []


async def test_video_stays_when_its_upload_is_removed(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = (await create(editor, 3, b"abc")).headers["location"]
    if storage.local is None:
        answer = await editor.delete(url, headers=TUS)
        assert answer.status_code == 409  # its job needs the bytes
    await finish(session)
    assert (await editor.delete(url, headers=TUS)).status_code == 204
    assert await stored(session, storage) == b"abc"


async def test_partial_uploads_are_concatenated(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    pieces = [os.urandom(MiB), b"abc", os.urandom(200_000)]
    urls = []
    for piece in pieces:
        url = await created(editor, len(piece), Upload_Concat="partial")
        await send(editor, url, 0, piece)
        assert (await editor.head(url, headers=TUS)).headers["upload-concat"] == "partial"
        urls.append(url)
    assert (await session.scalars(select(Video))).all() == []
    concat = f"final;http://test{urls[0]} {urls[1]} {urls[2]}"
    headers = TUS | {"Upload-Concat": concat, "Upload-Metadata": metadata(title="Joined")}
    answer = await editor.post(UPLOADS, headers=headers)
    assert answer.status_code == 201
    url = answer.headers["location"]
    shown = await editor.head(url, headers=TUS)
    assert shown.headers["upload-concat"] == "final;" + " ".join(urls)
    assert shown.headers["upload-length"] == str(sum(map(len, pieces)))
    assert (await send(editor, url, 0, b"x")).status_code == 403
    assert (await editor.delete(urls[0], headers=TUS)).status_code == 409
    assert (await editor.post(UPLOADS, headers=headers)).status_code == 400  # used already
    assert await stored(session, storage) == b"".join(pieces)
    assert (await session.scalars(select(Video.title))).all() == ["Joined"]


async def test_unfinished_parts_are_not_concatenated(editor: httpx.AsyncClient) -> None:
    unfinished = await created(editor, 3, Upload_Concat="partial")
    whole = (await create(editor, 3, b"abc")).headers["location"]
    for url in (unfinished, whole, f"{UPLOADS}/{'0' * 32}"):
        headers = TUS | {"Upload-Concat": f"final;{url}", "Upload-Metadata": metadata(title="T")}
        answer = await editor.post(UPLOADS, headers=headers)
        assert answer.status_code == 400
        assert answer.json()["type"] == "/problems/concatenation-impossible"


async def test_file_of_a_video_is_replaced(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    video = (await editor.post("/api/v1/videos", json={"title": "Draft"})).json()["id"]
    answer = await create(editor, 3, b"abc", metadata(video=str(video)))
    assert answer.status_code == 201
    assert await stored(session, storage) == b"abc"
    assert (await session.scalars(select(Asset.video_id))).all() == [video]


async def test_categories_that_were_deleted_meanwhile_are_left_out(
    editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    ids = [
        (await editor.post("/api/v1/categories", json={"name": name})).json()["id"]
        for name in ("One", "Two")
    ]
    described = metadata(title="T", category=f"{ids[0]},{ids[1]}")
    url = await created(editor, 3, described=described)
    await editor.delete(f"/api/v1/categories/{ids[0]}")
    assert (await send(editor, url, 0, b"abc")).status_code == 204
    video = (await editor.get(url)).json()["video_id"]
    shown = (await editor.get(f"/api/v1/videos/{video}")).json()
    assert [category["id"] for category in shown["categories"]] == [ids[1]]


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"Upload-Length": "0"}, 400, "file-empty"),
        ({"Upload-Length": "-1"}, 400, "upload-header-invalid"),
        ({"Upload-Length": "1e3"}, 400, "upload-header-invalid"),
        ({}, 400, "upload-header-invalid"),
        ({"Upload-Length": "3", "Upload-Defer-Length": "1"}, 400, "upload-header-invalid"),
        ({"Upload-Defer-Length": "2"}, 400, "upload-header-invalid"),
        ({"Upload-Length": str(10**14)}, 413, "upload-too-large"),
        ({"Upload-Length": "3", "Upload-Metadata": "title !"}, 400, "upload-header-invalid"),
        ({"Upload-Length": "3", "Upload-Metadata": ""}, 400, "title-missing"),
        (
            {"Upload-Length": "3", "Upload-Metadata": metadata(title="T", category="7")},
            404,
            "category-unknown",
        ),
        (
            {"Upload-Length": "3", "Upload-Metadata": metadata(title="x" * 201)},
            400,
            "invalid-input",
        ),
        ({"Upload-Length": "3", "Upload-Metadata": metadata(video="7")}, 404, "video-not-found"),
        ({"Upload-Length": "3", "Upload-Concat": "some"}, 400, "upload-header-invalid"),
        ({"Upload-Concat": "final;"}, 400, "upload-header-invalid"),
        ({"Upload-Length": "3", "Tus-Resumable": "0.2.2"}, 412, "tus-version-unsupported"),
    ],
)
async def test_invalid_announcements_are_refused(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    headers: dict[str, str],
    status: int,
    kind: str,
) -> None:
    answer = await editor.post(UPLOADS, headers=TUS | headers)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")
    assert answer.headers["tus-resumable"] == "1.0.0"
    assert (await session.scalars(select(Upload))).all() == []
    if status == 412:
        assert answer.headers["tus-version"] == "1.0.0"


async def test_bytes_that_do_not_belong_are_refused(editor: httpx.AsyncClient) -> None:
    url = await created(editor, 6)
    await send(editor, url, 0, b"abc")
    refused = [
        await send(editor, url, 0, b"abc"),
        await send(editor, url, 4, b"de"),
        await send(editor, url, 3, b"defg"),
        await send(editor, url, 3, b"def", Content_Type="text/plain"),
        await send(editor, url, 3, b"def", Tus_Resumable="0.1"),
        await send(editor, url, 3, b"def", Upload_Checksum="crc 123"),
        await editor.patch(url, headers=TUS | BYTES, content=b"def"),
    ]
    assert [one.status_code for one in refused] == [409, 409, 413, 415, 412, 400, 400]
    assert await offset_of(editor, url) == 3


async def test_bytes_beyond_the_length_are_refused_without_content_length(
    editor: httpx.AsyncClient,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        yield b"defg"

    url = await created(editor, 6)
    assert (await send(editor, url, 0, body())).status_code == 413
    assert await offset_of(editor, url) == 0


async def test_uploads_belong_to_their_user(
    app: Litestar, editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    url = await created(editor, 6)
    async with await sign_in(app, session, Role.ADMIN) as other:
        assert (await other.head(url, headers=TUS)).status_code == 404
        assert (await send(other, url, 0, b"abc")).status_code == 404
        assert (await other.delete(url, headers=TUS)).status_code == 404
        assert (await other.get(UPLOADS)).json()["total"] == 0
    listed = (await editor.get(UPLOADS)).json()
    assert [one["url"] for one in listed["items"]] == [url]


async def test_viewers_do_not_upload(viewer: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    assert (await create(viewer, 3)).status_code == 403
    assert (await create(client, 3)).status_code == 401


async def test_post_may_stand_for_another_method(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = await created(editor, 3)
    headers = TUS | BYTES | {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert (await editor.post(url, headers=headers, content=b"abc")).status_code == 204
    assert await stored(session, storage) == b"abc"


async def test_one_of_two_writers_wins(editor: httpx.AsyncClient, storage: Storage) -> None:
    url = await created(editor, 6)
    refused = []

    async def body() -> AsyncIterator[bytes]:
        yield b"abc"
        refused.append((await send(editor, url, 0, b"abc")).status_code)
        yield b"def"

    assert (await send(editor, url, 0, body())).status_code == 204
    assert refused == [423]
    assert await offset_of(editor, url) == 6


async def test_silent_writer_is_replaced(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = await created(editor, 6)
    second = []

    async def body() -> AsyncIterator[bytes]:
        yield b"abX"
        async with transaction() as other:
            silent = text("update upload set active_at = now() - interval '11 seconds'")
            await other.execute(silent)
        if storage.local:  # the file stays locked until the first request notices
            growing_seconds = growing.LOCK_SECONDS
            growing.LOCK_SECONDS = 0.2
            second.append((await send(editor, url, 0, b"abc")).status_code)
            growing.LOCK_SECONDS = growing_seconds
        else:
            second.append((await send(editor, url, 0, b"abc")).status_code)
        yield b"Y"

    assert (await send(editor, url, 0, body())).status_code == 409
    assert second == ([423] if storage.local else [204])
    if storage.local:
        assert (await send(editor, url, 0, b"abc")).status_code == 204
    assert (await send(editor, url, 3, b"def")).status_code == 204
    assert await stored(session, storage) == b"abcdef"


async def test_expired_uploads_are_swept(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    expired, current = [await created(editor, 6), await created(editor, 6)]
    for url in (expired, current):
        await send(editor, url, 0, b"abc")
    public_id = expired.rpartition("/")[2]
    past = update(Upload).where(Upload.public_id == public_id)
    await session.execute(past.values(expires_at=text("now() - interval '1 second'")))
    await session.commit()
    assert (await editor.head(expired, headers=TUS)).status_code == 410
    assert (await send(editor, expired, 3, b"def")).status_code == 410
    async with storage.writing(f"uploads/{'f' * 32}/data") as writer:
        await writer.write(b"orphan")
    assert await sweep_uploads() == (1, 1)
    assert (await editor.head(expired, headers=TUS)).status_code == 404
    kept = current.rpartition("/")[2]
    assert {key.split("/")[1] for key in await storage.keys("uploads")} == {kept}
    assert (await send(editor, current, 3, b"def")).status_code == 204
    assert await stored(session, storage) == b"abcdef"


@pytest.mark.parametrize(
    "limits",
    [
        {"uploads_unfinished_max": 1},
        {"uploads_daily_max": 1},
        {"uploads_daily_bytes": 10},
        {"uploads_daily_total_bytes": 10},
    ],
)
async def test_limits_are_enforced(
    editor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, limits: dict[str, int]
) -> None:
    changed = msgspec.structs.replace(settings, **limits)
    monkeypatch.setattr(uploads, "settings", changed)
    assert (await create(editor, 6)).status_code == 201
    answer = await create(editor, 6)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/upload-quota-exceeded")
