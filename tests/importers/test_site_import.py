"""Sites of the five older backends move here with everything that belongs to their people."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result
from litestar import Litestar

from conftest import http_client
from importers.conftest import USERS, Build, build_site
from importers.older_site.facts import MOVIE, PASSWORD
from queue_helpers import rows
from videoflix.accounts.service import Accounts
from videoflix.cli import main
from videoflix.platform.postgres.session import transaction
from videoflix.settings import settings


def videoflix(*arguments: object) -> Result:
    done = CliRunner().invoke(main, [str(part) for part in arguments])
    assert done.exit_code == 0, done.output
    return done


def found(query: str) -> list[dict[str, Any]]:
    return asyncio.run(rows(query))


def sign_in(app: Litestar, email: str, password: str = PASSWORD) -> int:
    async def status() -> int:
        async with http_client(app) as client:
            sent = {"email": email, "password": password}
            return (await client.post("/api/v1/auth/token", json=sent)).status_code

    return asyncio.run(status())


def test_academy(committed: None, app: Litestar, older_site: Build) -> None:
    site = older_site("academy")
    done = videoflix("import-from", "academy", site / "site.sqlite3", "--media", site / "media")
    assert "1 × video came without its file" in done.output
    users = found("select id, email, role, first_name, phone from user_account order by id limit 3")
    assert [user["role"] for user in users] == ["admin", "editor", "viewer"]
    assert users[2] == {
        "id": 3,
        "email": "member3@older.example",
        "role": "viewer",
        "first_name": "Member 3",
        "phone": "030 123",
    }
    videos = found(
        "select video.id, title, failure_code, featured, uploaded_by,"
        " video.shown_at::date::text as day, category.name as category from video"
        " join video_category on video_id = video.id join category on category.id = category_id"
        " order by video.id"
    )
    both = {"category": "Drama", "uploaded_by": 1, "day": "2023-05-01"}
    assert videos == [
        both | {"id": 41, "title": "Dunes", "failure_code": None, "featured": True},
        both | {"id": 42, "title": "Lost film", "failure_code": "file-missing", "featured": False},
    ]
    stored = found("select source_name, source_bytes from media_asset")
    assert stored == [{"source_name": "dunes.mp4", "source_bytes": 14}]
    seen = found(
        "select user_id, seconds, video_id from watch_state"
        " join profile on profile.id = profile_id order by user_id"
    )
    assert seen == [
        {"user_id": number, "seconds": float(number), "video_id": 41}
        for number in range(1, USERS + 1)
    ]
    assert len(found("select id from watchlist_entry where video_id = 41")) == USERS
    assert sign_in(app, "member1@older.example") == 200
    assert sign_in(app, "member2@older.example", "another password") == 401


def test_netiflex(committed: None, app: Litestar, older_site: Build) -> None:
    site = older_site("netiflex")
    done = videoflix("import-from", "netiflex", site / "dump.json", "--media", site / "media")
    assert "1 × user is a guest: videoflix-a1b2c3@mock.com" in done.output
    assert "1 × user never confirmed the e-mail address" in done.output
    assert len(found("select id from user_account")) == USERS
    assert found("select id, author, genre, language, featured from video") == [
        {"id": 7, "author": "Ada", "genre": "documentary", "language": "de", "featured": True}
    ]
    assert sign_in(app, "member3@older.example") == 200


def test_authemail(committed: None, app: Litestar, older_site: Build) -> None:
    site = older_site("authemail")
    done = videoflix("import-from", "authemail", site / "site.sqlite3")
    assert "video came without its file, as no media folder was given" in done.output
    assert len(found("select id from user_account where last_name like 'Number %'")) == USERS
    assert found("select id, title from video") == [{"id": 5, "title": "Dunes"}]
    assert sign_in(app, "member1@older.example") == 200
    assert sign_in(app, "new@older.example") == 401


def test_streaming(committed: None, app: Litestar, tmp_path: Path) -> None:
    url = asyncio.run(other_database("older_streaming"))
    build_site("streaming", tmp_path, USERS, url)
    videoflix("import-from", "streaming", url)
    members = found(
        "select user_id, streams_override as streams, cancelled_at is not null as cancelled"
        " from membership order by user_id limit 4"
    )
    assert members == [
        {"user_id": 1, "streams": 1, "cancelled": False},
        {"user_id": 2, "streams": 2, "cancelled": True},
        {"user_id": 3, "streams": 3, "cancelled": False},
        {"user_id": 4, "streams": 1, "cancelled": False},
    ]
    invoices = found(
        "select user_id, status, amount, description, issued_on::text as day, period::text as month"
        " from invoice order by id"
    )
    assert [(one["user_id"], one["status"], one["amount"], one["month"]) for one in invoices] == [
        (1, "paid", 2, "2023-05-01"),
        (1, "outstanding", 3, "2023-04-01"),
        (2, "outstanding", 3, "2023-05-01"),
        (3, "outstanding", 11, "2023-05-01"),
        (3, "void", 4, "2023-04-01"),
    ]
    assert {one["day"] for one in invoices} == {"2023-05-17"}
    lines = found("select description, amount from invoice_line order by id")
    assert [line["amount"] for line in lines] == [1, 1, 3, 3, 11, 4]
    assert lines[4]["description"] == "Carried over"
    assert sign_in(app, "member5@older.example") == 200


async def other_database(name: str) -> str:
    """The URL of an empty database beside the one of the tests."""
    server = await asyncpg.connect(settings.database_dsn)
    await server.execute(f"create database {name} template template0")
    await server.close()
    return settings.database_dsn.replace("/videoflix?", f"/{name}?")


def test_movies(committed: None, app: Litestar, older_site: Build) -> None:
    site = older_site("movies")
    done = videoflix("import-from", "movies", site / "site.sqlite3")
    assert "1 × user has the e-mail address of an existing account" in done.output
    tally = found(f"select upvotes, downvotes from movie_tally where movie_id = '{MOVIE}'")
    assert tally == [{"upvotes": USERS // 2, "downvotes": USERS // 2}]
    assert sign_in(app, "member1@older.example") == 200


@pytest.mark.parametrize("site", ["academy", "netiflex", "authemail", "streaming", "movies"])
def test_everybody_signs_in_with_the_old_password(
    committed: None, older_site: Build, site: str
) -> None:
    videoflix("import-from", site, older_site(site) / "site.sqlite3")

    async def sign_in_all() -> None:
        async with transaction() as session:
            accounts = Accounts(session)
        for number in range(1, USERS + 1):
            user = await accounts.authenticate(f"member{number}@older.example", PASSWORD)
            assert user.id == number

    asyncio.run(sign_in_all())
    assert found("select id from user_account where password_hash like 'django$%'") == []


def test_a_trial_run_changes_nothing(committed: None, older_site: Build) -> None:
    site = older_site("academy")
    done = videoflix(
        "import-from", "academy", site / "dump.json", "--media", site / "media", "--dry-run"
    )
    assert "Nothing was changed" in done.output
    assert f"users {USERS}" in " ".join(done.output.split())
    for table in ("user_account", "video", "category", "watch_state", "imported_record"):
        assert found(f"select 1 as one from {table}") == []


def test_an_import_can_be_repeated(committed: None, older_site: Build) -> None:
    site = older_site("academy")
    dump = site / "dump.json"
    videoflix("import-from", "academy", dump)
    before = found("select * from watch_state order by id")
    done = videoflix("import-from", "academy", dump)
    assert f"users 0 {USERS} 0" in " ".join(done.output.split())
    assert "videos 0 2 0" in " ".join(done.output.split())
    assert found("select * from watch_state order by id") == before
    assert len(found("select id from video")) == 2
