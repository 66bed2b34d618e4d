"""Table of the records that came from older backends."""

from sqlalchemy import BigInteger, Column, String, Table

from videoflix.platform.postgres.session import Record

# Where each record went, so that an import can be interrupted and repeated. No foreign keys: what
# was deleted here is not imported again.
imported_record = Table(
    "imported_record",
    Record.metadata,
    Column("site", String(20), primary_key=True),
    Column("kind", String(20), primary_key=True),
    Column("old_id", BigInteger, primary_key=True),
    Column("new_id", BigInteger, nullable=False),
)
