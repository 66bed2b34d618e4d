"""Resumable uploads for HTTP: the IETF's draft, at the same resource."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from uploads.test_tus import stored
from uploads.tus_client import UPLOADS
from videoflix.catalog.models import Video
from videoflix.platform.storage.media_storage import Storage
from videoflix.settings import settings
from videoflix.uploads.models import Upload
from videoflix.uploads.resumable import file_name_in, limits

pytestmark = pytest.mark.usefixtures("storage")
NAME = "inline; filename=\"my film.mp4\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.mp4"


async def create(
    client: httpx.AsyncClient,
    content: bytes | AsyncIterator[bytes],
    complete: str,
    **more: str,
) -> httpx.Response:
    headers = {
        "Upload-Complete": complete,
        "Content-Type": "video/mp4",
        "Content-Disposition": NAME,
    } | {name.replace("_", "-"): value for name, value in more.items()}
    return await client.post(UPLOADS, headers=headers, content=content)


async def append(
    client: httpx.AsyncClient,
    url: str,
    offset: int,
    content: bytes | AsyncIterator[bytes],
    complete: str,
    **more: str,
) -> httpx.Response:
    headers = {
        "Upload-Complete": complete,
        "Upload-Offset": str(offset),
        "Content-Type": "application/partial-upload",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    return await client.patch(url, headers=headers, content=content)


async def unsized(*pieces: bytes) -> AsyncIterator[bytes]:
    """A body without Content-Length."""
    for piece in pieces:
        yield piece


async def state(client: httpx.AsyncClient, url: str) -> tuple[str, str, str | None]:
    answer = await client.head(url)
    assert answer.is_success
    assert answer.headers["cache-control"] == "no-store"
    found = answer.headers
    return found["upload-complete"], found["upload-offset"], found.get("upload-length")


async def test_whole_file_is_one_request(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    answer = await create(editor, b"abcdef", "?1")
    assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?1")
    assert await stored(session, storage) == b"abcdef"
    assert (await session.scalars(select(Video.title))).all() == ["Grüße"]


async def test_whole_file_without_a_length(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    answer = await create(editor, unsized(b"abc", b"def"), "?1")
    assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?1")
    assert await stored(session, storage) == b"abcdef"


async def test_file_is_sent_in_several_requests(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    content = os.urandom(300_000)
    answer = await create(editor, content[:100_000], "?0", Upload_Length="300000")
    assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?0")
    assert "max-size=" in answer.headers["upload-limit"]
    url = answer.headers["location"]
    assert await state(editor, url) == ("?0", "100000", "300000")
    answer = await append(editor, url, 100_000, content[100_000:200_000], "?0")
    assert (answer.status_code, answer.headers["upload-complete"]) == (204, "?0")
    answer = await append(editor, url, 200_000, content[200_000:], "?1")
    assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?1")
    video = (await session.scalars(select(Video.id))).one()
    assert answer.headers["location"] == f"/api/v1/videos/{video}"
    assert await state(editor, url) == ("?1", "300000", "300000")
    assert await stored(session, storage) == content


async def test_only_the_client_completes_an_upload(
    editor: httpx.AsyncClient, session: AsyncSession, storage: Storage
) -> None:
    url = (await create(editor, b"", "?0")).headers["location"]
    assert await state(editor, url) == ("?0", "0", None)
    await append(editor, url, 0, b"abc", "?0", Upload_Length="3")
    assert await state(editor, url) == ("?0", "3", "3")
    assert (await session.scalars(select(Video))).all() == []
    answer = await append(editor, url, 3, b"", "?1")
    assert (answer.status_code, answer.headers["upload-complete"]) == (201, "?1")
    assert await stored(session, storage) == b"abc"


async def test_wrong_offset_is_told_the_right_one(editor: httpx.AsyncClient) -> None:
    url = (await create(editor, b"abc", "?0")).headers["location"]
    answer = await append(editor, url, 1, b"def", "?0")
    assert answer.status_code == 409
    assert answer.headers["upload-offset"] == "3"
    problem = answer.json()
    assert (problem["expected-offset"], problem["provided-offset"]) == (3, 1)


async def test_lengths_have_to_agree(editor: httpx.AsyncClient, session: AsyncSession) -> None:
    answer = await create(editor, b"abc", "?1", Upload_Length="4")
    assert answer.json()["type"] == "/problems/inconsistent-length"
    url = (await create(editor, b"abc", "?0", Upload_Length="6")).headers["location"]
    refused = [
        await append(editor, url, 3, b"d", "?1"),
        await append(editor, url, 3, b"def", "?0", Upload_Length="7"),
        await append(editor, url, 3, unsized(b"d"), "?1"),
    ]
    assert [one.status_code for one in refused] == [400, 400, 400]
    assert await state(editor, url) == ("?0", "4", "6")  # the last one was stored
    assert (await append(editor, url, 4, b"efg", "?0")).status_code == 413
    assert (await session.scalars(select(Video))).all() == []


async def test_complete_uploads_do_not_change(editor: httpx.AsyncClient) -> None:
    answer = await create(editor, b"abc", "?1")
    url = answer.headers["location"]
    assert (await append(editor, url, 3, b"d", "?1")).status_code in {400, 409}
    assert (await append(editor, url, 3, b"", "?1")).status_code == 409
    assert await state(editor, url) == ("?1", "3", "3")


async def test_too_large_files_are_told_the_limit(
    editor: httpx.AsyncClient, session: AsyncSession
) -> None:
    answer = await create(editor, b"", "?0", Upload_Length=str(10**14))
    assert answer.status_code == 413
    assert answer.headers["upload-limit"] == f"max-size={settings.upload_max_bytes}"
    assert (await session.scalars(select(Upload))).all() == []


@pytest.mark.parametrize("complete", ["1", "true", "?2", ""])
async def test_other_values_of_completeness_are_ignored(
    editor: httpx.AsyncClient, complete: str
) -> None:
    assert (await create(editor, b"abc", complete)).status_code == 412
    url = (await create(editor, b"", "?0")).headers["location"]
    assert (await append(editor, url, 0, b"abc", complete)).status_code == 400


async def test_upload_is_cancelled(editor: httpx.AsyncClient, storage: Storage) -> None:
    url = (await create(editor, b"abc", "?0")).headers["location"]
    assert (await editor.delete(url)).status_code == 204
    assert (await editor.head(url)).status_code == 404
    assert await storage.keys("uploads") == []


async def test_support_is_discovered(client: httpx.AsyncClient) -> None:
    answer = await client.options(UPLOADS)
    assert "application/partial-upload" in answer.headers["accept-patch"]
    assert answer.headers["upload-limit"] == f"max-size={settings.upload_max_bytes}"


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("", ""),
        ("attachment", ""),
        ("inline; filename=a.mp4", "a.mp4"),
        ('inline; filename="a \\"b\\".mp4"', 'a "b".mp4'),
        (NAME, "Grüße.mp4"),
    ],
)
def test_file_name_is_read(value: str, name: str) -> None:
    assert file_name_in({"content-disposition": value}) == name


def test_limits_are_a_dictionary() -> None:
    assert limits(7) == "max-size=7"
    assert limits(7, datetime.now(UTC) + timedelta(seconds=60.5)) == "max-size=7, max-age=60"
