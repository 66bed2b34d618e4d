"""What operators may ask about jobs, and do with them; each thing they do ends in the audit."""

from datetime import UTC, datetime
from typing import ClassVar

from advanced_alchemy.filters import LimitOffset
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.audit.schemas import EventKind
from videoflix.audit.service import Audit
from videoflix.job_monitor.repository import QueueRepository
from videoflix.job_monitor.schemas import (
    CancelledJob,
    JobFilters,
    JobRead,
    JobStatus,
    JobWithIncidents,
    QueueCount,
    QueueSnapshot,
    ScheduleRead,
    WorkerRead,
)
from videoflix.platform.postgres.session import transaction, violated
from videoflix.platform.problems import Conflict, NotFound
from videoflix.platform.queue import JobCancelled, enqueue, enqueue_many
from videoflix.platform.queue.cron import schedules
from videoflix.platform.queue.registry import jobs_to_resume, run_failure_callback

ENDED = ("failed", "aborted", "cancelled")
QUEUEING_LOCK = "procrastinate_jobs_queueing_lock_idx_v1"


class JobNotFound(NotFound):
    """No such job, or it can't be retried in its current state."""


class ScheduleNotFound(NotFound):
    """No schedule enqueues such a job."""


class JobAlreadyQueued(Conflict):
    """An equal job waits already; this one is not needed."""

    slug: ClassVar[str] = "job-waits-already"


class JobMonitor:
    """`by` is the administrator who does it; None for the commands of an operator."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.queue = QueueRepository(session)
        self.audit = Audit(session)

    async def snapshot(self) -> QueueSnapshot:
        """Queues, workers, schedules and throughput as they are now."""
        return QueueSnapshot(
            at=datetime.now(UTC),
            queues=await self.queues(),
            workers=await self.workers(),
            schedules=await self.schedules(),
            throughput=await self.queue.throughput(),
        )

    async def queues(self) -> list[QueueCount]:
        return await self.queue.queues()

    async def workers(self) -> list[WorkerRead]:
        return await self.queue.workers()

    async def seconds_since_heartbeat(self) -> float | None:
        """Age of the youngest heartbeat, or None when no worker is known."""
        return await self.queue.seconds_since_heartbeat()

    async def schedules(self) -> list[ScheduleRead]:
        """Every scheduled job of this release, with its last and next run."""
        now, runs = datetime.now(UTC), await self.queue.last_runs()
        shown = []
        for kind, schedule in sorted(schedules.items()):
            last_run, last_job_id = runs.get(kind, (None, None))
            shown.append(
                ScheduleRead(
                    kind=kind,
                    purpose=(schedule.job.__doc__ or "").partition("\n")[0],
                    queue=schedule.job.queue,
                    expression=schedule.expression,
                    next_run=schedule.next_due(now),
                    last_run=last_run,
                    last_job_id=last_job_id,
                )
            )
        return shown

    async def jobs(self, filters: JobFilters, page: LimitOffset) -> tuple[list[JobRead], int]:
        """Jobs, the newest first, and how many there are."""
        return await self.queue.jobs(filters, page)

    async def dead_letters(self, limit: int = 20) -> list[JobRead]:
        """The newest jobs that failed for good."""
        found, _ = await self.jobs(JobFilters(status=JobStatus.FAILED), LimitOffset(limit, 0))
        return found

    async def job(self, job_id: int) -> JobWithIncidents:
        """Raises JobNotFound."""
        job = await self.queue.job(job_id)
        if job is None:
            raise JobNotFound
        return JobWithIncidents(job, await self.queue.incidents(job_id))

    async def retry_job(self, job_id: int, *, by: int | None) -> None:
        """Give a job that ended without success all its attempts again.

        What the job was for is told first, takes back that it failed, and queues what else it
        needs. Raises JobNotFound, JobAlreadyQueued, or what the job's domain says against it.
        """
        found = await self.queue.stored(job_id)
        if found is None or found[0] not in ENDED:
            raise JobNotFound
        others = await jobs_to_resume(self.session, found[1], found[2])
        try:
            revived = await self.queue.retry(job_id)
        except SQLAlchemyError as error:
            if violated(error) != QUEUEING_LOCK:
                raise
            raise JobAlreadyQueued from error
        if not revived:
            raise JobNotFound
        await enqueue_many(self.session, others)
        await self._record(EventKind.JOB_RETRIED, job_id, by)

    async def run_job(self, job_id: int, *, by: int | None) -> None:
        """Let a job that waits for its time run now. Raises JobNotFound."""
        if not await self.queue.run_now(job_id):
            raise JobNotFound
        await self._record(EventKind.JOB_HURRIED, job_id, by)

    async def run_schedule(self, kind: str, *, by: int | None) -> JobWithIncidents:
        """Enqueue a scheduled job now, besides its schedule.

        Raises ScheduleNotFound, or JobAlreadyQueued.
        """
        schedule = schedules.get(kind)
        if schedule is None:
            raise ScheduleNotFound
        job_id = await enqueue(self.session, schedule.job)
        if job_id is None:
            raise JobAlreadyQueued
        await self._record(EventKind.JOB_HURRIED, job_id, by)
        return await self.job(job_id)

    async def cancel_job(self, job_id: int, *, by: int | None) -> CancelledJob | None:
        """Cancel a job: a waiting one at once, a running one as soon as its worker hears of it.

        Whoever waits for the job has to be told after the commit; what to tell is returned,
        or None when the worker will do that. Raises JobNotFound.
        """
        found = await self.queue.stored(job_id)
        if found is None or not await self.queue.cancel(job_id):
            raise JobNotFound
        await self._record(EventKind.JOB_CANCELLED, job_id, by)
        status, task, payload = found
        return CancelledJob(task, payload) if status == "todo" else None

    async def _record(self, kind: EventKind, job_id: int, by: int | None) -> None:
        found = await self.queue.stored(job_id)
        detail = f"{job_id} {found[1]}" if found else str(job_id)
        await self.audit.record(kind, None, by=by, detail=detail)


async def cancel(job_id: int, *, by: int | None) -> None:
    """Cancel a job, then tell whoever waits for it. Raises JobNotFound."""
    async with transaction() as session:
        cancelled = await JobMonitor(session).cancel_job(job_id, by=by)
    if cancelled:
        await run_failure_callback(cancelled.task, cancelled.payload, JobCancelled())
