"""A database that goes away under running jobs."""

import time
from pathlib import Path

import msgspec

from chaos.arena import Arena, fighting
from chaos.jobs import Task, Work
from videoflix.platform.embedded import EmbeddedPostgres

LENGTHS = (1.0, 20.0, 45.0, 90.0)
JOB_SECONDS = 5.0
COUNT = 8


class Outcome(msgspec.Struct):
    """What happened: effects and executions in order, and seconds until workers began again."""

    effects: list[int]
    executions: list[int]
    resumed_after: float
    states: dict[str, int]


def outage(seconds: float, folder: Path) -> Outcome:
    """Stop the database for so long while jobs run; nobody starts the workers again."""
    home = folder / f"{seconds:g}"
    home.mkdir()
    home.chmod(0o711)
    with EmbeddedPostgres(home / "postgres", durable=False) as server:
        arena = Arena(server.dsn(), home)
        with fighting(arena):
            arena.start("transcode")
            arena.start("default")
            arena.until(lambda: arena.count("procrastinate_workers") == 2, 60)
            running = [Work(number=0, seconds=JOB_SECONDS), Task(number=1, seconds=JOB_SECONDS)]
            arena.add(running)
            arena.until(lambda: arena.count("begun") == len(running), 60)
            time.sleep(1)
            # None of these begins before the stop: of a commit that is cut off, nobody can say
            # whether it happened, and an execution would be written down twice.
            arena.add(Work(number=n, seconds=0.1) for n in range(2, COUNT))
            server.stop()
            time.sleep(seconds)
            server.start()
            came_back = time.monotonic()
            arena.until(lambda: arena.count("begun") > len(running), 30)
            resumed_after = time.monotonic() - came_back
            arena.until(lambda: len(arena.effects()) >= COUNT, 30)
            time.sleep(3)  # would anybody do a job again?
            return Outcome(arena.effects(), arena.begun(), resumed_after, arena.summary())
