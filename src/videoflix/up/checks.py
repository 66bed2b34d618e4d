"""The checks of `videoflix doctor`: each returns a finding and how to fix it."""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import aiosmtplib
import asyncpg
import msgspec

from videoflix.job_monitor.service import JobMonitor
from videoflix.media.ffmpeg import FFmpegMissing, find_ffmpeg, lacks_encoder
from videoflix.media.self_tests import SelfTestFailed, check_encoder, check_scratch
from videoflix.metrics.service import Metrics
from videoflix.platform.postgres.connect import connect
from videoflix.platform.postgres.migrations import newest_revision
from videoflix.platform.postgres.notify import NO_NOTIFICATIONS, receives_notifications
from videoflix.platform.postgres.session import transaction
from videoflix.platform.problems import Problem
from videoflix.platform.process.sandbox import SandboxMissing, sandbox
from videoflix.platform.storage.errors import advice, first_line
from videoflix.platform.storage.media_storage import media_storage
from videoflix.settings import settings

CONNECT_SECONDS = 5.0
ENCODER_SECONDS = 6.0
OLDEST_POSTGRES = 150_000
EXTENSIONS = {"unaccent", "pg_trgm", "fuzzystrmatch"}
# Tokens are issued and expire by this machine's clock, leases by the database's.
CLOCK_WARN_SECONDS, CLOCK_FAIL_SECONDS = 2.0, 30.0
DISK_WARN_BYTES = 10 * 1024**3
GIB = 1024**3
LONG_WAIT_SECONDS = 600.0
# A worker that runs one job at a time: two for transactions, one for the queue, one for LISTEN.
WORKER_CONNECTIONS = 4
DEFAULT_CONCURRENCY, QUEUE_CONNECTIONS = 10, 5
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Finding(msgspec.Struct, frozen=True):
    """The result of a check; `fix` says what to do about it."""

    level: Literal["ok", "warn", "fail"]
    detail: str
    fix: str = ""


Check = Callable[[], Awaitable[Finding]]


@asynccontextmanager
async def database() -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """Open a transaction on a separate connection, with a short timeout."""
    connection = await connect("videoflix-doctor", command_timeout=CONNECT_SECONDS)
    try:
        async with connection.transaction():  # with PgBouncer, one server connection for the block
            yield connection
    finally:
        connection.terminate()


async def check_settings() -> Finding:
    """Check settings that are otherwise read only when they are needed."""
    try:
        _ = settings.signing_key, settings.trusted_networks
    except SystemExit as wrong:
        return Finding("fail", str(wrong), "See docs/configure.md.")
    site = urlsplit(settings.site_url)
    if site.scheme != "https" and site.hostname not in LOOPBACK:
        return Finding(
            "warn",
            f"SITE_URL is {settings.site_url}: passwords and cookies are sent unencrypted.",
            "Put a proxy with TLS in front, and set SITE_URL to https://….",
        )
    return Finding("ok", f"The site is {settings.site_url}.")


async def check_database() -> Finding:
    try:
        async with database() as connection:
            version = int(await connection.fetchval("show server_version_num"))
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding(
            "fail",
            f"No connection: {str(error) or type(error).__name__}",
            "Start Postgres, and check host, port, user, password and database in DATABASE_URL."
            if settings.database_url
            else "Start `videoflix up`, or set DATABASE_URL.",
        )
    if version < OLDEST_POSTGRES:
        return Finding("fail", f"Postgres {version // 10_000}.", "Upgrade to Postgres 15 or newer.")
    return Finding("ok", f"Postgres {version // 10_000}.{version % 10_000} answers.")


async def check_extensions() -> Finding:
    async with database() as connection:
        rows = await connection.fetch("select extname from pg_extension")
    if missing := sorted(EXTENSIONS - {row["extname"] for row in rows}):
        return Finding(
            "fail",
            f"Missing: {', '.join(missing)}.",
            "Install Postgres's contrib package on its server, then run `videoflix migrate`.",
        )
    return Finding("ok", ", ".join(sorted(EXTENSIONS)))


