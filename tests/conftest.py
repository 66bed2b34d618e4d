"""Tests run on a real Postgres: migrated once, then one rolled-back transaction per test."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from postgres import running_postgres  # sets the environment: before anything of videoflix
from videoflix.accounts.service import Accounts, access_token
from videoflix.app import create_app
from videoflix.platform.db import alchemy
from videoflix.platform.identity import Role
from videoflix.platform.migrations import upgrade
from videoflix.settings import settings

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
def database() -> Iterator[None]:
    """A freshly migrated database for this run."""
    with running_postgres():
        upgrade()
        alchemy.engine_instance = create_async_engine(settings.sqlalchemy_url, poolclass=NullPool)
        yield


@pytest.fixture
async def session(database: None) -> AsyncGenerator[AsyncSession]:
    """One transaction per test, undone at its end: the application's commits are savepoints."""
    async with alchemy.get_engine().connect() as connection:
        outer = await connection.begin()
        maker = async_sessionmaker(
            connection, expire_on_commit=False, join_transaction_mode="create_savepoint"
        )
        alchemy.session_maker = maker
        async with maker() as session:
            yield session
        alchemy.session_maker = None
        await outer.rollback()


@pytest.fixture(scope="session")
def app() -> Litestar:
    return create_app()


@pytest.fixture
async def client(app: Litestar, session: AsyncSession) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger's client, in this event loop (Litestar's own would use another one)."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def sign_in(app: Litestar, session: AsyncSession, role: Role) -> httpx.AsyncClient:
    user = await Accounts(session).create_user(
        email=f"{role}@example.org", password=PASSWORD, name=role.title(), role=role
    )
    await session.commit()
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"Authorization": f"Bearer {access_token(user).access}"},
    )


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
