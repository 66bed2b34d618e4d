"""A database of its own, and worker processes to be hurt."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, LiteralString
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg.types.json import Jsonb

from chaos.jobs import TABLES
from videoflix.platform.queue import Job

JOBS = Path(__file__).with_name("jobs.py")
STALL_SECONDS = 3.0
# How many times longer than in everyday runs the trials go on.
PATIENCE = float(os.environ.get("CHAOS", "1"))


class Arena:
    """Where workers fight for jobs; `dsn` is the database, `home` a folder for their scratch."""

    def __init__(self, dsn: str, home: Path) -> None:
        self.dsn = dsn
        self.workers: list[subprocess.Popen[bytes]] = []
        self.log = home / "workers.log"
        self._environment = os.environ | {
            "DATABASE_URL": dsn,
            "VIDEOFLIX_HOME": str(home),
            "WORKER_STALL_SECONDS": str(STALL_SECONDS),
            "DATABASE_POOL_SIZE": "5",
        }
        command = [sys.executable, "-m", "videoflix.cli", "migrate"]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(TABLES)

    def ask(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            cursor = connection.execute(query, values)
            return cursor.fetchall() if cursor.description else []

    def add(self, jobs: Iterable[Job]) -> None:
        with psycopg.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.executemany(
                "insert into procrastinate_jobs (queue_name, task_name, args) values (%s, %s, %s)",
                [(job.queue, job.name, Jsonb(msgspec.to_builtins(job))) for job in jobs],
            )

    def start(self, role: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                [sys.executable, str(JOBS), role], env=self._environment, stdout=log, stderr=log
            )
        self.workers.append(worker)
        return worker

    def keep_alive(self, role: str) -> None:
        """What a supervisor does: start again whoever died."""
        for worker in list(self.workers):
            if worker.poll() is not None:
                self.workers.remove(worker)
                self.start(role)

    def kill_one(self) -> None:
        random.choice(self.workers).kill()

    def cut_connections(self) -> None:
        """All but ours."""
        self.ask(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

    def until(self, done: Callable[[], bool], seconds: float, role: str | None = None) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if role:
                self.keep_alive(role)
            if time.monotonic() > deadline:
                said = self.log.read_text()[-5000:]
                raise TimeoutError(f"not done after {seconds} s: {self.summary()}\n{said}")
            time.sleep(0.2)

    def summary(self) -> dict[str, int]:
        """Jobs of the trial by task and state; the application's own scheduled ones come and go."""
        query: LiteralString = (
            "select task_name || ' ' || status, count(*) from procrastinate_jobs"
            " where task_name like 'chaos.%%' group by 1"
        )
        return dict(self.ask(query))

    def count(self, table: LiteralString, where: LiteralString = "true") -> int:
        found: int = self.ask("select count(*) from " + table + " where " + where)[0][0]
        return found

    def effects(self) -> list[int]:
        """The numbers that were shown, in order; a number that comes twice was shown twice."""
        return [n for (n,) in self.ask("select number from effect where number >= 0 order by 1")]

    def begun(self) -> list[int]:
        """The numbers of the jobs that were begun, in order, as often as they were."""
        return [n for (n,) in self.ask("select number from begun order by 1")]

    def assert_every_tick_came_once(self) -> None:
        """Each minute since the first is in the ledger once, with one job and one effect.

        It ends the workers first: a tick may fall into the very moment of looking.
        """
        self.stop()
        ledger = self.ask(
            "select scheduled_for, job_id from cron_run where kind = 'chaos.minutely' order by 1"
        )
        times = [scheduled for scheduled, _ in ledger]
        assert len(set(times)) == len(times)
        gaps = {(b - a).total_seconds() for a, b in pairwise(times[1:])}
        assert gaps <= {60.0}, times
        made = [job for _, job in ledger if job is not None]
        assert len(set(made)) == len(made) == self.count("procrastinate_jobs", MINUTELY)
        assert self.count("effect", "number = -1") == self.count(
            "procrastinate_jobs", "task_name = 'chaos.minutely' and status = 'succeeded'"
        )

    def stop(self) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.send_signal(signal.SIGCONT)
                worker.kill()
            worker.wait()


MINUTELY: LiteralString = "task_name = 'chaos.minutely'"


@contextmanager
def arena_on(server_dsn: str, database: str, home: Path) -> Iterator[Arena]:
    """An arena in a new database of a running server."""
    with psycopg.connect(server_dsn, autocommit=True) as server:
        server.execute(f"create database {database} template template0".encode())
    dsn = urlunsplit(urlsplit(server_dsn)._replace(path=f"/{database}"))
    with fighting(Arena(dsn, home)) as arena:
        yield arena


@contextmanager
def fighting(arena: Arena) -> Iterator[Arena]:
    try:
        yield arena
    finally:
        arena.stop()
