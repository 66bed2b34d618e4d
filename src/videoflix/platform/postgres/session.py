"""The database: one engine, and one transaction per request or per step of a job.

Application code never commits. A request commits when its handler returned, before the
response is sent; a job commits at the end of each `transaction()` block it opens.
"""

import asyncio
import enum
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import sqlalchemy
from advanced_alchemy.base import BigIntAuditBase
from advanced_alchemy.extensions.litestar import (
    AlembicAsyncConfig,
    AsyncSessionConfig,
    EngineConfig,
    SQLAlchemyAsyncConfig,
)
from sqlalchemy import AsyncAdaptedQueuePool, Connection, PoolProxiedConnection, func, select, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_scoped_session
from sqlalchemy.util.concurrency import greenlet_spawn

from videoflix.platform.postgres.engine import DIALECT, new_engine
from videoflix.settings import settings

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
IDLE_SECONDS = 2.0

# SQLSTATEs after which the same transaction may well succeed (PostgreSQL, appendix A).
SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
LOCK_NOT_AVAILABLE, QUERY_CANCELED = "55P03", "57014"
CONFLICTS = {SERIALIZATION_FAILURE, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, QUERY_CANCELED}
# Connection exceptions, insufficient resources, operator intervention, system errors.
OUTAGES = ("08", "53", "57P", "58")
READ_ONLY_TRANSACTION = "25006"  # a standby after a failover
IDLE_TIMEOUT = "25P03"

PACKAGE = Path(__file__).parents[2]
# Inside an installed wheel the migrations lie in the package, in a checkout beside src.
MIGRATIONS = next(
    folder
    for folder in (PACKAGE / "migrations", PACKAGE.parents[1] / "migrations")
    if folder.is_dir()
)


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, which counts how often this process took a connection."""

    checkouts = 0

    def connect(self) -> PoolProxiedConnection:
        Pool.checkouts += 1
        return super().connect()

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        """Close without a goodbye: a process must be able to stop while its database is frozen."""
        driver: Any = getattr(connection, "driver_connection", None)
        if driver is not None:
            driver.terminate()
        super()._close_connection(connection, terminate=terminate)


# A pool that was idle is replaced, and SQLAlchemy would tell of each.
logging.getLogger(f"{__name__}.{Pool.__name__}").setLevel(logging.WARNING)

SESSION_SETTINGS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    # Plans made for the values at hand: one plan for a common and a rare word, or for
    # the first and the last page, is a bad plan for one of them.
    "plan_cache_mode": "force_custom_plan",
    # For disks without heads, and for requests of milliseconds.
    "random_page_cost": "1.1",
    "jit": "off",
}

alchemy = SQLAlchemyAsyncConfig(
    connection_string=DIALECT,
    create_engine_callable=lambda _, **options: new_engine(session=SESSION_SETTINGS, **options),
    engine_config=EngineConfig(
        poolclass=Pool,
        pool_size=settings.database_pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_pre_ping=True,
    ),
    session_config=AsyncSessionConfig(expire_on_commit=False),
    alembic_config=AlembicAsyncConfig(
        script_location=str(MIGRATIONS), version_table_name="schema_version"
    ),
    session_dependency_key="unmanaged_session",
    set_default_exception_handler=False,
)


class Record(BigIntAuditBase):
    """Base of all tables: a bigint `id`, `created_at` and `updated_at`."""

    __abstract__ = True


# Enums are stored by value, as text with a check: readable in psql, changed by a migration.
Record.registry.update_type_annotation_map(
    {
        enum.Enum: sqlalchemy.Enum(
            enum.Enum,
            native_enum=False,
            create_constraint=True,
            length=32,
            values_callable=lambda members: [member.value for member in members],
        )
    }
)


async def transaction_time(session: AsyncSession | async_scoped_session[AsyncSession]) -> datetime:
    """When the session's transaction began, by the clock that all processes share."""
    time: datetime = (await session.scalars(select(func.now()))).one()
    return time


@asynccontextmanager
async def transaction() -> AsyncGenerator[AsyncSession]:
    """A session that commits when the block ends and rolls back when it raises.

    The connection is taken from the pool by the first statement, not by entering the block.
    """
    async with alchemy.get_session() as session, session.begin():
        yield session


