"""Tracks whether the database is available, and logs each change once."""

import logging
import time

import psycopg
from procrastinate import PsycopgConnector
from psycopg.errors import UndefinedFunction, UndefinedTable
from psycopg_pool import AsyncConnectionPool, PoolTimeout

# Messages of servers and resolvers that need an operator; other failures may be temporary.
CAUSES = ("authentication failed", "does not exist", "resolve", "pg_hba.conf", "migrated")

logger = logging.getLogger(__name__)


class LastPoolError(logging.Filter):
    """Keep the pool's last connection error and suppress its log line every second."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        if "error connecting" in str(record.msg):
            self.text = str(record.args[-1]) if isinstance(record.args, tuple) else ""
            return False
        return "reconnection attempt" not in str(record.msg)


last_pool_error = LastPoolError()
logging.getLogger("psycopg.pool").addFilter(last_pool_error)


class Outage:
    """Availability of the database as seen by this process."""

    def __init__(self) -> None:
        self._last_failure = time.monotonic()  # nothing is known at start
        self._cause: str | None = None

    def record_failure(self, error: Exception) -> None:
        """Record a connection failure; each new cause is logged once."""
        reason = reason_of(error)
        cause = next((text for text in CAUSES if text in reason), "unreachable")
        if cause != self._cause:
            logger.warning("waiting for the database: %s", reason)
        self._cause, self._last_failure = cause, time.monotonic()

    def record_success(self) -> None:
        if self._cause:
            logger.warning("the database is available again")
        self._cause = None

    def stable_for(self, seconds: float) -> bool:
        """Return whether no statement failed during the last `seconds`."""
        return time.monotonic() - self._last_failure > seconds


def reason_of(error: Exception) -> str:
    """Describe a database failure in one line."""
    if isinstance(error, UndefinedFunction | UndefinedTable):
        return "it has not been migrated to this release; run `videoflix migrate`"
    message = last_pool_error.text if isinstance(error, PoolTimeout) else ""
    return " ".join((message or str(error) or type(error).__name__).split())


async def connection_error(connector: PsycopgConnector) -> psycopg.OperationalError | None:
    """Try to connect; return the server's error, or None on success."""
    options = connector._pool_args  # a direct connection reports more than the pool
    try:
        kind = options.get("connection_class", psycopg.AsyncConnection)
        async with await kind.connect(options.get("conninfo", ""), **options["kwargs"]):
            return None
    except psycopg.OperationalError as error:
        return error


class ResilientConnector(PsycopgConnector):
    """procrastinate's connector, opening its pool without waiting for the database."""

    async def open_async(self, pool: AsyncConnectionPool | None = None) -> None:
        if pool is None and self._async_pool is None:
            pool = self._pool_factory(**self._pool_args, open=False)
            await pool.open(wait=False)
            self._async_pool = pool
            return
        await super().open_async(pool)

    def limit_connections(self, connections: int) -> None:
        """Limit the pool to `connections`, excluding the LISTEN connection."""
        self._pool_args["max_size"] = connections
