"""The contestants of queue.py on Redis: each prints what it measured as JSON."""

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from celery import Celery
from celery.contrib.testing.worker import start_worker
from redis import Redis
from rq import Queue, SimpleWorker

from benchmarks.redis_jobs import nothing, stamp

SAMPLES = 30
PAUSE_SECONDS = 0.05


def pick_up_of(enqueue: Any, server: Redis) -> float:
    """Milliseconds from enqueueing to a job's first line."""
    waits = []
    for _ in range(SAMPLES):
        begin = time.time()
        enqueue()
        answer: Any = server.blpop(["began"], timeout=10)
        waits.append(float(answer[1]) - begin)
        time.sleep(PAUSE_SECONDS)
    return statistics.median(waits) * 1000


def rq(jobs: int) -> dict[str, float]:
    address = os.environ["REDIS_SOCKET"]
    server = Redis(unix_socket_path=address)
    server.flushall()
    waiting = Queue(connection=server)
    waiting.enqueue_many([Queue.prepare_data(nothing) for _ in range(jobs)])
    begin = time.perf_counter()
    SimpleWorker([waiting], connection=server).work(burst=True, logging_level="ERROR")
    per_second = jobs / (time.perf_counter() - begin)
    command = [sys.executable, "-m", "rq.cli", "worker", "--quiet", "-w", "rq.SimpleWorker"]
    with subprocess.Popen([*command, "-u", f"unix://{address}"]) as worker:
        time.sleep(2)
        pick_up = pick_up_of(lambda: waiting.enqueue(stamp), server)
        worker.kill()
    return {"per_second": per_second, "pick_up_ms": pick_up}


def celery(jobs: int) -> dict[str, float]:
    address = os.environ["REDIS_SOCKET"]
    server = Redis(unix_socket_path=address)
    server.flushall()
    app = Celery(broker=f"redis+socket://{address}", backend=None)
    app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
    done: list[float] = []

    def count() -> None:
        done.append(time.perf_counter())

    counted = app.task(name="nothing")(count)
    say = app.task(name="stamp")(stamp)
    for _ in range(jobs):
        counted.delay()
    begin = time.perf_counter()
    with start_worker(app, pool="threads", concurrency=10, perform_ping_check=False, loglevel=40):
        while len(done) < jobs:
            time.sleep(0.001)
        per_second = jobs / (done[-1] - begin)
        pick_up = pick_up_of(say.delay, server)
    return {"per_second": per_second, "pick_up_ms": pick_up}


if __name__ == "__main__":
    contestant = {"rq": rq, "celery": celery}[sys.argv[1]]
    print(json.dumps(contestant(int(sys.argv[2]))), flush=True)
