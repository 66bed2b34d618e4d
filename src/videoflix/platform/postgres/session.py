"""Database sessions: one engine, and one transaction per request or job step.

Application code never commits. A request commits after its handler returns and before the
response is sent; a job commits at the end of each `transaction()` block.
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

# SQLSTATEs after which a retry of the transaction may succeed (PostgreSQL, appendix A).
SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
LOCK_NOT_AVAILABLE, QUERY_CANCELED = "55P03", "57014"
CONFLICTS = {SERIALIZATION_FAILURE, DEADLOCK_DETECTED, LOCK_NOT_AVAILABLE, QUERY_CANCELED}
# Connection exceptions, insufficient resources, operator intervention, system errors.
OUTAGES = ("08", "53", "57P", "58")
READ_ONLY_TRANSACTION = "25006"  # a standby after a failover
IDLE_TIMEOUT = "25P03"

PACKAGE = Path(__file__).parents[2]
# Migrations are in the package in an installed wheel, and beside src in a checkout.
MIGRATIONS = next(
    folder
    for folder in (PACKAGE / "migrations", PACKAGE.parents[1] / "migrations")
    if folder.is_dir()
)


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool with a counter of checkouts in this process."""

    checkouts = 0

    def connect(self) -> PoolProxiedConnection:
        Pool.checkouts += 1
        return super().connect()

    def _close_connection(self, connection: DBAPIConnection, *, terminate: bool = False) -> None:
        """Terminate without a graceful close, which would hang while the database is frozen."""
        driver: Any = getattr(connection, "driver_connection", None)
        if driver is not None:
            driver.terminate()
        super()._close_connection(connection, terminate=terminate)


# SQLAlchemy logs every replacement of an idle pool.
logging.getLogger(f"{__name__}.{Pool.__name__}").setLevel(logging.WARNING)

SESSION_SETTINGS = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    # Custom plans: a generic plan suits either common or rare search terms, and either
    # the first or the last page, but not both.
    "plan_cache_mode": "force_custom_plan",
    # For SSDs, and for queries that take milliseconds.
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
    """Base of all models: a bigint `id`, `created_at` and `updated_at`."""

    __abstract__ = True


# Enums are stored by value, as text with a check constraint: migrations can change them.
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
    """Return the start time of the session's transaction on the database's clock."""
    time: datetime = (await session.scalars(select(func.now()))).one()
    return time


@asynccontextmanager
async def transaction() -> AsyncGenerator[AsyncSession]:
    """Open a session that commits at the end of the block and rolls back on an exception.

    The connection is checked out by the first statement, not on entering the block.
    """
    async with alchemy.get_session() as session, session.begin():
        yield session


@asynccontextmanager
async def resilient_transaction() -> AsyncGenerator[AsyncSession]:
    """Open a transaction for expensive results, waiting while the database is unavailable.

    Only connecting is retried; a connection that breaks during the transaction raises.
    """
    async with alchemy.get_session() as session:
        await _connect_with_retry(session)
        yield session
        await session.commit()


async def _connect_with_retry(session: AsyncSession) -> None:
    level = logging.WARNING  # for the first failure
    while True:
        try:
            await session.connection()
        except (SQLAlchemyError, asyncpg.PostgresError, OSError) as error:
            logger.log(level, "database unavailable, retrying (%s)", error)
            level = logging.DEBUG
            await session.rollback()
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def pool_use() -> dict[str, int]:
    """Return the pool's connections in use and its limit."""
    pool = alchemy.get_engine().pool
    if not isinstance(pool, AsyncAdaptedQueuePool):
        return {}
    return {"used": pool.checkedout(), "limit": pool.size()}


def limit_pool(size: int) -> None:
    """Limit the pool to `size` connections; call before the first statement."""
    alchemy.engine_config.pool_size = min(size, settings.database_pool_size)


async def close_idle_connections() -> None:
    """Close the pool's connections after IDLE_SECONDS without use, until cancelled.

    For processes that are often idle. Concurrent statements do not wait: they get a new pool.
    """
    seen = 0
    while True:
        await asyncio.sleep(IDLE_SECONDS)
        engine = alchemy.get_engine()
        pool = engine.sync_engine.pool
        if not isinstance(pool, Pool) or pool.checkedout():
            continue
        if pool.checkedin() and seen == Pool.checkouts:
            await engine.dispose(close=False)  # replace the pool, then close the old connections
            await greenlet_spawn(pool.dispose)
        seen = Pool.checkouts


def database_unavailable(error: BaseException) -> bool:
    """Whether the database was unavailable or overloaded, so that a retry may succeed.

    Includes lock timeouts, deadlocks, serialization failures and statement timeouts.
    """
    cause: BaseException | None = error
    while cause is not None:  # repositories and the driver wrap each other's errors
        if isinstance(cause, OperationalError | PoolTimeoutError):
            return True
        if isinstance(cause, DBAPIError) and cause.connection_invalidated:
            return True
        if isinstance(cause, asyncpg.InterfaceError) and "clos" in str(cause):
            return True  # the connection is closed, or was closed during the statement
        if _is_retryable(str(getattr(cause, "sqlstate", None) or "")):
            return True
        cause = cause.__cause__
    return False


def _is_retryable(sqlstate: str) -> bool:
    known = CONFLICTS | {READ_ONLY_TRANSACTION, IDLE_TIMEOUT}
    return sqlstate in known or sqlstate.startswith(OUTAGES)


def one_line(error: BaseException) -> str:
    """Format an expected failure for the log, without the statement and its parameters."""
    cause = error
    while cause.__cause__ is not None and not isinstance(cause, DBAPIError):
        cause = cause.__cause__
    message = str(getattr(cause, "orig", None) or cause)
    lines = (message.partition(">: ")[2] or message).splitlines()
    return ": ".join([type(error).__name__, *lines[:1]])


def crash_info(error: BaseException) -> BaseException | None:
    """Return `exc_info` for the log: None for database outages and OSError."""
    return None if database_unavailable(error) or isinstance(error, OSError) else error


def violated(error: BaseException) -> str | None:
    """Return the name of the violated constraint, searching wrapped driver errors."""
    cause: BaseException | None = error
    while cause is not None:
        if name := getattr(cause, "constraint_name", None):
            return str(name)
        cause = cause.__cause__
    return None


def run_script(connection: Connection, sql: str) -> None:
    """Run a multi-statement script inside the connection's transaction (migrations).

    SQLAlchemy prepares statements, and a prepared statement holds one command, so the script is
    passed to the driver directly. `select 1` makes SQLAlchemy begin its transaction; without it
    the script would autocommit.
    """
    connection.execute(text("select 1"))
    adapter: Any = connection.connection.dbapi_connection
    adapter.run_async(lambda driver: driver.execute(sql))
