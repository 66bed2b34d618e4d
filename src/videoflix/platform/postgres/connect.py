"""Connections of both drivers with our session settings, directly or through a pooler.

A transaction pooler (PgBouncer's `pool_mode = transaction`) refuses startup parameters and does not
preserve session state: prepared statements, SET, LISTEN and advisory locks. Behind one, settings
are applied with `set_config(…, true)` in each transaction, prepared statements are unnamed, and
LISTEN uses DATABASE_LISTEN_URL (https://www.pgbouncer.org/features.html).
"""

import logging
import socket
import ssl
from typing import Any, TypeAlias

import asyncpg
import psycopg

from videoflix.platform.postgres.parameters import (
    Parameters,
    conninfo_of,
    driver_arguments,
    parameters,
)
from videoflix.settings import settings

CONNECT_SECONDS = 5
NO_TIMEOUT_SECONDS = 3600  # connect_timeout=0
# libpq keepalives: a dead peer is detected after 30 seconds.
KEEPALIVES = {
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
POOLER_ERROR = "unsupported startup parameter"

Connection: TypeAlias = "asyncpg.Connection[Any]"

logger = logging.getLogger(__name__)


class CertificateRefused(ConnectionError):
    """The server's certificate or the client certificate was rejected."""


class Pooler:
    """Whether DATABASE_URL leads to a transaction pooler, configured or auto-detected."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.transactional = mode == "transaction"

    def detect(self, error: BaseException) -> bool:
        """Return whether a failed connection reveals a pooler for the first time."""
        if self.mode != "auto" or self.transactional or POOLER_ERROR not in str(error):
            return False
        self.transactional = True
        logger.warning(
            "DATABASE_URL leads to a connection pooler: prepared statements are off. Set"
            " DATABASE_POOLER=transaction, and DATABASE_LISTEN_URL to an address without it."
        )
        return True


pooler = Pooler(settings.database_pooler)
# Validate the URLs at import, so that a wrong one fails at start.
parameters(), parameters(direct=True)


def options_of(values: dict[str, str]) -> str:
    """Format session settings as the startup parameter `options`."""
    return " ".join(f"-c {name}={value}" for name, value in values.items())


async def connect(
    application: str = "videoflix",
    *,
    direct: bool = False,
    session: dict[str, str] | None = None,
    command_timeout: float | None = None,
) -> Connection:
    """Open an asyncpg connection.

    `session` holds session settings, ignored behind a pooler; `options` in the URL takes
    precedence. `direct` bypasses the pooler by DATABASE_LISTEN_URL. `command_timeout` is in
    seconds. Raises asyncpg's errors, OSError and CertificateRefused.
    """
    found = parameters(direct=direct)
    given = {"application_name": found.get("application_name", application)}
    ours = "" if pooler.transactional or not session else options_of(session)
    if options := f"{ours} {found.get('options', '')}".strip():
        given["options"] = options
    seconds = int(found.get("connect_timeout", CONNECT_SECONDS))
    try:
        connection: Connection = await asyncpg.connect(
            **driver_arguments(found),
            timeout=max(seconds, 2) if seconds > 0 else NO_TIMEOUT_SECONDS,
            command_timeout=command_timeout,
            statement_cache_size=0 if pooler.transactional or direct else 100,
            server_settings=given,
        )
    except ssl.SSLError as error:
        raise CertificateRefused(
            f"TLS with Postgres failed: {error.reason or error}."
            " See sslmode, sslrootcert, sslcert and sslkey in DATABASE_URL."
        ) from error
    _keep_alive(connection, found)
    return connection


def _keep_alive(connection: Connection, found: Parameters) -> None:
    """Set the TCP keepalive options that libpq sets and asyncpg does not."""
    options = {
        "keepalives_idle": socket.TCP_KEEPIDLE,
        "keepalives_interval": socket.TCP_KEEPINTVL,
        "keepalives_count": socket.TCP_KEEPCNT,
        "tcp_user_timeout": socket.TCP_USER_TIMEOUT,
    }
    transport: Any = getattr(connection, "_transport")  # noqa: B009 - private: asyncpg offers no other way
    found_socket = transport.get_extra_info("socket")
    if found_socket is None or found_socket.family == socket.AF_UNIX:
        return
    alive = int(found.get("keepalives", "1")) != 0
    found_socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(alive))
    for name, option in options.items():
        value = int(found.get(name, "0"))
        if value > 0 and (alive or name == "tcp_user_timeout"):
            found_socket.setsockopt(socket.IPPROTO_TCP, option, value)


class QueueConnection(psycopg.AsyncConnection[Any]):
    """A psycopg connection that takes its parameters from the settings."""

    @classmethod
    async def connect(cls, conninfo: str = "", **arguments: Any) -> "QueueConnection":
        """Connect by DATABASE_URL, with the settings in `session` unless behind a pooler."""
        session = arguments.pop("session", {})
        try:
            return await cls._open(parameters(), {} if pooler.transactional else session, arguments)
        except psycopg.OperationalError as error:
            if not pooler.detect(error):
                raise
        return await cls._open(parameters(), {}, arguments)

    @classmethod
    async def listen(cls, application: str) -> "QueueConnection":
        """Open a connection for LISTEN by DATABASE_LISTEN_URL, bypassing the pooler."""
        arguments = {"application": application, "autocommit": True}
        return await cls._open(parameters(direct=True), {}, arguments)

    @classmethod
    async def _open(
        cls, found: Parameters, session: dict[str, str], arguments: dict[str, Any]
    ) -> "QueueConnection":
        given = {
            "application_name": arguments["application"],
            **KEEPALIVES,
            **found,
            "options": f"{options_of(session)} {found.get('options', '')}".strip(),
        }
        others = {name: value for name, value in arguments.items() if name != "application"}
        connection = await super().connect(conninfo_of(given), **others)
        if pooler.transactional:
            connection.prepare_threshold = None
        return connection
