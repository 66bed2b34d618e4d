"""Puts jobs into the caller's transaction: after the commit the row and its job exist, or neither.

The one way to enqueue: procrastinate's own `defer` would use a connection of its own, and leave
a job behind whose row was rolled back.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.db import violated
from videoflix.platform.queue.job import Job

DEFER = text(
    "select unnest(procrastinate_defer_jobs_v1(array_agg(job)))"
    " from jsonb_populate_recordset("
    "null::procrastinate_job_to_defer_v1, cast(:jobs as jsonb)) as job"
)
DROP_WAITING = text(
    "delete from procrastinate_jobs where status = 'todo' and task_name = any(:names)"
    " and args @> cast(:fields as jsonb)"
)


async def enqueue(session: AsyncSession, job: Job, at: datetime | None = None) -> int | None:
    """Queue a job in the session's transaction; its id, or None if `once` found it waiting."""
    try:
        async with session.begin_nested():  # a refused job must not spoil the transaction
            (job_id,) = await _defer(session, [job], at)
            return job_id
    except IntegrityError as error:
        if violated(error) != QUEUEING_LOCK_CONSTRAINT:
            raise
        return None


async def enqueue_many(
    session: AsyncSession, jobs: Sequence[Job], at: datetime | None = None
) -> list[int]:
    """Queue jobs in one statement; none of them may have a `once`."""
    return await _defer(session, jobs, at) if jobs else []


async def withdraw(session: AsyncSession, payloads: Sequence[type[Job]], **fields: object) -> None:
    """Drop the waiting jobs of these kinds whose payload contains `fields`."""
    await session.execute(
        DROP_WAITING,
        {
            "names": [payload.name for payload in payloads],
            "fields": msgspec.json.encode(fields).decode(),
        },
    )


async def _defer(session: AsyncSession, jobs: Sequence[Job], at: datetime | None) -> list[int]:
    rows = [
        {
            "queue_name": job.queue,
            "task_name": job.name,
            "priority": job.urgency,
            "lock": job.lock,
            "queueing_lock": job.once,
            "args": msgspec.to_builtins(job),
            "scheduled_at": at,
        }
        for job in jobs
    ]
    ids = await session.scalars(DEFER, {"jobs": msgspec.json.encode(rows).decode()})
    return list(ids)
