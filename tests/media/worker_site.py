"""A database, a media folder and worker processes of their own, for films on bad days."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg

from media.clips import make_clip

UNFINISHED: LiteralString = "select count(*) from video where state <> 'ready'"
# What the API writes when a film was uploaded.
UPLOAD: LiteralString = """
with film as (
    insert into video (title, description, state, playable, progress, qualities,
                       created_at, updated_at)
    values (%(folder)s, '', 'processing', false, 0, '{}', now(), now()) returning id
), asset as (
    insert into media_asset (video_id, state, folder, source_key, source_name, source_bytes,
                             source_sha256, created_at, updated_at)
    select id, 'uploaded', %(folder)s, %(folder)s || '/source', 'a.mp4', %(size)s, %(sha256)s,
           now(), now() from film returning id
)
insert into procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args)
select 'transcode', 'media.inspect', 30, 'media.inspect:' || id,
       jsonb_build_object('asset_id', id) from asset
"""


class WorkerSite:
    """Films of two seconds, and the workers that encode them, with a fault each test chooses."""

    def __init__(self, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self.home = home
        self.media = home / "media"
        self.log = home / "workers.log"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.environment = os.environ | {
            "DATABASE_URL": dsn,
            "VIDEOFLIX_HOME": str(home),
            "STORAGE_URL": self.media.as_uri(),
            "X264_PRESET": "ultrafast",
            "FAULT_BACKOFF_SECONDS": "0.5",
            "WORKER_STALL_SECONDS": "3",
            "WORKER_GRACE_SECONDS": "0",
            "MP4_FILES": "false",
            "DATABASE_POOL_SIZE": "5",
        }
        self.media.mkdir()

    def upload(self, count: int) -> None:
        clip = make_clip(self.home / "clip.mp4", seconds=2, size="160x90")
        about = {
            "size": clip.stat().st_size,
            "sha256": hashlib.sha256(clip.read_bytes()).hexdigest(),
        }
        with psycopg.connect(self.dsn) as connection:
            for _ in range(count):
                folder = f"assets/{uuid.uuid4().hex}"
                (self.media / folder).mkdir(parents=True)
                shutil.copy(clip, self.media / folder / "source")
                connection.execute(UPLOAD, {"folder": folder, **about})

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "videoflix.cli", "worker", "--role", "all"],
                env=self.environment | settings,
                stdout=log,
                stderr=log,
            )
        self.workers.append(worker)
        return worker

    def stop(self) -> None:
        """End the workers; their children end with them."""
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.send_signal(signal.SIGKILL)
            worker.wait()
        self.workers.clear()

    def ask(self, query: LiteralString) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def until(self, done: Callable[[], bool], seconds: float = 150) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                said = self.log.read_text()[-5000:]
                raise TimeoutError(f"{self.assets()} {self.jobs()}\n{said}")
            time.sleep(0.1)

    def assets(self) -> list[tuple[Any, ...]]:
        return self.ask("select state, stalled_code, failure_code from media_asset order by id")

    def jobs(self) -> list[tuple[Any, ...]]:
        return self.ask(
            "select task_name, status::text, attempts from procrastinate_jobs"
            " where task_name like 'media.%' order by id"
        )

    def until_stalled(self, *codes: str) -> None:
        """Every film waits, and for one of these reasons, or as no worker fetches work."""
        codes = (*codes, "no-worker")
        self.until(self._all_stalled)
        told = self.ask("select stalled_code, stalled_reason from video")
        assert all(code in codes and reason.endswith(".") for code, reason in told), told

    def _all_stalled(self) -> bool:
        self.reconcile()
        return {state for state, _, _ in self.assets()} == {"stalled"}

    def reconcile(self) -> None:
        """What the schedule does each minute."""
        self.ask(
            "insert into procrastinate_jobs (queue_name, task_name, queueing_lock)"
            " values ('default', 'media.reconcile', 'media.reconcile') on conflict do nothing"
        )

    def until_ready(self) -> None:
        self.until(lambda: self.ask(UNFINISHED) == [(0,)], 300)
        assert self.assets() == [("ready", None, None)] * len(self.assets())
        assert self.ask("select 1 from video where stalled_code is not null") == []

    def assert_sources_are_there(self) -> None:
        """Each uploaded file, bit for bit."""
        for key, digest in self.ask("select source_key, source_sha256 from media_asset"):
            assert hashlib.sha256((self.media / key).read_bytes()).hexdigest() == digest

    def assert_no_attempt_was_spent(self) -> None:
        """Each job took one attempt, whatever happened before it succeeded."""
        work = [job for job in self.jobs() if job[0].startswith(("media.inspect", "media.encode"))]
        assert work, self.jobs()
        assert {(status, attempts) for _, status, attempts in work} == {("succeeded", 1)}, work


def new_database(server_dsn: str) -> str:
    """The address of a new database on a running server, a copy of the one that was migrated."""
    url = urlsplit(server_dsn)
    name = f"outage_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(urlunsplit(url._replace(path="/postgres")), autocommit=True) as server:
        template = url.path.removeprefix("/")
        server.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [template]
        )
        server.execute(f"create database {name} template {template}".encode())
    return urlunsplit(url._replace(path=f"/{name}"))
