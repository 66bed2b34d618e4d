"""Imports: what they refuse, what they leave alone, and that they happen or do not."""

import asyncio
import os
import signal
import time
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import psycopg
import pytest
from click.testing import CliRunner, Result

from backup.processes import MANY, start
from backup.random_rows import empty_audit, everything
from catalog.factories import add_category, add_films
from factories import AssetFactory, RowFactory, create
from queue_helpers import execute, rows
from videoflix.backup.archive import MANIFEST
from videoflix.backup.repository.tables import EXPORTED_TABLES
from videoflix.cli import main
from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.postgres.session import alchemy, transaction
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

PASSWORD = "correct horse battery staple"
IMPORT_RUNS = """
select 1 from pg_locks where locktype = 'advisory' and mode = 'ExclusiveLock' and granted
and database = (select oid from pg_database where datname = current_database())
"""
LEASE = """
insert into stream_lease (user_id, video_id, sign_in_id, device, seen_at, created_at, updated_at)
select user_account.id, video.id, 1, 'tv', now(), now(), now() from user_account, video limit 1
"""


def videoflix(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "200", "VIDEOFLIX_PASSWORD": PASSWORD}).invoke(
        main, [str(part) for part in arguments]
    )


def run(work: Any) -> Any:
    return asyncio.run(work)


async def add(factory: type[RowFactory[Any]]) -> None:
    async with transaction() as session:
        await create(session, factory)


def succeed(*arguments: object) -> str:
    done = videoflix(*arguments)
    assert done.exit_code == 0, (done.output, str(done.exception))
    return done.output


async def furnish() -> None:
    async with alchemy.get_session() as session:
        shelf = await add_category(session, "Drama")
        await add_films(session, {"title": "Dune", "categories": [shelf]}, {"title": "Alien"})


@pytest.fixture
def export(committed: None, tmp_path: Path) -> Path:
    """An archive of two films and a person, who are here as well."""
    run(furnish())
    succeed("users", "create-admin", "ada@example.org")
    run(execute(LEASE))
    path = tmp_path / "export.zip"
    succeed("export", "--to", path)
    return path


