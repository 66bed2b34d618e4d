"""Local copies of objects, for programs that need a file, such as ffmpeg.

An object of a folder is its own copy. Of a bucket's object, the processes of one VIDEOFLIX_HOME
share one copy: a process downloads it under an exclusive lock (flock) while the others wait, and
all hold a shared lock while they use it. The kernel releases locks with their process; the next one
resumes its download. Copies are evicted by last use, beyond SOURCE_CACHE_BYTES or after a day.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from videoflix.platform.process.scratch import scratch_root
from videoflix.platform.storage.media_storage import Storage
from videoflix.settings import settings

POLL_SECONDS = 0.2
READ_BYTES = 4 * 1024 * 1024
UNUSED_SECONDS = 24 * 3600
SWEEP_SECONDS = 3600
LOCK, PART, COMPLETE = ".use", ".part", ".copy"


class ObjectDamaged(Exception):
    """An object has not the content that was stored."""


@asynccontextmanager
async def local_copy(storage: Storage, key: str, sha256: str = "") -> AsyncGenerator[Path]:
    """Provide an object as a local file, which must not be changed.

    A download is verified against `sha256`, unless that is empty. Raises FileNotFoundError,
    ObjectDamaged, a StorageProblem, and OSError if the local disk is full.
    """
    if storage.local:
        if await storage.size(key) is None:
            raise FileNotFoundError(key)
        yield storage.local.root / key
        return
    copy = _Copy(storage, key, sha256)
    lock = await copy.acquire()
    try:
        yield copy.file
    finally:
        os.close(lock)
        await asyncio.to_thread(make_room, 0)


async def discard_copy(storage: Storage, key: str) -> None:
    """Delete the copy of an object, which is then downloaded again; its users fail."""
    if storage.local is None:
        await asyncio.to_thread(_Copy(storage, key, "").file.unlink, missing_ok=True)


@asynccontextmanager
async def sweeping_copies() -> AsyncGenerator[None]:
    """Evict copies that have not been used for a day, now and every hour."""
    sweep = asyncio.create_task(_sweep())
    try:
        yield
    finally:
        sweep.cancel()


async def _sweep() -> None:
    while True:
        with suppress(OSError):
            await asyncio.to_thread(make_room, 0)
        await asyncio.sleep(SWEEP_SECONDS)


class _Copy:
    """One object's copy, its unfinished download, and the lock file of its users."""

    def __init__(self, storage: Storage, key: str, sha256: str) -> None:
        self._storage = storage
        self._key = key
        self._sha256 = sha256
        name = hashlib.sha256(f"{storage.url}/{key}".encode()).hexdigest()[:32]
        self._base = scratch_root() / "sources" / name
        self.file = self._base.with_suffix(COMPLETE)

    async def acquire(self) -> int:
        """Download the copy unless it exists; return the descriptor that keeps it."""
        while True:
            lock = await asyncio.to_thread(self._lock, fcntl.LOCK_SH)
            if lock is not None:
                if self.file.exists():
                    os.utime(lock)
                    return lock
                os.close(lock)
            lock = await asyncio.to_thread(self._lock, fcntl.LOCK_EX)
            if lock is None:
                await asyncio.sleep(POLL_SECONDS)
                continue
            try:
                if not self.file.exists():
                    await self._download()
            finally:
                os.close(lock)

    def _lock(self, kind: int) -> int | None:
        """Lock without waiting; None if others hold it, or have deleted the file meanwhile."""
        lock = self._base.with_suffix(LOCK)
        lock.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        return _locked(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), lock, kind)

    async def _download(self) -> None:
        """Complete the unfinished download, and publish it if it is verified."""
        size = await self._storage.size(self._key)
        if size is None:
            raise FileNotFoundError(self._key)
        part = self._base.with_suffix(PART)
        with await asyncio.to_thread(part.open, "ab") as file:
            if file.tell() > size:
                file.truncate(0)
            await asyncio.to_thread(make_room, size - file.tell())
            async for block in self._storage.stream(self._key, file.tell(), size):
                await asyncio.to_thread(file.write, block)
            await asyncio.to_thread(_flush, file)
        if self._sha256 and await asyncio.to_thread(_digest, part) != self._sha256:
            part.unlink()
            raise ObjectDamaged(self._key)
        part.rename(self.file)


def make_room(size: int) -> None:
    """Evict copies that are unused, by last use, until `size` bytes more are allowed and fit.

    The copy used last stays whatever its size, or a large one would be downloaded for each use.
    """
    folder = scratch_root() / "sources"
    if not folder.exists():
        return
    now, total = time.time(), sum(_size(path) for path in folder.iterdir())
    locks = sorted(_with_times(folder), key=lambda found: found[1])
    for number, (lock, used) in enumerate(locks):
        is_last = number == len(locks) - 1
        is_full = total + size > settings.source_cache_bytes and not is_last
        is_full = is_full or shutil.disk_usage(folder).free < size
        if is_full or now - used > UNUSED_SECONDS:
            total -= _evict(lock)


def _evict(lock: Path) -> int:
    """Delete a copy unless it is in use; return the number of bytes that are free now."""
    try:
        file = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    held = _locked(file, lock, fcntl.LOCK_EX)
    if held is None:
        return 0
    freed = 0
    for path in (lock.with_suffix(COMPLETE), lock.with_suffix(PART)):
        freed += _size(path)
        path.unlink(missing_ok=True)
    lock.unlink()
    os.close(held)
    return freed


def _locked(file: int, path: Path, kind: int) -> int | None:
    """Lock an open file without waiting; close it if that fails or it is no longer at `path`."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None


def _with_times(folder: Path) -> Iterator[tuple[Path, float]]:
    """Yield the lock files, and when each copy was used last."""
    for lock in folder.glob(f"*{LOCK}"):
        with suppress(FileNotFoundError):
            yield lock, lock.stat().st_mtime


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while data := file.read(READ_BYTES):
            digest.update(data)
    return digest.hexdigest()
