"""Jobs that only write down that they ran, for tests of the queue."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from sqlalchemy import text

from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job
from videoflix.worker import queue  # with the handlers of all jobs


class Count(Job):
    name: ClassVar = "test.count"
    queue: ClassVar = "counting"
    attempts: ClassVar = 2
    deadline: ClassVar = 1.0
    number: int


class Behaviour:
    """What the handler of `Count` does, and what it was called with."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.work: Callable[[Count], Awaitable[None]] | None = None
        self.on_failure: Callable[[Count], Awaitable[None]] | None = None


async def run_jobs(concurrency: int = 1, queue_name: str = "counting") -> None:
    """Work until no job of a queue can be done now."""
    await queue.run_worker_async(
        queues=[queue_name],
        wait=False,
        listen_notify=False,
        install_signal_handlers=False,
        concurrency=concurrency,
    )


async def rows(query: str, **values: object) -> list[dict[str, Any]]:
    """What a query finds."""
    async with transaction() as session:
        return [dict(row) for row in (await session.execute(text(query), values)).mappings()]


async def execute(statement: str, **values: object) -> None:
    async with transaction() as session:
        await session.execute(text(statement), values)


async def states() -> list[tuple[str, int]]:
    """Every job's state and how many of its attempts are used up."""
    found = await rows("select status::text, attempts from procrastinate_jobs order by id")
    return [(row["status"], row["attempts"]) for row in found]


async def incidents() -> list[tuple[str, str]]:
    """What went wrong, in order: kind and reason."""
    found = await rows("select kind, reason from job_incident order by id")
    return [(row["kind"], row["reason"]) for row in found]


async def make_due() -> None:
    """As if the pauses between attempts were over."""
    await execute("update procrastinate_jobs set scheduled_at = null where status = 'todo'")
