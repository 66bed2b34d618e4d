"""Queries of the job monitor on the queue's tables."""

from datetime import datetime
from typing import Any

import msgspec
from advanced_alchemy.filters import LimitOffset
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.job_monitor.schemas import (
    Incident,
    JobFilters,
    JobRead,
    JobStatus,
    QueueCount,
    WorkerRead,
)
from videoflix.platform.queue.load import queue_loads
from videoflix.settings import settings

# Maximum age of a heartbeat for a job to be shown as running, in seconds.
MAX_STALL_SECONDS = 60.0
# Upper bounds of counts: jobs ended in an hour, in a minute, and matching a filter.
MAX_ENDED, MAX_PER_MINUTE, MAX_LISTED = 20_000, 5_000, 10_000

# Every job with its effective status: `doing` requires a worker with a recent heartbeat.
WITH_EFFECTIVE_STATUS = """
    select job.*,
           case when job.status <> 'doing' then job.status::text
                when worker.last_heartbeat >= now() - make_interval(secs => :stall) then 'doing'
                else 'stalled' end as shown
    from procrastinate_jobs as job
    left join procrastinate_workers as worker on worker.id = job.worker_id
"""
ENDED = text("""
    select ran.queue_name, count(*) filter (where ended.type = 'succeeded'),
           count(*) filter (where ended.type = 'failed')
    from (select job_id, type from procrastinate_events
          where type in ('succeeded', 'failed') and at > now() - interval '1 hour'
          order by at desc limit :counted) as ended
    join procrastinate_jobs as ran on ran.id = ended.job_id group by ran.queue_name
""")
INCIDENT_COUNTS = text("""
    select queue_name,
           count(*) filter (where kind = 'rescued'),
           count(*) filter (where kind = 'fenced'),
           count(*) filter (where kind = 'unknown')
    from job_incident where created_at > now() - interval '24 hours' group by queue_name
""")
THROUGHPUT = text("""
    select done.count from generate_series(now() - interval '1 hour', now() - interval '1 minute',
                                           interval '1 minute') as minute
    cross join lateral (
        select count(*) from (
            select from procrastinate_events
            where type in ('succeeded', 'failed') and type = 'succeeded'
              and at >= minute and at < minute + interval '1 minute' limit :counted) as ended
    ) as done
    order by minute
""")
WORKERS = text("""
    select worker.id, worker.last_heartbeat,
           greatest(extract(epoch from now() - worker.last_heartbeat), 0)::float,
           worker.last_heartbeat >= now() - make_interval(secs => :stall),
           coalesce(array_agg(job.id order by job.id) filter (where job.id is not null), '{}'),
           (select coalesce(jsonb_object_agg(queue_name, reason), '{}') from worker_breaker
            where worker_id = worker.id and reason <> '')
    from procrastinate_workers as worker
    left join procrastinate_jobs as job on job.worker_id = worker.id and job.status = 'doing'
    group by worker.id order by worker.id
""")
MATCHES = """
    coalesce(queue_name = cast(:queue as text), true)
    and coalesce(task_name = cast(:kind as text), true)
    and coalesce(shown = cast(:status as text), true)
    and (cast(:stored as procrastinate_job_status) is null
         or status = cast(:stored as procrastinate_job_status))
    and coalesce(id = cast(:job_id as bigint), true)
"""
COUNT = text(f"""
    select count(*) from (
        select from ({WITH_EFFECTIVE_STATUS}) as job where {MATCHES} limit :counted) as found
""")  # noqa: S608 - constants
JOBS = text(f"""
    select job.id, queue_name, task_name, shown, args, attempts, priority,
           case when shown = 'doing' then worker_id end, abort_requested, scheduled_at,
           event.created, event.started, event.ended, coalesce(incident.reason, '')
    from (select * from ({WITH_EFFECTIVE_STATUS}) as every_job where {MATCHES}
          order by id desc limit :limit offset :offset) as job
    left join lateral (
        select min(at) as created,
               max(at) filter (where type = 'started') as started,
               max(at) filter (where type in ('succeeded', 'failed', 'cancelled', 'aborted')
                               and job.status not in ('todo', 'doing')) as ended
        from procrastinate_events where job_id = job.id
    ) as event on true
    left join lateral (
        select reason from job_incident where job_id = job.id order by id desc limit 1
    ) as incident on true
    order by job.id desc
""")  # noqa: S608 - constants
INCIDENTS = text("""
    select kind, attempt, reason, created_at from job_incident
    where job_id = :job_id order by id desc limit 100
""")
LAST_RUNS = text("""
    select distinct on (kind) kind, scheduled_for, job_id from cron_run
    order by kind, scheduled_for desc
""")
RETRY = text("""
    with deleted_incidents as (
        delete from job_incident where job_id = :job_id and kind = 'transient'
    )
    update procrastinate_jobs
    set status = 'todo', attempts = 0, scheduled_at = null, abort_requested = false
    where id = :job_id and status in ('failed', 'aborted', 'cancelled') returning id
""")
RUN_NOW = text("""
    update procrastinate_jobs set scheduled_at = null
    where id = :job_id and status = 'todo' and scheduled_at > now() returning id
""")
CANCEL = text("select procrastinate_cancel_job_v1(:job_id, true, false)")
STORED = text("select status::text, task_name, args from procrastinate_jobs where id = :job_id")
SECONDS_SINCE_HEARTBEAT = text(
    "select extract(epoch from now() - max(last_heartbeat))::float from procrastinate_workers"
)


