"""Uploads over HTTP: what is accepted, what is refused, and what is left behind."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.api import uploads as media_api
from videoflix.media.models import Asset
from videoflix.platform.process.scratch import scratch_folder
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

VIDEOS = "/api/v1/videos"


def stored_files() -> list[Path]:
    folder = media_storage().folder
    assert folder
    return sorted(path for path in (folder / "assets").rglob("*") if path.is_file())


@pytest.fixture(autouse=True)
async def empty_storage(database: None) -> AsyncIterator[None]:
    yield
    await media_storage().delete_below("assets")


async def jobs(session: AsyncSession) -> list[str]:
    rows = await session.execute(
        text("select task_name from procrastinate_jobs where status = 'todo' order by id")
    )
    return [name for (name,) in rows]


async def test_upload_is_stored_and_queued_for_inspection(
    editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    content = bytes(range(256)) * 1000
    answer = await editor.post(
        VIDEOS,
        data={"title": " My film ", "description": "About *bytes*"},
        files={"file": ("..\\holiday/clip.mp4", content)},
    )
    assert answer.status_code == 201
    video = answer.json()
    assert answer.headers["location"] == f"/api/v1/videos/{video['id']}"
    assert (video["title"], video["description"]) == ("My film", "About *bytes*")
    assert (video["state"], video["playable"], video["progress"]) == ("processing", False, 0)
    asset = (await session.scalars(select(Asset))).one()
    assert asset.source_name == "clip.mp4"
    assert asset.source_bytes == len(content)
    assert asset.source_sha256 == hashlib.sha256(content).hexdigest()
    (file,) = stored_files()
    assert file.read_bytes() == content
    assert await jobs(session) == ["media.inspect"]


async def test_title_may_come_after_the_file(editor: httpx.AsyncClient) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\nabc'
        b'\r\n--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nLate\r\n--x--\r\n'
    )
    answer = await editor.post(
        VIDEOS, content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 201
    assert answer.json()["title"] == "Late"


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
async def test_file_names_have_either_encoding(
    editor: httpx.AsyncClient, session: AsyncSession, charset: str
) -> None:
    body = (
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nGru\xc3\x9f\r\n--x\r\n'
        b'Content-Disposition: form-data; name="file"; filename="C:\\Filme\\'
        + "Grüße.mp4".encode(charset)
        + b'"\r\n\r\nabc\r\n--x--\r\n'
    )
    answer = await editor.post(
        VIDEOS, content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["title"]) == (201, "Gruß")
    assert (await session.scalars(select(Asset))).one().source_name == "Grüße.mp4"


async def test_a_field_is_sent_once(editor: httpx.AsyncClient) -> None:
    for name in ("title", "größe"):
        form = {name: ["First", "Second"]}
        answer = await editor.post(VIDEOS, data=form, files=FILE)
        assert answer.status_code == 400
        assert name in answer.json()["detail"]


FILE = {"file": ("a.mp4", b"abc")}


@pytest.mark.parametrize(
    ("data", "files", "kind"),
    [
        ({}, FILE, "title-missing"),
        ({"title": "  "}, FILE, "title-missing"),
        ({"title": "x" * 201}, FILE, "invalid-input"),
        ({"title": "a\x00b"}, FILE, "invalid-input"),
        ({"title": "T", "state": "ready"}, FILE, "invalid-input"),
        ({"title": "T", "description": "x" * 10_001}, FILE, "invalid-input"),
        ({"title": "T", "description": "x" * 70_000}, FILE, "upload-broken"),
        ({"title": "T"}, {"file": ("a.mp4", b"")}, "file-empty"),
        ({"title": "T"}, {"poster": ("a.jpg", b"abc")}, "file-missing"),
    ],
)
async def test_bad_uploads_leave_nothing(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    data: dict[str, str],
    files: dict[str, tuple[str, bytes]],
    kind: str,
) -> None:
    answer = await editor.post(VIDEOS, data=data, files=files)
    assert answer.status_code == 400
    assert answer.json()["type"] == f"/problems/{kind}"
    assert answer.json()["detail"]
    assert stored_files() == []
    assert await jobs(session) == []
    assert (await editor.get(VIDEOS)).json()["total"] == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"rubbish",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf a f',
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\xfe\r\n--x--\r\n',
    ],
)
async def test_broken_bodies_leave_nothing(editor: httpx.AsyncClient, body: bytes) -> None:
    answer = await editor.post(
        VIDEOS, content=body, headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 400
    assert answer.json()["type"] in {"/problems/upload-broken", "/problems/file-missing"}
    assert stored_files() == []


async def test_larger_than_allowed_is_refused_before_it_is_read(
    editor: httpx.AsyncClient,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        read.append(True)
        yield b"x"

    read: list[bool] = []
    answer = await editor.post(
        VIDEOS,
        content=endless(),
        headers={
            "content-type": "multipart/form-data; boundary=x",
            "content-length": str(settings.upload_max_bytes * 2),
        },
    )
    assert answer.status_code == 413
    assert answer.json()["type"] == "/problems/upload-too-large"
    assert not read


async def test_the_limit_also_holds_for_uploads_that_announce_no_length(
    editor: httpx.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunked transfer has no Content-Length: what was stored until then goes again."""
    small = msgspec.structs.replace(settings, upload_max_bytes=100_000)
    monkeypatch.setattr(media_api, "settings", small)
    head = (
        b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\nT\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    )
    tail = b"\r\n--x--\r\n"

    async def pieces(size: int) -> AsyncIterator[bytes]:
        yield head
        for _ in range(size // 1000):
            yield bytes(1000)
        yield tail

    headers = {"content-type": "multipart/form-data; boundary=x"}
    for size, status in ((100_000, 201), (101_000, 413)):
        answer = await editor.post(VIDEOS, content=pieces(size), headers=headers)
        assert "content-length" not in answer.request.headers
        assert answer.status_code == status, answer.text
    assert answer.json()["type"] == "/problems/upload-too-large"
    assert [file.stat().st_size for file in stored_files()] == [100_000]
    assert [file for file in scratch_folder().rglob("*") if file.is_file()] == []
    assert len((await session.scalars(select(Asset))).all()) == 1


async def test_larger_than_the_disk_is_refused_before_it_is_read(
    editor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    answer = await editor.post(VIDEOS, data={"title": "T"}, files=FILE)
    assert answer.status_code == 507
    assert answer.json()["type"] == "/problems/storage-full"
    assert stored_files() == []


async def test_only_editors_upload_and_delete(
    viewer: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    for person, status in ((viewer, 403), (client, 401)):
        answer = await person.post(VIDEOS, data={"title": "T"}, files=FILE)
        assert answer.status_code == status
        assert (await person.delete(f"{VIDEOS}/1")).status_code == status
    assert stored_files() == []


async def test_json_enters_a_draft_that_waits_for_its_file(
    editor: httpx.AsyncClient, viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    draft = await editor.post(VIDEOS, json={"title": "T", "publish": False})
    assert draft.status_code == 201
    assert (draft.json()["publication"], draft.json()["playable"]) == ("draft", False)
    path = f"{VIDEOS}/{draft.json()['id']}"
    assert await jobs(session) == []
    assert (await editor.put(f"{path}/file", files=FILE)).status_code == 202
    assert await jobs(session) == ["media.inspect"]
    assert (await viewer.put(f"{path}/file", files=FILE)).status_code == 403
    assert (await editor.put(f"{VIDEOS}/999999/file", files=FILE)).status_code == 404
    refused = await editor.post(VIDEOS, json={"title": "T", "release_year": "soon"})
    assert refused.json()["errors"][0]["field"] == "release_year"


async def test_deleted_film_is_gone_and_its_files_follow(
    editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    video = (await editor.post(VIDEOS, data={"title": "T"}, files=FILE)).json()
    path = f"{VIDEOS}/{video['id']}"
    assert (await editor.delete(f"{path}?permanently=true")).status_code == 204
    assert (await editor.get(path)).status_code == 404
    assert "media.delete_folder" in await jobs(session)
    assert (await editor.delete(path)).status_code == 404
    assert (await editor.post(f"{path}/restore")).status_code == 404
