"""Whether a catalogue of a million titles answers as fast as one of a thousand.

    uv run python benchmarks/catalog.py [--videos 1000000] [--requests 200]

Two databases of one Postgres: a thousand titles with ten thousand history rows, and a million
with ten million. Every kind of request is answered without the process's memory of answers, by
the whole application, and every statement it sends is explained: none may read a table from end
to end. Then one remembered list against a bare route that answers the same bytes.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from typing import Any

import httpx
import sqlalchemy
from sqlalchemy import event, text

from benchmarks.serving import bare_server, per_second, server, verdict
from videoflix.platform.postgres.embedded import EmbeddedPostgres

ROUNDS = 7
SMALL = 1_000
SEARCHES = ("common", "rare", "two", "typo")
# Tables that stay small whatever the catalogue's size.
SMALL_TABLES = {"category", "profile", "user_account"}

HISTORY = """
insert into watch_state (profile_id, video_id, seconds, finished, client_at, created_at, updated_at)
select p, 1 + (p * 37 + n * 997) % :videos, 60, n % 3 = 0,
       now() - n * interval '1 hour', now(), now()
from generate_series(cast(:first as bigint), :last) as p, generate_series(1, :each) as n
"""
# Every tenth title is subtitled, with ten lines.
SUBTITLES = """
insert into subtitle (video_id, language, label, text, created_at, updated_at)
select id, 'en', 'en', 'WEBVTT', now(), now() from video where id % 10 = 0
"""
CUES = """
insert into subtitle_cue (subtitle_id, video_id, language, at, text, created_at, updated_at)
select subtitle.id, video_id, 'en', n * 10, left(md5(video_id::text || n), 8) || ' and again',
       now(), now()
from subtitle, generate_series(1, 10) as n
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(asyncio.run(measure(options.videos, options.requests))))
        return 0
    found = {}
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        with EmbeddedPostgres(Path(home) / "postgres", durable=False) as postgres:
            for videos in (SMALL, options.videos):
                found[videos] = one_size(postgres, home, videos, options.requests)
    results = judge(found[SMALL], found[options.videos])
    results += asyncio.run(remembered())
    return 0 if all(results) else 1


def one_size(postgres: EmbeddedPostgres, home: str, videos: int, requests: int) -> dict[str, Any]:
    """Fill a database of this size and measure it, in a process of its own."""
    name = f"catalogue_{videos}"
    dsn = postgres.dsn()
    admin = sqlalchemy.create_engine(
        postgres.admin_dsn().replace("postgresql://", "postgresql+psycopg://")
    )
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"create database {name} owner videoflix template template0"))
    url = url_of(dsn, name)
    environment = os.environ | {
        "DATABASE_URL": url,
        "VIDEOFLIX_HOME": home,
        "SECRET_KEY": "k" * 40,
        "THROTTLE_USER": "off",
    }
    ours = [sys.executable, "-m", "videoflix.cli"]
    print(
        f"filling a catalogue of {videos:,} titles and {videos * 10:,} history rows …", flush=True
    )
    subprocess.run([*ours, "migrate"], env=environment, check=True, capture_output=True)
    subprocess.run(
        [*ours, "seed", "bulk", "--videos", str(videos)],
        env=environment,
        check=True,
        capture_output=True,
    )
    add_history(postgres.admin_dsn(name), videos)
    sizes = ["--videos", str(videos), "--requests", str(requests)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.catalog", "--measure", *sizes],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def url_of(dsn: str, database: str) -> str:
    head, _, rest = dsn.partition("/videoflix?")
    return f"{head}/{database}?{rest}"


def add_history(url: str, videos: int) -> None:
    """Ten rows a title: up to a thousand rows for each profile."""
    profiles = max(10, videos // 100)
    each = videos * 10 // profiles
    engine = sqlalchemy.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("set session_replication_role = replica"))  # no checks of keys
        connection.execute(
            text(
                "insert into user_account (email, email_key, first_name, last_name, phone, address,"
                " language, password_hash, role, is_active, is_guest, confirmed_at,"
                " created_at, updated_at)"
                " select n || '@example.org', n || '@example.org', '', '', '', '', 'en', '!',"
                " 'viewer', true, false, now(), now(), now() from generate_series(1, :n) as n"
            ),
            {"n": profiles},
        )
        connection.execute(
            text(
                "insert into profile (user_id, name, avatar, language, is_first, created_at,"
                " updated_at) select id, 'Me', '', 'en', true, now(), now() from user_account"
            )
        )
    for first in range(1, profiles + 1, 1_000):
        with engine.begin() as connection:
            connection.execute(text("set session_replication_role = replica"))
            last = min(first + 999, profiles)
            values = {"videos": videos, "first": first, "last": last, "each": each}
            connection.execute(text(HISTORY), values)
    with engine.begin() as connection:
        connection.execute(text(SUBTITLES))
        connection.execute(text(CUES))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("vacuum analyze"))


class Statements:
    """What the application sends, to be explained afterwards."""

    def __init__(self) -> None:
        self.sent: dict[str, Any] = {}

    def note(self, *call: Any) -> None:
        if call[2].lstrip().upper().startswith(("SELECT", "WITH")):
            self.sent[call[2]] = call[3]