class QueueRepository:
    def __init__(self, session: AsyncSession) -> None:
        self.session = session
        self.stall = min(settings.worker_stall_seconds, MAX_STALL_SECONDS)

    async def queues(self) -> list[QueueCount]:
        counted = {"counted": MAX_ENDED}
        ended = {row[0]: row[1:] for row in await self.session.execute(ENDED, counted)}
        incident_counts = {row[0]: row[1:] for row in await self.session.execute(INCIDENT_COUNTS)}
        return [
            QueueCount(
                *msgspec.structs.astuple(load),
                *ended.get(load.queue, (0, 0)),
                *incident_counts.get(load.queue, (0, 0, 0)),
            )
            for load in await queue_loads(self.session, self.stall)
        ]

    async def workers(self) -> list[WorkerRead]:
        found = await self.session.execute(WORKERS, {"stall": self.stall})
        return [WorkerRead(*row) for row in found]

    async def throughput(self) -> list[int]:
        """Return the number of jobs done in each of the last 60 minutes, earliest first."""
        return list(await self.session.scalars(THROUGHPUT, {"counted": MAX_PER_MINUTE}))

    async def jobs(self, filters: JobFilters, page: LimitOffset) -> tuple[list[JobRead], int]:
        """Return a page of jobs, newest first, and the total."""
        parameters = self._parameters(filters)
        window = {"limit": page.limit, "offset": page.offset}
        found = await self.session.execute(JOBS, parameters | window)
        total = await self.session.scalar(COUNT, parameters | {"counted": MAX_LISTED})
        return [_to_read(row) for row in found], total or 0

    async def job(self, job_id: int) -> JobRead | None:
        window = {"limit": 1, "offset": 0}
        parameters = self._parameters(JobFilters(), job_id)
        row = (await self.session.execute(JOBS, parameters | window)).one_or_none()
        return None if row is None else _to_read(row)

    def _parameters(self, filters: JobFilters, job_id: int | None = None) -> dict[str, Any]:
        """Return the parameters of MATCHES; `stored` enables an index on the status."""
        stored = "doing" if filters.status is JobStatus.STALLED else filters.status
        given = msgspec.structs.asdict(filters)
        return given | {"stall": self.stall, "job_id": job_id, "stored": stored}

    async def incidents(self, job_id: int) -> list[Incident]:
        """Return a job's incidents, latest first."""
        found = await self.session.execute(INCIDENTS, {"job_id": job_id})
        return [Incident(*row) for row in found]

    async def last_runs(self) -> dict[str, tuple[datetime, int | None]]:
        """Return the last run of each schedule, and its job ID."""
        found = await self.session.execute(LAST_RUNS)
        return {row[0]: (row[1], row[2]) for row in found}

    async def stored(self, job_id: int) -> tuple[str, str, dict[str, Any]] | None:
        """Return a job's stored status, task name and payload."""
        row = (await self.session.execute(STORED, {"job_id": job_id})).one_or_none()
        return None if row is None else (row[0], row[1], row[2])

    async def retry(self, job_id: int) -> bool:
        """Requeue a failed or cancelled job with all its attempts; False if it is neither.

        Raises IntegrityError if a job with the same unique key is pending.
        """
        return await self.session.scalar(RETRY, {"job_id": job_id}) is not None

    async def run_now(self, job_id: int) -> bool:
        """Make a delayed job due now; False if it is not delayed."""
        return await self.session.scalar(RUN_NOW, {"job_id": job_id}) is not None

    async def cancel(self, job_id: int) -> bool:
        """Cancel a pending job, or request a running one to abort; False if it is neither."""
        return await self.session.scalar(CANCEL, {"job_id": job_id}) is not None

    async def seconds_since_heartbeat(self) -> float | None:
        """Return the age of the latest heartbeat, or None if there are no workers."""
        age: float | None = await self.session.scalar(SECONDS_SINCE_HEARTBEAT)
        return age


def _to_read(row: Any) -> JobRead:
    return msgspec.convert(dict(zip(JobRead.__struct_fields__, row, strict=True)), JobRead)
