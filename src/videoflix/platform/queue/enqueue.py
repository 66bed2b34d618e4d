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

from videoflix.platform.postgres.session import violated
from videoflix.platform.queue.job import Job

DEFER = text(
    "select unnest(procrastinate_defer_jobs_v1(array_agg(job)))"
    " from jsonb_populate_recordset("
    "null::procrastinate_job_to_defer_v1, cast(:jobs as jsonb)) as job"
)
# Start-time fair queueing (Goyal, Vin, Cheng 1996): what waits at the head is the virtual time.
VIRTUAL_TIME = text("""
    select priority from procrastinate_jobs
    where queue_name = :queue and task_name = :name and status = 'todo' and scheduled_at is null
      and priority <= :urgency
    order by priority desc limit 1
""")
LOWEST_PRIORITY = -(2**31)
WAITING = text(
    "select queueing_lock from procrastinate_jobs"
    " where status = 'todo' and queueing_lock = any(:marks)"
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
    """Queue jobs in one statement; those whose `once` waits already are left out.

    Raises IntegrityError when one of those is queued by another transaction meanwhile: callers
    hold a lock on what their jobs are about.
    """
    marks = [job.unique_key for job in jobs if job.unique_key]
    waiting = set(await session.scalars(WAITING, {"marks": marks})) if marks else set()
    left = [job for job in jobs if job.unique_key not in waiting]
    return await _defer(session, left, at) if left else []


async def run_now(session: AsyncSession, payloads: Sequence[type[Job]], **fields: object) -> None:
    """Make the waiting jobs of these kinds due whose payload contains `fields`."""
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
    """Drop the waiting jobs of these kinds whose payload contains `fields`."""
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
    """Raise the first `count` waiting jobs of a kind whose payload contains `fields`.

    And whose number in each field of `at_most` is not larger. How many were raised: those that
    have this priority already count among the first and stay.
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
    wanted = {"priority": priority, "name": payload.name, "count": count, **values}
    return len((await session.scalars(text(statement), wanted)).all())


def _with_fields(fields: dict[str, object]) -> tuple[str, dict[str, object]]:
    """A condition on a payload that an index on one of its fields can serve, and its values."""
    values: dict[str, object] = {
        f"field_{name}": value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in fields.items()
    }
    conditions = [f"args ->> '{name}' = :field_{name}" for name in fields]
    return " and ".join(conditions) or "true", values


async def _priorities(session: AsyncSession, jobs: Sequence[Job]) -> list[int]:
    """Of jobs that take turns, each is one later than the one before it."""
    next_turns: dict[tuple[str, int], int] = {}
    found = []
    for job in jobs:
        if not job.takes_turns:
            found.append(job.effective_priority)
            continue
        key = (job.name, job.effective_priority)
        if key not in next_turns:
            now = await session.scalar(
                VIRTUAL_TIME,
                {"queue": job.queue, "name": job.name, "urgency": job.effective_priority},
            )
            next_turns[key] = job.effective_priority if now is None else now
        found.append(next_turns[key])
        next_turns[key] = max(next_turns[key] - 1, LOWEST_PRIORITY)
    return found


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
