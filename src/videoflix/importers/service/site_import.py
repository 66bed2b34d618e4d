"""An import from start to end: tables are read in batches, each written in one transaction."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.importers.dumps import Dump, InvalidDump, OldTable, open_dump
from videoflix.importers.schemas import (
    Kind,
    KindReport,
    Old,
    OldCategory,
    OldInvoice,
    OldInvoiceLine,
    OldMembership,
    OldProgress,
    OldRating,
    OldUser,
    OldVideo,
    OldWatchlist,
    OldWatchlistEntry,
    Site,
    kind_of,
    record,
)
from videoflix.importers.service.context import ImportContext
from videoflix.importers.service.money import Money
from videoflix.importers.service.people import People
from videoflix.importers.service.titles import Titles, draft_of, store_file
from videoflix.importers.service.viewing import Viewing
from videoflix.platform.postgres.session import alchemy, transaction

UNREADABLE = "cannot be read"

# Called with the number of records read since the last call, and the number of all.
Progress = Callable[[int, int], None]
Transaction = Callable[[], AbstractAsyncContextManager[AsyncSession]]


async def import_site(
    site: Site, source: str, *, media: Path | None, dry_run: bool, progress: Progress
) -> dict[Kind, KindReport]:
    """Import an older backend's data from a file or a database; may be repeated.

    A trial run (`dry_run`) does everything in one transaction and rolls it back. Raises
    InvalidDump and StorageProblem.
    """
    dump = await open_dump(source)
    context = ImportContext(site, media, dry_run=dry_run)
    if not dry_run:
        await SiteImport(context, dump, transaction, progress).run()
        return context.reports
    async with alchemy.get_session() as session:

        @asynccontextmanager
        async def shared() -> AsyncGenerator[AsyncSession]:
            yield session

        await SiteImport(context, dump, shared, progress).run()
        await session.rollback()
    return context.reports


class SiteImport:
    def __init__(
        self, context: ImportContext, dump: Dump, transaction: Transaction, progress: Progress
    ) -> None:
        self.context = context
        self.dump = dump
        self.transaction = transaction
        self.progress = progress
        self.invoice_lines: dict[int, list[OldInvoiceLine]] = defaultdict(list)

    async def run(self) -> None:
        """Import all kinds of records in the order of Kind. Raises InvalidDump."""
        tables: dict[Kind, list[OldTable]] = defaultdict(list)
        for table in await self.dump.tables():
            if (kind := kind_of(table.model, table.columns)) is not None:
                tables[kind].append(table)
        if not tables[Kind.USER]:
            raise InvalidDump(
                "It has no accounts: no table or model with the columns email and password."
            )
        total = sum(table.count for found in tables.values() for table in found)
        for kind in Kind:
            if kind is not Kind.INVOICE:  # they come with their lines
                await self._import_kind(kind, tables[kind], total)
        await self._import_kind(Kind.INVOICE, tables[Kind.INVOICE], total)

    async def _import_kind(self, kind: Kind, tables: list[OldTable], total: int) -> None:
        for table in tables:
            async for rows in self.dump.rows(table):
                await self._add(kind, self._records(kind, rows))
                self.progress(len(rows), total)

    def _records(self, kind: Kind, rows: Sequence[dict[str, Any]]) -> list[Old]:
        records = []
        for row in rows:
            try:
                records.append(record(kind, row))
            except msgspec.ValidationError as error:
                self.context.reports[kind].leave_out(f"{UNREADABLE}: {error}", row.get("id"))
        return records

    async def _add(self, kind: Kind, records: list[Old]) -> None:
        if kind is Kind.VIDEO:
            await self._add_videos(cast(list[OldVideo], records))
            return
        if kind is Kind.INVOICE_LINE:
            for line in cast(list[OldInvoiceLine], records):
                self.invoice_lines[line.invoice].append(line)
            return
        async with self.transaction() as session:
            await self._write(session, kind, records)

    async def _write(self, session: AsyncSession, kind: Kind, records: list[Old]) -> None:
        viewing, money = Viewing(session, self.context), Money(session, self.context)
        match kind:
            case Kind.USER:
                await People(session, self.context).add(cast(list[OldUser], records))
            case Kind.CATEGORY:
                titles = Titles(session, self.context)
                await titles.add_categories(cast(list[OldCategory], records))
            case Kind.WATCHLIST:
                viewing.add_watchlists(cast(list[OldWatchlist], records))
            case Kind.WATCHLIST_ENTRY:
                await viewing.add_watchlist_entries(cast(list[OldWatchlistEntry], records))
            case Kind.PROGRESS:
                await viewing.add_positions(cast(list[OldProgress], records))
            case Kind.RATING:
                await viewing.add_ratings(cast(list[OldRating], records))
            case Kind.MEMBERSHIP:
                await money.add_memberships(cast(list[OldMembership], records))
            case Kind.INVOICE:
                await money.add_invoices(cast(list[OldInvoice], records), self.invoice_lines)

    async def _add_videos(self, videos: list[OldVideo]) -> None:
        """Add videos one by one, as copying a film takes longer than a transaction should."""
        async with self.transaction() as session:
            new = await self.context.unknown(session, Kind.VIDEO, videos)
        for video in new:
            draft = draft_of(self.context, video)
            if draft is None:
                continue
            file = await store_file(self.context, video)
            async with self.transaction() as session:
                await Titles(session, self.context).add_video(video, draft, file)
