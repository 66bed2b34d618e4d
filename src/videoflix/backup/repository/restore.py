"""Restore the rows of an export."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.backup.repository.tables import EXPORTED_TABLES, Table
from videoflix.settings import settings

# Tables that are not exported but depend on the replaced rows, and are truncated too.
DEPENDENT_TABLES = (
    "sign_in",
    "refresh_token",
    "mail_token",
    "mail",
    "idempotent_answer",
    "search_word",
    "procrastinate_jobs",
)
# User triggers are disabled during a restore, except those that derive data that is not exported.
ENABLED_TRIGGERS = {"video_described": "video", "subtitle_cue_written": "subtitle_cue"}
NO_TRUNCATE = "security_event_no_truncate"
LOCK_TIMEOUT = "60s"

TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended('videoflix import', 0))")
SET_LOCK_TIMEOUT = text("select set_config('lock_timeout', :timeout, true)")
HAS_RUNNING_JOBS = text("""
select exists (
    select from procrastinate_jobs as job join procrastinate_workers as worker
      on worker.id = job.worker_id
    where job.status = 'doing'
      and worker.last_heartbeat > now() - make_interval(secs => :stall)
)
""")
UNIQUE_INDEXES = text("""
select cast(indexrelid as regclass)::text,
       array(select pg_get_indexdef(indexrelid, place, true)
             from generate_series(1, indnkeyatts) as place order by place),
       coalesce(pg_get_expr(indpred, indrelid), 'true')
