"""Segments of a part as packed records, and files that were replaced but still play."""

import struct
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 1_000
RECORD = struct.Struct("<IIQ")  # ticks, length, offset
STATES = "'uploaded', 'encoding', 'stalled', 'ready', 'failed'"
PART = sa.table(
    "media_part",
    sa.column("id", sa.BigInteger()),
    sa.column("listed", postgresql.JSONB()),
    sa.column("packed", sa.LargeBinary()),
)


def upgrade() -> None:
    op.alter_column("media_part", "segments", new_column_name="listed")
    op.add_column("media_part", sa.Column("packed", sa.LargeBinary(), nullable=True))
    fill(PART.c.packed, PART.c.listed, pack)
    op.drop_column("media_part", "listed")
    op.alter_column("media_part", "packed", new_column_name="segments", nullable=False)
    # Compressing short records would only cost time at each read.
    op.execute("alter table media_part alter column segments set storage external")
    allow(f"{STATES}, 'retired'")


def downgrade() -> None:
    op.execute("delete from media_asset where state = 'retired'")
    allow(STATES)
    op.alter_column("media_part", "segments", new_column_name="packed")
    op.add_column("media_part", sa.Column("listed", postgresql.JSONB(), nullable=True))
    fill(PART.c.listed, PART.c.packed, unpack)
    op.drop_column("media_part", "packed")
    op.alter_column("media_part", "listed", new_column_name="segments", nullable=False)


def allow(states: str) -> None:
    name = "ck_media_asset_assetstate"
    op.execute(f"alter table media_asset drop constraint {name}")
    op.execute(f"alter table media_asset add constraint {name} check (state in ({states}))")


def fill(new: Any, old: Any, change: Callable[[Any], Any]) -> None:
    """Fill a column from another one, some rows at a time."""
    connection, last = op.get_bind(), 0
    some = sa.select(PART.c.id, old).where(PART.c.id > sa.bindparam("last"))
    some = some.order_by(PART.c.id).limit(ROWS_AT_ONCE)
    write = sa.update(PART).where(PART.c.id == sa.bindparam("part"))
    write = write.values({new.name: sa.bindparam("value", type_=new.type)})
    while rows := connection.execute(some, {"last": last}).all():
        connection.execute(write, [{"part": row[0], "value": change(row[1])} for row in rows])
        last = rows[-1][0]


def pack(listed: list[list[int]]) -> bytes:
    return b"".join(RECORD.pack(ticks, length, offset) for ticks, offset, length in listed)


def unpack(packed: bytes) -> list[list[int]]:
    return [[ticks, offset, length] for ticks, length, offset in RECORD.iter_unpack(packed)]
