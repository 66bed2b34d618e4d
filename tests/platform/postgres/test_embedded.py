"""The embedded Postgres: made, used, stopped, killed, and left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from postgres import open_folder
from videoflix.platform.postgres.binaries import PACKAGE, PostgresUnusable, program_folder
from videoflix.platform.postgres.embedded import EmbeddedPostgres
from videoflix.platform.process.parent_death import Account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root may not do")

SUPERVISOR = """
import sys, time
from pathlib import Path
from videoflix.platform.postgres.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), durable=False)
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder / "postgres"


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(folder, durable=False) as server:
        yield server


def remember(server: EmbeddedPostgres, word: str) -> None:
    with psycopg.connect(server.dsn()) as connection:
        connection.execute("create table if not exists memory (word text)")
        connection.execute("insert into memory values (%s)", [word])


def remembers(server: EmbeddedPostgres, word: str) -> bool:
    with psycopg.connect(server.dsn()) as connection:
        found = connection.execute("select from memory where word = %s", [word])
        return found.fetchone() is not None


def is_gone(pid: int, within_seconds: float = 10) -> bool:
    deadline = time.monotonic() + within_seconds
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


async def test_every_driver_connects_with_the_dsn(server: EmbeddedPostgres) -> None:
    question = "select current_database() || lower('ÄÖ')"
    direct = await asyncpg.connect(server.dsn())
    assert await direct.fetchval(question) == "videoflixäö"
    await direct.close()

    engine = create_async_engine(server.dsn().replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.connect() as session:
        assert await session.scalar(text(question)) == "videoflixäö"
    await engine.dispose()

    async with await psycopg.AsyncConnection.connect(server.dsn()) as connection:
        answer = await connection.execute(question)
        assert await answer.fetchone() == ("videoflixäö",)


def test_asks_for_the_password_and_keeps_it_private(server: EmbeddedPostgres) -> None:
    assert server.passfile.stat().st_mode & 0o777 == 0o600
    assert server.passfile.stat().st_uid == os.geteuid()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"{server.dsn()}&password=wrong")


def test_serves_no_network_and_keeps_checksums(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn()) as connection:
        names = ("listen_addresses", "data_checksums", "max_connections")
        values = [connection.execute(f"show {name}").fetchone() for name in names]
    assert values == [("",), ("on",), ("200",)]


def test_makes_the_database_again_when_somebody_dropped_it(folder: Path) -> None:
    with (
        EmbeddedPostgres(folder, durable=False) as server,
        psycopg.connect(server.dsn("postgres"), autocommit=True) as connection,
    ):
        connection.execute("drop database videoflix")
    with EmbeddedPostgres(folder, durable=False) as server:
        remember(server, "new")