from pg_index
where indisunique and not indisprimary and indrelid = cast(:table as regclass)
order by 1
""")
SET_SEQUENCE = """
select setval(sequence, greatest(max(id), pg_sequence_last_value(sequence)))
from {table}, (select cast(pg_get_serial_sequence('{table}', 'id') as regclass) as sequence) as own
where sequence is not null group by sequence having max(id) is not null
"""


class UniqueIndex(msgspec.Struct, frozen=True):
    """A unique index on the expressions `parts`, partial by `condition`."""

    name: str
    parts: list[str]
    condition: str


class Loader:
    """Writes rows in the session's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def try_lock_imports(self) -> bool:
        """Try to take the advisory lock on imports until the transaction ends."""
        return bool(await self.session.scalar(TRY_LOCK))

    async def has_running_jobs(self) -> bool:
        """Return whether a worker with a recent heartbeat runs a job."""
        stall = {"stall": settings.worker_stall_seconds}
        return bool(await self.session.scalar(HAS_RUNNING_JOBS, stall))

    async def lock_tables(self, *, exclusive: bool) -> None:
        """Lock the tables against writes, or with `exclusive` also against reads."""
        mode = "access exclusive" if exclusive else "share row exclusive"
        names = (*EXPORTED_TABLES, *(DEPENDENT_TABLES if exclusive else ()))
        await self.session.execute(SET_LOCK_TIMEOUT, {"timeout": LOCK_TIMEOUT})
        await self._run(f"lock table {', '.join(names)} in {mode} mode")

    async def clear(self) -> None:
        """Truncate all exported and dependent tables.

        This is the only exception to the rule that the audit log cannot be truncated: the archive's
        audit log replaces it in the same transaction.
        """
        await self._run(f"alter table security_event disable trigger {NO_TRUNCATE}")
        await self._run(f"truncate {', '.join((*EXPORTED_TABLES, *DEPENDENT_TABLES))} cascade")
        await self._run(f"alter table security_event enable trigger {NO_TRUNCATE}")

    async def disable_triggers(self) -> None:
        for name in EXPORTED_TABLES:
            await self._run(f"alter table {name} disable trigger user")
        for trigger, table in ENABLED_TRIGGERS.items():
            await self._run(f"alter table {table} enable trigger {trigger}")

    async def enable_triggers(self) -> None:
        for name in EXPORTED_TABLES:
            await self._run(f"alter table {name} enable trigger user")

    async def insert(self, table: Table, rows: str) -> int:
        """Insert the rows (a JSON array) whose key does not exist; return their number."""
        names = ", ".join(column.quoted for column in table.columns)
        inserted = await self._run(
            f"with {_given(table)} insert into {table.name} ({names})"  # noqa: S608 - names of the catalogue
            f" select {names} from given where {_is_new(table)} returning 1",
            rows,
        )
        return len(inserted)

    async def count_new(self, table: Table, rows: str) -> int:
        """Return the number of rows whose key does not exist."""
        [found] = await self._run(
            f"with {_given(table)} select count(*) from given where {_is_new(table)}",  # noqa: S608 - names of the catalogue
            rows,
        )
        return int(found[0])

    async def changed(self, table: Table, rows: str) -> list[str]:
        """Return the keys of existing rows that differ."""
        values = [column.quoted for column in table.columns]
        found = await self._run(
            f"with {_given(table)} select {_key(table, 'given')} from given"  # noqa: S608 - names of the catalogue
            f" join {table.name} as old using ({', '.join(table.key)})"
            f" where ({_of('given', values)}) is distinct from ({_of('old', values)})",
            rows,
        )
        return [row[0] for row in found]

    async def taken(self, table: Table, index: UniqueIndex, rows: str) -> list[tuple[str, str]]:
        """Return the keys of rows that violate a unique index, each with the conflicting key."""
        parts = ", ".join(f"{part} as part_{n}" for n, part in enumerate(index.parts))
        wanted = f"{', '.join(table.key)}, {parts}"
        same = " and ".join(f"new.part_{n} = old.part_{n}" for n in range(len(index.parts)))
        found = await self._run(
            f"with {_given(table)} select {_key(table, 'new')}, {_key(table, 'old')}"  # noqa: S608 - names of the catalogue
            f" from (select {wanted} from given where {index.condition}) as new"
            f" join (select {wanted} from {table.name} where {index.condition}) as old on {same}"
            f" where ({_of('new', table.key)}) is distinct from ({_of('old', table.key)})",
            rows,
        )
        return [(row[0], row[1]) for row in found]

    async def unique_indexes(self, table: Table) -> list[UniqueIndex]:
        found = await self.session.execute(UNIQUE_INDEXES, {"table": table.name})
        return [UniqueIndex(name, parts, condition) for name, parts, condition in found]

    async def set_sequences(self, tables: Sequence[Table]) -> None:
        """Advance the sequences beyond the restored IDs; they are never decreased."""
        for table in tables:
            if "id" in table.column_names:
                await self._run(SET_SEQUENCE.format(table=table.name))

    async def _run(self, statement: str, rows: str | None = None) -> list[tuple[str, ...]]:
        """Execute a statement with the only parameter `@rows`, as expressions may have colons."""
        bound = text(statement.replace(":", r"\:").replace("@rows", ":rows"))
        result: Any = await self.session.execute(bound, {} if rows is None else {"rows": rows})
        return [tuple(row) for row in result] if result.returns_rows else []


def _given(table: Table) -> str:
    """Return a common table expression that converts the JSON rows to the table's types."""
    fields = ", ".join(f"{c.quoted} {'text' if c.is_json else c.type}" for c in table.columns)
    typed = ", ".join(
        f"cast({c.quoted} as {c.type}) as {c.quoted}" if c.is_json else c.quoted
        for c in table.columns
    )
    return (
        f"given as (select {typed} from json_to_recordset(cast(@rows as json)) as come ({fields}))"  # noqa: S608 - names of the catalogue
    )


def _is_new(table: Table) -> str:
    same = " and ".join(f"old.{name} = given.{name}" for name in table.key)
    return f"not exists (select from {table.name} as old where {same})"


def _of(alias: str, names: Sequence[str]) -> str:
    return "row(" + ", ".join(f"{alias}.{name}" for name in names) + ")"


def _key(table: Table, alias: str) -> str:
    return f"concat_ws('/', {', '.join(f'{alias}.{name}' for name in table.key)})"
