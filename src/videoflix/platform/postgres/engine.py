"""SQLAlchemy engines on our own connections, which also work behind a transaction pooler."""

from typing import Any

from sqlalchemy import Connection, event, func, select
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from videoflix.platform.postgres.connect import Connection as DriverConnection
from videoflix.platform.postgres.connect import connect, pooler

DIALECT = "postgresql+asyncpg://"  # the address itself is connections.py's affair


def new_engine(
    *, session: dict[str, str] | None = None, direct: bool = False, **options: Any
) -> AsyncEngine:
    """An engine on DATABASE_URL, or past a pooler with `direct`.

    `session` holds Postgres settings that apply to everything it runs.
    """

    async def creator() -> DriverConnection:
        return await connect(session=session, direct=direct)

    # Errors are logged, and hashes and addresses are not: hide_parameters.
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
    """Connect, once more without what a pooler refused."""
    try:
        return dialect.connect(*positional, **named, **_statements())
    except Exception as error:
        if not pooler.detect(error):
            raise
    return dialect.connect(*positional, **named, **_statements())


def _statements() -> dict[str, Any]:
    """How statements are prepared: behind a pooler without names, and for one use."""
    if not pooler.transactional:
        return {}
    return {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
