"""`videoflix doctor` finds what is wrong, says how to fix it, and never hangs."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from queue_helpers import execute
from smtp_server import SmtpInbox
from test_cli import videoflix
from videoflix.platform.postgres.migrations import newest_revision
from videoflix.settings import settings
from videoflix.up import checks

# Later than now: a busy machine takes long to start the command.
ALIVE = "insert into procrastinate_workers (last_heartbeat) values (now() + interval '10 minutes')"
pytestmark = pytest.mark.usefixtures("committed")


def doctor(**environment: str) -> tuple[int, dict[str, str], str]:
    """Exit code, level by check, and everything that was said, in one line each."""
    done = videoflix("doctor", **{"COLUMNS": "400"} | environment)
    assert not done.stderr, done.stderr
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return done.returncode, {row[1]: row[0] for row in rows if len(row) == 3}, done.stdout


@pytest.fixture
def silent_server() -> Iterator[int]:
    """A port that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_healthy_installation() -> None:
    await execute(ALIVE)
    inbox = SmtpInbox(0)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        inbox.port = probe.getsockname()[1]
    with inbox.running():
        code, levels, said = doctor(SMTP_URL=f"smtp://127.0.0.1:{inbox.port}")
    assert code == 0, said
    assert "fail" not in levels.values()
    assert {"Settings", "Database", "Extensions", "Migrations", "Storage", "Disk", "FFmpeg"} | {
        "Mail",
        "Clock",
        "Workers",
    } <= set(levels)
    assert (levels["Mail"], levels["Workers"]) == ("ok", "ok")


async def test_a_worker_that_stopped_fetching_is_named() -> None:
    await execute(ALIVE)
    await execute(
        "insert into worker_breaker (worker_id, queue_name, host, reason, created_at, updated_at)"
        " select id, 'transcode', 'h', 'FFmpeg: it is gone', now(), now()"
        " from procrastinate_workers"
    )
    code, levels, said = doctor(X264_PRESET="ultrafast")
    assert code == 1
    assert levels["Workers"] == "fail"
    assert "paused queue “transcode”: FFmpeg: it is gone" in said
    assert levels["Connections"] == "ok"
    assert "connections are in use. Each API process uses up to 11" in said


def test_what_fails_is_named_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "media").write_text("a file where a folder should be")
    code, levels, said = doctor(
        SECRET_KEY="short",
        STORAGE_URL=f"file://{tmp_path}/media",
        FFMPEG_PATH="/bin/false",
        STORAGE_RESERVE_BYTES=str(2**62),
        SITE_URL="http://films.example",
    )
    assert code == 1
    for name in ("Settings", "Storage", "Disk", "FFmpeg", "Workers"):
        assert levels[name] == "fail", said
    for remedy in ("32 characters", "Set FFMPEG_PATH", "videoflix worker --role all"):
        assert remedy in said


def test_unreachable_database_spares_the_rest() -> None:
    code, levels, said = doctor(DATABASE_URL="postgresql://nobody:secret@127.0.0.1:1/nothing")
    assert code == 1
    assert levels["Database"] == levels["Workers"] == "fail"
    assert levels["FFmpeg"] != "fail"
    assert "database in DATABASE_URL" in said
    assert "secret" not in said


async def test_old_schema_is_named() -> None:
    await execute("update schema_version set version_num = '0001'")
    try:
        _, levels, said = doctor()
    finally:
        await execute("update schema_version set version_num = :head", head=newest_revision())
    assert levels["Migrations"] == "fail"
    assert "videoflix migrate" in said


async def test_clock_is_compared_with_the_databases(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await checks.check_clock()).level == "ok"
    real = time.time
    for ahead, level in ((5, "warn"), (100, "fail")):
        monkeypatch.setattr("videoflix.up.checks.time.time", lambda ahead=ahead: real() + ahead)
        finding = await checks.check_clock()
        assert (finding.level, f"{ahead} s ahead" in finding.detail) == (level, True)


def test_servers_that_hang_do_not_hang_it(silent_server: int) -> None:
    where = urlsplit(settings.database_dsn)
    hanging = urlunsplit(where._replace(netloc=f"nobody:x@127.0.0.1:{silent_server}", query=""))
    begun = time.monotonic()
    doctor(DATABASE_URL="postgresql://nobody:x@127.0.0.1:1/x", SMTP_URL="smtp://127.0.0.1:1")
    refused_at_once = time.monotonic() - begun
    code, levels, _ = doctor(DATABASE_URL=hanging, SMTP_URL=f"smtp://127.0.0.1:{silent_server}")
    assert time.monotonic() - begun < 20 + 4 * refused_at_once
    assert code == 1
    assert levels["Database"] == levels["Mail"] == "fail"
