"""Imports: an archive is verified completely before anything is written."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import asyncpg
import msgspec
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.backup.archive import Archive, InvalidArchive, RowDigest
from videoflix.backup.repository.restore import Loader
from videoflix.backup.repository.tables import Table, TableRepository
from videoflix.catalog.service import publish_catalog_change
from videoflix.catalog.service.editing import Editing
from videoflix.media.service import Failures
from videoflix.platform.auth.revocations import ACCESS_TOPIC, EVERYTHING
from videoflix.platform.cache.ttl import CLEAR_TOPIC
from videoflix.platform.postgres.migrations import current_revision
from videoflix.platform.postgres.notify import publish
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Conflict, Problem
from videoflix.platform.storage.media_storage import media_storage
from videoflix.sessions.service.sessions import Sessions

ROWS_AT_ONCE = 500
BYTES_AT_ONCE = 4 * 1024 * 1024
CONFLICTS_LISTED = 20


class ImportRunsAlready(Conflict):
    """Another import is running; wait until it is done."""


class WorkersBusy(Conflict):
    """Workers are running jobs; stop them first, or wait until they are done."""

    slug: ClassVar[str] = "workers-are-busy"


class TablesInUse(Conflict):
    """The tables are locked by another process; nothing was changed, try again."""


class ConflictingRows(Conflict):
    """Existing rows conflict with the archive's."""

    slug: ClassVar[str] = "rows-in-the-way"


class ImportMismatch(Problem):
    """The imported rows do not match the archive; nothing was changed."""

    slug: ClassVar[str] = "loaded-differently"


class TableReport(msgspec.Struct):
    """Numbers of new, existing and removed rows of a table."""

    name: str
    new: int = 0
    known: int = 0
    removed: int = 0


class ImportReport(msgspec.Struct):
    """Result of an import or dry run; `conflicts` holds the first CONFLICTS_LISTED messages."""

    tables: list[TableReport]
    conflicts: list[str] = msgspec.field(default_factory=list)
    conflict_count: int = 0
    media: int = 0

    @property
    def new(self) -> int:
        return sum(table.new for table in self.tables)

    def note(self, sentences: list[str]) -> None:
        self.conflict_count += len(sentences)
        self.conflicts += sentences[: CONFLICTS_LISTED - len(self.conflicts)]


async def import_archive(path: Path, *, replace: bool, dry_run: bool) -> ImportReport:
    """Import an archive, merging its rows or, with `replace`, replacing all existing ones.

    All rows are written in one transaction. Raises InvalidArchive and the problems above.
    """
    with Archive(path) as archive:
        async with transaction() as session:
            tables = await TableRepository(session).tables()
            revision = await current_revision(session)
        _ensure_compatible(archive, tables, revision)
        await asyncio.to_thread(archive.check, {table.name: table.column_names for table in tables})
        async with _translated_errors(), transaction() as session:
            plan = await Imports(session, archive, tables).plan(replace=replace)
        if dry_run or plan.conflicts:
            return _conflict_problem(plan) if plan.conflicts and not dry_run else plan
        await _restore_media(archive)
        async with _translated_errors(), transaction() as session:
            return await Imports(session, archive, tables).run(replace=replace)