async def check_notifications() -> Finding:
    if await receives_notifications():
        return Finding("ok", "Notifications between processes work.")
    sentence, fix = NO_NOTIFICATIONS.split(". ", 1)
    return Finding("warn", f"{sentence}. Changes are picked up a second later.", fix)


async def check_migrations() -> Finding:
    async with database() as connection:
        known = await connection.fetchval("select to_regclass('schema_version') is not null")
        found = await connection.fetchval("select version_num from schema_version") if known else ""
    expected = newest_revision()
    if found == expected:
        return Finding("ok", f"At {found}.")
    if found and found > expected:
        return Finding("fail", f"At {found}, newer than {expected}.", "Install the newer release.")
    return Finding(
        "fail", f"At {found or 'nothing'} instead of {expected}.", "Run `videoflix migrate`."
    )


async def check_clock() -> Finding:
    async with database() as connection:
        begun = time.time()
        theirs = await connection.fetchval("select extract(epoch from clock_timestamp())::float8")
        skew = theirs - (begun + time.time()) / 2
    if abs(skew) < CLOCK_WARN_SECONDS:
        return Finding("ok", f"{abs(skew):.1f} s off the database's clock.")
    return Finding(
        "fail" if abs(skew) > CLOCK_FAIL_SECONDS else "warn",
        f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the database's clock.",
        "Synchronize both machines by NTP (chrony, systemd-timesyncd).",
    )


async def check_storage() -> Finding:
    try:
        await media_storage().check_writable()
    except (Problem, OSError, ValueError) as error:
        cause = error.__cause__ or error
        return Finding("fail", f"{settings.media_url}: {first_line(cause)}", advice(cause))
    return Finding("ok", f"{settings.media_url} is writable.")


async def check_disk() -> Finding:
    folders = [settings.videoflix_home, media_storage().folder]
    free, folder = min(
        [
            ((await asyncio.to_thread(shutil.disk_usage, _existing(folder))).free, folder)
            for folder in folders
            if folder is not None
        ]
    )
    detail = f"{free / GIB:.1f} GiB free for {folder}."
    fix = "Free some space, or move VIDEOFLIX_HOME or STORAGE_URL to a larger disk."
    if free < settings.storage_reserve_bytes:
        return Finding("fail", f"{detail} Uploads are rejected.", fix)
    return Finding("warn", detail, fix) if free < DISK_WARN_BYTES else Finding("ok", detail)


async def check_ffmpeg() -> Finding:
    try:
        path = await asyncio.to_thread(find_ffmpeg)
    except FFmpegMissing as error:
        return Finding("fail", str(error), "Set FFMPEG_PATH to an ffmpeg with libx264 and aac.")
    try:
        async with asyncio.timeout(ENCODER_SECONDS):
            await check_encoder()
    except TimeoutError:
        detail = f"{path} took longer than {ENCODER_SECONDS:g} seconds to encode half a second."
        return Finding("warn", detail, "Try again when this machine is less busy.")
    except SelfTestFailed as error:
        return Finding("fail", f"{path}: {error}", "Check FFmpeg's message and the named settings.")
    if await asyncio.to_thread(lacks_encoder, path, "libwebp"):
        return Finding(
            "warn",
            f"{path} lacks libwebp.",
            "Set FFMPEG_PATH to a build with libwebp, for pictures.",
        )
    return Finding("ok", str(path))


async def check_sandbox() -> Finding:
    """Check the isolation of programs that read uploads."""
    try:
        found = await asyncio.to_thread(sandbox)
    except SandboxMissing as missing:
        return Finding("fail", str(missing), "See docs/security.md, or set SANDBOX=auto.")
    if {"network", "files"} & set(found.lacks):
        return Finding("warn", str(found), "See “The sandbox” in docs/security.md.")
    return Finding("ok", str(found))


