"""Rows for every table: whatever its columns may hold."""

import asyncio
import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import cycle
from typing import Any
from uuid import UUID

import asyncpg
from hypothesis import strategies as st
from sqlalchemy import Column, Table, null, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.backup.repository.restore import ENABLED_TRIGGERS
from videoflix.backup.repository.tables import EXPORTED_TABLES
from videoflix.media.models import AssetState, PackedSegments
from videoflix.platform.postgres.session import Record, transaction
from videoflix.settings import settings

ROWS = 3
# No null bytes and no halves of surrogate pairs: Postgres has no such texts.
letters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
ODD_TEXTS = [
    "", "\\N", "\n\r\t", "\\", '"', "\u2028", "e\u0301", "\u202eabc", "👩‍👩‍👧", "\ufeff",
    "\x7f\x01",
]  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(letters, max_size=20),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(letters), some, max_size=3),
    max_leaves=6,
)
moments = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
# What checks of the tables ask for, by the number of the row.
AWKWARD: dict[str, Callable[[int], Any]] = {
    "media_asset.state": lambda number: AssetState.READY,  # an import resumes unfinished ones
    "invoice.period": lambda number: date(1900 + 400 * number, number, 1),
    "membership.starts_at": lambda number: datetime(1000, 1, 1, tzinfo=UTC),
    "membership.ends_at": lambda number: datetime(2026, 3, number, 1, 2, 3, 4, tzinfo=UTC),
    "video.slug": lambda number: "",
    "profile.is_first": lambda number: False,
}

# There is one NaN in text, in Postgres' own dumps as well.
FLOATS = st.floats(allow_nan=False) | st.just(float("nan"))


class Values:
    """What hypothesis thought of, handed out in turn: it thinks of a few things of a kind."""

    def __init__(self, draw: Any) -> None:
        self._kinds: dict[Any, Iterator[Any]] = {
            kind: cycle([*fixed, *draw(st.lists(drawn, min_size=1, max_size=7))])
            for kind, fixed, drawn in (
                (str, ODD_TEXTS, st.text(letters, max_size=40)),
                (int, [1], st.integers(1, 32_000)),
                (float, [-0.0, 0.1, float("nan"), float("inf"), 5e-324], FLOATS),
                (bool, [True, False], st.booleans()),
                (datetime, [], moments),
                (date, [], st.dates()),
                (UUID, [], st.uuids()),
                (bytes, [b"", b"\x00\xff"], st.binary(max_size=40)),
                (JSONB, [None, {}, "null", {"é": [None, 1e300]}], json_values),
                ("presence", [True, False], st.booleans()),
            )
        }

    def next(self, kind: Any) -> Any:
        return next(self._kinds[kind])


def fill(draw: Any) -> None:
    """Some rows in every exported table, made of what hypothesis draws."""
    asyncio.run(_fill(Values(draw)))


async def _fill(values: Values) -> None:
    async with transaction() as session:
        for name in EXPORTED_TABLES:
            await session.execute(text(f"alter table {name} disable trigger user"))
        for trigger, table in ENABLED_TRIGGERS.items():
            await session.execute(text(f"alter table {table} enable trigger {trigger}"))
        ids: dict[str, list[Any]] = {}
        for name in EXPORTED_TABLES:
            await _fill_table(session, Record.metadata.tables[name], ids, values)
        for name in EXPORTED_TABLES:
            await session.execute(text(f"alter table {name} enable trigger user"))


async def _fill_table(
    session: AsyncSession, table: Table, ids: dict[str, list[Any]], values: Values
) -> None:
    for number in range(1, ROWS + 1):
        row = {
            column.name: _value(column, number, ids, values)
            for column in table.columns
            if column.computed is None and str(column.type) != "TSVECTOR"
        }
        await session.execute(table.insert().values(row))
        for column_name, value in row.items():  # keys may refer to any unique column
            ids.setdefault(f"{table.name}.{column_name}", []).append(value)


def _value(column: Column[Any], number: int, ids: dict[str, list[Any]], values: Values) -> Any:
    name = f"{column.table.name}.{column.name}"
    if name in AWKWARD:
        return AWKWARD[name](number)
    if column.foreign_keys:
        [key] = column.foreign_keys
        return ids[key.target_fullname][number - 1]  # each its own: many may have one child only
    if column.primary_key:
        kind = column.type.python_type
        return {date: date(2020, 1, number), UUID: UUID(int=number)}.get(kind, number * 7)
    if column.nullable and not values.next("presence"):
        return null()
    return _some(column.type, number, values)


def _some(kind: Any, number: int, values: Values) -> Any:
    if isinstance(kind, JSONB):
        return values.next(JSONB)
    if isinstance(kind, PackedSegments):
        return [(values.next(int), values.next(int), values.next(int)) for _ in range(number - 1)]
    if isinstance(kind, ARRAY):
        item = kind.item_type.python_type
        found = [values.next(item) for _ in range(number - 1)]
        return [one[:10] for one in found] if item is str else found
    if getattr(kind, "enum_class", None):
        return list(kind.enum_class)[number % len(kind.enum_class)]
    if kind.python_type is str:  # numbered, because many texts are unique
        return f"{number}{values.next(str)}"[: min(kind.length or 60, 60)]
    return values.next(kind.python_type)


def everything() -> dict[str, str]:
    """A fingerprint of each table's rows, in Postgres' own binary form."""
    return asyncio.run(_everything())


async def _everything() -> dict[str, str]:
    connection = await asyncpg.connect(settings.database_dsn)
    try:
        found = {}
        for name in (*EXPORTED_TABLES, "search_word"):
            digest = hashlib.sha256()
            key = ", ".join(c.name for c in Record.metadata.tables[name].primary_key)
            collation = ' collate "C"' if name == "search_word" else ""
            query = f"select * from {name} order by {key}{collation}"
            await connection.copy_from_query(query, output=_into(digest), format="binary")
            found[name] = digest.hexdigest()
        return found
    finally:
        await connection.close()


def _into(digest: Any) -> Any:
    async def write(data: bytes) -> None:
        digest.update(data)

    return write


async def empty_audit() -> None:
    """What only an import may do."""
    async with transaction() as session:
        await session.execute(text("alter table security_event disable trigger user"))
        await session.execute(text("truncate security_event"))
        await session.execute(text("alter table security_event enable trigger user"))


def wipe() -> None:
    """As if the database had just been migrated."""

    async def work() -> None:
        async with transaction() as session:
            names = ", ".join((*EXPORTED_TABLES, "search_word"))
            await session.execute(text("alter table security_event disable trigger user"))
            await session.execute(text(f"truncate {names} cascade"))
            await session.execute(text("alter table security_event enable trigger user"))

    asyncio.run(work())
