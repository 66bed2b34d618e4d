"""The history of the schema: ours and the queue's, in one line of numbered migrations."""

import asyncio
from pathlib import Path

from advanced_alchemy.alembic.commands import AlembicCommands
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.connect import connect
from videoflix.platform.postgres.session import MIGRATIONS, alchemy

# Any number; processes that start together on an empty database take turns by it.
MIGRATION_LOCK = 7_310_001


def upgrade() -> None:
    """Upgrade the database schema; processes that start together take turns."""
    asyncio.run(_wait_for_turn())


async def _wait_for_turn() -> None:
    connection = await connect("videoflix-migrate", direct=True)
    try:
        # The transaction's lock, not the session's: a pooler may share out sessions.
        async with connection.transaction():
            await connection.execute("set local idle_in_transaction_session_timeout = 0")
            await connection.execute(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
            await asyncio.to_thread(AlembicCommands(sqlalchemy_config=alchemy).upgrade)
    finally:
        await connection.close()


def write_migration(name: str) -> Path:
    """Compare the models with the running database; the new file, to be tidied by hand."""
    number = f"{int(newest_revision()) + 1:04}"
    AlembicCommands(sqlalchemy_config=alchemy).revision(
        message=name, autogenerate=True, rev_id=number
    )
    return next((MIGRATIONS / "versions").glob(f"{number}_*.py"))


def newest_revision() -> str:
    """The revision this code expects."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


async def current_revision(session: AsyncSession) -> str | None:
    """The revision the database is at, or None when it was never migrated."""
    table = await session.scalar(text("select to_regclass('schema_version')::text"))
    if table is None:
        return None
    found: str | None = await session.scalar(text("select version_num from schema_version"))
    return found