async def measure(videos: int, requests: int) -> dict[str, Any]:
    """Times in milliseconds of each kind of request, and tables that were read end to end."""
    # The application reads its settings when it is imported: only in this process.
    from videoflix.app import create_app
    from videoflix.catalog.api.response_cache import response_cache
    from videoflix.platform.postgres.session import alchemy, transaction
    from videoflix.sessions.service.sessions import Sessions
    from videoflix.up.seed import invented_words

    async with transaction() as session:
        user = await Sessions(session).accounts.get_active(5)
        pair = await Sessions(session).open(user)
    statements = Statements()
    event.listen(alchemy.get_engine().sync_engine, "before_cursor_execute", statements.note)
    asgi: Any = create_app()  # Litestar's types of a scope are narrower than httpx's
    transport = httpx.ASGITransport(asgi)
    words = invented_words()
    kinds: dict[str, Callable[[int], str]] = {
        "list": lambda n: "/videos?limit=20",
        "genre": lambda n: f"/videos?genre=drama&offset={n % 50}",
        "category": lambda n: f"/videos?category=category-{1 + n % 20}",
        "title": lambda n: "/videos?ordering=title",
        "detail": lambda n: f"/videos/{1 + n * 7 % videos}",
        "related": lambda n: f"/videos/{1 + n * 7 % videos}/related",
        "by-category": lambda n: "/videos/by-category?limit=10",
        "search": lambda n: search(words, n),
        "suggest": lambda n: f"/videos/suggest?q={words[n % len(words)][:4]}",
        "continue": lambda n: "/history?unfinished=true",
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    read: dict[str, list[str]] = {}
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://test/api/v1",
        headers={"Authorization": f"Bearer {pair.access}"},
    ) as client:
        for number in range(requests + 5):
            for kind, path in kinds.items():
                response_cache.clear()
                statements.sent.clear()
                begun = time.perf_counter()
                (await client.get(path(number))).raise_for_status()
                if number >= 5:  # the first ones warm everything up
                    times[kind].append((time.perf_counter() - begun) * 1000)
                elif number == 4:
                    read[kind] = await tables_read(statements)
    return {
        "p50": {kind: statistics.median(taken) for kind, taken in times.items()},
        "p95": {kind: statistics.quantiles(taken, n=20)[18] for kind, taken in times.items()},
        "read": read,
    }


def search(words: list[str], number: int) -> str:
    """A common word, a rare one, two of them, or one with a mistake."""
    kind = SEARCHES[number % len(SEARCHES)]
    common, rare = words[number % 40], words[-1 - number % 1000]
    typed = {
        "common": common,
        "rare": rare,
        "two": f"{common} {words[40 + number % 200]}",
        "typo": rare[:2] + "x" + rare[3:],
    }[kind]
    return f"/videos?search={typed}"


async def tables_read(statements: Statements) -> list[str]:
    """The tables that any of these statements reads from end to end."""
    from videoflix.platform.postgres.session import alchemy

    found = set()
    async with alchemy.get_engine().connect() as connection:
        raw: Any = (await connection.get_raw_connection()).driver_connection
        if any("set_config" in statement for statement in statements.sent):
            await raw.execute("set enable_seqscan = off")
        for statement, parameters in list(statements.sent.items()):
            plan = await raw.fetchval(f"explain (format json) {statement}", *parameters)
            found |= set(scanned(plan[0]["Plan"]))
    return sorted(found - SMALL_TABLES)


def scanned(plan: dict[str, Any]) -> list[str]:
    here = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return here + [table for part in plan.get("Plans", []) for table in scanned(part)]


def judge(small: dict[str, Any], large: dict[str, Any]) -> list[bool]:
    """The claims: as fast with a million, searching below 50 ms, no table read end to end."""
    results = []
    for kind, p50 in large["p50"].items():
        ratio = p50 / small["p50"][kind]
        claim = f"{kind}: p50 {small['p50'][kind]:.1f} -> {p50:.1f} ms"
        results.append(verdict(claim, ratio, 2.0, ratio <= 2.0))
    p95 = large["p95"]["search"]
    results.append(verdict("search: p95 in ms", p95, 50.0, p95 < 50.0))
    read = {kind: tables for kind, tables in large["read"].items() if tables}
    results.append(verdict(f"tables read end to end: {read or 'none'}", len(read), 0, not read))
    return results


async def remembered() -> list[bool]:
    """A remembered list against a bare route with the same bytes, on a real server."""
    with server() as site:
        async with httpx.AsyncClient(base_url=site) as client:
            credentials = {"email": "ada@example.org", "password": "correct horse battery staple"}
            pair = (await client.post("/api/v1/auth/token", json=credentials)).json()
            token = f"Bearer {pair['access']}"
            answer = await client.get("/api/v1/videos", headers={"Authorization": token})
        header = f"Authorization: {token}\r\n"
        shares = []
        with bare_server(answer.content) as bare:
            for _ in range(ROUNDS):
                limit = await per_second(bare, path="/")
                shares.append(await per_second(site, header, "/api/v1/videos") / limit)
    share = statistics.median(shares)
    return [verdict("remembered list / bare route", share, 0.6, share >= 0.6)]


if __name__ == "__main__":
    sys.exit(main())
