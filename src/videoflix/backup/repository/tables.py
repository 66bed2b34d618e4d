"""What of the database belongs to an export, and reading it so that every bit can be put back."""

from collections.abc import AsyncGenerator

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

# Those that others refer to come first.
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
    "subtitle",
    "subtitle_cue",
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
# Every other table, and why it stays where it is.
EXCLUDED_TABLES = {
    "sign_in": "people sign in again where the export is imported",
    "refresh_token": "a secret of a sign-in",
    "mail_token": "a mailed secret of some hours",
    "mail": "letters hold mailed secrets",
    "idempotent_answer": "answers of the last day",
    "movie_answer": "a memory of what an outside provider said",
    "throttle": "counts of the last minutes",
    "search_word": "made again from titles, people and tags",
    "export": "the files it names stay",
    "cron_run": "what this installation has run",
    "job_incident": "what happened to this installation's jobs",
    "worker_breaker": "of the workers that run now",
    "schema_version": "in the manifest",
    "installation": "which storage this database belongs to",
    "procrastinate_jobs": "what unfinished films still need is queued again",
    "procrastinate_events": "of the queue",
    "procrastinate_periodic_defers": "of the queue",
    "procrastinate_workers": "of the queue",
}
ROWS_AT_ONCE = 200
JSON_TYPES = {"json", "jsonb"}

# Columns Postgres computes are left out, and so are the words of searches, which triggers write.
SHAPES = text("""
select known.name, quote_ident(attname), format_type(atttypid, atttypmod),
       array_position(cast(indkey as smallint[]), attnum) is not null, attname
from unnest(cast(:tables as text[])) with ordinality as known (name, number)
join pg_attribute on attrelid = to_regclass(quote_ident(known.name)) and attnum > 0
     and not attisdropped and attgenerated = '' and atttypid <> 'tsvector'::regtype
join pg_index on indrelid = attrelid and indisprimary
order by known.number, array_position(cast(indkey as smallint[]), attnum) nulls last, attname
""")
# All tables as they were in one moment, whatever is written meanwhile and however long it takes.
SNAPSHOT = text("set transaction isolation level repeatable read, read only")
# The same times and numbers read the same everywhere.
PLAIN_FORMATS = text("""
select set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true),
       set_config('intervalstyle', 'postgres', true), set_config('bytea_output', 'hex', true),
       set_config('extra_float_digits', '1', true), set_config('statement_timeout', '0', true),
       set_config('idle_in_transaction_session_timeout', '0', true)
""")


class Column(msgspec.Struct, frozen=True):
    """A column of an exported table; `quoted` is its name in SQL."""

    name: str
    quoted: str
    type: str

    @property
    def is_json(self) -> bool:
        return self.type in JSON_TYPES

    @property
    def written(self) -> str:
        """How it is read. JSON becomes a text: a JSON null is something else than no value."""
        return f"cast({self.quoted} as text) as {self.quoted}" if self.is_json else self.quoted


class Table(msgspec.Struct):
    """An exported table; its `key` orders the rows."""

    name: str
    columns: list[Column]
    key: list[str]

    @property
    def column_names(self) -> frozenset[str]:
        return frozenset(column.name for column in self.columns)


class TableRepository:
    """The exported tables, whatever domain they belong to."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def begin_snapshot(self) -> None:
        """From here on every read sees the same moment; the transaction's first statement."""
        await self.session.execute(SNAPSHOT)
        await self.session.execute(PLAIN_FORMATS)

    async def begin_import(self) -> None:
        """Like a snapshot in its formats, but it may write."""
        await self.session.execute(PLAIN_FORMATS)

    async def tables(self) -> list[Table]:
        """What an export holds, in an order in which it can be put back."""
        tables = {name: Table(name, [], []) for name in EXPORTED_TABLES}
        for table, quoted, kind, in_key, name in await self.session.execute(
            SHAPES, {"tables": list(EXPORTED_TABLES)}
        ):
            tables[table].columns.append(Column(name, quoted, kind))
            if in_key:
                tables[table].key.append(quoted)
        return list(tables.values())

    async def lines(self, table: Table) -> AsyncGenerator[list[str]]:
        """The table's rows as JSON, some at a time, by a cursor of the server."""
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
