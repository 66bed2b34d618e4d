"""What every storage does alike, a folder and a bucket; and how each of them fails."""

import asyncio
import errno
import hashlib
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

import s3_server
from postgres import open_folder
from videoflix.platform.storage import bucket as storage_bucket
from videoflix.platform.storage import local
from videoflix.platform.storage import media_storage as storage_module
from videoflix.platform.storage.local_copies import local_copy
from videoflix.platform.storage.media_storage import (
    Storage,
    StorageFull,
    StorageMisconfigured,
    StorageUnavailable,
)
from videoflix.settings import settings

PART = 8 * 1024 * 1024


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with s3_server.running_s3() as address:
        yield address


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path / "media"


@pytest.fixture
def s3_environment(s3: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment(s3).items():
        monkeypatch.setenv(name, value)
    return s3


@pytest.fixture(params=["folder", "bucket"])
async def storage(request: pytest.FixtureRequest, folder: Path) -> Storage:
    """A new storage, marked as ours."""
    if request.param == "folder":
        made = Storage(folder.as_uri())
    else:
        address = request.getfixturevalue("s3_environment")
        name = f"b{uuid.uuid4().hex[:20]}"
        s3_server.make_bucket(address, name)
        made = Storage(f"s3://{name}/prefix")
    await made.mark("ours")
    made.expect("ours")
    return made


async def put(storage: Storage, key: str, data: bytes = b"abc") -> None:
    async with storage.writing(key) as writer:
        await writer.write(data)


async def test_object_is_read_as_it_was_written(storage: Storage) -> None:
    data = os.urandom(3 * PART + 17)
    async with storage.writing("assets/a/source") as writer:
        for start in range(0, len(data), 100_000):
            await writer.write(data[start : start + 100_000])
    assert await storage.size("assets/a/source") == len(data)
    assert await storage.read("assets/a/source", PART - 5, 10) == data[PART - 5 : PART + 5]
    assert b"".join([piece async for piece in storage.stream("assets/a/source")]) == data
    tail = [piece async for piece in storage.stream("assets/a/source", PART, PART + 3)]
    assert b"".join(tail) == data[PART : PART + 3]
    assert await storage.read_all("assets/a/source") == data


async def test_stored_file_is_hashed_on_the_way(storage: Storage, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(PART + 1))
    stored = await storage.put("assets/a/b/part.mp4", file)
    assert stored.size == PART + 1
    assert stored.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    async with local_copy(storage, "assets/a/b/part.mp4") as copy:
        assert copy.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("size", [1, 3 * PART])
async def test_what_was_not_finished_is_not_there(storage: Storage, size: int) -> None:
    async def write_half() -> None:
        async with storage.writing("assets/a/source") as writer:
            await writer.write(b"x" * size)
            raise KeyError

    with pytest.raises(KeyError):
        await write_half()
    assert await storage.keys("") == []
    assert await storage.size("assets/a/source") is None


async def test_cancelled_writer_leaves_nothing(storage: Storage) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with storage.writing("assets/a/source") as writer:
            while True:
                await writer.write(b"x" * PART)
                begun.set()
                await asyncio.sleep(0)

    task = asyncio.create_task(write())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await storage.keys("") == []
    if storage.folder:
        assert left_in(storage.folder, "*#*") == []


async def test_callers_errors_are_their_own(storage: Storage) -> None:
    for error in (TimeoutError("body"), OSError("client"), FileNotFoundError("other")):
        with pytest.raises(type(error), match=str(error)):
            async with storage.writing("assets/a/source"):
                raise error


async def test_missing_objects(storage: Storage) -> None:
    with pytest.raises(FileNotFoundError):
        await storage.read("assets/a/source", 0, 1)
    with pytest.raises(FileNotFoundError):
        await storage.read_all("assets/a/source")
    with pytest.raises(FileNotFoundError):
        _ = [piece async for piece in storage.stream("assets/a/source")]
    with pytest.raises(FileNotFoundError):
        async with local_copy(storage, "assets/a/source"):
            pass
    assert await storage.size("assets/a/source") is None
    await storage.delete(["assets/a/source", "assets/b/source"])
    await storage.delete_below("assets/a")


async def test_listing_and_deleting(storage: Storage) -> None:
    for key in ("assets/a/source", "assets/a/x/1.mp4", "assets/b/source", "categories/1/p"):
        await put(storage, key)
    assert sorted(await storage.keys("")) == [
        "assets/a/source", "assets/a/x/1.mp4", "assets/b/source", "categories/1/p",
    ]  # fmt: skip
    assert sorted(await storage.folders("assets")) == ["assets/a", "assets/b"]
    found = [one async for batch in storage.objects("assets/b") for one in batch]
    assert [(one.key, one.size) for one in found] == [("assets/b/source", 3)]
    await storage.delete_below("assets/a")
    assert sorted(await storage.keys("assets")) == ["assets/b/source"]
    assert await storage.delete_others("assets", {"assets/b/source"}, timedelta(0)) == 0
    assert await storage.delete_others("categories", set(), timedelta(hours=1)) == 0
    await asyncio.sleep(1.1)  # buckets tell the time in seconds
    assert await storage.delete_others("categories", set(), timedelta(0)) == 1
    assert await storage.keys("") == ["assets/b/source"]


async def test_more_objects_than_one_request_deletes(storage: Storage) -> None:
    await asyncio.gather(*(put(storage, f"assets/a/{n}") for n in range(20)))
    await storage.delete([f"assets/a/{n}" for n in range(1200)])
    assert await storage.keys("") == []


async def test_marker_is_no_media(storage: Storage) -> None:
    assert await storage.marker() == "ours"
    assert await storage.keys("") == []
    await storage.check_writable()
    assert await storage.keys("") == []
    assert abs(await storage.clock() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_another_installations_storage_is_not_written_to(storage: Storage) -> None:
    other = Storage(storage.url)
    other.expect("theirs")
    with pytest.raises(StorageMisconfigured, match="another installation"):
        await put(other, "assets/a/source")
    assert await storage.keys("") == []


async def test_lost_marker_is_no_empty_storage(storage: Storage) -> None:
    other = Storage(storage.url)
    other.expect("ours")
    await storage.delete([local.MARKER])
    with pytest.raises(StorageUnavailable, match="marker"):
        await put(other, "assets/a/source")
    with pytest.raises(StorageUnavailable, match="marker"):
        await other.read("assets/a/source", 0, 1)


# A folder


async def every_error(storage: Storage, tmp_path: Path) -> set[type]:
    """What the operations raise when the storage is broken; all of them have to."""
    file = tmp_path / "file"
    file.write_bytes(b"abc")

    async def copy() -> None:
        async with local_copy(storage, "assets/a/source"):
            pass

    async def listed() -> None:
        _ = await storage.keys("assets")

    async def streamed() -> None:
        _ = [piece async for piece in storage.stream("assets/a/source")]

    operations = [
        put(storage, "assets/a/source"),
        storage.put("assets/a/source", file),
        storage.read("assets/a/source", 0, 1),
        storage.read_all("assets/a/source"),
        streamed(),
        storage.size("assets/a/source"),
        listed(),
        storage.folders("assets"),
        storage.delete(["assets/a/source"]),
        storage.delete_below("assets/a"),
        storage.delete_others("assets", set(), timedelta(0)),
        copy(),
        storage.clock(),
        storage.check_writable(),
    ]
    found = await asyncio.gather(*operations, return_exceptions=True)
    assert all("127.0.0.1" not in str(error) for error in found), "answers show no addresses"
    return {type(error) for error in found}


async def test_vanished_folder_is_unavailable_and_not_created(folder: Path, tmp_path: Path) -> None:
    storage = Storage(folder.as_uri())
    await storage.mark("ours")
    storage.expect("ours")
    await put(storage, "assets/a/source")
    away = unmount(folder)
    assert await every_error(storage, tmp_path) == {StorageUnavailable}
    with pytest.raises(StorageUnavailable):
        await storage.refuse_if_full(1)
    with pytest.raises(StorageUnavailable):
        await storage.drop_unfinished(timedelta(0))
    assert left_in(folder.parent, "media") == []
    make_mount_point(folder)
    assert await every_error(storage, tmp_path) == {StorageUnavailable}
    assert left_in(folder, "*") == []
    mount(away, folder)
    assert await storage.read("assets/a/source", 0, 3) == b"abc"
    await put(storage, "assets/b/source")


def left_in(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern if "#" not in pattern else f"**/{pattern}"))


def unmount(folder: Path) -> Path:
    return folder.rename(folder.with_name("elsewhere"))


def make_mount_point(folder: Path) -> None:
    folder.mkdir()


def mount(away: Path, folder: Path) -> None:
    folder.rmdir()
    away.rename(folder)


async def test_full_disk_is_said_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/dev/full refuses every byte, as a disk does that is full."""
    storage = Storage(folder.as_uri())
    await storage.mark("ours")

    def full(self: local.LocalFolder, key: str) -> tuple[int, Path]:
        path = self.root / "half#1"
        path.touch()
        return os.open("/dev/full", os.O_WRONLY), path

    monkeypatch.setattr(local.LocalFolder, "open_new", full)
    with pytest.raises(StorageFull):
        await put(storage, "assets/a/source", b"x" * PART)
    assert not (folder / "half#1").exists()


async def test_error_while_flushing_is_not_swallowed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk may refuse what it took before: then the object does not exist."""
    storage = Storage(folder.as_uri())
    await storage.mark("ours")

    def broken(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(local, "sync_file", broken)
    with pytest.raises(StorageUnavailable):
        await put(storage, "assets/a/source")
    assert await storage.size("assets/a/source") is None


async def test_unfinished_files_go_by_their_age(folder: Path) -> None:
    storage = Storage(folder.as_uri())
    await storage.mark("ours")
    await put(storage, "assets/a/source")
    for name in ("old#1", "young#2"):
        (folder / "assets/a" / name).write_bytes(b"half")
    day_ago = datetime.now(UTC).timestamp() - 86_400
    os.utime(folder / "assets/a/old#1", (day_ago, day_ago))
    assert await storage.keys("") == ["assets/a/source"]
    assert await storage.drop_unfinished(timedelta(hours=1)) == 1
    assert sorted(path.name for path in (folder / "assets/a").iterdir()) == ["source", "young#2"]


async def test_writers_and_sweeps_of_empty_folders_meet(folder: Path) -> None:
    storage = Storage(folder.as_uri())
    await storage.mark("ours")
    done = asyncio.Event()

    def remove_empty() -> None:
        for path in ("assets/a/b", "assets/a"):
            with suppress(OSError):
                (folder / path).rmdir()

    async def keep_removing() -> None:
        while not done.is_set():
            await asyncio.to_thread(remove_empty)

    sweeping = asyncio.create_task(keep_removing())
    for number in range(200):
        await put(storage, f"assets/a/b/{number}")
        await storage.delete([f"assets/a/b/{number}"])
    done.set()
    await sweeping


# A bucket


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket has a second to answer."""
    short = msgspec.structs.replace(settings, storage_timeout_seconds=1.0)
    monkeypatch.setattr(storage_bucket, "settings", short)


@pytest.mark.usefixtures("s3_environment")
async def test_bucket_that_does_not_exist(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert await every_error(Storage("s3://nothing"), tmp_path) == {StorageMisconfigured}
    assert "The bucket does not exist: create it, or correct STORAGE_URL." in caplog.text


@pytest.fixture
def locked_bucket(s3_environment: str) -> Iterator[str]:
    """The server checks keys, and knows none."""
    s3_server.make_bucket(s3_environment, "locked")
    httpx.post(f"{s3_environment}/moto-api/reset-auth", content=b"0").raise_for_status()
    yield "s3://locked"
    httpx.post(f"{s3_environment}/moto-api/reset-auth", content=b"inf").raise_for_status()


async def test_bucket_with_wrong_keys(
    locked_bucket: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert await every_error(Storage(locked_bucket), tmp_path) == {StorageMisconfigured}
    assert "The access key is unknown: correct AWS_ACCESS_KEY_ID." in caplog.text


@pytest.mark.usefixtures("s3_environment", "brief")
async def test_bucket_without_a_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert await every_error(Storage("s3://nothing"), tmp_path) == {StorageUnavailable}
    assert "No server listens there: correct AWS_ENDPOINT_URL" in caplog.text


@pytest.mark.usefixtures("s3_environment", "brief")
async def test_bucket_that_hangs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Connections are accepted and never answered: nothing waits for ever."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        async with asyncio.timeout(30):
            assert await every_error(Storage("s3://nothing"), tmp_path) == {StorageUnavailable}
    assert "It did not answer in time" in caplog.text


def test_stores_are_opened_late() -> None:
    """A module that is imported touches no disk."""
    assert not Storage("file:///nowhere/at/all")._opened
    assert storage_module.media_storage().folder
