"""Promises of the job queue, on a real Postgres."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import procrastinate.sql
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix import worker
from videoflix.catalog.models import Video
from videoflix.platform import queue as queue_module
from videoflix.platform.db import transaction
from videoflix.platform.queue import Job, enqueue, enqueue_many, handles, queue, withdraw
from videoflix.platform.reaper import ATTEMPTS, reap


class Export(Job):
    name: ClassVar = "test.export"
    queue: ClassVar = "exports"
    priority: ClassVar = 7
    since: datetime | None = None

    @property
    def once(self) -> str:
        return "export"


class Count(Job):
    name: ClassVar = "test.count"
    queue: ClassVar = "counting"
    attempts: ClassVar = 2
    number: int


async def count(session: AsyncSession, table: str) -> int:
    found: int = (await session.execute(text(f"select count(*) from {table}"))).scalar_one()
    return found


async def test_job_and_row_are_stored_or_lost_together(session: AsyncSession) -> None:
    async def save_and_fail() -> None:
        async with transaction() as inner:
            inner.add(Video(title="t"))
            await enqueue(inner, Export())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await save_and_fail()
    assert (await count(session, "video"), await count(session, "procrastinate_jobs")) == (0, 0)

    async with transaction() as inner:
        inner.add(Video(title="t"))
        await enqueue(inner, Export())
    assert (await count(session, "video"), await count(session, "procrastinate_jobs")) == (1, 1)


async def test_once_skips_a_waiting_job_and_keeps_the_transaction(session: AsyncSession) -> None:
    async with transaction() as inner:
        assert await enqueue(inner, Export()) is not None
        assert await enqueue(inner, Export()) is None
        inner.add(Video(title="after"))
    assert (await count(session, "video"), await count(session, "procrastinate_jobs")) == (1, 1)


async def test_every_column_arrives(session: AsyncSession) -> None:
    at = datetime(2030, 1, 6, 6, 0, tzinfo=UTC)
    await enqueue(session, Export(since=at - timedelta(days=7)), at=at)
    row = (await session.execute(text("select * from procrastinate_jobs"))).mappings().one()
    wanted = {
        "queue_name": "exports",
        "task_name": "test.export",
        "priority": 7,
        "queueing_lock": "export",
        "scheduled_at": at,
        "args": {"since": "2029-12-30T06:00:00Z"},
        "status": "todo",
    }
    assert {key: row[key] for key in wanted} == wanted


async def test_withdrawn_jobs_never_run(session: AsyncSession) -> None:
    await enqueue_many(session, [Count(number=1), Count(number=2)])
    await withdraw(session, [Count], number=1)
    left = await session.scalars(text("select args from procrastinate_jobs"))
    assert list(left) == [{"number": 2}]
    assert await enqueue_many(session, []) == []


def test_we_call_the_function_this_procrastinate_calls() -> None:
    assert "procrastinate_defer_jobs_v1(" in procrastinate.sql.queries["defer_jobs"]
    assert "procrastinate_job_to_defer_v1[]" in procrastinate.sql.queries["defer_jobs"]


def test_every_job_has_a_handler_and_a_name_of_its_own() -> None:
    payloads = {job for job in Job.__subclasses__() if job.__module__.startswith("videoflix.")}
    names = {job.name for job in payloads}
    assert len(names) == len(payloads) > 3
    assert names <= set(worker.queue.tasks), "a job nobody handles would fail in the worker"


@pytest.fixture
async def working(committed: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Any]]:
    """Handlers of `Count`, and what they were called with."""
    calls: list[Any] = []
    monkeypatch.setattr(queue_module.queue, "tasks", dict(queue.tasks))
    monkeypatch.setattr(queue_module, "last_words", dict(queue_module.last_words))

    async def mourn(job: Count, error: Exception | None) -> None:
        calls.append(("mourn", job.number, type(error)))

    @handles(Count, otherwise=mourn)
    async def work(job: Count) -> None:
        calls.append(("work", job.number))
        if job.number < 0:
            raise ValueError

    async with queue.open_async():
        yield calls


async def run_jobs() -> None:
    await queue.run_worker_async(
        queues=["counting"], wait=False, listen_notify=False, install_signal_handlers=False
    )


async def test_job_runs_with_its_payload(working: list[Any]) -> None:
    async with transaction() as session:
        await enqueue(session, Count(number=5))
    await run_jobs()
    assert working == [("work", 5)]


async def test_last_attempt_says_its_last_words(working: list[Any]) -> None:
    async with transaction() as session:
        job = await enqueue(session, Count(number=-1))
        await session.execute(
            text("update procrastinate_jobs set attempts = 1 where id = :id"), {"id": job}
        )
    await run_jobs()
    assert working == [("work", -1), ("mourn", -1, ValueError)]


DIE = """
with dead as (
    insert into procrastinate_workers (last_heartbeat) values (now() - interval '2 minutes')
    returning id
)
update procrastinate_jobs set status = 'doing', attempts = :attempts, worker_id = dead.id
from dead
"""


async def test_job_of_a_dead_worker_runs_again(working: list[Any]) -> None:
    async with transaction() as session:
        await enqueue(session, Count(number=5))
        await session.execute(text(DIE), {"attempts": 0})
    await run_jobs()
    assert working == []
    assert await reap() == 1
    await run_jobs()
    assert working == [("work", 5)]
    assert await reap() == 0


async def test_job_that_kills_its_workers_is_given_up(working: list[Any]) -> None:
    async with transaction() as session:
        await enqueue(session, Count(number=5))
        await session.execute(text(DIE), {"attempts": ATTEMPTS - 1})
    assert await reap() == 1
    await run_jobs()
    assert working == [("mourn", 5, type(None))]
