"""Invented catalogues."""

import asyncio
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from queue_helpers import rows
from videoflix.billing.jobs import close
from videoflix.cli import main
from videoflix.up import demo_videos, seed


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


def test_demo_fills_every_list(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_videos, "DEMO_VIDEOS", demo_videos.DEMO_VIDEOS[:2])
    monkeypatch.setattr(seed, "DEMO_VIDEOS", demo_videos.DEMO_VIDEOS[:2])
    monkeypatch.setattr(demo_videos, "SECONDS", 1)
    counts = []
    for _ in range(2):  # again changes nothing
        done = CliRunner().invoke(main, ["seed", "demo"])
        assert done.exit_code == 0, done.output
        counts.append({table: count_of(table) for table in FILLED})
    assert min(counts[0].values()) > 1, counts[0]
    assert counts[0] == counts[1]
    states = asyncio.run(rows("select status, count(*) as n from invoice group by status"))
    assert {row["status"] for row in states} == {"outstanding", "paid", "void"}
    # Closing the month neither charges again, nor mails anybody.
    asyncio.run(close(datetime.now(UTC)))
    assert count_of("invoice_line") == counts[0]["invoice_line"]
    assert count_of("mail") == 0
    sign_in = asyncio.run(rows("select 1 from user_account where password_hash <> '!'"))
    assert sign_in == []


FILLED = (
    "user_account", "plan", "membership", "stream_lease", "invoice", "invoice_line", "vote",
    "watch_state", "watchlist_entry", "movie_rating", "video_view",
)  # fmt: skip


def count_of(table: str) -> int:
    found = asyncio.run(rows(f"select count(*) as n from {table}"))
    return int(found[0]["n"])
