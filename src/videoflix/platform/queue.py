"""The job queue: procrastinate's tables in our own database.

A job is a payload (`Job` subclass, in a domain's schemas.py) and a handler (in its jobs.py):

    class EncodeChunk(Job):                     @handles(EncodeChunk)
        name = "media.encode_chunk"             async def encode(job: EncodeChunk) -> None:
        chunk_id: int                               ...

It is enqueued *inside* the transaction that makes it necessary, so that after the commit
either both the row and its job exist, or neither does:

    await enqueue(session, EncodeChunk(chunk_id=chunk.id))
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, TypeVar

import msgspec
from procrastinate import App, JobContext, PsycopgConnector, RetryStrategy
from procrastinate.manager import QUEUEING_LOCK_CONSTRAINT
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.db import violated
from videoflix.settings import settings

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
STALLED_SECONDS = 30.0
GRACE_SECONDS = 15.0

# Only the worker opens this pool, to fetch jobs and to LISTEN; the API enqueues on its session.
queue = App(
    connector=PsycopgConnector(conninfo=settings.database_dsn),
    worker_defaults={
        "fetch_job_polling_interval": 1.0,
        "update_heartbeat_interval": HEARTBEAT_SECONDS,
        "stalled_worker_timeout": STALLED_SECONDS,
        "shutdown_graceful_timeout": GRACE_SECONDS,
    },
)

DEFER = text(
    "select unnest(procrastinate_defer_jobs_v1(array_agg(job)))"
    " from jsonb_populate_recordset("
    "null::procrastinate_job_to_defer_v1, cast(:jobs as jsonb)) as job"
)
DROP_WAITING = text(
    "delete from procrastinate_jobs where status = 'todo' and task_name = any(:names)"
    " and args @> cast(:fields as jsonb)"
)


class Job(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Work for later. The fields of a subclass are stored as JSON with the job."""

    name: ClassVar[str]
    queue: ClassVar[str] = "default"
    priority: ClassVar[int] = 0
    attempts: ClassVar[int] = 5

    @property
    def urgency(self) -> int:
        """Jobs of a queue run in this order, the highest first."""
        return self.priority

    @property
    def lock(self) -> str | None:
        """Jobs with the same lock run one after the other."""
        return None

    @property
    def once(self) -> str | None:
        """Of jobs with the same mark at most one waits; a second is not enqueued."""
        return None


J = TypeVar("J", bound=Job)
Handler = Callable[[J], Awaitable[None]]

# Called with the job and what went wrong; None when its worker died.
LastWords = Callable[[J, Exception | None], Awaitable[None]]

# What to do when a job's last attempt failed, by task name.
last_words: dict[str, tuple[type[Job], LastWords[Any]]] = {}


def handles(
    payload: type[J], *, otherwise: LastWords[J] | None = None
) -> Callable[[Handler[J]], Handler[J]]:
    """Register the function that does the work of a `Job`.

    `otherwise` is called when the last attempt failed or died, so that whoever waits for the
    job is told; like every handler it may run twice.
    """
    if otherwise:
        last_words[payload.name] = (payload, otherwise)
    retry = RetryStrategy(max_attempts=payload.attempts - 1, exponential_wait=2)

    def register(handler: Handler[J]) -> Handler[J]:
        @queue.task(name=payload.name, queue=payload.queue, retry=retry, pass_context=True)
        async def run(context: JobContext, /, **fields: Any) -> None:
            job = msgspec.convert(fields, payload)
            try:
                await handler(job)
            except Exception as error:
                if context.job.attempts >= payload.attempts - 1:
                    await give_up(payload.name, fields, error)
                raise

        return handler

    return register


async def give_up(name: str, fields: dict[str, Any], error: Exception | None) -> None:
    """Say the last words of a job that will not be tried again."""
    if name not in last_words:
        return
    payload, otherwise = last_words[name]
    try:
        await otherwise(msgspec.convert(fields, payload), error)
    except Exception:
        logger.exception("the last words of %s %s failed", name, fields)


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


async def enqueue_many(session: AsyncSession, jobs: Sequence[Job]) -> list[int]:
    """Queue jobs in one statement; none of them may have a `once`."""
    return await _defer(session, jobs, None) if jobs else []


async def withdraw(session: AsyncSession, payloads: Sequence[type[Job]], **fields: Any) -> None:
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
