"""What cannot be read as an older backend's data is refused with a sentence."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from queue_helpers import rows
from videoflix.cli import main

USER = {"email": "ada@older.example", "password": "!"}


def refusal(source: object) -> str:
    done = CliRunner().invoke(main, ["import-from", "movies", str(source)])
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    return " ".join(done.output.split())


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"hello", "is not JSON of Django's dumpdata"),
        (b"\xff\xfe", "is not JSON of Django's dumpdata"),
        (b'{"model": "a.user"}', "is not JSON of Django's dumpdata"),
        (b"[]", "It has no accounts"),
        (b"PGDMP\x01", "restore it into a database"),
        (b"--\n-- PostgreSQL database dump\n--", "restore it into a database"),
        (b"SQLite format 3\x00 and no more", "The SQLite file is damaged"),
        (json.dumps([{"model": "a.user", "fields": USER}]).encode(), "--natural-primary"),
    ],
)
def test_other_files_are_refused(
    committed: None, tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "dump"
    file.write_bytes(content)
    assert sentence in refusal(file)


def test_a_missing_file_and_a_missing_database_are_told(committed: None, tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory" in refusal(tmp_path / "dump.json")
    assert "is not available" in refusal("postgresql://nobody@127.0.0.1:1/none")


def test_records_that_do_not_fit_are_left_out_and_named(committed: None, tmp_path: Path) -> None:
    entries = [
        {"model": "a.user", "pk": 1, "fields": USER},
        {"model": "a.user", "pk": 2, "fields": {**USER, "email": "no address"}},
        {"model": "a.user", "pk": "x", "fields": USER},
        {"model": "a.video", "pk": 1, "fields": {"title": "", "description": None}},
        {"model": "a.video", "pk": 2, "fields": {"title": "Two\x00", "description": ""}},
        {
            "model": "a.video",
            "pk": 3,
            "fields": {"title": "Outside", "description": "", "video_file": "../dump.json"},
        },
        {
            "model": "a.movierating",
            "pk": 1,
            "fields": {"user": 9, "movie_id": "no", "rating_type": "UPVOTE"},
        },
    ]
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps(entries))
    media = tmp_path / "media"
    media.mkdir()
    arguments = ["import-from", "academy", str(dump), "--media", str(media)]
    done = CliRunner().invoke(main, arguments).output
    assert "1 × user has no valid e-mail address: no address" in done
    assert "1 × user cannot be read: Expected `int`" in done
    assert "video came without its file, which is not in the media folder: Outside" in done
    assert "1 × movie rating cannot be read" in done
    assert [row["title"] for row in asyncio.run(rows("select title from video"))] == ["Outside"]


def test_a_damaged_table_is_told(committed: None, tmp_path: Path) -> None:
    file = tmp_path / "site.sqlite3"
    with closing(sqlite3.connect(file)) as database:
        database.execute("create table a_user (id integer, email text, password text)")
        database.execute("insert into a_user values (1, 'ada@older.example', '!')")
        database.commit()
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xff" * 4096)
    assert "The SQLite file is damaged" in refusal(file)
