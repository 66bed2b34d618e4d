"""A database that is lost under running jobs."""

import time
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

import msgspec

from chaos.arena import Arena, fighting
from chaos.jobs import Task, Work
from videoflix.platform.postgres.embedded import EmbeddedPostgres

LENGTHS = (1.0, 20.0, 45.0, 90.0)
SHORT = 5.0
JOB_SECONDS = 5.0
COUNT = 8
RUNNING = 2  # of these when the database stops


class Outcome(msgspec.Struct):
    """What happened: effects and executions in order, and seconds until workers began again."""

    effects: list[int]
    executions: list[int]
    resumed_after: float
    states: dict[str, int]


def outage(seconds: float, folder: Path, starting: Lock) -> Outcome:
    """Stop the database for so long while jobs run; nobody starts the workers again.

    Outages run at once, but start one after the other: two cores start no twelve processes in time.
    A short one ends before the next starts, as its workers would resume among starting ones.
    """
    home = folder / f"{seconds:g}"
    home.mkdir()
    home.chmod(0o711)
    with ExitStack() as stack:
        with starting:
            server = stack.enter_context(EmbeddedPostgres(home / "postgres", durable=False))
            arena = Arena(server.dsn(), home)
            stack.enter_context(fighting(arena))
            begin_jobs(arena)
            if seconds < SHORT:
                resumed_after = interrupt(server, arena, seconds)
        if seconds >= SHORT:
            resumed_after = interrupt(server, arena, seconds)
        arena.until(lambda: len(arena.effects()) >= COUNT, 30)
        time.sleep(3)  # would anybody do a job again?
        return Outcome(arena.effects(), arena.begun(), resumed_after, arena.summary())


def interrupt(server: EmbeddedPostgres, arena: Arena, seconds: float) -> float:
    """Stop the database for so long; return after how many seconds a job was begun again."""
    # None of these begins before the stop: of a commit that is cut off, nobody can say
    # whether it happened, and an execution would be written down twice.
    arena.add(Work(number=n, seconds=0.1) for n in range(RUNNING, COUNT))
    server.stop()
    time.sleep(seconds)
    server.start()
    came_back = time.monotonic()
    arena.until(lambda: arena.count("begun") > RUNNING, 30)
    return time.monotonic() - came_back


def begin_jobs(arena: Arena) -> None:
    """Start two workers and give each a job that takes a while."""
    arena.start("transcode")
    arena.start("default")
    arena.until(lambda: arena.count("procrastinate_workers") == 2, 60)
    arena.add([Work(number=0, seconds=JOB_SECONDS), Task(number=1, seconds=JOB_SECONDS)])
    arena.until(lambda: arena.count("begun") == RUNNING, 60)
    time.sleep(1)
