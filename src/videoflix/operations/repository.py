"""All SQL of operations."""

from typing import Any

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.operations.schemas import DeadLetter, QueueCount, WorkerSeen
from videoflix.platform.mail import Mail

QUEUES = text("""
    select job.queue_name,
           count(*) filter (where status = 'todo'),
           count(*) filter (where status = 'doing'),
           count(*) filter (where status = 'failed'),
           coalesce(extract(epoch from now() - min(deferred.at)
                    filter (where status = 'todo')), 0)::float,
           coalesce(min(incident.rescued), 0),
           coalesce(min(incident.fenced), 0),
           coalesce(min(incident.unknown), 0)
    from procrastinate_jobs as job
    left join lateral (
        select min(event.at) as at from procrastinate_events as event
        where event.job_id = job.id and job.status = 'todo'
    ) as deferred on true
    left join (
        select queue_name,
               count(*) filter (where kind = 'rescued') as rescued,
               count(*) filter (where kind = 'fenced') as fenced,
               count(*) filter (where kind = 'unknown') as unknown
        from job_incident where created_at > now() - interval '24 hours' group by queue_name
    ) as incident on incident.queue_name = job.queue_name
    group by job.queue_name order by job.queue_name
""")
DEAD_LETTERS = text("""
    select job.id, job.queue_name, job.task_name, job.args, job.attempts,
           incident.created_at, coalesce(incident.reason, '')
    from procrastinate_jobs as job
    left join lateral (
        select created_at, reason from job_incident
        where job_id = job.id and kind = 'dead' order by id desc limit 1
    ) as incident on true
    where job.status = 'failed' order by job.id desc limit :limit
""")
REVIVE = text("""
    update procrastinate_jobs
    set status = 'todo', attempts = 0, scheduled_at = null, abort_requested = false
    where id = :job_id and status in ('failed', 'aborted', 'cancelled') returning id
""")
CANCEL = text("select procrastinate_cancel_job_v1(:job_id, true, false)")
JOB = text("select status::text, task_name, args from procrastinate_jobs where id = :job_id")
WORKERS = text("select id, last_heartbeat from procrastinate_workers order by id")
SECONDS_SINCE_HEARTBEAT = text(
    "select extract(epoch from now() - max(last_heartbeat))::float from procrastinate_workers"
)


class QueueRepository:
    """The queue's tables."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def ping(self) -> None:
        await self.session.execute(text("select 1"))

    async def queues(self) -> list[QueueCount]:
        return [QueueCount(*row) for row in await self.session.execute(QUEUES)]

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest jobs that failed for good."""
        return [
            DeadLetter(*row) for row in await self.session.execute(DEAD_LETTERS, {"limit": limit})
        ]

    async def revive(self, job_id: int) -> bool:
        """Put a job that ended without success back, with all its attempts; False if none did.

        Raises IntegrityError when an equal job waits already.
        """
        return await self.session.scalar(REVIVE, {"job_id": job_id}) is not None

    async def cancel(self, job_id: int) -> bool:
        """Cancel a waiting job, or ask the worker to stop a running one; False if it is neither."""
        return await self.session.scalar(CANCEL, {"job_id": job_id}) is not None

    async def job(self, job_id: int) -> tuple[str, str, dict[str, Any]] | None:
        """A job's state, task and payload."""
        row = (await self.session.execute(JOB, {"job_id": job_id})).one_or_none()
        return None if row is None else (row[0], row[1], row[2])

    async def workers(self) -> list[WorkerSeen]:
        return [WorkerSeen(*row) for row in await self.session.execute(WORKERS)]

    async def seconds_since_heartbeat(self) -> float | None:
        """Age of the youngest heartbeat, or None when no worker is known."""
        age: float | None = await self.session.scalar(SECONDS_SINCE_HEARTBEAT)
        return age


class MailRepository(SQLAlchemyAsyncRepository[Mail]):
    """Mails of this installation."""

    model_type = Mail

    async def newest(self, page: LimitOffset) -> tuple[list[Mail], int]:
        return await self.get_many_and_count(page, order_by=[("id", True)])
