"""A database that cannot serve gives sentences: no 500, no SQL, nothing of a password."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from conftest import PASSWORD, http_client
from queue_helpers import execute
from videoflix.library.view_counter import ViewCounter
from videoflix.platform.http.database_errors import (
    ChangedMeanwhile,
    DatabaseFull,
    SchemaOutdated,
    ValueOutOfRange,
    problem_of,
)
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue.batch import BatchFailed, for_each_in_transaction
from videoflix.settings import settings

CREATE = ["users", "create-admin", "boss@example.org"]


@pytest.fixture
def half_migrated(database: None) -> Iterator[str]:
    """A database where migrations stopped in the middle."""
    where = settings.database_dsn.replace("/videoflix?", "/half?")

    async def create() -> None:
        server = await asyncpg.connect(settings.database_dsn)
        await server.execute("create database half template template0")
        await server.close()

    async def drop() -> None:
        server = await asyncpg.connect(settings.database_dsn)
        await server.execute("drop database half with (force)")
        await server.close()

    asyncio.run(create())
    done = run("database", "upgrade", "0004", "--no-prompt", DATABASE_URL=where)
    assert done.returncode == 0, done.stderr
    yield where
    asyncio.run(drop())


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "videoflix.cli", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def test_commands_on_a_half_migrated_database_say_so(half_migrated: str) -> None:
    for arguments in (CREATE, ["users", "list"], ["jobs"]):
        done = run(*arguments, DATABASE_URL=half_migrated, VIDEOFLIX_PASSWORD=PASSWORD)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: The database schema does not match"), done.stderr
        assert "videoflix migrate" in done.stderr
        for secret in (PASSWORD, "argon2", "INSERT", "SELECT", "Traceback", "parameters"):
            assert secret not in done.stderr + done.stdout


async def test_requests_on_another_schema_are_refused_with_a_sentence(
    admin: httpx.AsyncClient, session: AsyncSession
) -> None:
    await session.execute(text("alter table category rename to moved_away"))
    listed = await admin.get("/api/v1/categories")
    assert listed.status_code == 503, listed.text
    assert listed.json()["type"] == "/problems/schema-outdated"
    assert listed.headers["retry-after"]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("do $$ begin raise sqlstate '53100'; end $$", DatabaseFull),
        ("select * from nowhere_to_be_found", SchemaOutdated),
        ("select nothing from category", SchemaOutdated),
    ],
)
async def test_errors_of_postgres_are_told_by_their_state(
    committed: None, statement: str, problem: type[Exception]
) -> None:
    with pytest.raises(DBAPIError) as raised:
        await execute(statement)
    assert type(problem_of(raised.value)) is problem


async def test_a_full_disk_is_no_crash(
    app: Litestar, committed: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Postgres says 53100 as soon as it cannot extend a file."""
    await execute(
        "create function disk_full() returns trigger language plpgsql as"
        " $$ begin raise 'could not extend file: No space left on device'"
        " using errcode = '53100'; end $$"
    )
    await execute(
        "create trigger disk_full before insert on user_account execute function disk_full()"
    )
    try:
        async with http_client(app) as client:
            body = {"email": "ada@example.org", "password": PASSWORD}
            answer = await client.post("/api/v1/auth/register", json=body)
        done = run(*CREATE, VIDEOFLIX_PASSWORD=PASSWORD)
    finally:
        await execute("drop function disk_full cascade")
    assert answer.status_code == 503, answer.text
    assert answer.json()["type"] == "/problems/database-full"
    [logged] = [record for record in caplog.records if "database error" in record.message]
    assert "No space left on device" in logged.message
    assert not logged.exc_info
    for secret in ("INSERT", "ada@example.org", "argon2", "Traceback"):
        assert secret not in caplog.text
    assert done.returncode == 1
    assert "disk is full" in done.stderr
    assert "Traceback" not in done.stderr


async def test_views_and_clean_ups_log_a_full_disk_in_one_line(
    committed: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse(*_: object) -> bool:
        await execute("do $$ begin raise 'No space left' using errcode = '53100'; end $$")
        return True

    counter = ViewCounter(refuse)
    async with counter.running():
        counter.count(1, 1)
    with pytest.raises(BatchFailed):
        await for_each_in_transaction([1, 2], refuse)
    assert [record.exc_info for record in caplog.records if "No space" in record.message] == [
        None
    ] * 3
    assert "begin raise" not in caplog.text


async def test_a_new_transaction_works_afterwards(committed: None) -> None:
    async with transaction() as session:
        assert await session.connection()


async def test_readiness_names_a_schema_that_is_missing(app: Litestar, committed: None) -> None:
    await execute("alter table schema_version rename to schema_gone")
    try:
        await asyncio.sleep(1.1)  # readiness is remembered for a second
        async with http_client(app) as client:
            answer: httpx.Response = await client.get("/health/ready")
    finally:
        await execute("alter table schema_gone rename to schema_version")
        await asyncio.sleep(1.1)
    assert answer.status_code == 503
    assert "videoflix migrate" in answer.text


@pytest.mark.parametrize("path", ["/api/v1/users", "/api/v1/watchlist/contains"])
@pytest.mark.parametrize("number", ["9223372036854775808", "9" * 40, "0", "-1"])
async def test_numbers_that_no_row_can_have(
    admin: httpx.AsyncClient, path: str, number: str
) -> None:
    answer = await admin.get(path, params={"ids": number})
    assert answer.status_code == 400, answer.text


async def test_what_refers_to_something_removed_meanwhile_is_a_conflict(
    session: AsyncSession,
) -> None:
    statement = text(
        "insert into watchlist_entry (profile_id, video_id, position, created_at, updated_at)"
        " values (:id, :id, 1, now(), now())"
    )
    with pytest.raises(DBAPIError) as refused:
        await session.execute(statement, {"id": 404})
    assert isinstance(problem_of(refused.value), ChangedMeanwhile)
    await session.rollback()
    with pytest.raises(DBAPIError) as refused:
        await session.execute(statement, {"id": 2**63})
    assert isinstance(problem_of(refused.value), ValueOutOfRange)
