"""Putting an export back: all of it is checked before anything is written."""

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
    """Another import is running; wait for it."""


class WorkersBusy(Conflict):
    """Workers are doing jobs about what is here; stop them first, or wait until they are done."""

    slug: ClassVar[str] = "workers-are-busy"


class TablesInUse(Conflict):
    """Somebody else held the tables for too long; nothing was changed, try again."""


class ConflictingRows(Conflict):
    """Other rows are where the archive's belong."""

    slug: ClassVar[str] = "rows-in-the-way"


class ImportMismatch(Problem):
    """The rows came out of the database different from how they went in; nothing was changed."""

    slug: ClassVar[str] = "loaded-differently"


class TableReport(msgspec.Struct):
    """What an import does with a table: rows that are new, and rows that are there already."""

    name: str
    new: int = 0
    known: int = 0
    removed: int = 0


class ImportReport(msgspec.Struct):
    """What an import did or would do; each conflict is a sentence, and only the first are told."""

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
    """Put an archive's rows beside those that are here, or (`replace`) in their place.

    Everything is in one transaction: it happens, or nothing does. Raises InvalidArchive and the
    problems above.
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
    """An archive that was checked, and a transaction to put it into."""

    def __init__(self, session: AsyncSession, archive: Archive, tables: list[Table]) -> None:
        self.session = session
        self.archive = archive
        self.tables = tables
        self.database = TableRepository(session)
        self.loader = Loader(session)

    async def plan(self, *, replace: bool) -> ImportReport:
        """What would happen; nothing is written."""
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
        """Write the rows, bit for bit. Raises the module's problems."""
        await self.database.begin_import()
        if not await self.loader.try_lock_imports():
            raise ImportRunsAlready
        await self.loader.lock_tables(from_everybody=replace)
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
        """Read back what was written. Raises ImportMismatch."""
        tally = RowDigest()
        async for lines in self.database.lines(table):
            tally.add(lines)
        if tally.sum != self.archive.manifest.tables[table.name]:
            raise ImportMismatch(f"{table.name} is not what the archive says.")

    async def _conflicts(self, table: Table, batch: str) -> list[str]:
        found = [
            f"{table.name} {key} is here already, and different"
            for key in await self.loader.changed(table, batch)
        ]
        for index in await self.loader.unique_indexes(table):
            found += [
                f"{table.name} {new} has the same {', '.join(index.parts)} as {old}, which is here"
                for new, old in await self.loader.taken(table, index, batch)
            ]
        return found

    async def _delete_existing(self) -> None:
        """Remove what is here, and with it every sign-in and job: they are about other rows."""
        if await self.loader.has_running_jobs():
            raise WorkersBusy
        await Sessions(self.session).end_all_sessions()
        await self.loader.clear()

    async def _requeue_and_invalidate(self) -> None:
        """Queue what unfinished films still need, and let every process forget what it knew."""
        await Failures(self.session).requeue_after_import()
        await Editing(self.session).schedule_publications()
        await publish_catalog_change(self.session)
        # Triggers rested: whatever was decided about access is decided again.
        await publish(self.session, f"{ACCESS_TOPIC}{EVERYTHING}")
        await publish(self.session, CLEAR_TOPIC)


def batches(lines: Iterator[bytes]) -> Iterator[str]:
    """JSON arrays of some rows each."""
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line.decode().rstrip("\n"))
        size += len(line)
        if len(held) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield f"[{','.join(held)}]"
            held, size = [], 0
    if held:
        yield f"[{','.join(held)}]"


def _ensure_compatible(archive: Archive, tables: list[Table], revision: str | None) -> None:
    """Raises InvalidArchive unless the rows fit this installation's tables."""
    manifest = archive.manifest
    if manifest.revision != revision:
        made_by = f"release {manifest.app_version}, schema {manifest.revision}"
        raise InvalidArchive(
            f"It was made by another release ({made_by}); the schema here is {revision}."
            " Import it with the release that made it, then upgrade."
        )
    if odd := manifest.tables.keys() ^ {table.name for table in tables}:
        raise InvalidArchive(f"Its tables are not those of this release: {', '.join(sorted(odd))}.")


def _conflict_problem(report: ImportReport) -> ImportReport:
    """Raises ConflictingRows with the first conflicts."""
    more = report.conflict_count - len(report.conflicts)
    told = "".join(f"\n- {sentence}" for sentence in report.conflicts)
    rest = f"\n- and {more} more" if more else ""
    raise ConflictingRows(f"Nothing was changed, because other rows are in the way:{told}{rest}")


async def _restore_media(archive: Archive) -> None:
    """Store the files that are missing here; a key always names the same bytes."""
    storage = media_storage()
    await storage.refuse_if_full(await _bytes_missing(archive))
    for key, size in archive.media:
        if await storage.size(key) == size:
            continue
        await storage.refuse_if_full(size)
        async with storage.writing(key) as writer:
            pieces = archive.pieces(key)
            while piece := await asyncio.to_thread(next, pieces, b""):
                await writer.write(piece)


async def _bytes_missing(archive: Archive) -> int:
    storage = media_storage()
    return sum([size for key, size in archive.media if await storage.size(key) != size])


@asynccontextmanager
async def _translated_errors() -> AsyncGenerator[None]:
    """What the database refuses, as a sentence; nothing was changed then."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.__cause__.__cause__ if error.__cause__ else None
        if isinstance(cause, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError):
            raise TablesInUse from error
        if isinstance(cause, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError):
            raise InvalidArchive(f"The database does not take its rows: {cause}.") from error
        raise
