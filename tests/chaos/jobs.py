"""A real worker process with jobs made for breaking it: `python tests/chaos/jobs.py ROLE`.

Every execution is written down when it begins, and every effect when it is shown; neither table
has a key, so that whatever happens twice is seen twice.
"""

import asyncio
import os
import signal
import sys
from typing import ClassVar

from sqlalchemy import text

from videoflix import worker
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job, complete_job, handles, on_failure, schedule

TABLES = """
create table begun (number int not null, pid int not null, at timestamptz default now());
create table effect (number int not null, at timestamptz default now());
create table told (number int not null, error text not null);
"""


class Work(Job):
    """Take a while, then show an effect."""

    name: ClassVar = "chaos.work"
    queue: ClassVar = "transcode"
    number: int
    seconds: float


class Task(Work):
    """The same among nine others."""

    name: ClassVar = "chaos.task"
    queue: ClassVar = "default"


class Poison(Job):
    """Kill the process."""

    name: ClassVar = "chaos.poison"
    queue: ClassVar = "transcode"
    attempts: ClassVar = 3
    number: int


class Minutely(Job):
    """Show that the clock ticked."""

    name: ClassVar = "chaos.minutely"
    queue: ClassVar = "transcode"
    priority: ClassVar = 100


async def begin(number: int) -> None:
    async with transaction() as session:
        await session.execute(
            text("insert into begun (number, pid) values (:number, :pid)"),
            {"number": number, "pid": os.getpid()},
        )


async def work(job: Work) -> None:
    await begin(job.number)
    await asyncio.sleep(job.seconds)
    async with complete_job() as session:
        await session.execute(
            text("insert into effect (number) values (:number)"), {"number": job.number}
        )


handles(Work)(work)
handles(Task)(work)


@on_failure(Poison)
async def record_failure(job: Poison, error: Exception) -> None:
    async with transaction() as session:
        await session.execute(
            text("insert into told (number, error) values (:number, :error)"),
            {"number": job.number, "error": type(error).__name__},
        )


@handles(Poison)
async def kill_everything(job: Poison) -> None:
    await begin(job.number)
    os.kill(os.getpid(), signal.SIGKILL)


@handles(Minutely)
async def ticked(job: Minutely) -> None:
    async with complete_job() as session:
        await session.execute(text("insert into effect (number) values (-1)"))


schedule("* * * * *", Minutely())

if __name__ == "__main__":
    worker.run(sys.argv[1])
