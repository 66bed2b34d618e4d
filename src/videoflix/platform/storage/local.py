"""Durable files in a local folder: what is stored survives a power cut.

A file is written under another name beside its own, flushed to the disk, renamed, and then every
folder up to the root is flushed too: on POSIX systems a new name is only safe once its folder is
(https://lwn.net/Articles/457667/). Everything here blocks, but for `LocalWriter`.
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
# Flushed in between, so that the last flush of a large file is short and the cache stays clean.
SYNC_EVERY = 64 * 1024 * 1024
# An object that is not whole yet is called `name#123`; listings of the store leave it out.
UNFINISHED = re.compile(r"#\d+$")
# An empty folder may be removed between making it and using it.
TRIES = 100
# Says whose storage this is: the id of an installation.
MARKER = "videoflix-installation"


class LocalFolder:
    """The root of a local storage; `expected_id` is what its marker must say, once known."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.expected_id: str | None = None

    def check_present(self) -> None:
        """Raises StorageUnavailable or StorageMisconfigured unless this is the right folder.

        A disk that is not mounted leaves an empty folder behind: that is not an empty storage.
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
        """The id of the installation the folder belongs to."""
        try:
            return (self.root / MARKER).read_text().strip()
        except FileNotFoundError:
            return None

    def create_root(self) -> None:
        """Create the root, and its parents, durably."""
        missing = [path for path in (self.root, *self.root.parents) if not path.exists()]
        self.root.mkdir(parents=True, exist_ok=True)
        for path in missing:
            sync_folder(path.parent)

    def open_new(self, key: str) -> tuple[int, Path]:
        """A new file beside the one that `key` names, and its path; never creates the root."""
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
        """Give a flushed file its name, and flush the folders up to the root.

        All of them: another process may have made one and not flushed it yet.
        """
        path = self.root / key
        temporary.rename(path)
        for folder in path.parents:
            if folder.is_relative_to(self.root):
                sync_folder(folder)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove files; those already gone are passed over."""
        self.check_present()
        for key in keys:
            (self.root / key).unlink(missing_ok=True)

    def delete_below(self, prefix: str) -> None:
        """Remove a folder and everything in it; it may be gone already."""
        self.check_present()
        with suppress(FileNotFoundError):
            shutil.rmtree(self.root / prefix)

    def unfinished(self, changed_before: datetime) -> list[str]:
        """The keys of files that a writer left unfinished."""
        self.check_present()
        found = []
        for folder, _, names in os.walk(self.root):
            for path in [Path(folder, name) for name in names if UNFINISHED.search(name)]:
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < changed_before.timestamp():
                        found.append(str(path.relative_to(self.root)))
        return found

    def drop_unfinished(self, changed_before: datetime) -> int:
        """Remove unfinished files first, then folders that are empty; how many files."""
        self.check_present()
        until, removed = changed_before.timestamp(), 0
        for folder, _, names in os.walk(self.root, topdown=False):
            for path in [Path(folder, name) for name in names if UNFINISHED.search(name)]:
                with suppress(FileNotFoundError):
                    if path.stat().st_mtime < until:
                        path.unlink()
                        removed += 1
            with suppress(OSError):  # it holds something, or is gone
                if Path(folder) != self.root and Path(folder).stat().st_mtime < until:
                    Path(folder).rmdir()
        return removed


class LocalWriter:
    """Writes one object; the event loop never waits for the disk, and memory stays flat."""

    def __init__(self, folder: LocalFolder, key: str) -> None:
        self._folder = folder
        self._key = key
        self._buffer = bytearray()
        self._unsynced = 0
        self._file = -1
        self._temporary: Path | None = None
        self._pending: asyncio.Future[None] | None = None
        self.deadline: float | None = None  # a slow disk is still writing

    async def open(self) -> None:
        await self._run(self._open)

    async def write(self, data: bytes, /) -> int:
        self._buffer += data
        if len(self._buffer) >= BUFFER:
            await self._flush()
        return len(data)

    async def finish(self) -> None:
        """Show the object: it is on the disk when this returns."""
        await self._flush()
        await self._run(self._publish)

    async def abort(self) -> None:
        """Remove what was written; a thread that still uses the file ends first."""
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
    """Flush a file to the disk itself, unless STORAGE_FSYNC is off."""
    if not settings.storage_fsync:
        return
    if full := getattr(fcntl, "F_FULLFSYNC", None):  # macOS: fsync stops at the drive's cache
        fcntl.fcntl(file, full)
    else:
        os.fsync(file)


def sync_folder(path: Path) -> None:
    """Flush the names in a folder, unless STORAGE_FSYNC is off."""
    if not settings.storage_fsync:
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
