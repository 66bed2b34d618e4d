"""Durable files in a local folder, safe against power failures.

A file is written to a temporary name, fsynced and renamed, and then every folder up to the root is
fsynced: on POSIX a rename is durable only once its folder is (https://lwn.net/Articles/457667/).
All functions block, except `LocalWriter`.
"""

import asyncio
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from videoflix.platform.storage.errors import StorageMisconfigured, StorageUnavailable
from videoflix.settings import settings

BUFFER = 4 * 1024 * 1024
# Bytes between intermediate fsyncs, which keep the last one short and the page cache clean.
SYNC_EVERY = 64 * 1024 * 1024
# Temporary names of unfinished objects, `name#123`; obstore excludes them from listings.
UNFINISHED = re.compile(r"#\d+$")
# Attempts, as an empty folder may be removed between its creation and its use.
TRIES = 100
# Key of the object that holds the ID of the installation.
MARKER = "videoflix-installation"


class LocalFolder:
    """The root of a local storage; `expected_id` is the required content of its marker."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.expected_id: str | None = None

    def check_present(self) -> None:
        """Raises StorageUnavailable or StorageMisconfigured unless this is the expected folder.

        Detects an unmounted disk, which leaves an empty folder behind.
        """
        if not self.root.is_dir():
            raise StorageUnavailable("The media folder is missing: is its disk mounted?")
        if self.expected_id is None:
            return
        found = self.marker()
        if found is None:
            raise StorageUnavailable("The media folder has lost its marker: is its disk mounted?")
        if found != self.expected_id:
            raise StorageMisconfigured("The media folder belongs to another installation.")

    def marker(self) -> str | None:
        """Return the ID in the marker, or None."""
        try:
            return (self.root / MARKER).read_text().strip()
        except FileNotFoundError:
            return None

    def create_root(self) -> None:
        """Create the root and its parents durably."""
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        for path in missing:
            sync_folder(path.parent)

    def open_new(self, key: str) -> tuple[int, Path]:
        """Create a temporary file next to `key`; return its descriptor and path."""
        self.check_present()
        path = self.root / key
        folders = [folder for folder in path.parents if folder.is_relative_to(self.root)][:-1]
        for left in reversed(range(TRIES)):
            try:
                for folder in reversed(folders):
                    with suppress(FileExistsError):
                        folder.mkdir()
                temporary = path.with_name(f"{path.name}#{secrets.randbits(60)}")
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
                return os.open(temporary, flags, 0o666), temporary
            except FileNotFoundError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    def publish(self, temporary: Path, key: str) -> None:
        """Rename an fsynced file to its key, and fsync all folders up to the root.

        All of them, because another process may have created one without having fsynced it yet.
        """
        path = self.root / key
        temporary.rename(path)
        for folder in path.parents:
            if folder.is_relative_to(self.root):
                sync_folder(folder)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete files, ignoring missing ones."""
        self.check_present()
        for key in keys:
            (self.root / key).unlink(missing_ok=True)

    def delete_below(self, prefix: str) -> None:
        """Delete a folder recursively, if it exists."""
        self.check_present()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / prefix)

    def unfinished(self, changed_before: datetime) -> list[str]:
        """Return the keys of unfinished files last modified before `changed_before`."""
        self.check_present()
        found = []
        for folder, _, names in os.walk(self.root):
            for path in [Path(folder, name) for name in names if UNFINISHED.search(name)]:
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < changed_before.timestamp():
                        found.append(str(path.relative_to(self.root)))
        return found

    def drop_unfinished(self, changed_before: datetime) -> int:
        """Delete unfinished files, then empty folders; return the number of files."""
        self.check_present()
        until, removed = changed_before.timestamp(), 0
        for folder, _, names in os.walk(self.root, topdown=False):
            for path in [Path(folder, name) for name in names if UNFINISHED.search(name)]:
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < until:
                        path.unlink()
                        removed += 1
            with suppress(OSError):  # not empty, or already deleted
                if Path(folder) != self.root and Path(folder).stat().st_mtime < until:
                    Path(folder).rmdir()
        return removed


class LocalWriter:
    """Write an object in threads, with a bounded buffer."""

    def __init__(self, folder: LocalFolder, key: str) -> None:
        self._folder = folder
        self._key = key
        self._buffer = bytearray()
        self._unsynced = 0
        self._file = -1
        self._temporary: Path | None = None
        self._pending: asyncio.Future[None] | None = None
        self.deadline: float | None = None  # no timeout: a slow disk makes progress

    async def open(self) -> None:
        await self._run(self._open)

    async def write(self, data: bytes, /) -> int:
        self._buffer += data
        if len(self._buffer) >= BUFFER:
            await self._flush()
        return len(data)

    async def finish(self) -> None:
        """Publish the object; it is durable when this returns."""
        await self._flush()
        await self._run(self._publish)

    async def abort(self) -> None:
        """Delete the temporary file, after a thread that still uses it."""
        if self._pending and not self._pending.done():
            await asyncio.wait([self._pending])
        await self._run(self._remove)

    async def _run(self, function: Callable[..., None], *arguments: object) -> None:
        loop = asyncio.get_running_loop()
        self._pending = loop.run_in_executor(None, function, *arguments)
        await asyncio.shield(self._pending)

    async def _flush(self) -> None:
        data, self._buffer = self._buffer, bytearray()
        await self._run(self._write, data)

    def _open(self) -> None:
        self._file, self._temporary = self._folder.open_new(self._key)

    def _write(self, data: bytearray) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        self._unsynced += len(data)
        if self._unsynced >= SYNC_EVERY:
            self._unsynced = 0
            sync_file(self._file)

    def _publish(self) -> None:
        if self._temporary is None:
            raise ValueError("publish before open")
        sync_file(self._file)
        self._close()
        self._folder.publish(self._temporary, self._key)

    def _remove(self) -> None:
        self._close()
        if self._temporary:
            self._temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file >= 0:
            file, self._file = self._file, -1
            os.close(file)


def sync_file(file: int) -> None:
    """Fsync a file, unless STORAGE_FSYNC is off."""
    if not settings.storage_fsync:
        return
    if full := getattr(fcntl, "F_FULLFSYNC", None):  # macOS: fsync stops at the drive's cache
        fcntl.fcntl(file, full)
    else:
        os.fsync(file)


def sync_folder(path: Path) -> None:
    """Fsync a folder, unless STORAGE_FSYNC is off."""
    if not settings.storage_fsync:
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
