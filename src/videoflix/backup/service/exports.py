"""Exports: requesting, writing and retention."""

import asyncio
import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, ClassVar

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.backup.archive import (
    ArchiveWriter,
    Manifest,
    MediaSum,
    TableDigest,
    Write,
    is_media,
)
from videoflix.backup.models import Export, ExportState
from videoflix.backup.repository.exports import ExportRepository
from videoflix.backup.repository.tables import TableRepository
from videoflix.backup.schemas import ExportRead, MakeExport
from videoflix.media.payloads import DeleteFolder
from videoflix.platform.postgres.migrations import current_revision
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Conflict, NotFound, Problem
from videoflix.platform.queue import JobCancelled, enqueue, enqueue_many, on_failure
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

FOLDER = "exports"
FILE_NAME = "archive.zip"
# Bytes between checks that the storage keeps its reserve.
SPACE_CHECK_BYTES = 32 * 1024 * 1024
# Younger files may belong to a running export.
MIN_LEFTOVER_AGE = timedelta(hours=26)


class ExportNotFound(NotFound):
    """There is no such export."""


class ExportNotReady(Conflict):
    """This export is not ready."""


class ExportStarting(Conflict):
    """The same export has just started; see the list of exports."""

    slug: ClassVar[str] = "export-begins"


class FileNotWritten(Problem):
    """The file could not be written."""


class FinishedArchive(msgspec.Struct, frozen=True):
    """A complete archive."""

    size: int
    manifest: Manifest


class Exports:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.exports = ExportRepository(session=session)

    async def request(self, *, with_media: bool, by: int | None = None) -> Export:
        """Request an export, or return an equal pending one. Raises ExportStarting."""
        export = await self.exports.add(Export(with_media=with_media, requested_by=by))
        job = MakeExport(export_id=export.id, with_media=with_media)
        if await enqueue(self.session, job) is None:
            await self.exports.delete(export.id)
            waiting = await self.exports.waiting(with_media=with_media)
            if waiting is None:
                raise ExportStarting
            return waiting
        if by is not None:
            await Audit(self.session).record(EventKind.ARCHIVE_ASKED, by, by=by)
        return export

    async def list_page(self, page: LimitOffset) -> tuple[list[ExportRead], int]:
        found, total = await self.exports.list_page(page)
        return [ExportRead.of(export) for export in found], total

    async def export(self, export_id: int) -> Export:
        """Return an export. Raises ExportNotFound."""
        found = await self.exports.get_one_or_none(id=export_id)
        if found is None:
            raise ExportNotFound
        return found

    async def file_of(self, export_id: int, *, user_id: int) -> tuple[str, int]:
        """Return the key and size of a file to download, and record the download.

        Raises ExportNotFound or ExportNotReady.
        """
        export = await self.export(export_id)
        if export.folder is None or export.size is None:
            raise ExportNotReady(export.failure or "The export is still in progress.")
        detail = f"export {export_id}"
        await Audit(self.session).record(
            EventKind.ARCHIVE_DOWNLOADED, user_id, by=user_id, detail=detail
        )
        return f"{export.folder}/{FILE_NAME}", export.size

    async def remove(self, export_id: int) -> None:
        """Delete an export in any state, with its file. Raises ExportNotFound."""
        export = await self.exports.locked(export_id)
        if export is None:
            raise ExportNotFound
        folder = export.folder
        await self.exports.delete(export_id)
        if folder:
            await enqueue(self.session, DeleteFolder(folder=folder))

    async def begin(self, export_id: int) -> bool:
        """Mark an export as running; False if it was deleted or has ended."""
        export = await self.exports.locked(export_id)
        if export is None or export.state in {ExportState.READY, ExportState.FAILED}:
            return False
        export.state = ExportState.RUNNING
        return True

    async def fail(self, export_id: int, reason: str) -> None:
        export = await self.exports.locked(export_id)
        if export is not None and export.state is not ExportState.READY:
            export.failure = reason
            await self.exports.finish(export, ExportState.FAILED)

    async def publish(self, export_id: int, folder: str, finished: FinishedArchive) -> bool:
        """Mark an export as ready; False if it was deleted or is ready already."""
        export = await self.exports.locked(export_id)
        if export is None or export.state is ExportState.READY:
            return False
        await self._finish(export, folder, finished)
        return True

    async def add_finished(
        self, folder: str, finished: FinishedArchive, *, with_media: bool
    ) -> Export:
        """Add an export for a file that was written without a job."""
        export = await self.exports.add(Export(with_media=with_media))
        await self._finish(export, folder, finished)
        return export

    async def delete_oldest(self) -> int:
        """Delete exports beyond EXPORTS_KEPT; return their number."""
        folders = await self.exports.delete_oldest(settings.exports_kept)
        await enqueue_many(self.session, [DeleteFolder(folder=folder) for folder in folders])
        return len(folders)

    async def _finish(self, export: Export, folder: str, finished: FinishedArchive) -> None:
        export.folder, export.size, export.rows = folder, finished.size, finished.manifest.rows
        export.failure = None
        await self.exports.finish(export, ExportState.READY)
        await self.session.flush()
        await self.delete_oldest()


