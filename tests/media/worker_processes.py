"""A database, a media folder and worker processes of their own, for films on bad days."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import psycopg

from media.clips import make_clip
from videoflix.media.ffmpeg import find_ffmpeg
from videoflix.platform.storage.local import MARKER

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
insert into procrastinate_jobs (queue_name, task_name, priority, queueing_lock, args, status)
select 'transcode', 'media.inspect', 30, 'media.inspect:' || id,
       jsonb_build_object('asset_id', id), %(status)s from asset
"""
CLAIM: LiteralString = (
    "update installation set storage_claimed_at = now() returning storage_id::text"
)
RECONCILE: LiteralString = """
insert into procrastinate_jobs (queue_name, task_name, queueing_lock)
values ('default', 'media.reconcile', 'media.reconcile') on conflict do nothing
"""
FORGET: LiteralString = """
delete from video;
delete from procrastinate_jobs where status <> 'doing';
delete from job_incident;
"""
SERVING: LiteralString = """
select 1 from worker_breaker join procrastinate_workers as worker on worker.id = worker_id
where queue_name = 'transcode' and reason = ''
"""
# An ffmpeg with a fault that a file beside it names; `killed` ones still pass the self-test.
FAULTY = """#!/bin/sh
case "$*" in *-encoders*|*-filters*) exec {ffmpeg} "$@";; esac
read fault 2>/dev/null < {fault}
case "$fault" in
    broken) echo "Error while opening encoder" >&2; exit 1;;
    killed) case "$*" in *lavfi*) ;; *) kill -KILL $$;; esac;;
esac
exec {ffmpeg} "$@"
"""


class WorkerSite:
    """Films of two seconds, and the workers that encode them, with a fault each test chooses."""

    def __init__(self, dsn: str, home: Path, tools: Path) -> None:
        self.dsn = dsn
        self.home = home
        self.media = home / "media"
        self.log = home / "workers.log"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.ffmpeg, self.ffmpeg_fault = tools / "ffmpeg.sh", tools / "fault"
        self.ffmpeg.write_text(FAULTY.format(ffmpeg=find_ffmpeg(), fault=self.ffmpeg_fault))
        for path, mode in ((tools, 0o755), (self.ffmpeg, 0o755)):
            path.chmod(mode)
        self.environment = os.environ | {
            "DATABASE_URL": dsn,
            "VIDEOFLIX_HOME": str(home),
            "STORAGE_URL": self.media.as_uri(),
            "FFMPEG_PATH": str(self.ffmpeg),
            "SANDBOX_READABLE": str(tools),
            "X264_PRESET": "ultrafast",
            "FAULT_BACKOFF_SECONDS": "0.5",
            "WORKER_STALL_SECONDS": "3",
            "WORKER_GRACE_SECONDS": "0",
            "MP4_FILES": "false",
            "DATABASE_POOL_SIZE": "5",
        }
        self.clip = make_clip(home / "clip.mp4", seconds=2, size="160x90").read_bytes()
        [(storage_id,)] = self.ask(CLAIM)
        self.write(MARKER, f"{storage_id}\n".encode())

    def write(self, key: str, data: bytes) -> None:
        """Put an object into the storage."""
        (self.media / key).parent.mkdir(parents=True, exist_ok=True)
        (self.media / key).write_bytes(data)

    def read(self, key: str) -> bytes:
        return (self.media / key).read_bytes()

    def store(self, count: int) -> list[str]:
        """Store as many files as an upload does, which no row names yet; their folders."""
        folders = [f"assets/{uuid.uuid4().hex}" for _ in range(count)]
        for folder in folders:
            self.write(f"{folder}/source", self.clip)
        return folders

    def enter(self, folders: Sequence[str], status: str = "todo") -> None:
        """Write the rows of films whose files are stored, with an inspection of this status."""
        about = {
            "size": len(self.clip),
            "sha256": hashlib.sha256(self.clip).hexdigest(),
            "status": status,
        }
        with psycopg.connect(self.dsn) as connection:
            for folder in folders:
                connection.execute(UPLOAD, {"folder": folder, **about})

    def upload(self, count: int) -> None:
        self.enter(self.store(count))

    def start(self, role: str = "all", **settings: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, "-m", "videoflix.cli", "worker", "--role", role],
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

    def until_serving(self) -> None:
        """A worker has passed its self-tests and fetches what has to be encoded."""
        self.until(lambda: self.ask(SERVING) != [])

    def forget(self) -> None:
        """Remove every film and job, once nothing runs; the workers stay."""
        self.until(lambda: self.ask("select 1 from procrastinate_jobs where status='doing'") == [])
        self.ask(FORGET)
        self.until_serving()

    def assets(self) -> list[tuple[Any, ...]]:
        return self.ask("select state, stalled_code, failure_code from media_asset order by id")

    def jobs(self) -> list[tuple[Any, ...]]:
        return self.ask(
            "select task_name, status::text, attempts from procrastinate_jobs"
            " where task_name like 'media.%' order by id"
        )

    def until_stalled(self, *codes: str) -> str:
        """Every film waits, and for one of these reasons; the sentence that says so."""
        self.until(partial(self._all_stalled, "no-worker" in codes))
        told = self.ask("select stalled_code, stalled_reason from video")
        assert all(code in codes and reason.endswith(".") for code, reason in told), told
        return str(told[0][1])

    def _all_stalled(self, reconciling: bool) -> bool:
        if reconciling:
            self.reconcile()
        return {state for state, _, _ in self.assets()} == {"stalled"}

    def reconcile(self) -> None:
        """What the schedule does each minute."""
        self.ask(RECONCILE)

    def until_ready(self) -> None:
        self.until(lambda: self.ask(UNFINISHED) == [(0,)], 300)
        assert self.assets() == [("ready", None, None)] * len(self.assets())
        assert self.ask("select 1 from video where stalled_code is not null") == []

    def assert_sources_are_there(self) -> None:
        """Each uploaded file, bit for bit."""
        for key, digest in self.ask("select source_key, source_sha256 from media_asset"):
            assert hashlib.sha256(self.read(key)).hexdigest() == digest

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
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = %s and backend_type = 'client backend'",
            [template],
        )
        server.execute(f"create database {name} template {template}".encode())
    return urlunsplit(url._replace(path=f"/{name}"))
