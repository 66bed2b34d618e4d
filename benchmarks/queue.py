"""What the queue's promises cost, against plain procrastinate and against Redis, in one run.

    uv run --group bench python benchmarks/queue.py [--jobs 2000] [--rounds 3]

- ours: our worker and job manager on procrastinate's tables, fenced, with reaper and clock.
- plain: procrastinate as it comes, on its own schema, same server, same options.
- rq, celery: on Redis, where redis-server and the group `bench` are installed.

Throughput is jobs that do nothing, waiting in the queue when one worker starts; pick-up is the
time from enqueueing one job to its first line, by an idle worker; the lock is twelve jobs of
0.05 s that share one, with four at a time. Ratios are medians of rounds that take turns.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import argparse
import json
import os
import shutil
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from videoflix.platform.postgres.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[1]
# ours against plain: at least this share of its jobs a second, and this long for one lock
THROUGHPUT_LIMIT = 0.9
LOCK_LIMIT_SECONDS = 2.0

MODULES = {
    "ours": "benchmarks.queue_contestants",
    "plain": "benchmarks.queue_contestants",
    "rq": "benchmarks.queue_on_redis",
    "celery": "benchmarks.queue_on_redis",
}

Result = dict[str, float]


@contextmanager
def redis(folder: Path) -> Iterator[str | None]:
    """The address of a Redis of our own, or None where there is none to start."""
    program = shutil.which("redis-server")
    if program is None:
        yield None
        return
    socket = folder / "redis.sock"
    command = [program, "--port", "0", "--unixsocket", str(socket), "--save", ""]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
        yield str(socket)
        server.terminate()


def measure(name: str, jobs: int, environment: dict[str, str]) -> Result | None:
    """What a contestant measured of itself; None when it is not installed here."""
    done = subprocess.run(
        [sys.executable, "-m", MODULES[name], name, str(jobs)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1]}")
        return None
    result: Result = json.loads(done.stdout.splitlines()[-1])
    print(
        f"{name:8} {result['per_second']:7.0f} jobs/s   pick-up {result['pick_up_ms']:7.1f} ms"
        + (f"   one lock {result['lock_seconds']:5.1f} s" if "lock_seconds" in result else ""),
        flush=True,
    )
    return result


def median(results: list[Result], field: str) -> float:
    return statistics.median(result[field] for result in results)


def verdict(found: dict[str, list[Result]]) -> bool:
    ours, plain = found["ours"], found["plain"]
    pairs = zip(ours, plain, strict=True)
    ratio = statistics.median(a["per_second"] / b["per_second"] for a, b in pairs)
    lock = median(ours, "lock_seconds")
    holds = ratio >= THROUGHPUT_LIMIT and lock < LOCK_LIMIT_SECONDS
    print(f"\njobs/s, ours / plain        {ratio:5.2f}  limit {THROUGHPUT_LIMIT:.2f}")
    print(f"one lock, ours              {lock:5.2f} s  limit {LOCK_LIMIT_SECONDS:.0f} s")
    print(f"one lock, plain             {median(plain, 'lock_seconds'):5.2f} s")
    for name, results in found.items():
        if name != "ours" and results:
            speed = median(ours, "per_second") / median(results, "per_second")
            wait = median(ours, "pick_up_ms") / median(results, "pick_up_ms")
            print(f"ours / {name:7} jobs/s {speed:5.2f}   pick-up {wait:5.2f}")
    print("ok" if holds else "MISSED")
    return holds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, list[Result]] = {"ours": [], "plain": [], "rq": [], "celery": []}
    with TemporaryDirectory(prefix="videoflix-bench-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o711)
        with EmbeddedPostgres(folder / "postgres") as server, redis(folder) as socket:
            environment = {
                "DATABASE_URL": server.dsn(),
                "VIDEOFLIX_HOME": name,
                "REDIS_SOCKET": socket or "",
            }
            migrate = [sys.executable, "-m", "videoflix.cli", "migrate"]
            subprocess.run(migrate, env=os.environ | environment, check=True, capture_output=True)
            for _ in range(arguments.rounds):
                for contestant in found:
                    if socket is None and contestant in {"rq", "celery"}:
                        continue
                    result = measure(contestant, arguments.jobs, environment)
                    found[contestant] += [result] if result else []
    if not found["ours"] or not found["plain"]:
        return 1
    return 0 if verdict(found) else 1


if __name__ == "__main__":
    sys.exit(main())
