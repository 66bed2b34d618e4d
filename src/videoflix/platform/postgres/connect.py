"""Connections of both drivers, with our session settings, and with a pooler in between.

A pooler that lends out a server connection for one transaction at a time (PgBouncer's
`pool_mode = transaction`) refuses startup parameters, and whatever belongs to a session is lost or
left to somebody else: prepared statements, SET, LISTEN, advisory locks. Then settings are made by
`set_config(…, true)` in each transaction, statements have no names, and LISTEN takes the address
DATABASE_LISTEN_URL (https://www.pgbouncer.org/features.html).
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
FOR_EVER_SECONDS = 3600  # connect_timeout=0
# psycopg's own: a connection whose other end is gone is noticed after half a minute.
LIVELY = {
    "connect_timeout": str(CONNECT_SECONDS),
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
}
REFUSED = "unsupported startup parameter"

Connection: TypeAlias = "asyncpg.Connection[Any]"

logger = logging.getLogger(__name__)


class CertificateRefused(ConnectionError):
    """The server's certificate, or ours, was not accepted."""


class Pooler:
    """Whether DATABASE_URL leads to a transaction pooler: said by DATABASE_POOLER, or noticed."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.transactional = mode == "transaction"

    def detect(self, error: BaseException) -> bool:
        """Whether a refused connection shows for the first time that there is a pooler."""
        if self.mode != "auto" or self.transactional or REFUSED not in str(error):
            return False
        self.transactional = True
        logger.warning(
            "DATABASE_URL leads to a connection pooler: prepared statements are off. Set"
            " DATABASE_POOLER=transaction, and DATABASE_LISTEN_URL to an address without it."
        )
        return True


pooler = Pooler(settings.database_pooler)
# An address that is wrong ends a program at its start, not at its first statement.
parameters(), parameters(direct=True)


def options_of(values: dict[str, str]) -> str:
    """Session settings as the startup parameter `options` carries them."""
    return " ".join(f"-c {name}={value}" for name, value in values.items())


async def connect(
    application: str = "videoflix",
    *,
    direct: bool = False,
    session: dict[str, str] | None = None,
    command_timeout: float | None = None,
) -> Connection:
    """A connection of asyncpg.

    `session`: settings for it, unless there is a pooler, which refuses them; what the address says
    in `options` wins. `direct`: past the pooler, by DATABASE_LISTEN_URL.
    Raises what asyncpg raises, OSError, and CertificateRefused.
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
            timeout=max(seconds, 2) if seconds > 0 else FOR_EVER_SECONDS,
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
    """Set what libpq sets on its socket and asyncpg does not."""
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
    """A connection of psycopg, made from our settings instead of its arguments."""

    @classmethod
    async def connect(cls, conninfo: str = "", **arguments: Any) -> "QueueConnection":
        """Connect by DATABASE_URL, with the settings in `session` unless a pooler refuses them."""
        session = arguments.pop("session", {})
        try:
            return await cls._open(parameters(), {} if pooler.transactional else session, arguments)
        except psycopg.OperationalError as error:
            if not pooler.detect(error):
                raise
        return await cls._open(parameters(), {}, arguments)

    @classmethod
    async def listen(cls, application: str) -> "QueueConnection":
        """A connection that notifications reach: by DATABASE_LISTEN_URL, past a pooler."""
        arguments = {"application": application, "autocommit": True}
        return await cls._open(parameters(direct=True), {}, arguments)

    @classmethod
    async def _open(
        cls, found: Parameters, session: dict[str, str], arguments: dict[str, Any]
    ) -> "QueueConnection":
        given = {
            "application_name": arguments["application"],
            **LIVELY,
            **found,
            "options": f"{options_of(session)} {found.get('options', '')}".strip(),
        }
        others = {name: value for name, value in arguments.items() if name != "application"}
        connection = await super().connect(conninfo_of(given), **others)
        if pooler.transactional:
            connection.prepare_threshold = None
        return connection
