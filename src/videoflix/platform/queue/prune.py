"""Retention: delete finished jobs, their incidents and old cron runs."""

import logging
from datetime import timedelta
from typing import ClassVar

from sqlalchemy import text

from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue.cron import schedule
from videoflix.platform.queue.handlers import handles
from videoflix.platform.queue.job import Job
from videoflix.settings import settings

BATCH = 1_000

logger = logging.getLogger(__name__)

DROP_BATCH = text("""
delete from procrastinate_jobs where id in (
    select job.id from procrastinate_jobs as job
    where job.status = any(cast(:statuses as procrastinate_job_status[]))
      and not exists (select from procrastinate_events as event
                      where event.job_id = job.id and event.at > now() - cast(:keep as interval))
    order by job.id limit :batch
) returning id
""")
DROP_OLD = [
    text("delete from job_incident where created_at < now() - cast(:keep as interval)"),
    text("delete from cron_run as run where created_at < now() - cast(:keep as interval) and exists"
         " (select from cron_run where kind = run.kind and scheduled_for > run.scheduled_for)"),
]  # fmt: skip


class PruneJobs(Job):
    """Delete jobs JOBS_DONE_DAYS after they finished, failed ones after JOBS_FAILED_DAYS."""

    name: ClassVar = "queue.prune"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("17 * * * *", PruneJobs())


@handles(PruneJobs)
async def prune(job: PruneJobs) -> None:
    keep_dead = timedelta(days=settings.jobs_failed_days)
    done = await _drop_jobs(
        ["succeeded", "cancelled", "aborted"], timedelta(days=settings.jobs_done_days)
    )
    dead = await _drop_jobs(["failed"], keep_dead)
    async with transaction() as session:
        for statement in DROP_OLD:
            await session.execute(statement, {"keep": keep_dead})
    if done or dead:
        logger.info("deleted %d finished and %d failed jobs", done, dead)


async def _drop_jobs(statuses: list[str], keep: timedelta) -> int:
    """Delete in batches of BATCH rows, one short transaction each; return the number deleted."""
    values = {"statuses": statuses, "keep": keep, "batch": BATCH}
    dropped, total = BATCH, 0
    while dropped == BATCH:
        async with transaction() as session:
            dropped = len((await session.scalars(DROP_BATCH, values)).all())
        total += dropped
    return total