@asynccontextmanager
async def resilient_transaction() -> AsyncGenerator[AsyncSession]:
    """A transaction for results that took long to make: it waits for a database that is away.

    Only its beginning is patient; a connection that breaks in the middle raises.
    """
    async with alchemy.get_session() as session:
        await _connect_with_retry(session)
        yield session
        await session.commit()


async def _connect_with_retry(session: AsyncSession) -> None:
    level = logging.WARNING  # the first time
    while True:
        try:
            await session.connection()
        except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
            logger.log(level, "a result waits for the database (%s)", error)
            level = logging.DEBUG
            await session.rollback()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def pool_use() -> dict[str, int]:
    """How many of this process's connections are in use, and how many it may have."""
    pool = alchemy.get_engine().pool
    if not isinstance(pool, AsyncAdaptedQueuePool):
        return {}
    return {"used": pool.checkedout(), "limit": pool.size()}


def limit_pool(size: int) -> None:
    """Give this process a pool of at most so many connections; before its first statement."""
    alchemy.engine_config.pool_size = min(size, settings.database_pool_size)


async def close_idle_connections() -> None:
    """Close the pool's connections whenever none was used for a while, until cancelled.

    For processes that often have nothing to do. Nobody waits: new statements get a new pool.
    """
    seen = 0
    while True:
        await asyncio.sleep(IDLE_SECONDS)
        engine = alchemy.get_engine()
        pool = engine.sync_engine.pool
        if not isinstance(pool, Pool) or pool.checkedout():
            continue
        if pool.checkedin() and seen == Pool.checkouts:
            await engine.dispose(close=False)  # first a new pool, then the old connections
            await greenlet_spawn(pool.dispose)
        seen = Pool.checkouts


def database_unavailable(error: BaseException) -> bool:
    """Whether the database was away, busy or overloaded: the same transaction may succeed later.

    Lock timeouts, deadlocks, serialization failures and statements that took too long count.
    """
    cause: BaseException | None = error
    while cause is not None:  # repositories and the driver wrap each other's errors
        if isinstance(cause, OperationalError | PoolTimeoutError):
            return True
        if isinstance(cause, DBAPIError) and cause.connection_invalidated:
            return True
        if isinstance(cause, asyncpg.InterfaceError) and "clos" in str(cause):
            return True  # the connection is closed, or was closed in the middle
        if _tells_of_outage(str(getattr(cause, "sqlstate", None) or "")):
            return True
        cause = cause.__cause__
    return False


def _tells_of_outage(sqlstate: str) -> bool:
    known = CONFLICTS | {READ_ONLY_TRANSACTION, IDLE_TIMEOUT}
    return sqlstate in known or sqlstate.startswith(OUTAGES)


def one_line(error: BaseException) -> str:
    """An expected failure for the log: what Postgres said, without the statement and its values."""
    cause = error
    while cause.__cause__ is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__
    said = str(getattr(cause, "orig", None) or cause)
    lines = (said.partition(">: ")[2] or said).splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def crash_info(error: BaseException) -> BaseException | None:
    """`exc_info` for the log: no traceback of what is expected of a database or a network."""
    return None if database_unavailable(error) or isinstance(error, OSError) else error


def violated(error: BaseException) -> str | None:
    """Name of the constraint a write ran into, however often the driver's error was wrapped."""
    cause: BaseException | None = error
    while cause is not None:
        if name := getattr(cause, "constraint_name", None):
            return str(name)
        cause = cause.__cause__
    return None


def run_script(connection: Connection, sql: str) -> None:
    """Run a script of many statements inside the connection's transaction (migrations).

    asyncpg prepares what SQLAlchemy sends it, and a prepared statement holds one command; so
    the script goes to the driver itself. The first line makes SQLAlchemy begin the
    transaction, which it only does for statements it sees: without it the script would commit
    on its own.
    """
    connection.execute(text("select 1"))
    adapter: Any = connection.connection.dbapi_connection
    adapter.run_async(lambda driver: driver.execute(sql))
