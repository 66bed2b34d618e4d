"""Making archives of the installation, and keeping the newest ones."""

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
# Writing stops in time to leave the reserve, looked at after so many bytes.
SWEEP_AFTER = 32 * 1024 * 1024
# Younger files may belong to an export that is being made.
LEFT_ALONE = timedelta(hours=26)


class ExportNotFound(NotFound):
    """There is no such export."""


class ExportNotReady(Conflict):
    """This export has no file (yet)."""


class ExportStarting(Conflict):
    """An export like this one is just beginning; look at the list."""

    slug: ClassVar[str] = "export-begins"


class FileNotWritten(Problem):
    """The file could not be written."""


class FinishedArchive(msgspec.Struct, frozen=True):
    """An archive that is there."""

    size: int
    manifest: Manifest


class Exports:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.exports = ExportRepository(session=session)

    async def request(self, *, with_media: bool, by: int | None = None) -> Export:
        """Have an archive made; one like it that waits already will do. Raises ExportStarting."""
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
        """Raises ExportNotFound."""
        found = await self.exports.get_one_or_none(id=export_id)
        if found is None:
            raise ExportNotFound
        return found

    async def file_of(self, export_id: int, *, for_whom: int) -> tuple[str, int]:
        """The key and the size of a file that somebody takes with them.

        Raises ExportNotFound or ExportNotReady.
        """
        export = await self.export(export_id)
        if export.folder is None or export.size is None:
            raise ExportNotReady(export.failure or "It is not made yet.")
        detail = f"export {export_id}"
        await Audit(self.session).record(
            EventKind.ARCHIVE_DOWNLOADED, for_whom, by=for_whom, detail=detail
        )
        return f"{export.folder}/{FILE_NAME}", export.size

    async def remove(self, export_id: int) -> None:
        """Forget an export, in whatever state, with its file. Raises ExportNotFound."""
        export = await self.exports.locked(export_id)
        if export is None:
            raise ExportNotFound
        folder = export.folder
        await self.exports.delete(export_id)
        if folder:
            await enqueue(self.session, DeleteFolder(folder=folder))

    async def begin(self, export_id: int) -> bool:
        """Note that the work has begun; False when nobody waits for it any more."""
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

    async def publish(self, export_id: int, folder: str, made: FinishedArchive) -> bool:
        """Show the file; False when nobody waits for it any more."""
        export = await self.exports.locked(export_id)
        if export is None or export.state is ExportState.READY:
            return False
        await self._show(export, folder, made)
        return True

    async def add_finished(self, folder: str, made: FinishedArchive, *, with_media: bool) -> Export:
        """Show a file that nobody had asked the queue for."""
        export = await self.exports.add(Export(with_media=with_media))
        await self._show(export, folder, made)
        return export

    async def delete_oldest(self) -> int:
        """Keep the newest exports only; how many went."""
        folders = await self.exports.delete_oldest(settings.exports_kept)
        await enqueue_many(self.session, [DeleteFolder(folder=folder) for folder in folders])
        return len(folders)

    async def _show(self, export: Export, folder: str, made: FinishedArchive) -> None:
        export.folder, export.size, export.rows = folder, made.size, made.manifest.rows
        export.failure = None
        await self.exports.finish(export, ExportState.READY)
        await self.session.flush()
        await self.delete_oldest()


async def store_archive(*, with_media: bool) -> tuple[str, FinishedArchive]:
    """Make an archive in a new folder of the storage: nobody sees it until it is published.

    Raises StorageFull or StorageUnavailable; nothing is left then.
    """
    folder = f"{FOLDER}/{uuid.uuid4().hex}"
    storage = media_storage()
    await storage.refuse_if_full(SWEEP_AFTER)
    looked = 0
    async with storage.writing(f"{folder}/{FILE_NAME}") as writer:

        async def write(data: bytes) -> None:
            nonlocal looked
            looked += len(data)
            if looked > SWEEP_AFTER:
                await storage.refuse_if_full(SWEEP_AFTER)
                looked = 0
            await writer.write(data)

        made = await write_archive(write, with_media=with_media)
    return folder, made


async def save_archive(path: Path, *, with_media: bool) -> FinishedArchive:
    """Make an archive on the local disk. Raises FileNotWritten or StorageUnavailable."""
    async with atomic_file(path) as write:
        return await write_archive(write, with_media=with_media)


@asynccontextmanager
async def atomic_file(path: Path) -> AsyncGenerator[Write]:
    """Write a file that nobody else may read: under its name there is a whole one, or nothing.

    Raises FileNotWritten.
    """
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
    """Write the database as it is in this moment, then the media."""
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
    """Every file of the storage; one that is deleted meanwhile belongs to no film any more."""
    storage, files, total = media_storage(), 0, 0
    async for key in storage.walk():
        if not is_media(key):
            continue
        pieces = storage.stream(key)
        try:
            first = await anext(pieces, b"")
        except FileNotFoundError:
            continue
        async with archive.media(key) as write:
            await write(first)
            total += len(first)
            async for piece in pieces:
                await write(piece)
                total += len(piece)
        files += 1
    return MediaSum(files, total)


async def remove_leftovers() -> int:
    """Remove files that no export names and no worker writes any more; how many there were."""
    async with transaction() as session:
        kept = await Exports(session).exports.folders()
    storage = media_storage()
    removed = await storage.drop_unfinished(LEFT_ALONE)
    keys = {f"{folder}/{FILE_NAME}" for folder in kept}
    return removed + await storage.delete_others(FOLDER, keys, LEFT_ALONE)


def _new_private(path: Path) -> BinaryIO:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


@on_failure(MakeExport)
async def fail_export(job: MakeExport, error: Exception) -> None:
    """There will be no archive: say why."""
    reason = "It was cancelled." if isinstance(error, JobCancelled) else str(error)
    async with transaction() as session:
        await Exports(session).fail(job.export_id, reason or type(error).__name__)
