"""Schema migrations: one linear history for the application's and the queue's tables."""

import asyncio
from pathlib import Path

from advanced_alchemy.alembic.commands import AlembicCommands
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.connect import connect
from videoflix.platform.postgres.session import MIGRATIONS, alchemy

# Arbitrary advisory lock key, which serializes concurrent migrations.
MIGRATION_LOCK = 7_310_001


def upgrade() -> None:
    """Upgrade the database schema, serialized across processes by an advisory lock."""
    asyncio.run(_upgrade_locked())


async def _upgrade_locked() -> None:
    connection = await connect("videoflix-migrate", direct=True)
    try:
        # A transaction-level lock, as a pooler does not preserve sessions.
        async with connection.transaction():
            await connection.execute("set local idle_in_transaction_session_timeout = 0")
            await connection.execute(f"select pg_advisory_xact_lock({MIGRATION_LOCK})")
            await asyncio.to_thread(AlembicCommands(sqlalchemy_config=alchemy).upgrade)
    finally:
        await connection.close()


def write_migration(name: str) -> Path:
    """Autogenerate a migration from the models; return its file, to be reviewed."""
    number = f"{int(newest_revision()) + 1:04}"
    AlembicCommands(sqlalchemy_config=alchemy).revision(
        message=name, autogenerate=True, rev_id=number
    )
    return next((MIGRATIONS / "versions").glob(f"{number}_*.py"))


def newest_revision() -> str:
    """Return the revision this code expects."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""


async def current_revision(session: AsyncSession) -> str | None:
    """Return the database's revision, or None if it was never migrated."""
    table = await session.scalar(text("select to_regclass('schema_version')::text"))
    if table is None:
        return None
    found: str | None = await session.scalar(text("select version_num from schema_version"))
    return found
