"""Forgets jobs that ended long ago."""

from datetime import timedelta
from typing import ClassVar

from sqlalchemy import text

from videoflix.platform.db import transaction
from videoflix.platform.queue.clock import every
from videoflix.platform.queue.handlers import handles
from videoflix.platform.queue.job import Job

KEEP_DONE = timedelta(days=1)
KEEP_DEAD = timedelta(days=30)
BATCH = 1_000

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
    """Delete jobs a day after they were done, dead letters after thirty days."""

    name: ClassVar = "queue.prune"
    queue: ClassVar = "maintenance"

    @property
    def once(self) -> str:
        return self.name


every("17 * * * *", PruneJobs())


@handles(PruneJobs)
async def prune(job: PruneJobs) -> None:
    await _drop_jobs(["succeeded", "cancelled", "aborted"], KEEP_DONE)
    await _drop_jobs(["failed"], KEEP_DEAD)
    async with transaction() as session:
        for statement in DROP_OLD:
            await session.execute(statement, {"keep": KEEP_DEAD})


async def _drop_jobs(statuses: list[str], keep: timedelta) -> None:
    """In small transactions: one for a million rows would hold up everybody else."""
    values = {"statuses": statuses, "keep": keep, "batch": BATCH}
    dropped = BATCH
    while dropped == BATCH:
        async with transaction() as session:
            dropped = len((await session.scalars(DROP_BATCH, values)).all())