class Imports:
    """Import of a verified archive in a transaction."""

    def __init__(self, session: AsyncSession, archive: Archive, tables: list[Table]) -> None:
        self.session = session
        self.archive = archive
        self.tables = tables
        self.database = TableRepository(session)
        self.loader = Loader(session)

    async def plan(self, *, replace: bool) -> ImportReport:
        """Return what an import would do, without writing."""
        await self.database.begin_snapshot()
        report = ImportReport([], media=len(self.archive.media))
        for table in self.tables:
            here = await self.database.count(table.name)
            rows = self.archive.manifest.tables[table.name].rows
            if replace or not here:
                report.tables.append(TableReport(table.name, new=rows, removed=here))
                continue
            about = TableReport(table.name)
            for batch in batches(self.archive.lines(table.name)):
                about.new += await self.loader.count_new(table, batch)
                report.note(await self._conflicts(table, batch))
            about.known = rows - about.new
            report.tables.append(about)
        return report

    async def run(self, *, replace: bool) -> ImportReport:
        """Write the rows and verify them. Raises the module's problems."""
        await self.database.begin_import()
        if not await self.loader.try_lock_imports():
            raise ImportRunsAlready
        await self.loader.lock_tables(exclusive=replace)
        if replace:
            await self._delete_existing()
        await self.loader.disable_triggers()
        report, filled = ImportReport([], media=len(self.archive.media)), []
        for table in self.tables:
            is_empty = replace or not await self.database.count(table.name)
            report.tables.append(await self._load(table, report, is_empty=is_empty))
            filled += [table] if is_empty else []
        if report.conflicts:
            _conflict_problem(report)
        await self.loader.enable_triggers()
        for table in filled:
            await self._compare(table)
        await self.loader.set_sequences(self.tables)
        await self._requeue_and_invalidate()
        return report

    async def _load(self, table: Table, report: ImportReport, *, is_empty: bool) -> TableReport:
        about = TableReport(table.name)
        for batch in batches(self.archive.lines(table.name)):
            if not is_empty:
                report.note(await self._conflicts(table, batch))
            if not report.conflicts:
                about.new += await self.loader.insert(table, batch)
        about.known = self.archive.manifest.tables[table.name].rows - about.new
        return about

    async def _compare(self, table: Table) -> None:
        """Verify the written rows against the manifest. Raises ImportMismatch."""
        digest = RowDigest()
        async for lines in self.database.lines(table):
            digest.add(lines)
        if digest.sum != self.archive.manifest.tables[table.name]:
            raise ImportMismatch(f"{table.name} does not match the archive.")

    async def _conflicts(self, table: Table, batch: str) -> list[str]:
        found = [
            f"{table.name} {key} already exists and differs"
            for key in await self.loader.changed(table, batch)
        ]
        for index in await self.loader.unique_indexes(table):
            found += [
                f"{table.name} {new} has the same {', '.join(index.parts)} as the existing {old}"
                for new, old in await self.loader.taken(table, index, batch)
            ]
        return found

    async def _delete_existing(self) -> None:
        """Delete all existing rows, and with them all sessions and jobs. Raises WorkersBusy."""
        if await self.loader.has_running_jobs():
            raise WorkersBusy
        await Sessions(self.session).end_all_sessions()
        await self.loader.clear()

    async def _requeue_and_invalidate(self) -> None:
        """Enqueue the jobs of unfinished videos, and invalidate all caches."""
        await Failures(self.session).requeue_after_import()
        await Editing(self.session).schedule_publications()
        await publish_catalog_change(self.session)
        # Triggers were disabled, so access decisions have to be invalidated explicitly.
        await publish(self.session, f"{ACCESS_TOPIC}{EVERYTHING}")
        await publish(self.session, CLEAR_TOPIC)


def batches(lines: Iterator[bytes]) -> Iterator[str]:
    """Group rows into JSON arrays of bounded length and size."""
    batch: list[str] = []
    size = 0
    for line in lines:
        batch.append(line.decode().rstrip("\n"))
        size += len(line)
        if len(batch) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield f"[{','.join(batch)}]"
            batch, size = [], 0
    if batch:
        yield f"[{','.join(batch)}]"


def _ensure_compatible(archive: Archive, tables: list[Table], revision: str | None) -> None:
    """Raises InvalidArchive unless schema revision and tables match."""
    manifest = archive.manifest
    if manifest.revision != revision:
        made_by = f"release {manifest.app_version}, schema {manifest.revision}"
        raise InvalidArchive(
            f"The archive was made by another release ({made_by}); this schema is {revision}."
            " Import it with the release that made it, then upgrade."
        )
    if mismatched := manifest.tables.keys() ^ {table.name for table in tables}:
        raise InvalidArchive(
            f"Its tables differ from this release: {', '.join(sorted(mismatched))}."
        )


def _conflict_problem(report: ImportReport) -> ImportReport:
    """Raise ConflictingRows with the first conflicts."""
    more = report.conflict_count - len(report.conflicts)
    listed = "".join(f"\n- {sentence}" for sentence in report.conflicts)
    rest = f"\n- and {more} more" if more else ""
    raise ConflictingRows(f"Nothing was changed, because existing rows conflict:{listed}{rest}")


async def _restore_media(archive: Archive) -> None:
    """Store the media files that are missing; objects are immutable."""
    storage = media_storage()
    await storage.refuse_if_full(await _bytes_missing(archive))
    for key, size in archive.media:
        if await storage.size(key) == size:
            continue
        await storage.refuse_if_full(size)
        async with storage.writing(key) as writer:
            blocks = archive.blocks(key)
            while block := await asyncio.to_thread(next, blocks, b""):
                await writer.write(block)


async def _bytes_missing(archive: Archive) -> int:
    storage = media_storage()
    return sum([size for key, size in archive.media if await storage.size(key) != size])


@asynccontextmanager
async def _translated_errors() -> AsyncGenerator[None]:
    """Translate errors of the database to problems."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.__cause__.__cause__ if error.__cause__ else None
        if isinstance(cause, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError):
            raise TablesInUse from error
        if isinstance(cause, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError):
            raise InvalidArchive(f"The database rejected its rows: {cause}.") from error
        raise
