"""The contestants of queue.py on Postgres: each prints what it measured as JSON."""

import asyncio
import json
import os
import statistics
import sys
import time
from typing import Any, ClassVar

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.schema import SchemaManager

from videoflix.platform.queue import Job, handles, queue

SAMPLES = 30
PAUSE_SECONDS = 0.05
LOCKED_JOBS = 12
LOCKED_SECONDS = 0.05
OPTIONS: dict[str, Any] = {"fetch_job_polling_interval": 5.0, "install_signal_handlers": False}

started: list[float] = []
news = asyncio.Event()


class Nothing(Job):
    """Do nothing, or take a moment."""

    name: ClassVar = "bench.nothing"
    queue: ClassVar = "bench"
    seconds: float = 0.0


async def work(seconds: float) -> None:
    started.append(time.perf_counter())
    news.set()
    if seconds:
        await asyncio.sleep(seconds)


async def begun(count: int) -> None:
    """Wait until so many jobs have begun."""
    while len(started) < count:
        news.clear()
        await news.wait()


@handles(Nothing)
async def do_nothing(job: Nothing) -> None:
    await work(job.seconds)


INSERT = (
    "insert into procrastinate_jobs (queue_name, task_name, args, lock)"
    " select 'bench', 'bench.nothing', jsonb_build_object('seconds', %s::float), %s"
    " from generate_series(1, %s)"
)


async def on_postgres(app: App, dsn: str, jobs: int) -> dict[str, float]:
    """Measure a procrastinate app, ours or plain."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:

        async def add(count: int, seconds: float = 0.0, lock: str | None = None) -> None:
            await connection.execute(INSERT, (seconds, lock, count))

        async with app.open_async():
            await add(50)
            await app.run_worker_async(queues=["bench"], wait=False, concurrency=10, **OPTIONS)
            await add(jobs)
            begin = time.perf_counter()
            await app.run_worker_async(queues=["bench"], wait=False, concurrency=10, **OPTIONS)
            per_second = jobs / (time.perf_counter() - begin)

            worker = asyncio.create_task(
                app.run_worker_async(queues=["bench"], concurrency=4, **OPTIONS)
            )
            await asyncio.sleep(1)
            waits = []
            for _ in range(SAMPLES):
                begin, count = time.perf_counter(), len(started)
                await add(1)
                await begun(count + 1)
                waits.append(started[-1] - begin)
                await asyncio.sleep(PAUSE_SECONDS)
            begin, count = time.perf_counter(), len(started)
            await add(LOCKED_JOBS, LOCKED_SECONDS, "one")
            await begun(count + LOCKED_JOBS)
            lock_seconds = time.perf_counter() - begin
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    return {
        "per_second": per_second,
        "pick_up_ms": statistics.median(waits) * 1000,
        "lock_seconds": lock_seconds,
    }


def ours(jobs: int) -> dict[str, float]:
    return asyncio.run(on_postgres(queue, os.environ["DATABASE_URL"], jobs))


def plain(jobs: int) -> dict[str, float]:
    dsn = os.environ["DATABASE_URL"]
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("drop database if exists plain with (force)")
        server.execute("create database plain template template0")
    plain_dsn = dsn.replace("/videoflix?", "/plain?")
    with psycopg.connect(plain_dsn, autocommit=True) as connection:
        connection.execute(SchemaManager.get_schema().encode())
    app = App(connector=PsycopgConnector(conninfo=plain_dsn))
    app.task(name="bench.nothing", queue="bench")(work)
    return asyncio.run(on_postgres(app, plain_dsn, jobs))


if __name__ == "__main__":
    contestant = {"ours": ours, "plain": plain}[sys.argv[1]]
    print(json.dumps(contestant(int(sys.argv[2]))), flush=True)
