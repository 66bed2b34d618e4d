"""Knows whether the database answers, and says so once at each change."""

import logging
import time

import psycopg
from procrastinate import PsycopgConnector
from psycopg.errors import UndefinedFunction, UndefinedTable
from psycopg_pool import AsyncConnectionPool, PoolTimeout

# What servers and resolvers say that a person has to put right; everything else may pass.
CAUSES = ("authentication failed", "does not exist", "resolve", "pg_hba.conf", "migrated")

logger = logging.getLogger(__name__)


class LastPoolError(logging.Filter):
    """Keeps what the pool logs at every failed connection, instead of a line each second."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        if "error connecting" in str(record.msg):
            self.text = str(record.args[-1]) if isinstance(record.args, tuple) else ""
            return False
        return "reconnection attempt" not in str(record.msg)


last_pool_error = LastPoolError()
logging.getLogger("psycopg.pool").addFilter(last_pool_error)


class Outage:
    """Whether the database answers, as far as this process has seen."""

    def __init__(self) -> None:
        self._last_failure = time.monotonic()  # who has just started has seen nothing yet
        self._cause: str | None = None

    def record_failure(self, error: Exception) -> None:
        """A statement failed because of the connection; each new cause is logged once."""
        reason = reason_of(error)
        cause = next((words for words in CAUSES if words in reason), "unreachable")
        if cause != self._cause:
            logger.warning("waiting for the database: %s", reason)
        self._cause, self._last_failure = cause, time.monotonic()

    def record_success(self) -> None:
        if self._cause:
            logger.warning("the database answers again")
        self._cause = None

    def stable_for(self, seconds: float) -> bool:
        """Whether nothing failed in the last so many seconds."""
        return time.monotonic() - self._last_failure > seconds


def reason_of(error: Exception) -> str:
    """What is wrong with the database, in one line."""
    if isinstance(error, UndefinedFunction | UndefinedTable):
        return "it has not been migrated to this release; run `videoflix migrate`"
    said = last_pool_error.text if isinstance(error, PoolTimeout) else ""
    return " ".join((said or str(error) or type(error).__name__).split())


async def connection_error(connector: PsycopgConnector) -> psycopg.OperationalError | None:
    """Why no connection can be made, in the server's words; None when one can."""
    options = connector._pool_args  # the pool says less about failures
    try:
        kind = options.get("connection_class", psycopg.AsyncConnection)
        async with await kind.connect(options.get("conninfo", ""), **options["kwargs"]):
            return None
    except psycopg.OperationalError as error:
        return error


class ResilientConnector(PsycopgConnector):
    """procrastinate's connector, which opens without waiting for the database."""

    async def open_async(self, pool: AsyncConnectionPool | None = None) -> None:
        if pool is None and self._async_pool is None:
            pool = self._pool_factory(**self._pool_args, open=False)
            await pool.open(wait=False)
            self._async_pool = pool
            return
        await super().open_async(pool)

    def limit_connections(self, connections: int) -> None:
        """Open at most so many connections, besides the one that listens."""
        self._pool_args["max_size"] = connections
