"""The commands of docs/backup.md do what the page says."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from backup.processes import ENVIRONMENT
from backup.random_rows import everything
from catalog.factories import add_films
from postgres import HOME, open_folder
from queue_helpers import execute, rows
from videoflix.platform.postgres.binaries import program_folder
from videoflix.platform.postgres.embedded import EmbeddedPostgres
from videoflix.platform.postgres.session import alchemy
from videoflix.settings import settings

PAGE = (Path(__file__).parents[2] / "docs" / "backup.md").read_text()
DUMP, RESTORE, PACK, UNPACK, EXPORT, IMPORT, TITLES = re.findall(r"```sh\n(.*?)```", PAGE, re.S)
FINGERPRINT = "select md5(string_agg(video::text, '' order by id)) from video"


@pytest.fixture
def shell(committed: None, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment an operator has."""
    asyncio.run(furnish())
    media = HOME / "media"
    (media / "assets" / "1").mkdir(parents=True, exist_ok=True)
    (media / "assets" / "1" / "source").write_bytes(b"film")
    programs = [program_folder(tmp_path, None), Path(sys.executable).parent]
    restored = urlunsplit(urlsplit(settings.database_dsn)._replace(path="/videoflix_restored"))
    yield ENVIRONMENT | {
        "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        "DATABASE_URL": settings.database_dsn,
        "RESTORED_URL": restored,
        "MEDIA": str(media),
        "RESTORED_MEDIA": str(tmp_path / "restored"),
        "BACKUPS": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
    }
    shutil.rmtree(media / "assets")
    shutil.rmtree(media / "exports", ignore_errors=True)
    with psycopg.connect(settings.database_dsn, autocommit=True) as connection:
        connection.execute("drop database if exists videoflix_restored with (force)")


async def furnish() -> None:
    async with alchemy.get_session() as session:
        await add_films(session, {"title": "Düne", "tags": ["a", "b"]}, {"title": "Alien"})


def run(commands: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def fingerprint(dsn: str) -> object:
    with psycopg.connect(dsn) as connection:
        return connection.execute(FINGERPRINT).fetchone()


@contextmanager
def connected(server: EmbeddedPostgres) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection to a server that has started by then."""
    with psycopg.connect(server.dsn()) as connection:
        yield connection


def test_a_dump_and_a_copy_come_back(shell: dict[str, str]) -> None:
    before = fingerprint(settings.database_dsn)
    run(DUMP, shell)
    asyncio.run(execute("delete from video"))
    run(RESTORE, shell)
    assert fingerprint(shell["RESTORED_URL"]) == before
    copy = Path(shell["RESTORED_MEDIA"])
    assert (copy / "assets" / "1" / "source").read_bytes() == b"film"


def test_exports_are_made_checked_and_imported(shell: dict[str, str]) -> None:
    before = everything()
    assert "is complete" in run(EXPORT, shell)
    (HOME / "media" / "assets" / "1" / "source").unlink()
    run(IMPORT, shell)
    assert everything() == before
    assert (HOME / "media" / "assets" / "1" / "source").read_bytes() == b"film"
    listed = asyncio.run(rows("select state from export"))
    assert listed == [{"state": "ready"}]


def test_titles_go_out_and_come_in(shell: dict[str, str]) -> None:
    assert "2 already exist" in run(TITLES, shell)


def test_the_folder_of_a_stopped_installation_is_everything(tmp_path: Path) -> None:
    with open_folder() as home, open_folder() as restored:
        server = EmbeddedPostgres(home / "postgres", durable=False)
        with server, connected(server) as connection:
            connection.execute("create table memory as select 'kept' as word")
        environment = os.environ | {
            "VIDEOFLIX_HOME": str(home),
            "RESTORED_HOME": str(restored),
            "BACKUPS": str(tmp_path),
        }
        run(PACK, environment)
        run(UNPACK, environment)
        server = EmbeddedPostgres(restored / "postgres", durable=False)
        with server, connected(server) as connection:
            assert connection.execute("select word from memory").fetchone() == ("kept",)
