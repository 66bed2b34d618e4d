"""Tests run on a real Postgres: migrated once, then one rolled-back transaction per test."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

from postgres import running_postgres  # sets the environment: before anything of videoflix
from removal import remove_all_rows
from videoflix.accounts.models import User
from videoflix.accounts.passwords import hash_password
from videoflix.accounts.service import Accounts
from videoflix.app import create_app
from videoflix.platform.auth.identity import Role
from videoflix.platform.auth.revocations import ended_streams, revocations
from videoflix.platform.cache.ttl import clear_all
from videoflix.platform.postgres.engine import new_engine
from videoflix.platform.postgres.migrations import upgrade
from videoflix.platform.postgres.session import SESSION_SETTINGS, alchemy
from videoflix.sessions.service.opaque_tokens import opaque_tokens
from videoflix.sessions.service.sessions import Sessions
from videoflix.setting_types import Rate
from videoflix.settings import settings

PASSWORD = "correct horse battery staple"
hashes: dict[str, str] = {}
MAX_PROCESSES = 4
TESTS = Path(__file__).parent
SLOW_FIRST = {
    name: rank for rank, name in enumerate(("fuzzing", "chaos", "journeys", "up", "database"))
}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run the whole suite on all cores, each with a Postgres of its own; files that are named on
    the command line run in this process.
    """
    named = config.args_source is pytest.Config.ArgsSource.ARGS
    return 0 if named else min(os.cpu_count() or 1, MAX_PROCESSES)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes: no process waits for the last of them at the end."""
    items.sort(key=lambda item: SLOW_FIRST.get(item.path.relative_to(TESTS).parts[0], len(items)))


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """A freshly migrated database for this run."""
    with running_postgres():
        upgrade()
        alchemy.engine_instance = new_engine(session=SESSION_SETTINGS, poolclass=NullPool)
        yield


@pytest.fixture(scope="session")
async def engine(database: None) -> AsyncGenerator[AsyncEngine]:
    """One connection for all tests: each new one would have to read the catalogue again."""
    engine = new_engine(session=SESSION_SETTINGS, pool_size=1, max_overflow=0, pool_pre_ping=True)
    yield engine
    await engine.dispose()


@pytest.fixture
async def session(engine: AsyncEngine) -> AsyncGenerator[AsyncSession]:
    """One transaction per test, undone at its end: the application's commits are savepoints."""
    async with engine.connect() as connection:
        outer = await connection.begin()
        maker = async_sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        alchemy.session_maker = maker
        forget_everything()
        async with maker() as session:
            yield session
        alchemy.session_maker = None
        await outer.rollback()


def forget_everything() -> None:
    """What this process remembers of other tests' rows, whose numbers begin again."""
    revocations._until.clear()
    ended_streams._until.clear()
    opaque_tokens.clear()
    clear_all()


@cache
def app_with(**changes: str | Rate) -> Litestar:
    """Return the application with other settings, which is built once: that takes two seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videoflix.app.settings", msgspec.structs.replace(settings, **changes))
        return create_app()


@cache
def openapi_document() -> dict[str, Any]:
    return app_with().openapi_schema.to_schema()


@pytest.fixture(scope="session")
def app() -> Litestar:
    return app_with()


@pytest.fixture
async def client(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger's client, in this event loop (Litestar's own would use another one)."""
    async with http_client(app) as client:
        yield client


def http_client(app: Litestar, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    asgi: Any = app  # Litestar's types of a scope are narrower than httpx's
    transport = httpx.ASGITransport(asgi)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)


async def add_user(session: AsyncSession, email: str, role: Role = Role.VIEWER) -> User:
    """Create an account with the password PASSWORD, which is hashed once for all of them."""
    if PASSWORD not in hashes:
        hashes[PASSWORD] = await hash_password(PASSWORD)
    return await Accounts(session).create(
        email=email, password_hash=hashes[PASSWORD], first_name=role.title(), role=role
    )


async def sign_in(app: Litestar, session: AsyncSession, role: Role) -> httpx.AsyncClient:
    user = await add_user(session, f"{role}@example.org", role)
    pair = await Sessions(session).open(user)
    await session.commit()
    return http_client(app, {"Authorization": f"Bearer {pair.access}"})


@pytest.fixture
async def viewer(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    async with await sign_in(app, session, Role.VIEWER) as client:
        yield client


@pytest.fixture
async def editor(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    async with await sign_in(app, session, Role.EDITOR) as client:
        yield client


@pytest.fixture
async def admin(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    async with await sign_in(app, session, Role.ADMIN) as client:
        yield client


@pytest.fixture
async def owner(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    async with await sign_in(app, session, Role.OWNER) as client:
        yield client


@pytest.fixture
async def committed(database: None) -> AsyncGenerator[None]:
    """For what needs real commits (other connections, NOTIFY): all rows go afterwards.

    A process that an earlier test had started may have written some after its end.
    """
    forget_everything()
    await remove_all_rows()
    yield
    forget_everything()
    await remove_all_rows()