async def check_scratch_space() -> Finding:
    try:
        await check_scratch()
    except (SelfTestFailed, OSError) as error:
        return Finding("fail", str(error), "Encoding needs space in VIDEOFLIX_HOME/scratch.")
    return Finding("ok", "Enough space, and limits are high enough.")


async def check_connections() -> Finding:
    """Compare the connections of all processes (docs/scale.md) with the server's limit."""
    async with database() as connection:
        row = await connection.fetchrow(
            "select current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int as room,"
            " (select count(*) from pg_stat_activity where backend_type = 'client backend')"
            " as used, (select count(*) from procrastinate_workers where last_heartbeat"
            " > now() - make_interval(secs => $1)) as workers",
            settings.worker_stall_seconds,
        )
    assert row is not None  # noqa: S101 - a select without a from has one row
    room, used, workers = row["room"], row["used"], row["workers"]
    api = settings.database_pool_size + 1
    budget = (
        f"{used} of {room} connections are in use. Each API process uses up to {api},"
        f" each of {workers} workers 2 while idle and up to {WORKER_CONNECTIONS}"
        " (role default: up to"
        f" {min(DEFAULT_CONCURRENCY + 1, settings.database_pool_size) + QUEUE_CONNECTIONS})."
    )
    if api + workers * WORKER_CONNECTIONS > room or used > room * 0.8:
        fix = "Raise max_connections, lower DATABASE_POOL_SIZE, or put PgBouncer in front."
        return Finding("warn", budget, fix)
    return Finding("ok", budget)


async def check_mail() -> Finding:
    server = settings.smtp_url
    if server is None:
        return Finding(
            "warn",
            "SMTP_URL is not set: mails are not sent.",
            "Set SMTP_URL, or read them at /mail.",
        )
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user or None,
        password=server.password or None,
        use_tls=server.implicit_tls,
        start_tls=True if server.must_start_tls else None,
        timeout=CONNECT_SECONDS,
    )
    try:
        async with client:
            await client.noop()
    except (aiosmtplib.SMTPException, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding(
            "fail",
            f"{server.host}:{server.port}: {reason}",
            "Check SMTP_URL: host, port, user, password; smtps:// for port 465.",
        )
    return Finding("ok", f"{server.host}:{server.port} accepts the connection.")


async def check_workers() -> Finding:
    async with transaction() as session:
        load = await Metrics(session).load()
    if load.workers == 0:
        return Finding(
            "fail",
            f"No heartbeat of a worker for {settings.worker_stall_seconds:g} seconds.",
            "Start `videoflix worker --role all`, or one for each role.",
        )
    async with transaction() as session:
        workers = await JobMonitor(session).workers()
    for worker in workers:
        for queue_name, reason in worker.stopped.items():
            if worker.alive:
                return Finding(
                    "fail",
                    f"Worker {worker.id} paused queue “{queue_name}”: {reason}",
                    "Fix its machine; the worker resumes without a restart.",
                )
    for queue in load.queues:
        if queue.oldest_seconds > LONG_WAIT_SECONDS:
            return Finding(
                "warn",
                f"A job of “{queue.queue}” has waited for {queue.oldest_seconds / 60:.0f} minutes.",
                f"Start more workers for it; see `videoflix jobs` and docs/scale.md ({queue.todo}"
                " wait).",
            )
    return Finding("ok", f"{load.workers} alive.")


def _existing(folder: Path) -> Path:
    return next(found for found in (folder, *folder.parents) if found.exists())


# Checks by subject; those of the second group need the database.
CHECKS: dict[str, Check] = {
    "Settings": check_settings,
    "Database": check_database,
    "Storage": check_storage,
    "Disk": check_disk,
    "FFmpeg": check_ffmpeg,
    "Scratch space": check_scratch_space,
    "Sandbox": check_sandbox,
    "Mail": check_mail,
}
CHECKS_OF_THE_DATABASE: dict[str, Check] = {
    "Extensions": check_extensions,
    "Migrations": check_migrations,
    "Notifications": check_notifications,
    "Clock": check_clock,
    "Connections": check_connections,
    "Workers": check_workers,
}