def changed(path: Path, **manifest: object) -> Path:
    other = path.with_name("changed.zip")
    with ZipFile(path) as old, ZipFile(other, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == MANIFEST:
                data = msgspec.json.encode(msgspec.json.decode(data) | manifest)
            new.writestr(name, data)
    return other


def test_archive_is_described(export: Path) -> None:
    said = succeed("export", "verify", export)
    assert "is complete" in said
    assert f"{len(EXPORTED_TABLES)} tables" in said
    assert export.stat().st_mode & 0o777 == 0o600


def test_what_is_here_already_is_passed_over(export: Path) -> None:
    before = everything()
    said = succeed("import", export)
    assert "0 rows and 0 media files were imported" in said
    assert everything() == before


def test_missing_rows_are_put_back(export: Path) -> None:
    before = everything()
    run(execute("delete from video where title = 'Dune'"))
    assert everything() != before
    assert "would be imported" in succeed("import", export, "--dry-run")
    assert run(rows("select count(*) as n from video")) == [{"n": 1}]
    succeed("import", export)
    assert everything() == before


def test_conflicts_are_named_and_nothing_is_changed(export: Path) -> None:
    run(execute("update video set title = 'Dune II' where title = 'Dune'"))
    run(execute("delete from video where title = 'Alien'"))
    run(execute("delete from stream_lease"))
    run(execute("update user_account set id = id + 1000, email = 'ADA@example.org'"))
    before = everything()
    dry = succeed("import", export, "--dry-run")
    refused = videoflix("import", export)
    assert refused.exit_code == 1
    for said in (dry, refused.output):
        assert "video 1 already exists and differs" in said
        assert "user_account 1 has the same email_key as the existing 1001" in said
    assert "Nothing was changed" in refused.output
    assert everything() == before


def test_replacing_removes_what_was_here(export: Path) -> None:
    before = everything()
    run(execute("update video set title = 'Dune II' where title = 'Dune'"))
    succeed("users", "create-admin", "eve@example.org")
    assert "Removed" in succeed("import", export, "--replace", "--dry-run")
    assert everything() != before
    cache: LruCache[str, int] = LruCache("test import", 1)
    cache["film"] = 1
    succeed("import", export, "--replace")
    assert everything() == before
    assert "film" not in cache
    assert run(rows("select count(*) as n from mail")) == [{"n": 0}]


def test_new_rows_get_new_numbers_afterwards(export: Path) -> None:
    run(execute("delete from video"))
    run(execute("alter sequence video_id_seq restart"))
    succeed("import", export)
    run(furnish_one_more())
    assert [row["id"] for row in run(rows("select id from video order by id"))] == [1, 2, 3]


async def furnish_one_more() -> None:
    async with alchemy.get_session() as session:
        await add_films(session, {"title": "Another"})


@pytest.mark.parametrize(
    ("manifest", "sentence"),
    [
        ({"revision": "9999"}, "made by another release (release 0.2.0, schema 9999)"),
        ({"version": 99}, "newer release"),
        ({"format": "other"}, "unknown format"),
    ],
)
def test_unfit_archives_are_refused(
    export: Path, manifest: dict[str, object], sentence: str
) -> None:
    before = everything()
    for options in ((), ("--dry-run",), ("--replace",)):
        done = videoflix("import", changed(export, **manifest), *options)
        assert done.exit_code == 1
        assert sentence in done.output
        assert "Traceback" not in done.output
    assert everything() == before


def test_rows_the_database_does_not_take_are_refused(export: Path) -> None:
    """An archive made by hand, with sums that fit."""
    other = export.with_name("forged.zip")
    with ZipFile(export) as old, ZipFile(other, "w") as new:
        data = {name: old.read(name) for name in old.namelist()}
        name = "tables/video.jsonl"
        data[name] = data[name].replace(b'"state":"ready"', b'"state":"sold"')
        manifest = msgspec.json.decode(data[MANIFEST])
        manifest["tables"]["video"]["sha256"] = sha256(data[name]).hexdigest()
        data[MANIFEST] = msgspec.json.encode(manifest)
        for member, content in data.items():
            new.writestr(member, content)
    before = everything()
    done = videoflix("import", other, "--replace")
    assert done.exit_code == 1
    assert "rejected its rows" in done.output
    assert everything() == before


def test_workers_at_work_keep_rows_from_being_replaced(export: Path) -> None:
    run(execute("insert into procrastinate_workers (last_heartbeat) values (now())"))
    run(
        execute(
            "insert into procrastinate_jobs (queue_name, task_name, status, worker_id)"
            " select 'default', 'x', 'doing', id from procrastinate_workers"
        )
    )
    done = videoflix("import", export, "--replace")
    assert done.exit_code == 1
    assert "stop them first" in done.output


def test_unfinished_films_go_on_after_an_import(export: Path, tmp_path: Path) -> None:
    run(add(AssetFactory))
    run(execute("update video set published_at = now() + interval '1 day' where title = 'Alien'"))
    path = tmp_path / "unfinished.zip"
    succeed("export", "--to", path)
    succeed("import", path, "--replace")
    waiting = run(rows("select task_name from procrastinate_jobs where status = 'todo' order by 1"))
    assert [row["task_name"] for row in waiting] == [
        "catalog.announce_publication",
        "media.inspect",
    ]


async def store(key: str, data: bytes) -> None:
    async with media_storage().writing(key) as writer:
        await writer.write(data)


def test_media_are_put_back(export: Path, tmp_path: Path) -> None:
    film = os.urandom(3_000_000)
    run(media_storage().delete_below("assets"))  # what other tests left
    run(store("assets/f/source", film))
    path = tmp_path / "media.zip"
    succeed("export", "--media", "--to", path)
    assert "1 media files" in succeed("export", "verify", path)
    run(media_storage().delete(["assets/f/source"]))
    succeed("import", path)
    assert run(media_storage().read_all("assets/f/source")) == film
    run(media_storage().delete_below("assets"))


@pytest.mark.parametrize("pause", [0.0, 0.3, 0.7])
def test_killed_import_leaves_the_former_state(export: Path, tmp_path: Path, pause: float) -> None:
    run(execute(MANY.format(count=30_000)))
    after = everything()
    path = tmp_path / "large.zip"
    succeed("export", "--to", path)
    run(empty_audit())
    run(execute("update video set title = 'as it was' where title = 'Dune'"))
    before = everything()
    with psycopg.connect(settings.database_dsn, autocommit=True) as connection:
        with start("import", path, "--replace") as importing:
            while not connection.execute(IMPORT_RUNS).fetchone():
                assert importing.poll() is None, "it was over before it could be killed"
            time.sleep(pause)
            importing.send_signal(signal.SIGKILL)
        while connection.execute(IMPORT_RUNS).fetchone():
            time.sleep(0.02)  # the server notices when it answers
    assert importing.returncode == -signal.SIGKILL or pause, "it was over at once"
    found = everything()
    if pause:  # it may have been through, whether or not it could still say so
        assert found in (before, after), "all of it or nothing"
    else:
        assert found == before
    succeed("import", path, "--replace")  # nothing is in the way of another
    assert everything() == after


def test_two_imports_at_once_take_turns_or_are_refused(export: Path, tmp_path: Path) -> None:
    run(execute(MANY.format(count=15_000)))
    path = tmp_path / "large.zip"
    succeed("export", "--to", path)
    before = everything()
    run(empty_audit())
    both = [start("import", path, "--replace") for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    codes = sorted(process.returncode for process in both)
    assert codes in ([0, 0], [0, 1]), said
    assert codes == [0, 0] or any("Another import is running" in one for one in said), said
    assert everything() == before
