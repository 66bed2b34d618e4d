"""Files that grow over several requests and processes, before they become an object.

In a folder it is one file, `uploads/ID/data`. Bytes are written at their position while the file
is locked (flock), which the kernel releases with the process. In a bucket, a file consists of
immutable objects, `uploads/ID/START-RANDOM`: obstore cannot resume a multipart upload by its ID,
and unlike unfinished parts these objects are listed. The caller keeps the list of the parts.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import msgspec

from videoflix.platform.storage.errors import StorageProblem, translated_errors
from videoflix.platform.storage.local import LocalFolder, sync_file, sync_folder
from videoflix.platform.storage.media_storage import Storage

PREFIX = "uploads"
# All buffers of a process together; each upload has at least the minimum.
BUFFERS_BYTES = 32 * 1024 * 1024
FILE_BUFFER = 1024 * 1024
WRITEBACK_BYTES = 8 * 1024 * 1024
PART_BUFFER = 7 * 1024 * 1024  # with the last chunk less than the buffer of a single request
BUFFER_MIN = 128 * 1024
READ_BYTES = 4 * 1024 * 1024
# How long a file may stay locked by the request before; its process notices within a second.
LOCK_SECONDS = 5.0
LOCK_POLL_SECONDS = 0.1

T = TypeVar("T")


class BytesMissing(Exception):
    """The file has fewer bytes than were acknowledged."""


class StillLocked(Exception):
    """Another process is writing to the file."""


class Part(msgspec.Struct, frozen=True):
    """A run of bytes in a bucket as an object of its own."""

    start: int
    size: int
    key: str


class Appender(Protocol):
    """Writes bytes at the end of a growing file."""

    async def open(self, offset: int) -> None:
        """Prepare to write at `offset`, discarding what was written after it.

        Raises BytesMissing, or StillLocked.
        """

    async def write(self, data: bytes) -> None: ...

    async def flush(self) -> list[Part]:
        """Make all bytes durable; return the parts written since the last call."""

    async def close(self) -> None:
        """Release the file; bytes that were not flushed are lost."""


class Buffers:
    """Divides BUFFERS_BYTES between the files that are being written."""

    def __init__(self) -> None:
        self.count = 0

    def share(self, largest: int) -> int:
        """Return the buffer size of each file."""
        return max(BUFFER_MIN, min(largest, BUFFERS_BYTES // max(1, self.count)))


buffers = Buffers()


@asynccontextmanager
async def appending(
    storage: Storage, name: str, offset: int, key: str, digest: "hashlib._Hash | None" = None
) -> AsyncGenerator[Appender]:
    """Append to the file `name` from `offset`; `key` is the object it is published as.

    `digest` is updated with the bytes as they are written. Raises BytesMissing, StillLocked or a
    StorageProblem.
    """
    local = storage.local
    appender = (
        FileAppender(local, name, key, digest) if local else PartAppender(storage, name, digest)
    )
    buffers.count += 1
    try:
        await appender.open(offset)
        yield appender
    finally:
        buffers.count -= 1
        await appender.close()


class FileAppender:
    """Write to a file in a folder, in a thread that works while the next bytes are received."""

    def __init__(
        self, folder: LocalFolder, name: str, key: str, digest: "hashlib._Hash | None"
    ) -> None:
        self._folder = folder
        self._path = _data_path(folder, name)
        self._published = folder.root / key
        self._unsynced = 0
        self._file = -1
        self._offset = 0
        self._digest = digest
        self._buffer = bytearray()
        self._pending: asyncio.Future[Any] | None = None

    async def open(self, offset: int) -> None:
        self._offset = offset
        clock = asyncio.get_running_loop().time
        until = clock() + LOCK_SECONDS
        while not await self._run(self._open):
            if clock() > until:
                raise StillLocked
            await asyncio.sleep(LOCK_POLL_SECONDS)

    async def write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= buffers.share(FILE_BUFFER):
            await self._write_buffer()

    async def flush(self) -> list[Part]:
        await self._write_buffer()
        await self._written()
        await self._run(partial(sync_file, self._file))
        return []

    async def close(self) -> None:
        if self._pending and not self._pending.done():  # of a cancelled request
            await asyncio.wait([self._pending])
        self._close()

    async def _write_buffer(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        if data:
            await self._written()
            self._start(partial(self._write, data))

    async def _written(self) -> None:
        """Wait until the last buffer is written. Raises its error."""
        if self._pending is not None:
            with translated_errors():
                await asyncio.shield(self._pending)

    def _start(self, function: Callable[[], T]) -> asyncio.Future[T]:
        pending = asyncio.get_running_loop().run_in_executor(None, function)
        self._pending = pending
        return pending

    async def _run(self, function: Callable[[], T]) -> T:
        """Run in a thread, which `close` waits for if this task is cancelled."""
        with translated_errors():
            return await asyncio.shield(self._start(function))

    def _open(self) -> bool:
        """Open and lock the file; False if another process has locked it."""
        self._folder.check_present()
        self._close()
        if not self._path.exists() and self._published.exists():
            # A process was killed between publishing the file and committing that.
            _make_folder(self._path.parent, self._folder.root)
            self._published.rename(self._path)
        self._file = _open_durably(self._path, self._folder.root)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        found = os.fstat(self._file)
        if not self._path.exists() or self._path.stat().st_ino != found.st_ino:
            return False  # published or deleted meanwhile
        if found.st_size < self._offset:
            raise BytesMissing
        os.ftruncate(self._file, self._offset)
        return True

    def _write(self, data: bytearray) -> None:
        if self._digest:
            self._digest.update(data)
        left = memoryview(data)
        while left:
            written = os.pwrite(self._file, left, self._offset)
            self._offset += written
            left = left[written:]
        self._unsynced += len(data)
        if self._unsynced >= WRITEBACK_BYTES and hasattr(os, "posix_fadvise"):
            # Linux starts to write these pages to the disk, without waiting for it.
            start = self._offset - self._unsynced
            os.posix_fadvise(self._file, start, self._unsynced, os.POSIX_FADV_DONTNEED)
            self._unsynced = 0

    def _close(self) -> None:
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)


class PartAppender:
    """Write objects of bounded size to a bucket."""

    def __init__(self, storage: Storage, name: str, digest: "hashlib._Hash | None") -> None:
        self._storage = storage
        self._digest = digest
        self._name = name
        self._offset = 0
        self._buffer = bytearray()
        self._parts: list[Part] = []

    async def open(self, offset: int) -> None:
        self._offset = offset

    async def write(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) >= buffers.share(PART_BUFFER):
            await self._put()

    async def flush(self) -> list[Part]:
        if self._buffer:
            await self._put()
        parts, self._parts = self._parts, []
        return parts

    async def close(self) -> None:
        """Delete the parts that nobody knows of."""
        parts, self._parts = self._parts, []
        if parts:
            with suppress(StorageProblem):  # deleted with the upload
                await self._storage.delete([part.key for part in parts])

    async def _put(self) -> None:
        data, self._buffer = bytes(self._buffer), bytearray()
        key = f"{PREFIX}/{self._name}/{self._offset:015d}-{secrets.token_hex(4)}"
        if self._digest:
            await asyncio.to_thread(self._digest.update, data)
        async with self._storage.writing(key) as writer:
            await writer.write(data)
        self._parts.append(Part(self._offset, len(data), key))
        self._offset += len(data)


async def read_growing(
    storage: Storage, name: str, parts: Sequence[Part], key: str
) -> AsyncGenerator[bytes]:
    """Stream a file in blocks of bounded size; it may have been published as `key` already."""
    if storage.local is None:
        for part in parts:
            yield await storage.read_all(part.key)
        return
    path = _data_path(storage.local, name)
    with translated_errors():
        file = await asyncio.to_thread(_open_either, path, storage.local.root / key)
    with file:
        while data := await asyncio.to_thread(file.read, READ_BYTES):
            yield data


async def publish_growing(storage: Storage, name: str, key: str) -> None:
    """Rename a file in a folder to its key, durably; does nothing if that was done before."""
    folder = storage.local
    if folder is None:
        raise ValueError("the parts in a bucket are not a single file")
    with translated_errors():
        await asyncio.to_thread(_publish, folder, name, key)


async def delete_growing(storage: Storage, name: str) -> None:
    """Delete a file that was not published, and its parts."""
    await storage.delete_below(f"{PREFIX}/{name}")


async def growing_names(storage: Storage) -> list[str]:
    """List the names of all files that were not published."""
    return [folder.rpartition("/")[2] for folder in await storage.folders(PREFIX)]


def _data_path(folder: LocalFolder, name: str) -> Path:
    return folder.root / PREFIX / name / "data"


def _open_durably(path: Path, root: Path) -> int:
    """Open a file, creating it and its folders so that they survive a power failure."""
    flags = os.O_RDWR | os.O_CLOEXEC
    with suppress(FileNotFoundError):
        return os.open(path, flags)
    _make_folder(path.parent, root)
    file = os.open(path, flags | os.O_CREAT, 0o666)
    _sync_up_to(path.parent, root)
    return file


def _open_either(path: Path, published: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return published.open("rb")


def _publish(folder: LocalFolder, name: str, key: str) -> None:
    folder.check_present()
    path, published = _data_path(folder, name), folder.root / key
    if path.exists():
        _make_folder(published.parent, folder.root)
        path.rename(published)
    _sync_up_to(published.parent, folder.root)
    with suppress(OSError):  # already deleted
        path.parent.rmdir()


def _make_folder(path: Path, root: Path) -> None:
    """Create a folder below the root, which has to exist: its disk may not be mounted."""
    if path != root:
        _make_folder(path.parent, root)
        path.mkdir(exist_ok=True)


def _sync_up_to(path: Path, root: Path) -> None:
    """Fsync a folder and its parents: others may have created one without having fsynced it."""
    for folder in (path, *path.parents):
        if folder.is_relative_to(root):
            sync_folder(folder)
