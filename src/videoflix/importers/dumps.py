"""Readers of an older backend's data: `dumpdata` JSON, a SQLite file, a Postgres database.

All give the same tables: named by the model (without its application), with the columns that
Django's models have (`user`, not `user_id`), and with the primary key as `id`.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Protocol

import asyncpg
import msgspec

from videoflix.platform.problems import BadRequest

ROWS_AT_ONCE = 500
JSON_MAX_BYTES = 1024 * 1024 * 1024
SQLITE = b"SQLite format 3\x00"
DATABASE_URLS = ("postgres://", "postgresql://")
CONNECT_SECONDS = 10.0

# Columns of foreign keys; a `movie_id` is none, but the ID of a movie at a provider.
FOREIGN_KEYS = {
    f"{name}_id": name
    for name in ("user", "uploaded_by", "video", "category", "watchlist", "invoice")
}

PUBLIC_TABLES = """
select relname::text, array_agg(attname::text order by attnum)
from pg_class join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped
where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace
group by relname order by relname
"""

Row = dict[str, Any]


class InvalidDump(BadRequest):
    """This is not the data of an older backend."""

    slug: ClassVar[str] = "dump-refused"


class OldTable(msgspec.Struct, frozen=True):
    """A table: its name in the source, the model's name in lower case, and its columns."""

    source: str
    model: str
    columns: frozenset[str]
    count: int


class Dump(Protocol):
    """An older backend's data; `rows` yields batches, in the order of the source."""

    async def tables(self) -> list[OldTable]: ...

    def rows(self, table: OldTable) -> AsyncGenerator[list[Row]]: ...


class _Entry(msgspec.Struct):
    model: str
    fields: dict[str, Any]
    pk: int | str | None = None


class JsonDump:
    """The file that Django's `dumpdata` writes, read into memory."""

    def __init__(self, data: bytes) -> None:
        try:
            entries = msgspec.json.decode(data, type=list[_Entry])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidDump(f"The file is not JSON of Django's dumpdata: {error}.") from error
        self._rows: dict[str, list[Row]] = {}
        for number, entry in enumerate(entries, 1):
            if entry.pk is None:
                raise InvalidDump(
                    f"Entry {number} has no primary key: use dumpdata without --natural-primary."
                )
            self._rows.setdefault(entry.model, []).append({**entry.fields, "id": entry.pk})

    async def tables(self) -> list[OldTable]:
        return [
            OldTable(model, model.rpartition(".")[2].lower(), _columns(*rows), len(rows))
            for model, rows in self._rows.items()
        ]

    async def rows(self, table: OldTable) -> AsyncGenerator[list[Row]]:
        rows = self._rows[table.source]
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            yield [_renamed(row) for row in rows[begin : begin + ROWS_AT_ONCE]]


class SqliteDump:
    """A SQLite database, opened for reading only."""

    def __init__(self, path: Path) -> None:
        self._url = f"{path.resolve().as_uri()}?mode=ro"

    async def tables(self) -> list[OldTable]:
        return await asyncio.to_thread(self._tables)

    async def rows(self, table: OldTable) -> AsyncGenerator[list[Row]]:
        with closing(self._connect()) as database:
            query = f"select * from {_quoted(table.source)} order by 1"  # noqa: S608 - quoted
            found = await asyncio.to_thread(database.execute, query)
            names = [column[0] for column in found.description]
            while batch := await asyncio.to_thread(found.fetchmany, ROWS_AT_ONCE):
                yield [_renamed(zip(names, row, strict=True)) for row in batch]

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self._url, uri=True, check_same_thread=False)

    def _tables(self) -> list[OldTable]:
        try:
            with closing(self._connect()) as database:
                names = database.execute(
                    "select name from sqlite_master where type = 'table'"
                    " and name not like 'sqlite_%' order by name"
                ).fetchall()
                return [self._table(database, name) for (name,) in names]
        except sqlite3.DatabaseError as error:
            raise InvalidDump(f"The SQLite file is damaged: {error}.") from error

    @staticmethod
    def _table(database: sqlite3.Connection, name: str) -> OldTable:
        quoted = _quoted(name)
        columns = database.execute(f"select * from {quoted} limit 0").description  # noqa: S608 - quoted
        (count,) = database.execute(f"select count(*) from {quoted}").fetchone()  # noqa: S608 - quoted
        return OldTable(name, _model(name), _columns([column[0] for column in columns]), count)


class PostgresDump:
    """A Postgres database, read in one snapshot per table."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def tables(self) -> list[OldTable]:
        connection = await self._connect()
        try:
            found = []
            for name, columns in await connection.fetch(PUBLIC_TABLES):
                query = f"select count(*) from public.{_quoted(name)}"  # noqa: S608 - quoted
                count = await connection.fetchval(query)
                found.append(OldTable(name, _model(name), _columns(columns), count))
            return found
        finally:
            await connection.close()

    async def rows(self, table: OldTable) -> AsyncGenerator[list[Row]]:
        connection = await self._connect()
        query = f"select * from public.{_quoted(table.source)} order by 1"  # noqa: S608 - quoted
        try:
            async with connection.transaction(readonly=True):
                found = await connection.cursor(query)
                while batch := await found.fetch(ROWS_AT_ONCE):
                    yield [_renamed(dict(row)) for row in batch]
        finally:
            await connection.close()

    async def _connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        try:
            return await asyncpg.connect(self._url, timeout=CONNECT_SECONDS)
        except (OSError, TimeoutError, ValueError, asyncpg.PostgresError) as error:
            raise InvalidDump(f"The database to import from is not available: {error}.") from error


async def open_dump(source: str) -> Dump:
    """Open a dump by its path or database URL. Raises InvalidDump."""
    if source.startswith(DATABASE_URLS):
        return PostgresDump(source)
    path = Path(source)
    try:
        return await asyncio.to_thread(_open_file, path)
    except OSError as error:
        raise InvalidDump(f"{path} cannot be read: {error.strerror}.") from error


def _open_file(path: Path) -> Dump:
    with path.open("rb") as file:
        if file.read(len(SQLITE)) == SQLITE:
            return SqliteDump(path)
        if path.stat().st_size > JSON_MAX_BYTES:
            raise InvalidDump(
                "The JSON file is larger than 1 GiB: import the database itself, by its URL."
            )
        file.seek(0)
        data = file.read()
    if data.startswith((b"PGDMP", b"--\n-- PostgreSQL database dump")):
        raise InvalidDump(
            "This is a file of pg_dump: restore it into a database, and import that by its URL."
        )
    return JsonDump(data)


def _model(table: str) -> str:
    """The model of a table: Django names tables APPLICATION_MODEL, and models have no `_`."""
    return table.rpartition("_")[2].lower()


def _columns(*rows: Iterable[str]) -> frozenset[str]:
    return frozenset(FOREIGN_KEYS.get(name, name) for row in rows for name in row)


def _renamed(row: Row | Iterable[tuple[str, Any]]) -> Row:
    return {FOREIGN_KEYS.get(name, name): value for name, value in dict(row).items()}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
