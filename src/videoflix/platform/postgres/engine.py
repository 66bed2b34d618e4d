"""SQLAlchemy engines on our own connections, also behind a transaction pooler."""

from typing import Any

from sqlalchemy import Connection, event, func, select
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from videoflix.platform.postgres.connect import Connection as DriverConnection
from videoflix.platform.postgres.connect import connect, pooler

DIALECT = "postgresql+asyncpg://"  # connect.py supplies the address


def new_engine(
    *, session: dict[str, str] | None = None, direct: bool = False, **options: Any
) -> AsyncEngine:
    """Create an engine on DATABASE_URL, or bypassing the pooler if `direct`.

    `session` holds Postgres settings for all of its sessions.
    """

    async def creator() -> DriverConnection:
        return await connect(session=session, direct=direct)

    # hide_parameters: errors are logged, and parameters may hold hashes and e-mail addresses.
    options = {"hide_parameters": True, **options}
    options["connect_args"] = {"async_creator_fn": creator}
    engine = create_async_engine(DIALECT, **options)
    event.listen(engine.sync_engine, "do_connect", _connect)
    if session:
        values = select(*[func.set_config(name, value, True) for name, value in session.items()])

        def set_locally(connection: Connection) -> None:
            if pooler.transactional:
                connection.execute(values)

        event.listen(engine.sync_engine, "begin", set_locally)
    return engine


def _connect(dialect: Dialect, _: object, positional: Any, named: dict[str, Any]) -> Any:
    """Connect, retrying once if a pooler was detected."""
    try:
        return dialect.connect(*positional, **named, **_statements())
    except Exception as error:
        if not pooler.detect(error):
            raise
    return dialect.connect(*positional, **named, **_statements())


def _statements() -> dict[str, Any]:
    """Return driver options: behind a pooler, unnamed and uncached prepared statements."""
    if not pooler.transactional:
        return {}
    return {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
