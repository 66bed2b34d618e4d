"""Files that grow: locks, lost bytes, and processes that were killed in between."""

import asyncio
import fcntl
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

import s3_server
from postgres import open_folder
from videoflix.platform.storage import growing
from videoflix.platform.storage.growing import (
    BytesMissing,
    Part,
    StillLocked,
    appending,
    buffers,
    delete_growing,
    growing_names,
    publish_growing,
    read_growing,
)
from videoflix.platform.storage.media_storage import Storage, StorageUnavailable

KEY = "assets/x/source"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server.running_s3() as address:
        yield address


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path / "media"


@pytest.fixture
async def local(folder: Path) -> Storage:
    made = Storage(folder.as_uri())
    await made.mark("ours")
    made.expect("ours")
    return made


@pytest.fixture
async def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Storage:
    for name, value in s3_server.environment(s3).items():
        monkeypatch.setenv(name, value)
    name = f"b{uuid.uuid4().hex[:20]}"
    s3_server.make_bucket(s3, name)
    return Storage(f"s3://{name}/prefix")


async def write(storage: Storage, offset: int, data: bytes) -> list[Part]:
    async with appending(storage, "x", offset, KEY) as appender:
        for start in range(0, len(data), 60_000):
            await appender.write(data[start : start + 60_000])
        return await appender.flush()


async def content(storage: Storage, parts: list[Part]) -> bytes:
    return b"".join([piece async for piece in read_growing(storage, "x", parts, KEY)])


async def test_file_is_appended_to_and_published(local: Storage) -> None:
    data = os.urandom(3_000_000)
    await write(local, 0, data[:1_000_000])
    await write(local, 1_000_000, data[1_000_000:])
    assert await content(local, []) == data
    assert await growing_names(local) == ["x"]
    for _ in range(2):  # a job may run twice
        await publish_growing(local, "x", KEY)
    assert await content(local, []) == data
    assert await growing_names(local) == []


async def test_parts_of_a_bucket_are_bounded(
    bucket: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = os.urandom(1_000_000)
    monkeypatch.setattr(growing, "PART_BUFFER", 300_000)
    parts = [*await write(bucket, 0, data[:500_000]), *await write(bucket, 500_000, data[500_000:])]
    assert [part.start for part in parts] == [0, 300_000, 500_000, 800_000]
    assert await content(bucket, parts) == data
    await delete_growing(bucket, "x")
    assert await bucket.keys("") == []


async def test_unknown_parts_are_deleted(bucket: Storage) -> None:
    async with appending(bucket, "x", 0, KEY) as appender:
        await appender.write(os.urandom(growing.PART_BUFFER))
        assert len(await bucket.keys("uploads")) == 1
    assert await bucket.keys("uploads") == []


async def test_what_was_not_acknowledged_is_overwritten(local: Storage) -> None:
    await write(local, 0, b"abcXYZ")
    await write(local, 3, b"de")
    assert await content(local, []) == b"abcde"


async def test_lost_bytes_are_noticed(local: Storage) -> None:
    await write(local, 0, b"abc")
    with pytest.raises(BytesMissing):
        await write(local, 4, b"d")


async def test_locked_file_is_waited_for(local: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "LOCK_SECONDS", 0.3)
    await write(local, 0, b"abc")
    assert local.folder
    with (local.folder / "uploads" / "x" / "data").open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StillLocked):
            await write(local, 3, b"d")
        asyncio.get_running_loop().call_later(0.1, fcntl.flock, other, fcntl.LOCK_UN)
        await write(local, 3, b"d")
    assert await content(local, []) == b"abcd"


async def test_file_whose_publication_was_not_committed_grows_again(local: Storage) -> None:
    await write(local, 0, b"abcd")
    await publish_growing(local, "x", KEY)
    await write(local, 3, b"D")
    assert await content(local, []) == b"abcD"
    assert await local.size(KEY) is None


async def test_nothing_is_written_to_a_folder_without_its_marker(local: Storage) -> None:
    await write(local, 0, b"abc")
    assert local.folder
    (local.folder / "videoflix-installation").unlink()
    with pytest.raises(StorageUnavailable):
        await write(local, 3, b"d")


async def test_buffers_share_their_memory() -> None:
    assert buffers.share(growing.PART_BUFFER) == growing.PART_BUFFER
    buffers.count = 64
    assert buffers.share(growing.PART_BUFFER) == growing.BUFFERS_BYTES // 64
    buffers.count = 10_000
    assert buffers.share(growing.PART_BUFFER) == growing.BUFFER_MIN
    buffers.count = 0
