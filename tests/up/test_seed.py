"""Invented catalogues."""

import asyncio

import pytest
from click.testing import CliRunner

from queue_helpers import rows
from videoflix.cli import main
from videoflix.up import demo_videos


def test_demo_enters_films_that_can_be_encoded(
    committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_videos, "SECONDS", 1)
    for _ in range(2):  # again changes nothing
        done = CliRunner().invoke(main, ["seed", "demo"])
        assert done.exit_code == 0, done.output
    films = asyncio.run(rows("select title, author, tags from video"))
    assert len(films) == len(demo_videos.DEMO_VIDEOS)
    queued = asyncio.run(rows("select count(*) as n from procrastinate_jobs"))
    assert queued == [{"n": len(films)}]
    empty = asyncio.run(rows("select id from media_asset where source_bytes < 1000"))
    assert empty == []


def test_bulk_enters_what_triggers_would(committed: None) -> None:
    done = CliRunner().invoke(main, ["seed", "bulk", "--videos", "300"])
    assert done.exit_code == 0, done.output
    odd = asyncio.run(
        rows(
            "select title from video where slug = '' or shown_at is null or search is distinct from"
            " video_search(lower(title), lower(author), tags, genre, description, language)"
        )
    )
    assert odd == []
    shelved = asyncio.run(rows("select count(*) as n from video_category"))
    assert shelved == [{"n": 300}]
