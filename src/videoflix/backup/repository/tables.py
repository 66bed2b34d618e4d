"""Tables of an export, and reading their rows losslessly."""

from collections.abc import AsyncGenerator

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Referenced tables come first.
EXPORTED_TABLES = (
    "user_account",
    "security_event",
    "plan",
    "membership",
    "membership_term",
    "invoice",
    "invoice_line",
    "invoice_number",
    "profile",
    "video",
    "category",
    "video_category",
    "series",
    "season",
    "episode",
    "subtitle",
    "subtitle_cue",
    "chapter",
    "media_asset",
    "media_chunk",
    "media_rendition",
    "media_part",
    "stream_lease",
    "watchlist_entry",
    "watch_state",
    "vote",
    "video_view",
    "movie_rating",
    "movie_tally",
)
# All other tables, with the reason for their exclusion.
EXCLUDED_TABLES = {
    "sign_in": "users sign in again after an import",
    "refresh_token": "a secret of a session",
    "mail_token": "a short-lived secret",
    "mail": "contains secret links",
    "idempotent_answer": "responses of the last day",
    "movie_answer": "a cache of provider responses",
    "throttle": "rate limits of the last minutes",
    "search_word": "derived from titles, people and tags",
    "upload": "unfinished uploads; their bytes stay in this storage",
    "upload_link": "secret links for uploads",
    "upload_part": "bytes of unfinished uploads",
    "imported_record": "imports from older backends into this installation",
    "webhook_endpoint": "secrets that only this installation can decrypt",
    "webhook_event": "events of the last weeks",
    "webhook_delivery": "deliveries of the last weeks",
    "export": "its files stay in this storage",
    "cron_run": "runs of this installation",
    "job_incident": "incidents of this installation",
    "worker_breaker": "state of the running workers",
    "schema_version": "part of the manifest",
    "installation": "pairs this database with its storage",
    "procrastinate_jobs": "jobs of unfinished videos are enqueued again",
    "procrastinate_events": "state of the queue",
    "procrastinate_periodic_defers": "state of the queue",
    "procrastinate_workers": "state of the queue",
}
ROWS_AT_ONCE = 200
JSON_TYPES = {"json", "jsonb"}

# Excludes generated columns, and search vectors, which are maintained by triggers.
SHAPES = text("""
select known.name, quote_ident(attname), format_type(atttypid, atttypmod),
       array_position(cast(indkey as smallint[]), attnum) is not null, attname
from unnest(cast(:tables as text[])) with ordinality as known (name, number)
join pg_attribute on attrelid = to_regclass(quote_ident(known.name)) and attnum > 0
     and not attisdropped and attgenerated = '' and atttypid <> 'tsvector'::regtype
join pg_index on indrelid = attrelid and indisprimary
order by known.number, array_position(cast(indkey as smallint[]), attnum) nulls last, attname
""")
# A consistent snapshot of all tables.
SNAPSHOT = text("set transaction isolation level repeatable read, read only")
# Output formats that do not depend on the server's configuration.
PLAIN_FORMATS = text("""
select set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true),
       set_config('intervalstyle', 'postgres', true), set_config('bytea_output', 'hex', true),
       set_config('extra_float_digits', '1', true), set_config('statement_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true)
""")


class Column(msgspec.Struct, frozen=True):
    """A column of an exported table; `quoted` is its quoted identifier."""

    name: str
    quoted: str
    type: str

    @property
    def is_json(self) -> bool:
        return self.type in JSON_TYPES

    @property
    def written(self) -> str:
        """SQL to select it; JSON is read as text to distinguish JSON null from SQL NULL."""
        return f"cast({self.quoted} as text) as {self.quoted}" if self.is_json else self.quoted


class Table(msgspec.Struct):
    """An exported table; rows are ordered by `key`."""

    name: str
    columns: list[Column]
    key: list[str]

    @property
    def column_names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)


class TableRepository:
    """The exported tables of all domains."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def begin_snapshot(self) -> None:
        """Start a consistent snapshot; has to be the transaction's first statement."""
        await self.session.execute(SNAPSHOT)
        await self.session.execute(PLAIN_FORMATS)

    async def begin_import(self) -> None:
        """Set the formats of a snapshot in a writable transaction."""
        await self.session.execute(PLAIN_FORMATS)

    async def tables(self) -> list[Table]:
        """Return the exported tables in restore order."""
        tables = {name: Table(name, [], []) for name in EXPORTED_TABLES}
        for table, quoted, kind, in_key, name in await self.session.execute(
            SHAPES, {"tables": list(EXPORTED_TABLES)}
        ):
            tables[table].columns.append(Column(name, quoted, kind))
            if in_key:
                tables[table].key.append(quoted)
        return list(tables.values())

    async def lines(self, table: Table) -> AsyncGenerator[list[str]]:
        """Stream the table's rows as JSON in batches, with a server-side cursor."""
        columns = ", ".join(column.written for column in table.columns)
        query = (
            f"select cast(row_to_json(line) as text) from"  # noqa: S608 - names of the catalogue
            f" (select {columns} from {table.name} order by {', '.join(table.key)}) as line"
        )
        found = await self.session.stream_scalars(
            text(query), execution_options={"yield_per": ROWS_AT_ONCE}
        )
        async for part in found.partitions(ROWS_AT_ONCE):
            yield list(part)

    async def count(self, table: str) -> int:
        found = await self.session.scalar(text(f"select count(*) from {table}"))  # noqa: S608 - a constant
        return int(found or 0)
