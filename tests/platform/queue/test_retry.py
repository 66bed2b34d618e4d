"""Faults of the machine cost a job no attempt."""

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from queue_helpers import Behaviour, Count, execute, incidents, make_due, rows, run_jobs, states
from videoflix.platform.postgres.session import database_unavailable, transaction
from videoflix.platform.queue import TransientError, enqueue, to_transient
from videoflix.platform.queue.registry import registered_jobs
from videoflix.platform.queue.retry import StallLimitReached
from videoflix.platform.storage.media_storage import StorageFull, StorageUnavailable
from videoflix.settings import settings

PAUSE = "select extract(epoch from scheduled_at - now())::float8 as pause from procrastinate_jobs"


async def add(number: int) -> None:
    async with transaction() as session:
        await enqueue(session, Count(number=number))


async def machine_fault(job: Count) -> None:
    raise TransientError("no-tool", "The tool is missing.")


async def test_faults_of_the_machine_are_not_counted(behaviour: Behaviour) -> None:
    behaviour.work = machine_fault
    await add(5)
    pauses = []
    for _ in range(8):
        await run_jobs()
        [waiting] = await rows(PAUSE)
        pauses.append(waiting["pause"])
        await make_due()
    assert await states() == [("todo", 0)], "more often than its two attempts, and none is spent"
    assert behaviour.calls == [("work", 5)] * 8, "nobody is told that it failed"
    assert await rows("select kind, attempt from job_incident") == [
        {"kind": "transient", "attempt": 8}
    ]
    assert 1.0 < pauses[0] < 3.0
    assert 5.0 < pauses[2] < 11.0
    assert 40 < pauses[-1] <= 75, "it comes back soon after the machine does"

    behaviour.work = None
    await run_jobs()
    assert await states() == [("succeeded", 1)]


@pytest.mark.parametrize(
    "error",
    [
        StorageFull(),
        StorageUnavailable(),
        MemoryError(),
        OSError(28, "No space left on device"),
        OSError(30, "Read-only file system"),
    ],
    ids=repr,
)
async def test_what_is_taken_for_a_fault_of_the_machine(
    behaviour: Behaviour, error: Exception
) -> None:
    async def work(job: Count) -> None:
        raise error

    behaviour.work = work
    await add(5)
    await run_jobs()
    assert await states() == [("todo", 0)]


async def test_domain_may_give_up(behaviour: Behaviour) -> None:
    async def on_stall(job: Count, fault: TransientError) -> None:
        raise StallLimitReached(fault.code, "It was tried for long enough.")

    known = registered_jobs[Count.name]
    registered_jobs[Count.name] = type(known)(Count, on_stall)
    behaviour.work = machine_fault
    await add(5)
    await run_jobs()
    assert await states() == [("failed", 1)]
    assert behaviour.calls == [("work", 5), ("failure callback", 5, "StallLimitReached")]
    assert await incidents() == [
        ("dead", "StallLimitReached: no-tool: It was tried for long enough.")
    ]


async def test_locks_and_deadlocks_are_told_from_wrong_sql(database: None) -> None:
    with pytest.raises(DBAPIError) as slow:
        await execute("do $$ begin raise 'locked' using errcode = '55P03'; end $$")
    with pytest.raises(DBAPIError) as wrong:
        await execute("select from where")
    assert database_unavailable(slow.value)
    assert not database_unavailable(wrong.value)
    assert to_transient(asyncpg.DeadlockDetectedError("deadlock detected"))
    server = await asyncpg.connect(settings.database_dsn)
    await server.close()
    with pytest.raises(asyncpg.InterfaceError) as closed:
        await server.fetch("select 1")
    assert database_unavailable(closed.value)
