"""Job monitor: inspection and control of jobs; every action is recorded in the audit log."""

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
    """There is no schedule for this job."""


class JobAlreadyQueued(Conflict):
    """The same job is already queued."""

    slug: ClassVar[str] = "job-waits-already"


class JobMonitor:
    """`by` is the ID of the acting administrator, None for CLI commands."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.queue = QueueRepository(session)
        self.audit = Audit(session)

    async def snapshot(self) -> QueueSnapshot:
        """Return current queues, workers, schedules and throughput."""
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
        """Return the age of the latest heartbeat in seconds, or None if there are no workers."""
        return await self.queue.seconds_since_heartbeat()

    async def schedules(self) -> list[ScheduleRead]:
        """Return all scheduled jobs with their last and next run."""
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
        """Return a page of jobs, newest first, and the total."""
        return await self.queue.jobs(filters, page)

    async def dead_letters(self, limit: int = 20) -> list[JobRead]:
        """Return the newest failed jobs."""
        found, _ = await self.jobs(JobFilters(status=JobStatus.FAILED), LimitOffset(limit, 0))
        return found

    async def job(self, job_id: int) -> JobWithIncidents:
        """Return a job with its incidents. Raises JobNotFound."""
        job = await self.queue.job(job_id)
        if job is None:
            raise JobNotFound
        return JobWithIncidents(job, await self.queue.incidents(job_id))

    async def retry_job(self, job_id: int, *, by: int | None) -> None:
        """Requeue a failed or cancelled job with all its attempts.

        The job's `on_retry` callback first undoes the failure and returns further jobs to
        enqueue. Raises JobNotFound, JobAlreadyQueued, or a problem of the job's domain.
        """
        found = await self.queue.stored(job_id)
        if found is None or found[0] not in ENDED:
            raise JobNotFound
        others = await jobs_to_resume(self.session, found[1], found[2])
        try:
            requeued = await self.queue.retry(job_id)
        except SQLAlchemyError as error:
            if violated(error) != QUEUEING_LOCK:
                raise
            raise JobAlreadyQueued from error
        if not requeued:
            raise JobNotFound
        await enqueue_many(self.session, others)
        await self._record(EventKind.JOB_RETRIED, job_id, by)

    async def run_job(self, job_id: int, *, by: int | None) -> None:
        """Make a delayed job due now. Raises JobNotFound."""
        if not await self.queue.run_now(job_id):
            raise JobNotFound
        await self._record(EventKind.JOB_HURRIED, job_id, by)

    async def run_schedule(self, kind: str, *, by: int | None) -> JobWithIncidents:
        """Enqueue a scheduled job in addition to its schedule.

        Raises ScheduleNotFound or JobAlreadyQueued.
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
        """Cancel a pending job, or request a running one to abort.

        Return a pending job, whose failure callback the caller has to run after the commit, or
        None if the worker runs it. Raises JobNotFound.
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
    """Cancel a job and run its failure callback. Raises JobNotFound."""
    async with transaction() as session:
        cancelled = await JobMonitor(session).cancel_job(job_id, by=by)
    if cancelled:
        await run_failure_callback(cancelled.task, cancelled.payload, JobCancelled())
