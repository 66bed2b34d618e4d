"""Enqueue jobs in the caller's transaction: the row and its job commit together (outbox).

Always enqueue through this module: procrastinate's own `defer` uses its own connection and would
leave a job behind whose row was rolled back.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import violated
from videoflix.platform.queue.job import Job

DEFER = text(
    "select unnest(procrastinate_defer_jobs_v1(array_agg(job)))"
    " from jsonb_populate_recordset("
    "null::procrastinate_job_to_defer_v1, cast(:jobs as jsonb)) as job"
)
# Start-time fair queueing (Goyal, Vin, Cheng 1996): the head of the queue is the virtual time.
VIRTUAL_TIME = text("""
    select priority from procrastinate_jobs
    where queue_name = :queue and task_name = :name and status = 'todo' and scheduled_at is null
      and priority <= :priority
    order by priority desc limit 1
""")
LOWEST_PRIORITY = -(2**31)
PENDING_KEYS = text(
    "select queueing_lock from procrastinate_jobs"
    " where status = 'todo' and queueing_lock = any(:keys)"
)


async def enqueue(session: AsyncSession, job: Job, at: datetime | None = None) -> int | None:
    """Enqueue a job; return its ID, or None if a job with the same `unique_key` is pending."""
    try:
        async with session.begin_nested():  # savepoint: a duplicate must not abort the transaction
            (job_id,) = await _defer(session, [job], at)
            return job_id
    except IntegrityError as error:
        if violated(error) != QUEUEING_LOCK_CONSTRAINT:
            raise
        return None


async def enqueue_many(
    session: AsyncSession, jobs: Sequence[Job], at: datetime | None = None
) -> list[int]:
    """Enqueue jobs in one statement, skipping those whose `unique_key` is pending; return the IDs.

    Raises IntegrityError if another transaction enqueues one of them concurrently: callers
    lock the row that their jobs are about.
    """
    keys = [job.unique_key for job in jobs if job.unique_key]
    pending = set(await session.scalars(PENDING_KEYS, {"keys": keys})) if keys else set()
    new_jobs = [job for job in jobs if job.unique_key not in pending]
    return await _defer(session, new_jobs, at) if new_jobs else []


async def run_now(session: AsyncSession, payloads: Sequence[type[Job]], **fields: object) -> None:
    """Make the delayed jobs of these kinds due whose payload contains `fields`."""
    condition, values = _with_fields(fields)
    statement = f"""
        update procrastinate_jobs set scheduled_at = null
        where status = 'todo' and scheduled_at is not null and task_name = any(:names)
          and {condition}
    """  # noqa: S608 - names of our own fields
    names = [payload.name for payload in payloads]
    await session.execute(text(statement), {"names": names, **values})


async def cancel_pending(
    session: AsyncSession, payloads: Sequence[type[Job]], **fields: object
) -> None:
    """Delete the pending jobs of these kinds whose payload contains `fields`."""
    condition, values = _with_fields(fields)
    statement = f"""
        delete from procrastinate_jobs
        where status = 'todo' and task_name = any(:names) and {condition}
    """  # noqa: S608 - names of our own fields
    names = [payload.name for payload in payloads]
    await session.execute(text(statement), {"names": names, **values})


async def prioritize(
    session: AsyncSession,
    payload: type[Job],
    priority: int,
    count: int,
    at_most: dict[str, int] | None = None,
    **fields: object,
) -> int:
    """Raise the priority of the first `count` pending jobs of a kind matching `fields`.

    `at_most` adds upper bounds on integer fields of the payload. Return how many changed: jobs
    that already have this priority count towards `count` and stay as they are.
    """
    condition, values = _with_fields(fields)
    for name, bound in (at_most or {}).items():
        condition += f" and (args ->> '{name}')::int <= :most_{name}"
        values[f"most_{name}"] = bound
    statement = f"""
        update procrastinate_jobs set priority = :priority
        where id in (select id from procrastinate_jobs
                     where status = 'todo' and task_name = :name and {condition}
                     order by id limit :count)
          and status = 'todo' and priority < :priority
        returning id
    """  # noqa: S608 - names of our own fields
    parameters = {"priority": priority, "name": payload.name, "count": count, **values}
    return len((await session.scalars(text(statement), parameters)).all())


def _with_fields(fields: dict[str, object]) -> tuple[str, dict[str, object]]:
    """Build a condition on the payload that an expression index can serve, and its parameters."""
    values: dict[str, object] = {
        f"field_{name}": value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in fields.items()
    }
    conditions = [f"args ->> '{name}' = :field_{name}" for name in fields]
    return " and ".join(conditions) or "true", values


async def _priorities(session: AsyncSession, jobs: Sequence[Job]) -> list[int]:
    """Return the priority of each job; those that take turns get consecutive virtual times."""
    next_turns: dict[tuple[str, int], int] = {}
    priorities = []
    for job in jobs:
        if not job.takes_turns:
            priorities.append(job.effective_priority)
            continue
        key = (job.name, job.effective_priority)
        if key not in next_turns:
            virtual_time = await session.scalar(
                VIRTUAL_TIME,
                {"queue": job.queue, "name": job.name, "priority": job.effective_priority},
            )
            next_turns[key] = job.effective_priority if virtual_time is None else virtual_time
        priorities.append(next_turns[key])
        next_turns[key] = max(next_turns[key] - 1, LOWEST_PRIORITY)
    return priorities


async def _defer(session: AsyncSession, jobs: Sequence[Job], at: datetime | None) -> list[int]:
    rows = [
        {
            "queue_name": job.queue,
            "task_name": job.name,
            "priority": priority,
            "lock": job.lock,
            "queueing_lock": job.unique_key,
            "args": msgspec.to_builtins(job),
            "scheduled_at": at,
        }
        for job, priority in zip(jobs, await _priorities(session, jobs), strict=True)
    ]
    ids = await session.scalars(DEFER, {"jobs": msgspec.json.encode(rows).decode()})
    return list(ids)
