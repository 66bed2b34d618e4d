"""Media storage in a local folder or an S3-compatible bucket, behind one interface.

Keys are relative paths such as `assets/7/source`. Objects are immutable, so they can be cached by
key. Errors are classified in errors.py; durability of local files is in local.py.
"""

import asyncio
import hashlib
import shutil
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import unquote, urlsplit

import obstore
from obstore.store import LocalStore, ObjectStore

from videoflix.platform.storage.bucket import (
    DELETE_BATCH,
    WRITE_BUFFER,
    BucketWriter,
    deadline_seconds,
    delete_batch,
    open_bucket,
    read_ahead,
)
from videoflix.platform.storage.errors import (
    StorageFull,
    StorageMisconfigured,
    StorageProblem,
    StorageUnavailable,
    translated_errors,
)
from videoflix.platform.storage.local import MARKER, LocalFolder, LocalWriter
from videoflix.platform.storage.writing import ObjectInfo, StoredObject, Writer, object_written_by
from videoflix.settings import settings

__all__ = [
    "ObjectInfo",
    "Storage",
    "StorageFull",
    "StorageMisconfigured",
    "StorageProblem",
    "StorageUnavailable",
    "StoredObject",
    "media_storage",
    "translated_errors",
]

T = TypeVar("T")


class Storage:
    """A store at `url` (`file:///path` or `s3://bucket/prefix`).

    Every method may raise StorageFull, StorageUnavailable or StorageMisconfigured.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.local = LocalFolder(Path(unquote(parts.path))) if parts.scheme == "file" else None
        self.url = url
        self._opened: ObjectStore | None = None
        self._expected_id: str | None = None
        self._is_ours = False

    @property
    def folder(self) -> Path | None:
        """The folder of a local storage, otherwise None."""
        return self.local.root if self.local else None

    def expect(self, installation: str) -> None:
        """Refuse writes unless the storage carries this installation's ID."""
        self._expected_id = installation
        if self.local:
            self.local.expected_id = installation

    async def check_present(self) -> None:
        """Raises StorageUnavailable or StorageMisconfigured unless the storage is present and ours.

        Prevents an unmounted disk from looking like an empty storage.
        """
        if self.local:
            await asyncio.to_thread(self.local.check_present)
            return
        with translated_errors():
            async with asyncio.timeout(deadline_seconds()):
                await anext(aiter(obstore.list(self._store(), MARKER, chunk_size=1)), None)
        await self._check_ours()

    async def marker(self) -> str | None:
        """Return the installation ID in the marker, or None."""
        if self.local:
            with translated_errors():
                return await asyncio.to_thread(self.local.marker)
        try:
            found = await self._call(lambda store: obstore.get_async(store, MARKER))
        except FileNotFoundError:
            return None
        return bytes(await found.bytes_async()).decode(errors="replace").strip()

    async def mark(self, installation: str) -> None:
        """Write the marker, creating the root folder if it is missing."""
        if self.local:
            self.local.expected_id = None
            with translated_errors():
                await asyncio.to_thread(self.local.create_root)
        async with self._writing(MARKER) as writer:
            await writer.write(installation.encode() + b"\n")

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncGenerator[Writer]:
        """Stream a new object, which becomes visible atomically when the block ends.

        It is durable then, including its folders (unless STORAGE_FSYNC is off).
        """
        await self._check_ours()
        async with self._writing(key) as writer:
            yield writer

    async def put(self, key: str, file: Path) -> StoredObject:
        """Store a file from the local disk."""
        digest, size = hashlib.sha256(), 0
        with await asyncio.to_thread(file.open, "rb") as opened:
            async with self.writing(key) as writer:
                while data := await asyncio.to_thread(_read_hashed, opened, digest):
                    size += len(data)
                    await writer.write(data)
        return StoredObject(size, digest.hexdigest())

    async def read(self, key: str, start: int, length: int) -> bytes:
        """Read a range of an object. Raises FileNotFoundError."""
        return bytes(
            await self._found(
                lambda store: obstore.get_range_async(store, key, start=start, length=length)
            )
        )

    async def read_all(self, key: str) -> bytes:
        """Read a small object. Raises FileNotFoundError."""
        found = await self._found(lambda store: obstore.get_async(store, key))
        return bytes(await self._call(lambda _: found.bytes_async()))

    async def stream(
        self, key: str, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes]:
        """Stream the bytes from `start` to before `end` in blocks of bounded size.

        Of a bucket, each block is a request with a timeout of its own, and the next one is read
        ahead. Raises FileNotFoundError.
        """
        if self.local is None:
            size = await self.size(key) if end is None else end
            if size is None:
                raise FileNotFoundError(key)
            blocks = read_ahead(partial(self.read, key), start, size, WRITE_BUFFER)
        else:
            blocks = self._stream_file(key, start, end)
        async for block in blocks:
            yield block

    async def _stream_file(self, key: str, start: int, end: int | None) -> AsyncGenerator[bytes]:
        part: Any = {"range": {"offset": start} if end is None else (start, end)}
        found = await self._found(lambda store: obstore.get_async(store, key, options=part))
        pieces = aiter(found.stream(min_chunk_size=WRITE_BUFFER))
        while (piece := await self._call(lambda _: anext(pieces, None))) is not None:
            yield bytes(piece)

    async def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, or None if it does not exist."""
        try:
            return (await self._found(lambda store: obstore.head_async(store, key)))["size"]
        except FileNotFoundError:
            return None

    async def objects(self, prefix: str = "") -> AsyncGenerator[list[ObjectInfo]]:
        """List the objects below a prefix in batches, in no particular order."""
        if self.local:
            await asyncio.to_thread(self.local.check_present)
        with translated_errors():
            batches = aiter(obstore.list(self._store(), prefix or None))
        while batch := await self._call(lambda _: anext(batches, None)):
            yield [
                ObjectInfo(meta["path"], meta["size"], meta["last_modified"])
                for meta in batch
                if meta["path"] != MARKER
            ]

    async def walk(self, prefix: str = "") -> AsyncGenerator[str]:
        """Iterate over the keys below a prefix in bounded memory."""
        async for batch in self.objects(prefix):
            for found in batch:
                yield found.key

    async def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        return [key async for key in self.walk(prefix)]

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, ignoring missing ones."""
        if self.local:
            with translated_errors():
                await asyncio.to_thread(self.local.delete, keys)
            return
        for start in range(0, len(keys), DELETE_BATCH):
            batch = list(keys[start : start + DELETE_BATCH])
            await self._call(partial(delete_batch, batch))

    async def delete_others(
        self, prefix: str, kept: AbstractSet[str], older_than: timedelta
    ) -> int:
        """Delete the objects below a prefix that are not in `kept` and older than `older_than`.

        Return their number. Ages are measured with the storage's clock.
        """
        until, removed = await self.clock() - older_than, 0
        async for batch in self.objects(prefix):
            others = [
                found.key for found in batch if found.key not in kept and found.modified < until
            ]
            await self.delete(others)
            removed += len(others)
        return removed

    async def folders(self, prefix: str) -> list[str]:
        """Return the folders directly below a prefix."""
        if self.local:
            await asyncio.to_thread(self.local.check_present)
        found = await self._call(lambda store: obstore.list_with_delimiter_async(store, prefix))
        return list(found["common_prefixes"])

    async def drop_unfinished(self, older_than: timedelta) -> int:
        """Delete unfinished files of killed writers on a local disk; return their number.

        For buckets, see multipart_sweep.py.
        """
        if self.local is None:
            return 0
        until = await self.clock() - older_than
        with translated_errors():
            return await asyncio.to_thread(self.local.drop_unfinished, until)

    async def delete_below(self, prefix: str) -> None:
        """Delete all objects below a prefix, and their local folder."""
        if self.local:
            with translated_errors():
                await asyncio.to_thread(self.local.delete_below, prefix)
            return
        async for batch in self.objects(prefix):
            await self.delete([found.key for found in batch])

    async def signed_url(self, key: str, lifetime: timedelta) -> str:
        """Sign a URL of a bucket's object for GET; whether it exists is not checked."""
        sign: Any = obstore.sign_async  # typed for buckets only
        return str(await self._call(lambda store: sign(store, "GET", key, lifetime)))

    async def refuse_if_full(self, size: int) -> None:
        """Raises StorageFull if a local disk lacks space for `size` bytes plus the reserve."""
        if self.local is None:
            return
        with translated_errors():
            await asyncio.to_thread(self.local.check_present)
            usage = await asyncio.to_thread(shutil.disk_usage, self.local.root)
        if usage.free < size + settings.storage_reserve_bytes:
            raise StorageFull

    async def clock(self) -> datetime:
        """Return the storage's time, which may differ from this machine's."""
        key = f"health/{uuid.uuid4().hex}"  # unique, as checks run concurrently
        async with self.writing(key) as writer:
            await writer.write(b"ok")
        try:
            meta = await self._found(lambda store: obstore.head_async(store, key))
            return meta["last_modified"]
        finally:
            await self.delete([key])

    async def check_writable(self) -> None:
        """Write and delete a small object."""
        await self.clock()

    def _store(self) -> ObjectStore:
        """Open the store lazily, because obstore requires an existing folder."""
        if self._opened is None:
            self._opened = LocalStore(self.local.root) if self.local else open_bucket(self.url)
        return self._opened

    async def _call(self, action: Callable[[ObjectStore], Awaitable[T]]) -> T:
        """Call the store with a timeout and translated errors."""
        with translated_errors():
            async with asyncio.timeout(deadline_seconds()):
                return await action(self._store())

    async def _found(self, action: Callable[[ObjectStore], Awaitable[T]]) -> T:
        """Call the store for an object. Raises FileNotFoundError if the storage is present."""
        try:
            return await self._call(action)
        except FileNotFoundError:
            await self.check_present()
            raise

    async def _check_ours(self) -> None:
        """Raises StorageMisconfigured or StorageUnavailable unless the bucket is the expected one.

        A folder is verified at every file creation instead, since a disk can be unmounted.
        """
        if self.local or self._is_ours or self._expected_id is None:
            return
        found = await self.marker()
        if found is None:
            raise StorageUnavailable("The bucket has lost the marker of this installation.")
        if found != self._expected_id:
            raise StorageMisconfigured("The bucket belongs to another installation.")
        self._is_ours = True

    def _writing(self, key: str) -> AbstractAsyncContextManager[Writer]:
        with translated_errors():
            if self.local:
                return object_written_by(LocalWriter(self.local, key))
            return object_written_by(BucketWriter(self._store(), key))


def _read_hashed(file: BinaryIO, digest: "hashlib._Hash") -> bytes:
    data = file.read(WRITE_BUFFER)
    digest.update(data)
    return data


@cache
def media_storage() -> Storage:
    """Return the configured storage.

    Only the default folder in VIDEOFLIX_HOME is created: any other may be the mount point of a
    disk that is not mounted.
    """
    storage = Storage(settings.media_url)
    if storage.local and not settings.storage_url:
        storage.local.create_root()
    return storage