def test_a_stopped_server_keeps_what_it_was_told(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        remember(server, "stopped")
        pid = server.pid
    assert pid
    assert is_gone(pid)
    assert server.pid is None
    with EmbeddedPostgres(folder, durable=False) as server:
        assert remembers(server, "stopped")


def test_recovers_from_kill_9(server: EmbeddedPostgres) -> None:
    remember(server, "killed")
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    server.start()
    assert remembers(server, "killed")


def test_goes_when_its_supervisor_is_killed(folder: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
    assert is_gone(pid)


def test_ends_a_server_that_was_left_behind(folder: Path, server: EmbeddedPostgres) -> None:
    left_behind = server.pid
    with EmbeddedPostgres(folder, durable=False) as successor:
        remember(successor, "taken over")
        assert successor.pid != left_behind
    assert server.pid is None


def test_is_not_fooled_by_a_pid_that_another_process_has_now(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        pid_file = server.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    other = subprocess.Popen(["sleep", "60"], user=pid_file.parent.stat().st_uid)
    pid_file.write_text("\n".join([str(other.pid), *lines[1:]]))
    (server.sockets / ".s.PGSQL.5432.lock").write_text(pid_file.read_text())
    with server:
        assert other.poll() is None
    other.kill()
    other.wait()


def test_unfinished_cluster_is_created_again() -> None:
    with open_folder() as folder:
        unfinished = folder / "data-unfinished"
        unfinished.mkdir()
        (unfinished / "PG_VERSION").write_text("18\n")
        (folder / "password").touch()
        with EmbeddedPostgres(folder, durable=False) as server:
            remember(server, "fresh")
        assert not unfinished.exists()
        assert not (folder / "password").exists()


def test_a_long_path_moves_the_socket(folder: Path) -> None:
    deep = folder.parent / ("x" * 110)
    deep.mkdir()
    with EmbeddedPostgres(deep / "postgres", durable=False) as server:
        remember(server, "deep")
        assert server.sockets.parent == Path("/tmp")
    shutil.rmtree(server.sockets)


def test_refuses_a_socket_folder_that_is_not_ours(folder: Path) -> None:
    server = EmbeddedPostgres(folder.parent / ("y" * 110), durable=False)
    server.sockets.symlink_to("/etc")
    try:
        with pytest.raises(PostgresUnusable, match="belongs to someone else"):
            server.start()
    finally:
        server.sockets.unlink()


def test_says_why_it_cannot_start(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        version = server.data / "PG_VERSION"
    right = version.read_text()
    version.write_text("9\n")
    with pytest.raises(PostgresUnusable, match="not compatible with this version"):
        server.start()
    version.write_text(right)


def test_says_that_its_password_was_lost(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        password = server.passfile.read_text()
    server.passfile.unlink()
    with pytest.raises(PostgresUnusable, match="rejects our password"):
        server.start()
    assert server.pid is None
    server.passfile.write_text(password)


RIGHTS = """
select rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls
from pg_roles where rolname = current_user
"""
STRANGE_OWNERS = """
select c.oid::regclass::text from pg_class c where c.relnamespace = 'public'::regnamespace
    and c.relowner <> 'videoflix'::regrole and c.relkind in ('r', 'p', 'v', 'm', 'S')
union all
select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'public'::regnamespace
    and p.proowner <> 'videoflix'::regrole
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
union all
select t.oid::regtype::text from pg_type t where t.typnamespace = 'public'::regnamespace
    and t.typowner <> 'videoflix'::regrole and t.typtype in ('e', 'd', 'c')
    and not exists (select from pg_depend d where d.objid = t.oid and d.deptype = 'e')
"""


def test_the_application_may_nothing_but_use_its_database(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        assert connection.execute(RIGHTS).fetchone() == (False,) * 5
        for forbidden in (
            "create database other",
            "create role other",
            "copy (select 1) to program 'true'",
            "select pg_read_file('/etc/passwd')",
            "alter system set fsync = off",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
        connection.execute("create extension if not exists pg_trgm")


def test_passwords_are_closed_to_others_again(folder: Path) -> None:
    with EmbeddedPostgres(folder, durable=False) as server:
        pass
    server.passfile.chmod(0o644)
    with EmbeddedPostgres(folder, durable=False):
        for passfile in (server.passfile, server.admin_passfile):
            assert passfile.stat().st_mode & 0o777 == 0o600


def test_a_superuser_of_an_earlier_version_gives_its_rights_up() -> None:
    with open_folder() as folder:
        server = EmbeddedPostgres(folder / "postgres", durable=False)
        begin_as_earlier_versions_did(server)
        migrate = [sys.executable, "-m", "videoflix.cli"]
        environment = os.environ | {"DATABASE_URL": server.dsn()}
        subprocess.run([*migrate, "migrate"], env=environment, check=True)
        remember(server, "before")
        server.stop()
        for _ in range(2):
            with server:
                with psycopg.connect(server.dsn()) as connection:
                    assert connection.execute(RIGHTS).fetchone() == (False,) * 5
                    assert connection.execute(STRANGE_OWNERS).fetchall() == []
                    roles = connection.execute("select rolname from pg_roles where rolsuper")
                    assert roles.fetchall() == [("postgres",)]
                assert remembers(server, "before")
                down = [*migrate, "database", "downgrade", "0001", "--no-prompt"]
                subprocess.run(down, env=environment, check=True, capture_output=True)
                subprocess.run([*migrate, "migrate"], env=environment, check=True)


def begin_as_earlier_versions_did(server: EmbeddedPostgres) -> None:
    """A running server whose only role, `videoflix`, is the superuser that initdb made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videoflix.platform.postgres.embedded.ADMINISTRATOR", "videoflix")
        patch.setattr(server, "admin_passfile", server.passfile)
        patch.setattr(server, "_create_database", lambda: None)
        server.start()
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("create database videoflix")


@as_root
def test_names_the_folder_the_servers_account_cannot_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(PostgresUnusable, match=r"which cannot enter /.*VIDEOFLIX_HOME"):
        EmbeddedPostgres(tmp_path / "home" / "postgres", durable=False).start()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@as_root
def test_root_copies_a_program_the_servers_account_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = Account("nobody", 65534, 65534)
    installed = program_folder(tmp_path, None).parents[1]
    for name in (PACKAGE, f"{PACKAGE}.libs"):
        shutil.copytree(installed.with_name(name), tmp_path / name, copy_function=os.symlink)
    tmp_path.chmod(0o700)
    monkeypatch.syspath_prepend(tmp_path)
    with open_folder() as folder:
        program = program_folder(folder, nobody)
        assert program.is_relative_to(folder)
        told = subprocess.run([program / "initdb", "-V"], user="nobody", capture_output=True)
        assert told.stdout.startswith(b"initdb (PostgreSQL) 18")
        assert program_folder(folder, nobody) == program
