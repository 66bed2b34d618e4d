"""Files fetched from URLs: what is refused, and what is resumed."""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from uploads.test_tus import queued, stored
from uploads.tus_client import UPLOADS
from videoflix.catalog.models import Video
from videoflix.media.models import Asset
from videoflix.platform.storage.media_storage import Storage
from videoflix.settings import settings
from videoflix.uploads.jobs import import_file
from videoflix.uploads.models import Upload
from videoflix.uploads.schemas import ImportFile
from videoflix.uploads.service import imports, receiving
from videoflix.uploads.service.imports import fail_import
from videoflix.uploads.source_url import SourceRefused, SourceUnavailable, check_url

IMPORT = "/api/v1/videos/import"
CONTENT = os.urandom(2_000_000)
pytestmark = pytest.mark.usefixtures("storage")


class Origin(msgspec.Struct):
    """A web server with one file, and what it does wrong."""

    port: int = 0
    content: bytes = CONTENT
    etag: str = '"v1"'
    kind: str = "video/mp4"
    redirect: str = ""
    status: int = 200
    breaks_after: int | None = None
    tells_length: bool = True
    encoding: str = ""
    requests: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/films/My%20film.mp4?key=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(head)
        asked = re.search(r"(?i)range: bytes=(\d+)-", head)
        same = f"If-Range: {self.etag}" in head or f"if-range: {self.etag}" in head
        start = int(asked.group(1)) if asked and same else 0
        status = 206 if start else self.status
        lines = [f"HTTP/1.1 {status} X", f"ETag: {self.etag}", "Connection: close"]
        lines.append(f"Content-Type: {self.kind}")
        if self.redirect:
            lines = ["HTTP/1.1 302 Found", f"Location: {self.redirect}", "Content-Length: 0"]
        elif self.tells_length:
            lines.append(f"Content-Length: {len(self.content) - start}")
        if start:
            size = len(self.content)
            lines.append(f"Content-Range: bytes {start}-{size - 1}/{size}")
        if self.encoding:
            lines.append(f"Content-Encoding: {self.encoding}")
        body = b"" if self.redirect else self.content[start:]
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + body[: self.breaks_after])
        await writer.drain()
        writer.close()


