"""Where media lies: a local folder or an S3-compatible bucket, behind one set of verbs.

Keys are relative paths such as `assets/7/source`; a key is written once and never changed, so
whoever holds one may cache what it names.
"""

import asyncio
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar, Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from videoflix.platform.problems import Problem
from videoflix.settings import settings

# A slow disk or bucket may hold up this many buffers of every upload in memory.
WRITE_BUFFER = 8 * 1024 * 1024
WRITES_AT_ONCE = 2
# What the local store calls an object until it is whole.
UNFINISHED = re.compile(r"#\d+$")
# How stores and systems say that a disk, a quota or a limit on files is used up.
NO_ROOM = ("no space left", "quota", "file too large")


class StorageFull(Problem):
    """There is no room left for this file; ask the operator to free some."""

    status: ClassVar = HTTPStatus.INSUFFICIENT_STORAGE


class StorageUnavailable(Problem):
    """The media storage cannot be reached right now; try again shortly."""

    status: ClassVar = HTTPStatus.SERVICE_UNAVAILABLE


class Writer(Protocol):
    """What a new object's bytes are handed to."""

    async def write(self, data: bytes, /) -> int: ...


class Storage:
    """The store that `url` names (`file:///path` or `s3://bucket/prefix`)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.folder: Path | None = None
        if parts.scheme == "file":
            self.folder = Path(unquote(parts.path))
            self.folder.mkdir(parents=True, exist_ok=True)
            self._store: ObjectStore = LocalStore(self.folder)
        else:
            self._store = from_url(url)

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncGenerator[Writer]:
        """Stream a new object; it appears whole when the block ends, or not at all.

        Raises StorageFull or StorageUnavailable.
        """
        with translated_errors():
            async with obstore.open_writer_async(
                self._store, key, buffer_size=WRITE_BUFFER, max_concurrency=WRITES_AT_ONCE
            ) as writer:
                yield writer

    async def put(self, key: str, file: Path) -> None:
        """Store a file from the local disk."""
        with translated_errors():
            await obstore.put_async(self._store, key, file)

    async def read(self, key: str, start: int, length: int) -> bytes:
        """A part of an object. Raises FileNotFoundError."""
        with translated_errors():
            part = await obstore.get_range_async(self._store, key, start=start, length=length)
        return bytes(part)

    async def read_all(self, key: str) -> bytes:
        """A small object. Raises FileNotFoundError."""
        with translated_errors():
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes]:
        """An object, or the bytes from `start` to before `end`, in pieces of bounded size.

        Raises FileNotFoundError.
        """
        with translated_errors():
            found = await obstore.get_async(
                self._store,
                key,
                options={"range": {"offset": start} if end is None else (start, end)},
            )
            async for piece in found.stream(min_chunk_size=WRITE_BUFFER):
                yield bytes(piece)

    async def size(self, key: str) -> int | None:
        """How many bytes an object has, or None when there is none."""
        try:
            with translated_errors():
                return (await obstore.head_async(self._store, key))["size"]
        except FileNotFoundError:
            return None

    async def walk(self, prefix: str = "") -> AsyncGenerator[str]:
        """Every key below a prefix, without holding them all."""
        with translated_errors():
            async for batch in obstore.list(self._store, prefix or None):
                for meta in batch:
                    yield meta["path"]

    async def keys(self, prefix: str) -> list[str]:
        """Every key below a prefix."""
        found: list[str] = []
        with translated_errors():
            async for batch in obstore.list(self._store, prefix):
                found += [meta["path"] for meta in batch]
        return found

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects; those already gone are passed over."""
        for key in keys:
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue

    async def delete_others(
        self, prefix: str, kept: AbstractSet[str], older_than: timedelta
    ) -> int:
        """Remove the objects below a prefix that are not kept and have not changed lately.

        How many there were.
        """
        until, removed = datetime.now(UTC) - older_than, 0
        with translated_errors():
            async for batch in obstore.list(self._store, prefix):
                others = [
                    meta["path"]
                    for meta in batch
                    if meta["path"] not in kept and meta["last_modified"] < until
                ]
                await self.delete(others)
                removed += len(others)
        return removed

    async def folders(self, prefix: str) -> list[str]:
        """The folders right below a prefix."""
        with translated_errors():
            found = await obstore.list_with_delimiter_async(self._store, prefix)
        return list(found["common_prefixes"])

    async def drop_unfinished(self, older_than: timedelta) -> int:
        """Remove what writers that were killed left of objects on a local disk; how many.

        A bucket forgets unfinished uploads by a lifecycle rule.
        """
        if self.folder is None:
            return 0
        return await asyncio.to_thread(_drop_unfinished, self.folder, older_than)

    async def delete_below(self, prefix: str) -> None:
        """Remove every object below a prefix, and the local folder that held them."""
        await self.delete(await self.keys(prefix))
        if self.folder:
            await asyncio.to_thread(shutil.rmtree, self.folder / prefix, ignore_errors=True)

    @asynccontextmanager
    async def local_copy(self, key: str, scratch: Path) -> AsyncGenerator[Path]:
        """A path ffmpeg can read: the file itself, or a download that goes with the block."""
        if self.folder:
            yield self.folder / key
            return
        with TemporaryDirectory(dir=scratch) as name:
            copy = Path(name) / "source"
            found = await obstore.get_async(self._store, key)
            with await asyncio.to_thread(copy.open, "wb") as file:
                async for chunk in found.stream(min_chunk_size=WRITE_BUFFER):
                    await asyncio.to_thread(file.write, bytes(chunk))
            yield copy

    async def refuse_if_full(self, size: int) -> None:
        """Raises StorageFull when a local disk has no room for `size` bytes and the reserve."""
        if self.folder is None:
            return
        usage = await asyncio.to_thread(shutil.disk_usage, self.folder)
        if usage.free < size + settings.storage_reserve_bytes:
            raise StorageFull

    async def check_writable(self) -> None:
        """Write, and remove, a small object. Raises StorageFull or StorageUnavailable."""
        with translated_errors():
            key = f"health/{uuid.uuid4().hex}"  # of its own: probes meet
            await obstore.put_async(self._store, key, b"ok")
            await obstore.delete_async(self._store, key)


def _drop_unfinished(root: Path, older_than: timedelta) -> int:
    """Unfinished files first, then folders that are empty: both as old as that."""
    until, removed = time.time() - older_than.total_seconds(), 0
    for folder, _, names in os.walk(root, topdown=False):
        for path in [Path(folder, name) for name in names if UNFINISHED.search(name)]:
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < until:
                    path.unlink()
                    removed += 1
        with suppress(OSError):  # it holds something, or is gone
            if Path(folder) != root and Path(folder).stat().st_mtime < until:
                Path(folder).rmdir()
    return removed


class translated_errors:  # noqa: N801 - a context manager reads as a verb phrase
    """The store's errors in our words: full, missing (FileNotFoundError) or out of reach."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if not isinstance(error, BaseError | OSError) or isinstance(error, FileNotFoundError):
            return
        if any(word in str(error).lower() for word in NO_ROOM):
            raise StorageFull from error
        raise StorageUnavailable from error


@cache
def media_storage() -> Storage:
    """The storage this process was configured with."""
    return Storage(settings.media_url)