async def store_archive(*, with_media: bool) -> tuple[str, FinishedArchive]:
    """Write an archive to a new folder of the storage, not visible until it is published.

    Raises StorageFull or StorageUnavailable, and leaves nothing behind.
    """
    folder = f"{FOLDER}/{uuid.uuid4().hex}"
    storage = media_storage()
    await storage.refuse_if_full(SPACE_CHECK_BYTES)
    unchecked = 0
    async with storage.writing(f"{folder}/{FILE_NAME}") as writer:

        async def write(data: bytes) -> None:
            nonlocal unchecked
            unchecked += len(data)
            if unchecked > SPACE_CHECK_BYTES:
                await storage.refuse_if_full(SPACE_CHECK_BYTES)
                unchecked = 0
            await writer.write(data)

        finished = await write_archive(write, with_media=with_media)
    return folder, finished


async def save_archive(path: Path, *, with_media: bool) -> FinishedArchive:
    """Write an archive to the local disk. Raises FileNotWritten or StorageUnavailable."""
    async with atomic_file(path) as write:
        return await write_archive(write, with_media=with_media)


@asynccontextmanager
async def atomic_file(path: Path) -> AsyncGenerator[Write]:
    """Write a private file atomically. Raises FileNotWritten."""
    part = path.with_name(f"{path.name}.part")
    try:
        with await asyncio.to_thread(_new_private, part) as file:

            async def write(data: bytes) -> None:
                await asyncio.to_thread(file.write, data)

            yield write
            await asyncio.to_thread(_sync, file)
        await asyncio.to_thread(part.replace, path)
    except OSError as error:
        raise FileNotWritten(f"{path} could not be written: {error.strerror or error}.") from error
    finally:
        part.unlink(missing_ok=True)


async def write_archive(write: Write, *, with_media: bool) -> FinishedArchive:
    """Write a snapshot of the database, then the media."""
    created_at = datetime.now(UTC)
    archive = ArchiveWriter(write, created_at)
    sums: dict[str, TableDigest] = {}
    async with transaction() as session:
        tables = TableRepository(session)
        await tables.begin_snapshot()
        revision = await current_revision(session) or ""
        for table in await tables.tables():
            sums[table.name] = await archive.table(table.name, tables.lines(table))
    manifest = Manifest(
        app_version=version("videoflix"),
        revision=revision,
        created_at=created_at,
        tables=sums,
        media=await _write_media(archive) if with_media else None,
    )
    await archive.finish(manifest)
    return FinishedArchive(archive.size, manifest)


async def _write_media(archive: ArchiveWriter) -> MediaSum:
    """Write all media files, skipping those that are deleted concurrently."""
    storage, files, total = media_storage(), 0, 0
    async for key in storage.walk():
        if not is_media(key):
            continue
        blocks = storage.stream(key)
        try:
            first = await anext(blocks, b"")
        except FileNotFoundError:
            continue
        async with archive.media(key) as write:
            await write(first)
            total += len(first)
            async for block in blocks:
                await write(block)
                total += len(block)
        files += 1
    return MediaSum(files, total)


async def remove_leftovers() -> int:
    """Delete orphaned files of exports; return their number."""
    async with transaction() as session:
        kept = await Exports(session).exports.folders()
    storage = media_storage()
    removed = await storage.drop_unfinished(MIN_LEFTOVER_AGE)
    keys = {f"{folder}/{FILE_NAME}" for folder in kept}
    return removed + await storage.delete_others(FOLDER, keys, MIN_LEFTOVER_AGE)


def _new_private(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@on_failure(MakeExport)
async def fail_export(job: MakeExport, error: Exception) -> None:
    """Store why the export failed."""
    reason = "It was cancelled." if isinstance(error, JobCancelled) else str(error)
    async with transaction() as session:
        await Exports(session).fail(job.export_id, reason or type(error).__name__)