@asynccontextmanager
async def running(origin: Origin) -> AsyncIterator[Origin]:
    async with await asyncio.start_server(origin.serve, "127.0.0.1", 0) as server:
        origin.port = server.sockets[0].getsockname()[1]
        yield origin


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    async with running(Origin(requests=[])) as origin:
        yield origin


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback may be imported from."""
    changed = msgspec.structs.replace(settings, import_allowed_networks="127.0.0.0/8")
    monkeypatch.setattr(imports, "settings", changed)


async def begun(editor: httpx.AsyncClient, url: str, **fields: Any) -> None:
    """Begin an import."""
    answer = await editor.post(IMPORT, json={"url": url} | fields)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == answer.json()["url"]


async def fetch_all(session: AsyncSession) -> None:
    for upload_id in list(await session.scalars(select(Upload.id))):
        await import_file(ImportFile(upload_id=upload_id))


async def failure(editor: httpx.AsyncClient) -> str | None:
    (upload,) = (await editor.get(UPLOADS)).json()["items"]
    reason: str | None = upload["failure"]
    return reason


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("tells_length", [True, False])
async def test_file_is_imported(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    storage: Storage,
    origin: Origin,
    tells_length: bool,
) -> None:
    origin.tells_length = tells_length
    await begun(editor, origin.url)
    assert await queued(session) == ["uploads.import"]
    await fetch_all(session)
    assert await stored(session, storage) == CONTENT
    assert (await session.scalars(select(Video.title))).all() == ["My film"]
    assert (await session.scalars(select(Asset.source_name))).all() == ["My film.mp4"]


@pytest.mark.usefixtures("allowed")
async def test_import_has_details(
    editor: httpx.AsyncClient, session: AsyncSession, origin: Origin
) -> None:
    await begun(editor, origin.url, draft={"title": "Ours", "publish": False})
    await fetch_all(session)
    video = (await session.scalars(select(Video))).one()
    assert (video.title, video.published_at) == ("Ours", None)


@pytest.mark.usefixtures("allowed")
async def test_import_resumes(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage, origin: Origin
) -> None:
    origin.breaks_after = 700_000
    await begun(editor, origin.url)
    for _ in range(2):
        with pytest.raises(SourceUnavailable):
            await fetch_all(session)
    receiving._hashes.clear()
    origin.breaks_after = None
    await fetch_all(session)
    ranges = [re.search(r"(?i)range: bytes=(\d+)-", head) for head in origin.requests]
    assert [found and found.group(1) for found in ranges] == [None, "700000", "1400000"]
    assert await stored(session, storage) == CONTENT


@pytest.mark.usefixtures("allowed")
async def test_import_of_a_changed_file_begins_again(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage, origin: Origin
) -> None:
    origin.breaks_after = 700_000
    await begun(editor, origin.url)
    with pytest.raises(SourceUnavailable):
        await fetch_all(session)
    origin.breaks_after, origin.etag, origin.content = None, '"v2"', CONTENT[::-1] + b"more"
    await fetch_all(session)
    assert await stored(session, storage) == CONTENT[::-1] + b"more"


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"kind": "text/html; charset=utf-8"}, "not to a video file"),
        ({"status": 404}, "status 404"),
        ({"encoding": "gzip"}, "compresses"),
        ({"redirect": "ftp://x/"}, "http://"),
        ({"redirect": "/again"}, "redirects more than"),
        ({"redirect": "http://10.0.0.1/"}, "not public"),
        ({"redirect": "http://[::ffff:169.254.169.254]/"}, "not public"),
        ({"redirect": "http://user@127.0.0.1/"}, "user name"),
        ({"redirect": "http://127.0.0.1:22/"}, "port 22"),
        ({"content": b""}, "empty"),
    ],
)
async def test_import_says_why_it_failed(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    origin: Origin,
    wrong: dict[str, Any],
    reason: str,
) -> None:
    for name, value in wrong.items():
        setattr(origin, name, value)
    await begun(editor, origin.url)
    await fetch_all(session)
    assert reason in (await failure(editor) or "")
    assert (await session.scalars(select(Video))).all() == []


@pytest.mark.usefixtures("allowed")
async def test_too_large_files_are_not_fetched(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = msgspec.structs.replace(
        settings, upload_max_bytes=1000, import_allowed_networks="127.0.0.0/8"
    )
    for module in (imports, receiving):
        monkeypatch.setattr(module, "settings", small)
    for origin.tells_length in (True, False):
        await begun(editor, origin.url)
        await fetch_all(session)
        found = (await editor.get(UPLOADS)).json()["items"]
        assert all("bytes" in upload["failure"] for upload in found)


@pytest.mark.usefixtures("allowed")
async def test_unavailable_server_is_tried_again_and_reported(
    editor: httpx.AsyncClient, session: AsyncSession, origin: Origin
) -> None:
    origin.status = 503
    await begun(editor, origin.url)
    with pytest.raises(SourceUnavailable) as raised:
        await fetch_all(session)
    upload_id = (await session.scalars(select(Upload.id))).one()
    await fail_import(ImportFile(upload_id=upload_id), raised.value)
    assert "status 503" in (await failure(editor) or "")


@contextmanager
def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> Iterator[list[str]]:
    """A name server that answers differently each time."""
    left, asked = [*answers], []

    async def getaddrinfo(_: object, host: str, port: int, **__: object) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    with monkeypatch.context() as patch:
        patch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
        yield asked


@pytest.mark.parametrize(
    "answers", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"], ["::1"], ["169.254.169.254"]]
)
async def test_names_of_internal_addresses_are_refused(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[str],
) -> None:
    await begun(editor, f"http://films.example:{origin.port}/a.mp4")
    with names(monkeypatch, answers):
        await fetch_all(session)
    assert "not public" in (await failure(editor) or "")
    assert origin.requests == []


@pytest.mark.usefixtures("allowed")
async def test_name_is_resolved_once_for_each_connection(
    editor: httpx.AsyncClient,
    session: AsyncSession,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name that changes its address in between leads to the address that was checked."""
    await begun(editor, f"http://films.example:{origin.port}/a.mp4")
    with names(monkeypatch, ["127.0.0.1"], ["10.0.0.1"]) as asked:
        await fetch_all(session)
    assert asked == ["films.example"]
    assert "Host: films.example" in origin.requests[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0x7f000001:{port}/",
        "http://2130706433:{port}/",
        "http://127.1:{port}/",
        "http://0177.0.0.1:{port}/",
        "http://0:{port}/",
        "http://127.0.0.1.:{port}/",
    ],
)
async def test_loopback_in_any_form_is_refused(
    editor: httpx.AsyncClient, session: AsyncSession, origin: Origin, url: str
) -> None:
    await begun(editor, url.format(port=origin.port))
    try:
        await fetch_all(session)
    except SourceUnavailable:
        return  # not a name, either
    finally:
        assert origin.requests == []
    assert await failure(editor)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/a.mp4",
        "gopher://example.org/",
        "http://",
        "http://user:secret@example.org/a.mp4",
        "http://example.org:25/a.mp4",
        "http://example.org:99999/a.mp4",
        "http://[::1/a.mp4",
    ],
)
async def test_other_urls_are_refused_at_once(editor: httpx.AsyncClient, url: str) -> None:
    with pytest.raises(SourceRefused):
        check_url(url)
    answer = await editor.post(IMPORT, json={"url": url})
    assert answer.status_code == 400


@pytest.mark.usefixtures("allowed")
async def test_progress_is_followed(
    editor: httpx.AsyncClient, session: AsyncSession, origin: Origin
) -> None:
    await begun(editor, origin.url)
    await fetch_all(session)
    (url,) = (await session.scalars(select(Upload.public_id))).all()
    answer = await editor.get(f"{UPLOADS}/{url}/events")
    events = re.findall(r"data: (.*)", answer.text)
    assert msgspec.json.decode(events[-1])["received"] == len(CONTENT)


async def test_removed_imports_end(
    editor: httpx.AsyncClient, session: AsyncSession, origin: Origin
) -> None:
    await begun(editor, origin.url)
    await session.execute(update(Upload).values(user_id=None))
    await session.commit()
    await fetch_all(session)
    assert origin.requests == []
